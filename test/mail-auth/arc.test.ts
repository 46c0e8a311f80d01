/** Chains of ARC: those that hold, and every way in which one does not. */

import { expect, test } from '@jest/globals';
import { keyRecord, makeKey } from '../../src/mail-auth/index.ts';
import { seal } from './sealed.ts';
import { type Asked, examine, words, type Zone } from './support.ts';

const [a, b] = [makeKey('rsa', 1_024), makeKey('rsa', 1_024)];
const zone: Zone = {
  'TXT arc._domainkey.a.test': [keyRecord(a)],
  'TXT arc._domainkey.b.test': [keyRecord(b)],
  'TXT _dmarc.strict.test': ['v=DMARC1; p=reject'],
};
const hops = [
  { domain: 'a.test', results: 'mx.a.test 1; dkim=pass header.d=strict.test; dmarc=pass header.from=strict.test', key: a },
  { domain: 'b.test', results: 'mx.b.test; arc=pass; dmarc=fail header.from=strict.test', key: b },
];
const header = ['From: joe@strict.test', 'Subject: hello'];
const message = seal(header, 'Hello\r\n', hops);
const arc = async (text: string, asked: Asked = {}): Promise<string> => {
  const found = words(await examine(text, { zone, ...asked, settings: { spf: false, dkim: false, ...asked.settings } }));
  const [, result, reason] = /[; ]arc=(\w+)(?: reason="([^"]*)")?/.exec(found) ?? [];
  return [result, reason].filter(Boolean).join(': ');
};

test('a chain of two holds, and names who sealed', async () => {
  expect(await arc(message)).toBe('pass');
  expect(words(await examine(message, { zone }))).toMatch(/arc=pass arc\.chain="a\.test:b\.test"/);
  expect(await arc(`${header.join('\r\n')}\r\n\r\nHello\r\n`)).toBe('none');
});

test.each<[string, (text: string) => string, RegExp]>([
  ['the body was changed', (m) => m.replace('Hello\r\n', 'Hullo\r\n'), /^fail: ARC-Message-Signature: the body was changed/],
  ['From was changed', (m) => m.replace('joe@', 'jim@'), /^fail: ARC-Message-Signature: the header was changed/],
  ['results were changed', (m) => m.replace('arc=pass; dmarc=fail', 'arc=pass; dmarc=pass'), /^fail: the seal of set 2 does not hold/],
  ['older results were changed', (m) => m.replace('dmarc=pass', 'dmarc=fail'), /^fail: the seal of set 2 does not hold/],
  ['a set is missing', (m) => m.replace(/ARC-Seal: i=1[\s\S]*?(?=\r\nARC)/, 'X: y'), /^fail: set 1 is not there once and whole/],
  ['a set is there twice', (m) => `${m.slice(0, m.indexOf('\r\nARC-Message'))}\r\n${m}`, /^fail: set \d is not there/],
  ['numbers leave one out', (m) => m.replaceAll('i=2;', 'i=3;'), /^fail: set 2 is not there/],
  ['number 0', (m) => m.replaceAll('i=1;', 'i=0;'), /^fail: set 1 is not there/],
  ['the first says pass', (m) => m.replace('cv=none', 'cv=pass'), /^fail: the seal of set 1 says cv=pass/],
  ['a seal with h=', (m) => m.replace('cv=pass;', 'cv=pass; h=from;'), /^fail: the seal of set 2 has h=/],
  ['a seal that is no list', (m) => m.replace('cv=pass;', 'cv=pass; ???;'), /^fail: the seal of set 2 cannot be read/],
  ['the seal is among what is signed', (m) => m.replace(/h=from/, 'h=from:arc-seal'), /^fail: ARC-Message-Signature: ARC-Seal is signed/],
])('a chain that does not hold: %s', async (_name, change, expected) => {
  expect(await arc(change(message))).toMatch(expected);
});

test('the last hop says that the chain was broken before', async () => {
  expect(await arc(seal(header, 'x\r\n', [hops[0] as (typeof hops)[0], { ...(hops[1] as (typeof hops)[0]), state: 'fail' }]))).toBe(
    'fail: the seal of set 2 says cv=fail',
  );
});

test('keys: away, missing, of somebody else', async () => {
  expect(await arc(message, { zone: { ...zone, 'TXT arc._domainkey.a.test': 'away' } })).toBe('temperror: a key could not be looked up');
  expect(await arc(message, { zone: { ...zone, 'TXT arc._domainkey.b.test': 'away' } })).toBe('temperror: a key could not be looked up');
  expect(await arc(message, { zone: { 'TXT arc._domainkey.b.test': [keyRecord(b)] } })).toBe(
    'fail: the seal of set 1: there is no such key',
  );
  expect(await arc(message, { zone: { ...zone, 'TXT arc._domainkey.a.test': [keyRecord(b)] } })).toMatch(
    /^fail: the seal of set 1 does not hold/,
  );
  expect(await arc(message, { settings: { minKeyBits: 2_048 } })).toMatch(/^fail: ARC-Message-Signature: a key of 1024 bits is too short/);
});

test('fifty sets are looked at, more are not', async () => {
  const many = (n: number) =>
    seal(
      header,
      'x\r\n',
      Array.from({ length: n }, () => hops[0] as (typeof hops)[0]),
    );
  expect(await arc(many(50))).toBe('pass');
  expect(await arc(many(51))).toBe('fail: more than 50 sets');
});

test('whom we trust vouches for a message, as far back as we trust', async () => {
  const treatment = async (...trustedSealers: string[]): Promise<string | undefined> =>
    (await examine(message, { zone, settings: { trustedSealers } })).decision?.treatment;
  expect(await treatment()).toBe('reject');
  expect(await treatment('a.test')).toBe('reject');
  expect(await treatment('b.test')).toBe('reject');
  expect(await treatment('a.test', 'B.test')).toBe('none');
  const broken = message.replace('Hello\r\n', 'Hullo\r\n');
  expect((await examine(broken, { zone, settings: { trustedSealers: ['a.test', 'b.test'] } })).decision?.treatment).toBe('reject');
});
