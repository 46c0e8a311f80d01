/**
 * Which key a message is signed with on its way out, and the fields that come of it.
 *
 * Promise: a domain's key signs only what somebody sends who has an address there, or who is trusted as a whole; anybody else's message that
 * passes through is left as it is. A key that cannot be read is no reason to send unsigned: it throws, and the message waits.
 * Spec: RFC 6376 §5.1, §5.6
 */

import type { KeyObject } from 'node:crypto';
import { type Clock, type Live, Lru } from '../base/index.ts';
import type { KeyType } from './dkim-key.ts';
import { readPrivateKey } from './dkim-key.ts';
import { digest, signature } from './dkim-sign.ts';
import { organizationalDomain } from './dmarc.ts';
import { authorsOf } from './inspection.ts';
import type { MailAuthSettings } from './settings.ts';

/** A key in use. */
export interface StoredKey {
  readonly domain: string;
  readonly selector: string;
  readonly type: KeyType;
  /** PKCS #8, DER in base64. */
  readonly privateKey: string;
}

export interface SignerNeeds {
  readonly clock: Clock;
  readonly settings: Live<Pick<MailAuthSettings, 'sign' | 'validDays'>>;
  /** The active keys of exactly this domain; quick where there are none. */
  readonly keysOf: (domain: string) => Promise<readonly StoredKey[]>;
  /** Whether any domain has an active key: without, nothing is read. */
  readonly any: () => boolean;
}

/** Whether who sent the message may sign for a domain. */
export type MaySign = (domain: string) => Promise<boolean>;

export interface Signer {
  /** Fields to put in front; empty where it is not signed. `content` may be read once. */
  sign(content: () => AsyncIterable<Uint8Array>, maySign: MaySign): Promise<string>;
}

const day = 86_400;

export function createSigner({ clock, settings, keysOf, any }: SignerNeeds): Signer {
  const read = new Lru<string, KeyObject>(1_000);
  const keyObject = (text: string): KeyObject => {
    const key = read.get(text) ?? readPrivateKey(text);
    read.set(text, key);
    return key;
  };
  return {
    async sign(content, maySign) {
      if (!settings.value.sign || !any()) return '';
      const message = await digest(content());
      if (!message) return '';
      const { validDays } = settings.value;
      for (const author of authorsOf(message.fields).domains) {
        const keys = await nearest(author, keysOf);
        if (keys.length === 0 || !(await maySign(author))) continue;
        const options = { now: clock.now(), validFor: validDays === 0 ? undefined : validDays * day };
        return keys.map((key) => signature(message, { ...key, key: keyObject(key.privateKey) }, options)).join('');
      }
      return '';
    },
  };
}

/** Of the domain, or of the closest one above it, no higher than what a registry hands out. */
async function nearest(author: string, keysOf: SignerNeeds['keysOf']): Promise<readonly StoredKey[]> {
  const top = organizationalDomain(author);
  for (let domain = author; ; domain = domain.slice(domain.indexOf('.') + 1)) {
    const keys = await keysOf(domain);
    if (keys.length > 0 || domain === top || !domain.includes('.')) return keys;
  }
}
