/**
 * Watches a message go by for lines that are longer than SMTP allows.
 *
 * Promise: looks at a few octets in a thousand. Lines end in LF.
 * Spec: RFC 5321 §4.5.3.1.6
 */

const LF = 10;
/** With CRLF. */
const longest = 1_000;

export class LongLineWatch {
  /** Octets since the last line end. */
  #since = 0;
  #found = false;

  /** Whether there was one, so far. */
  get found(): boolean {
    return this.#found || this.#since > longest - 2;
  }

  put(bytes: Uint8Array): void {
    if (this.#found) return;
    let at = 0;
    for (;;) {
      const room = longest - this.#since;
      if (bytes.length - at < room) break;
      const end = bytes.lastIndexOf(LF, at + room - 1);
      if (end < at) {
        this.#found = true;
        return;
      }
      at = end + 1;
      this.#since = 0;
    }
    const last = bytes.lastIndexOf(LF);
    this.#since = last >= at ? bytes.length - 1 - last : this.#since + bytes.length - at;
  }
}
