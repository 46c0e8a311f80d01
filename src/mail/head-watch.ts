/**
 * Reads what the queue wants to know of the header of a message that goes by in pieces: its Message-ID, and how urgent it is.
 *
 * Promise: looks at no more than the first 64 KiB; of several Message-ID fields the first counts. Spec: RFC 5322 §3.6.4
 */

import { KeptHeader } from './kept-header.ts';
import { ordinary, precedenceOf } from './precedence.ts';

const most = 65_536;
const field = /^message-id[ \t]*:[ \t]*(?:\r?\n[ \t]+)?([^\s][^\r\n]{0,997})/im;

export class HeadWatch {
  readonly #kept: KeptHeader;
  #read = false;
  #messageId: string | undefined;
  #precedence = ordinary;

  /** `kept`: somebody else's, who keeps more of it; `put` belongs to one of the two. */
  constructor(kept = new KeptHeader(most)) {
    this.#kept = kept;
  }

  put(bytes: Uint8Array): void {
    this.#kept.put(bytes);
  }

  #readOnce(): void {
    if (this.#read) return;
    this.#read = true;
    const head = this.#kept.bytes.subarray(0, most).toString('latin1');
    const found = field.exec(head)?.[1];
    if (found !== undefined) this.#messageId = Buffer.from(/^<[^<>]*>/.exec(found)?.[0] ?? found.trimEnd(), 'latin1').toString('utf8');
    this.#precedence = precedenceOf(head);
  }

  /** As given, angle brackets included; undefined where there is none. To be asked when all has gone by. */
  messageId(): string | undefined {
    this.#readOnce();
    return this.#messageId;
  }

  /** As `precedenceOf` says. To be asked when all has gone by. */
  precedence(): number {
    this.#readOnce();
    return this.#precedence;
  }
}
