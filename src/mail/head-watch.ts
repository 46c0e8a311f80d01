/**
 * Reads what the queue wants to know of the header of a message that goes by in pieces: its Message-ID, and how urgent it is.
 *
 * Promise: looks at no more than the first 64 KiB, keeps no more than that until the header ends; of several Message-ID fields the
 * first counts. Spec: RFC 5322 §3.6.4
 */

import { ordinary, precedenceOf } from './precedence.ts';

const most = 65_536;
const field = /^message-id[ \t]*:[ \t]*(?:\r?\n[ \t]+)?([^\s][^\r\n]{0,997})/im;

export class HeadWatch {
  #head: Buffer | undefined;
  #done = false;
  #messageId: string | undefined;
  #precedence = ordinary;

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

  #read(bytes: Buffer): void {
    this.#done = true;
    this.#head = undefined;
    const head = bytes.toString('latin1');
    // A body that begins at once is no header.
    if (head.startsWith('\r\n')) return;
    const found = field.exec(head)?.[1];
    if (found !== undefined) this.#messageId = Buffer.from(/^<[^<>]*>/.exec(found)?.[0] ?? found.trimEnd(), 'latin1').toString('utf8');
    this.#precedence = precedenceOf(head);
  }

  /** As given, angle brackets included; undefined where there is none. To be asked when all has gone by. */
  messageId(): string | undefined {
    if (this.#head) this.#read(this.#head);
    return this.#messageId;
  }

  /** As `precedenceOf` says. To be asked when all has gone by. */
  precedence(): number {
    if (this.#head) this.#read(this.#head);
    return this.#precedence;
  }
}
