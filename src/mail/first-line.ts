/**
 * The first line of a message that others hand in, before which this server puts lines of its own.
 *
 * Promise: what stands there never goes on with a field of ours. A first line that is no header field is the text of a message without a
 * header: an empty line is put in front of it. The line of a mailbox file (`From ann@… Mon Jan …`) and a byte order mark stay as they came:
 * the header stands behind them, and readers pass over such a line.
 * Spec: RFC 5322 §2.2 (field names), §2.2.3 (folding), §3.5, §4.5 (blanks before the colon); RFC 4155 (mailbox files)
 */

/** A field, the end of a header of no fields, a mailbox file, a byte order mark; Latin-1. */
const header = /^(?:[!-9;-~]+[ \t]*:|\r|>?From |\xef\xbb\xbf)/;
/** No line of a header is longer (RFC 5322 §2.1.1). */
const longest = 998;
const carriageReturn = 13;
const nothing = Buffer.alloc(0);
const emptyLine = Buffer.from('\r\n');

export class FirstLine {
  /** Of the first line, while it is not whole. */
  #held: Uint8Array | undefined = nothing;

  /** The octets with what must stand in front of them, as soon as that is known; to be given all of a message, in order, lines ending in CR LF. */
  push(bytes: Uint8Array): Uint8Array {
    if (!this.#held) return bytes;
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    return this.#held.length >= longest || this.#held.includes(carriageReturn) ? this.end() : nothing;
  }

  /** Nothing follows: what is still held, if anything. */
  end(): Uint8Array {
    const held = this.#held ?? nothing;
    this.#held = undefined;
    const line = Buffer.from(held.buffer, held.byteOffset, Math.min(held.length, longest)).toString('latin1');
    return held.length === 0 || header.test(line) ? held : Buffer.concat([emptyLine, held]);
  }
}
