/**
 * Octets as the body of a multi-line reply: a dot before every line that begins with one, and the closing line.
 *
 * Spec: RFC 1939 §3
 */

const LF = 10;
const DOT = 46;
const dot = Uint8Array.of(DOT);

export class DotStuffer {
  #last = LF;
  #before = 13;

  /** The pieces to write for this chunk; the chunk itself where nothing is to be done. */
  push(chunk: Uint8Array): Uint8Array[] {
    if (chunk.length === 0) return [];
    const out: Uint8Array[] = [];
    let from = 0;
    if (chunk[0] === DOT && this.#last === LF) out.push(dot);
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    for (let at = bytes.indexOf('\n.', 0, 'latin1'); at >= 0; at = bytes.indexOf('\n.', at + 2, 'latin1')) {
      out.push(chunk.subarray(from, at + 1), dot);
      from = at + 1;
    }
    out.push(chunk.subarray(from));
    this.#before = chunk.length > 1 ? chunk[chunk.length - 2]! : this.#last;
    this.#last = chunk[chunk.length - 1]!;
    return out;
  }

  end(): Uint8Array {
    return Buffer.from(this.#last === LF && this.#before === 13 ? '.\r\n' : '\r\n.\r\n');
  }
}
