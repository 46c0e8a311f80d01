/** Which certificates TLSA records name. */

import { createHash, X509Certificate } from 'node:crypto';
import { expect, test } from '@jest/globals';
import type { TlsaRecord } from '../../src/base/index.ts';
import { subjectPublicKeyInfo } from '../../src/smtpc/tls/certificate-key.ts';
import { daneRefusal, strongest, tlsaText, usable } from '../../src/smtpc/tls/dane.ts';
import { type Issued, makeAuthority } from '../support/authority.ts';

const root = makeAuthority('Root');
const middle = root.issue({ commonName: 'Middle', ca: true });
const good = middle.issue({ names: ['mx.example.org', '*.wild.example.org'] });
const expired = middle.issue({ names: ['mx.example.org'], to: -0.5 });
const early = middle.issue({ names: ['mx.example.org'], from: 0.5 });
const bare = middle.issue({ commonName: 'mx.example.org' });
const forClients = middle.issue({ names: ['mx.example.org'], client: true });
const noAuthority = root.issue({ commonName: 'no authority' });
const belowNone = noAuthority.issue({ names: ['mx.example.org'] });
const stranger = makeAuthority('Stranger');

const x509 = (...some: Issued[]) => some.map(({ cert }) => new X509Certificate(cert));
const names = ['mx.example.org', 'example.org'];
const digest = (type: number, bytes: Buffer): Buffer =>
  type === 0
    ? bytes
    : createHash(type === 1 ? 'sha256' : 'sha512')
        .update(bytes)
        .digest();
const record = (usage: number, selector: number, matchingType: number, of: Issued): TlsaRecord => ({
  usage,
  selector,
  matchingType,
  data: digest(matchingType, selector === 0 ? of.der : of.spki),
});
const refusal = (chain: X509Certificate[], ...records: TlsaRecord[]) => daneRefusal(chain, records, names, Date.now())?.type;
const forms = [0, 1].flatMap((selector) => [0, 1, 2].map((type) => [selector, type] as const));

test('the key in a certificate is found octet for octet', () => {
  for (const one of [root, good, bare]) expect(Buffer.from(subjectPublicKeyInfo(one.der) ?? [])).toEqual(one.spki);
  for (const rubbish of [
    Buffer.alloc(0),
    Buffer.from('3080', 'hex'),
    Buffer.from('30843000', 'hex'),
    good.der.subarray(0, 60),
    good.der.subarray(4),
  ])
    expect(subjectPublicKeyInfo(rubbish)).toBeUndefined();
});

test.each(forms)(
  "DANE-EE with selector %i and matching %i is the peer's own certificate, whatever its dates, names and issuer",
  (selector, type) => {
    for (const one of [good, expired, early, bare, forClients, stranger]) {
      expect(refusal(x509(one), record(3, selector, type, one))).toBeUndefined();
      expect(refusal(x509(one), record(3, selector, type, root))).toBe('validation-failure');
    }
  },
);

test.each(forms)('DANE-TA with selector %i and matching %i is an issuer that is shown', (selector, type) => {
  for (const anchor of [middle, root]) expect(refusal(x509(good, middle, root), record(2, selector, type, anchor))).toBeUndefined();
  expect(refusal(x509(good, middle, root), record(2, selector, type, stranger))).toBe('validation-failure');
  // The peer's own certificate is no anchor.
  expect(refusal(x509(good, middle), record(2, selector, type, good))).toBe('validation-failure');
});

test('an anchor that stands in the record as a whole need not be shown; one that is known by its digest must', () => {
  for (const selector of [0, 1]) {
    expect(refusal(x509(good, middle), record(2, selector, 0, root))).toBeUndefined();
    expect(refusal(x509(good), record(2, selector, 0, middle))).toBeUndefined();
    expect(refusal(x509(good), record(2, selector, 0, root))).toBe('validation-failure');
    expect(refusal(x509(good, middle), record(2, selector, 1, root))).toBe('validation-failure');
  }
});

test('below an anchor dates, names and what a certificate is for must be right', () => {
  const anchor = record(2, 1, 1, middle);
  expect(refusal(x509(expired, middle), anchor)).toBe('certificate-expired');
  expect(refusal(x509(early, middle), anchor)).toBe('certificate-expired');
  expect(refusal(x509(forClients, middle), anchor)).toBe('certificate-not-trusted');
  expect(refusal(x509(belowNone, noAuthority, root), record(2, 0, 1, root))).toBe('certificate-not-trusted');
  expect(refusal(x509(bare, middle), anchor)).toBeUndefined();
  const named = (...some: string[]) => daneRefusal(x509(good, middle), [anchor], some, Date.now())?.type;
  expect(named('other.example.org')).toBe('certificate-host-mismatch');
  expect(named('other.example.org', 'a.wild.example.org')).toBeUndefined();
  expect(named('a.b.wild.example.org')).toBe('certificate-host-mismatch');
});

test('an issuer that did not sign is none, whatever its name', () => {
  const impostor = makeAuthority('Root').issue({ commonName: 'Middle', ca: true });
  expect(refusal(x509(good, impostor), record(2, 0, 1, impostor))).toBe('validation-failure');
  expect(refusal(x509(good, impostor), record(2, 1, 0, impostor))).toBe('validation-failure');
  expect(refusal([], record(3, 0, 1, good))).toBe('validation-failure');
});

test('one record that fits is enough, and of two digests for one thing only the stronger counts', () => {
  expect(refusal(x509(good), record(3, 1, 1, stranger), record(3, 1, 1, good))).toBeUndefined();
  expect(refusal(x509(good, middle), record(3, 1, 1, stranger), record(2, 0, 1, middle))).toBeUndefined();
  expect(refusal(x509(good), record(3, 1, 1, good), record(3, 1, 2, stranger))).toBe('validation-failure');
  expect(refusal(x509(good), record(3, 0, 1, good), record(3, 1, 2, stranger))).toBeUndefined();
  expect(strongest([record(3, 1, 1, good), record(3, 1, 2, good), record(3, 1, 0, good)])).toHaveLength(2);
});

test.each([
  ['usage 0', { ...record(0, 0, 1, good) }],
  ['usage 1', { ...record(1, 0, 1, good) }],
  ['usage 255', { ...record(255, 0, 1, good) }],
  ['selector 2', { ...record(3, 0, 1, good), selector: 2 }],
  ['matching 3', { ...record(3, 0, 1, good), matchingType: 3 }],
  ['a digest too short', { ...record(3, 0, 1, good), data: Buffer.alloc(31) }],
  ['an empty digest', { ...record(3, 0, 2, good), data: Buffer.alloc(0) }],
  ['a whole certificate that is none', { ...record(3, 0, 0, good), data: Buffer.from('rubbish') }],
  ['a whole key that is none', { ...record(2, 1, 0, good), data: Buffer.from('rubbish') }],
])('a record with %s counts for nothing', (_what, one) => {
  expect(usable(one)).toBe(false);
  expect(refusal(x509(good), one)).toBe('validation-failure');
});

test('a record is shown as in a zone', () => {
  expect(tlsaText({ usage: 3, selector: 1, matchingType: 1, data: Buffer.from('00ab', 'hex') })).toBe('3 1 1 00AB');
});
