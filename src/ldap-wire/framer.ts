/**
 * Cuts a byte stream into LDAP messages.
 *
 * Promise: a message that is too large, or that no LDAP message can begin like, is refused from its first octets, before its
 * body is waited for; memory follows what has arrived, never what a length claims; bytes that trickle in cost amortised
 * constant work.
 * Spec: RFC 4511 §4.1.1, §5.1
 */

import { Fault } from '../base/index.ts';
import { BrokenBer, ber } from './ber-read.ts';

export class Framer {
  #octets: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  #own = false;

  /** Octets that have arrived and are not handed out yet. */
  get waiting(): number {
    return this.#end - this.#at;
  }

  push(chunk: Buffer): void {
    if (this.#at === this.#end) {
      this.#octets = chunk;
      this.#at = 0;
      this.#end = chunk.length;
      this.#own = false;
      return;
    }
    const have = this.#end - this.#at;
    // Messages handed out are views of this buffer, so it is only ever written behind its end.
    if (!this.#own || this.#octets.length - this.#end < chunk.length) {
      const grown = Buffer.allocUnsafe(Math.max(1024, have * 2, have + chunk.length));
      this.#octets.copy(grown, 0, this.#at, this.#end);
      this.#octets = grown;
      this.#own = true;
      this.#at = 0;
      this.#end = have;
    }
    chunk.copy(this.#octets, this.#end);
    this.#end += chunk.length;
  }

  /**
   * The next whole message of at most `limit` octets, or undefined until more arrives.
   * Throws BrokenBer where the stream is no LDAP, Fault `too-large` where the message is over the limit.
   */
  next(limit: number): Buffer | undefined {
    const have = this.#end - this.#at;
    if (have === 0) return undefined;
    const octets = this.#octets;
    if (octets[this.#at] !== ber.sequence) throw new BrokenBer('an LDAP message begins with 0x30');
    if (have < 2) return undefined;
    let length = octets[this.#at + 1]!;
    let header = 2;
    if (length >= 0x80) {
      const size = length & 0x7f;
      if (size === 0) throw new BrokenBer('indefinite lengths are not used in LDAP');
      if (size > 4) throw new BrokenBer('a length of more than four octets');
      if (have < 2 + size) return undefined;
      length = octets.readUIntBE(this.#at + 2, size);
      header += size;
    }
    if (header + length > limit) throw new Fault('too-large', `a message of ${header + length} octets; at most ${limit} are accepted here`);
    if (have < header + length) return undefined;
    const message = octets.subarray(this.#at, this.#at + header + length);
    this.#at += header + length;
    return message;
  }
}
