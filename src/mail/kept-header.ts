/**
 * Keeps the header section of a message that goes by in pieces, for whoever wants to read it in the end.
 *
 * Promise: keeps copies, of no more than the first octets it was told, and nothing of the body; an end that is cut in two by pieces is found.
 * Lines end in CRLF.
 * Spec: RFC 5322 §2.1
 */

const emptyLine = '\r\n\r\n';
const CR = 13;
const LF = 10;
/** Octets: far more than any client writes, all that anybody puts in front included. */
const mostWritten = 262_144;

export class KeptHeader {
  /** Octets that are kept. */
  readonly most: number;
  #pieces: Buffer[] = [];
  #kept = 0;
  #seen = 0;
  /** Where the header ends: behind the end of its last line. */
  #end: number | undefined;

  /** `most`: octets; for mail that is handed in, unless given. */
  constructor(most = mostWritten) {
    this.most = most;
  }

  put(bytes: Uint8Array): void {
    if (this.#end !== undefined || bytes.length === 0) return;
    this.#seen += bytes.length;
    if (this.#kept >= this.most) return;
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, this.most - this.#kept));
    const across = this.#across(view);
    const at = across ?? view.indexOf(emptyLine);
    const ended = across !== undefined || at >= 0;
    if (ended) this.#end = this.#kept + at + 2;
    // The bytes are the caller's: a copy is kept.
    const piece = Buffer.from(ended ? view.subarray(0, Math.max(0, at + 2)) : view);
    this.#pieces.push(piece);
    this.#kept += piece.length;
  }

  /** Where an empty line begins that lies in what was kept, in part; counted from the start of the piece that follows. */
  #across(piece: Buffer): number | undefined {
    if (piece[0] !== CR && piece[0] !== LF) return undefined;
    const before = this.#tail();
    const at = Buffer.concat([before, piece.subarray(0, 3)]).indexOf(emptyLine);
    return at < 0 ? undefined : at - before.length;
  }

  /** The last octets that were kept, in which an empty line may have begun. */
  #tail(): Buffer {
    let tail = Buffer.alloc(0);
    for (let n = this.#pieces.length - 1; n >= 0 && tail.length < 3; n--) tail = Buffer.concat([this.#pieces[n] as Buffer, tail]);
    // A message may also begin with its empty line.
    return Buffer.concat([Buffer.from('\r\n'), tail]).subarray(-3);
  }

  /** Without the empty line; as much as there was and is kept where none was seen. */
  get bytes(): Buffer {
    if (this.#pieces.length > 1) this.#pieces = [Buffer.concat(this.#pieces, this.#kept)];
    return (this.#pieces[0] ?? Buffer.alloc(0)).subarray(0, this.#end);
  }

  /** Whether the end was seen: what is not in it is not there. */
  get ended(): boolean {
    return this.#end !== undefined;
  }

  /** Whether there is more of it than was kept. */
  get tooLong(): boolean {
    return !this.ended && this.#seen > this.most;
  }
}
