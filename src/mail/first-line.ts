/**
 * The first line of a message that others hand in, before which this server puts lines of its own.
 *
 * Promise: what stands there never goes on with a field of ours. A first line that begins with a blank is the text of a message without
 * a header: an empty line is put in front of it. Spec: RFC 5322 §2.2.3 (folding), §3.5
 */

const emptyLine = Buffer.from('\r\n');
const [space, tab] = [32, 9];

export class FirstLine {
  #begun = false;

  /** The octets with what must stand in front of them; to be given all of a message, in order. */
  push(bytes: Uint8Array): Uint8Array {
    if (this.#begun || bytes.length === 0) return bytes;
    this.#begun = true;
    return bytes[0] === space || bytes[0] === tab ? Buffer.concat([emptyLine, bytes]) : bytes;
  }
}
