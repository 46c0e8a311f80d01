/**
 * Messages that were sealed on their way, made from RFC 8617 alone: not by the code that verifies them but for the canonical forms.
 */

import { createPrivateKey, sign } from 'node:crypto';
import { BodyHash, canonicalField } from '../../src/mail-auth/canonical.ts';
import { keyRecord, type MadeKey, makeKey } from '../../src/mail-auth/index.ts';

export interface Hop {
  readonly domain: string;
  readonly results: string;
  readonly key: MadeKey;
  /** What its seal says of the chain before; the right thing unless given. */
  readonly state?: string;
}

const relaxed = (field: string): string => canonicalField(field, 'relaxed');

function signedWith(key: MadeKey, text: string): string {
  const privateKey = createPrivateKey({ key: Buffer.from(key.privateKey, 'base64'), format: 'der', type: 'pkcs8' });
  return sign('sha256', Buffer.from(text, 'latin1'), privateKey).toString('base64');
}

/** The fields and the body with a set of ARC for each hop in front. */
export function seal(header: readonly string[], body: string, hops: readonly Hop[]): string {
  const sets: string[][] = [];
  const hash = new BodyHash('relaxed');
  hash.update(Buffer.from(body));
  const bodyHash = hash.end().hash;
  const from = header.find((line) => /^from:/i.test(line)) ?? '';
  for (const [at, { domain, results, key, state }] of hops.entries()) {
    const n = at + 1;
    const aar = `ARC-Authentication-Results: i=${n}; ${results}`;
    const amsHead = `ARC-Message-Signature: i=${n}; a=rsa-sha256; c=relaxed/relaxed; d=${domain}; s=arc;\r\n h=from; bh=${bodyHash}; b=`;
    const ams = `${amsHead}${signedWith(key, `${relaxed(from)}\r\n${relaxed(amsHead)}`)}`;
    const sealHead = `ARC-Seal: i=${n}; a=rsa-sha256; cv=${state ?? (n === 1 ? 'none' : 'pass')}; d=${domain}; s=arc; b=`;
    const before = [...sets.flat(), aar, ams].map((field) => `${relaxed(field)}\r\n`).join('');
    sets.push([aar, ams, `${sealHead}${signedWith(key, `${before}${relaxed(sealHead)}`)}`]);
  }
  return `${[...[...sets].reverse().flatMap((set) => [...set].reverse()), ...header].join('\r\n')}\r\n\r\n${body}`;
}

const key = makeKey('rsa', 1_024);
export const records = { 'arc._domainkey.lists.test': keyRecord(key) };
/** A list changed a message of a strict domain, and says what it saw before. */
export const sealed = seal(['From: joe@strict.test', 'Subject: [list] hello'], 'Hello\r\n-- \r\nfooter\r\n', [
  { domain: 'lists.test', results: 'lists.test; dkim=pass header.d=strict.test; dmarc=pass header.from=strict.test', key },
]);
