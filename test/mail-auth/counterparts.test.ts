/** mailauth as the other side: it verifies and seals what we sign and verify. (dkimpy, OpenDKIM and pyspf: test/interop.) */

import { createPrivateKey } from 'node:crypto';
import { createRequire } from 'node:module';
import { expect, test } from '@jest/globals';
import { digest, signature } from '../../src/mail-auth/dkim-sign.ts';
import { keyRecord, type MadeKey, makeKey } from '../../src/mail-auth/index.ts';
import { type NodeResolve, nodeResolve } from '../../src/mail-auth/resolver.ts';
import { dnsOf, examine, words, type Zone } from './support.ts';

const load = createRequire(import.meta.url);
interface Verified {
  readonly results: readonly { readonly status: { readonly result: string } }[];
  readonly arc: unknown;
}
const { dkimVerify } = load('mailauth/lib/dkim/verify') as {
  dkimVerify(message: Buffer, options: { resolver: NodeResolve }): Promise<Verified>;
};
const { dkimSign } = load('mailauth/lib/dkim/sign') as {
  dkimSign(message: Buffer, options: object): Promise<{ signatures: string }>;
};
const { arc, sealMessage } = load('mailauth/lib/arc') as {
  arc(data: unknown, options: { resolver: NodeResolve; minBitLength: number }): Promise<{ status: { result: string } }>;
  sealMessage(message: Buffer, seal: object): Promise<Buffer>;
};

const rsa = makeKey('rsa');
const ed = makeKey('ed25519');
const zone: Zone = {
  'TXT rsa._domainkey.a.test': [keyRecord(rsa)],
  'TXT ed._domainkey.a.test': [keyRecord(ed)],
};
const resolver = nodeResolve(dnsOf(zone));
const privateKey = (key: MadeKey) => createPrivateKey({ key: Buffer.from(key.privateKey, 'base64'), format: 'der', type: 'pkcs8' });
const message = Buffer.from('From: joe@a.test\r\nTo: b@c.example\r\nSubject:  folded\r\n  line\r\n\r\nHello \t there \r\n\r\n\r\n');
const settings = { spf: false, dmarc: false };
const now = Date.now() + 60_000;

test('it verifies what we sign', async () => {
  async function* content(): AsyncIterable<Uint8Array> {
    yield message;
  }
  const read = await digest(content());
  if (!read) throw new Error('the header is too long');
  const fields = [rsa, ed].map((key) =>
    signature(
      read,
      { domain: 'a.test', selector: key.type === 'rsa' ? 'rsa' : 'ed', type: key.type, key: privateKey(key) },
      { now: Date.now() },
    ),
  );
  const { results } = await dkimVerify(Buffer.concat([Buffer.from(fields.join('')), message]), { resolver });
  expect(results.map(({ status }) => status.result)).toEqual(['pass', 'pass']);
});

test('we verify what it signs', async () => {
  for (const canonicalization of ['relaxed/relaxed', 'simple/simple', 'relaxed/simple', 'simple/relaxed']) {
    const { signatures } = await dkimSign(message, {
      canonicalization,
      algorithm: 'rsa-sha256',
      signatureData: [{ signingDomain: 'a.test', selector: 'rsa', privateKey: privateKey(rsa).export({ format: 'pem', type: 'pkcs8' }) }],
    });
    const found = await examine(Buffer.concat([Buffer.from(signatures), message]), { zone, settings, now });
    expect(words(found)).toMatch(/dkim=pass header\.d=a\.test/);
  }
});

test('chains that it seals hold, for it and for us', async () => {
  let sealed: Buffer = message;
  for (const [n, cv] of ['none', 'pass', 'pass'].entries()) {
    const key = privateKey(rsa).export({ format: 'pem', type: 'pkcs8' });
    const fields = await sealMessage(sealed, {
      signingDomain: 'a.test',
      selector: 'rsa',
      privateKey: key,
      algorithm: 'rsa-sha256',
      authResults: `mx${n}.a.test; dmarc=pass header.from=a.test`,
      cv,
    });
    sealed = Buffer.concat([fields, sealed]);
    expect(words(await examine(sealed, { zone, settings, now }))).toMatch(/[; ]arc=pass/);
    const theirs = await dkimVerify(sealed, { resolver });
    expect((await arc(theirs.arc, { resolver, minBitLength: 1_024 })).status.result).toBe('pass');
  }
});
