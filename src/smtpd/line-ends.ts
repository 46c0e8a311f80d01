/**
 * Makes every line of a message end in CRLF: a bare CR and a bare LF become one.
 *
 * After this no reader of the message, here or behind us, can see other lines than we do: that is what keeps a message from being
 * read as two (docs/smtp-line-ends.md). Every other octet stays as it is. Notices octets above 127 on the way.
 * Spec: RFC 5321 §2.3.8, RFC 5322 §2.3
 */

const CR = 0x0d;
const LF = 0x0a;
const crByte = Buffer.from('\r');
const lfByte = Buffer.from('\n');
const none = Buffer.alloc(0);

export class LineEnds {
  #last = LF;
  #eightBit = false;

  /** An octet above 127 has been seen. */
  get eightBit(): boolean {
    return this.#eightBit;
  }

  put(bytes: Buffer): Buffer {
    let last = this.#last;
    let seen = 0;
    let pieces: Buffer[] | undefined;
    let from = 0;
    const { length } = bytes;
    for (let i = 0; i < length; i += 1) {
      const octet = bytes[i] as number;
      seen |= octet;
      if (octet === LF ? last !== CR : last === CR) {
        pieces ??= [];
        pieces.push(bytes.subarray(from, i), octet === LF ? crByte : lfByte);
        from = i;
      }
      last = octet;
    }
    if (seen > 127) this.#eightBit = true;
    if (length > 0) {
      this.#last = last;
    }
    if (!pieces) return bytes;
    pieces.push(bytes.subarray(from));
    return Buffer.concat(pieces);
  }

  /** What is still needed for the last line to end in CRLF. */
  end(): Buffer {
    if (this.#last === LF) return none;
    return this.#last === CR ? lfByte : Buffer.from('\r\n');
  }
}
