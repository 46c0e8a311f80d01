/**
 * Reads the Message-ID of a message that goes by in pieces.
 *
 * Promise: looks at no more than the first 64 KiB, keeps no more than that until the header ends; of several Message-ID fields the
 * first counts. Spec: RFC 5322 §3.6.4
 */

const most = 65_536;
const field = /^message-id[ \t]*:[ \t]*(?:\r?\n[ \t]+)?([^\s][^\r\n]{0,997})/im;

export class MessageIdWatch {
  #head: Buffer | undefined;
  #done = false;
  #value: string | undefined;

  put(bytes: Uint8Array): void {
    if (this.#done || bytes.length === 0) return;
    const piece = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, most - (this.#head?.length ?? 0)));
    const head = this.#head ? Buffer.concat([this.#head, piece]) : piece;
    const end = head.indexOf('\r\n\r\n');
    if (end < 0 && head.length < most) {
      // The bytes are the caller's: a copy is kept.
      this.#head = this.#head ? head : Buffer.from(piece);
      return;
    }
    this.#read(end < 0 ? head : head.subarray(0, end));
  }

  #read(head: Buffer): void {
    this.#done = true;
    this.#head = undefined;
    // A body that begins at once is no header.
    const found = head.subarray(0, 2).toString('latin1') === '\r\n' ? undefined : field.exec(head.toString('latin1'))?.[1];
    if (found !== undefined) this.#value = Buffer.from(/^<[^<>]*>/.exec(found)?.[0] ?? found.trimEnd(), 'latin1').toString('utf8');
  }

  /** As given, angle brackets included; undefined where there is none. To be asked when all has gone by. */
  value(): string | undefined {
    if (this.#head) this.#read(this.#head);
    return this.#value;
  }
}
