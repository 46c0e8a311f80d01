/**
 * Watches a message go by for the presence of header fields.
 *
 * Promise: looks at the header section only, and at no more than its first 256 KiB; a field cut in two by chunks is seen.
 * Spec: RFC 5322 §2.2
 */

const most = 262_144;
const longestName = 64;

export class HeaderWatch {
  readonly #wanted: readonly string[];
  readonly #found = new Set<string>();
  /** Start of the line being read, as far as it may still be a name. */
  #line = '';
  #seen = 0;
  #done = false;
  #ended = false;

  /** Names in lower case. */
  constructor(names: readonly string[]) {
    this.#wanted = names;
  }

  put(bytes: Uint8Array): void {
    if (this.#done) return;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, most - this.#seen)).toString('latin1');
    this.#seen += bytes.length;
    let at = 0;
    while (at < text.length && !this.#done) {
      const end = text.indexOf('\n', at);
      const room = longestName - this.#line.length;
      if (room > 0) this.#line += text.slice(at, Math.min(end < 0 ? text.length : end, at + room));
      if (end < 0) break;
      this.#lineEnded();
      at = end + 1;
    }
    if (this.#seen >= most || this.#found.size === this.#wanted.length) this.#done = true;
  }

  #lineEnded(): void {
    const line = this.#line;
    this.#line = '';
    if (line === '\r' || line === '') {
      this.#done = true;
      this.#ended = true;
      return;
    }
    const colon = line.indexOf(':');
    const name = colon < 0 ? '' : line.slice(0, colon).trimEnd().toLowerCase();
    if (this.#wanted.includes(name)) this.#found.add(name);
  }

  /** Whether the end of the header section was seen: what was not found then is not there. */
  get ended(): boolean {
    return this.#ended;
  }

  has(name: string): boolean {
    return this.#found.has(name);
  }
}
