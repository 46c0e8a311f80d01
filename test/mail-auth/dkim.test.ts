/** Signatures of incoming mail: the RFCs' examples, and everything that is not quite right. */

import { createPrivateKey, sign } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { ManualClock } from '../../src/base/index.ts';
import { BodyHash, canonicalField } from '../../src/mail-auth/canonical.ts';
import { readKeyRecord } from '../../src/mail-auth/dkim-key.ts';
import { digest, signature } from '../../src/mail-auth/dkim-sign.ts';
import { keyRecord, type MadeKey, makeKey, zoneStrings } from '../../src/mail-auth/index.ts';
import { dnsOf, examine, football, footballZone, words, type Zone } from './support.ts';

const only = { spf: false, arc: false, dmarc: false };
const rsa = makeKey('rsa', 1_024);
const ed = makeKey('ed25519');
const zone: Zone = {
  'TXT rsa._domainkey.football.example.com': [keyRecord(rsa)],
  'TXT ed._domainkey.football.example.com': [keyRecord(ed)],
};

async function* pieces(text: string, step = 50): AsyncIterable<Uint8Array> {
  for (let at = 0; at < text.length; at += step) yield Buffer.from(text.slice(at, at + step), 'latin1');
}

const crlf = (text: string): string => text.replace(/\r?\n/g, '\r\n');
const plain = crlf('From: Joe <joe@football.example.com>\nTo: a@b.example\nSubject:  two\n  lines \nDate: now\n\nHello \t world  \n\n\n');

async function signed(
  text = plain,
  key: MadeKey = rsa,
  selector: string = key.type === 'rsa' ? 'rsa' : 'ed',
  validFor?: number,
): Promise<string> {
  const read = await digest(pieces(text));
  if (!read) throw new Error('too long');
  const privateKey = createPrivateKey({ key: Buffer.from(key.privateKey, 'base64'), format: 'der', type: 'pkcs8' });
  const options = { now: Date.UTC(2018, 5, 10, 13), validFor };
  return signature(read, { domain: 'football.example.com', selector, type: key.type, key: privateKey }, options) + text;
}

async function result(message: string, asked: Parameters<typeof examine>[1] = {}): Promise<string> {
  const header = words(await examine(message, { zone, ...asked, settings: { ...only, ...asked.settings } }));
  return [...header.matchAll(/dkim=(\w+)(?: reason="([^"]*)")?/g)]
    .map((found) => [found[1], found[2]].filter(Boolean).join(': '))
    .join(', ');
}

test('the example of RFC 8463 appendix A holds, with both keys', async () => {
  expect(await result(football, { zone: footballZone })).toBe('pass, pass');
});

test('wherever it is cut', async () => {
  for (const size of [1, 2, 3, 5, 7, 64, 1_000]) {
    const found = await examine(football, { zone: footballZone, settings: only, pieces: size });
    expect(words(found)).toMatch(/dkim=pass.*dkim=pass/);
    expect(found.kept).toBe(crlf(football));
  }
});

test('the canonical forms of RFC 6376 §3.4.5', () => {
  expect(canonicalField('A: X', 'relaxed')).toBe('a:X');
  expect(canonicalField('B : Y\t\r\n\tZ  ', 'relaxed')).toBe('b:Y Z');
  expect(canonicalField('B : Y\t\r\n\tZ  ', 'simple')).toBe('B : Y\t\r\n\tZ  ');
  const hashOf = (form: 'simple' | 'relaxed', text: string, step = 1): string => {
    const hash = new BodyHash(form);
    for (let at = 0; at < text.length; at += step) hash.update(Buffer.from(text.slice(at, at + step)));
    return hash.end().hash;
  };
  const simple = (text: string): string => hashOf('simple', text, 1_000);
  for (const step of [1, 2, 3, 100]) {
    expect(hashOf('relaxed', ' C \r\nD \t E\r\n\r\n\r\n', step)).toBe(simple(' C\r\nD E\r\n'));
    expect(hashOf('relaxed', 'x\r\n \t\r\n\t\r\ny \t', step)).toBe(simple('x\r\n\r\n\r\ny\r\n'));
  }
  // RFC 6376 §3.4.3 and §3.4.4 give the hashes of an empty body.
  expect(hashOf('simple', '')).toBe('frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=');
  expect(hashOf('relaxed', '\r\n\r\n')).toBe('47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=');
});

test('a million blanks, a million empty lines and a line without an end cost no more than their length', () => {
  for (const body of [' '.repeat(4e6), '\r\n'.repeat(2e6), 'x'.repeat(4e6), '\r'.repeat(4e6), ' \r'.repeat(2e6)]) {
    const hash = new BodyHash('relaxed');
    const before = process.cpuUsage();
    for (let at = 0; at < body.length; at += 65_536) hash.update(Buffer.from(body.slice(at, at + 65_536)));
    hash.end();
    expect(process.cpuUsage(before).user / 1e6).toBeLessThan(5);
  }
});

test.each([
  ['RSA', rsa],
  ['Ed25519', ed],
])('what we sign with %s holds, and nothing can be changed or added', async (_name, key) => {
  const message = await signed(plain, key);
  expect(await result(message)).toBe('pass');
  expect(await result(message.replace('Hello', 'Hullo'))).toBe('fail: the body was changed');
  expect(await result(message.replace('two', 'three'))).toBe('fail: the header was changed');
  expect(await result(message.replace('Date: now', 'Date: now\r\nSubject: another'))).toBe('fail: the header was changed');
  expect(await result(message.replace('Date: now', 'Date: now\r\nReply-To: me@evil.example'))).toBe('fail: the header was changed');
  expect(await result(message.replace('Date: now', 'Date: now\r\nX-Other: fine'))).toBe('pass');
  expect(await result(message.replace('Hello \t world  ', 'Hello world').replace(':  two', ': two'))).toBe('pass');
});

test('a signature expires', async () => {
  const message = await signed(plain, ed, 'ed', 86_400);
  expect(message).toMatch(/x=\d+;/);
  expect(await result(message, { now: Date.UTC(2018, 5, 11) })).toBe('pass');
  expect(await result(message, { now: Date.UTC(2018, 5, 12) })).toBe('fail: the signature has expired');
});

test.each<[string, Zone[string], string]>([
  ['no key', [], 'permerror: there is no such key'],
  ['a server that is away', 'away', 'temperror: the key could not be looked up'],
  ['rubbish', ['\u0000\u0001;;;='], 'permerror: the key record cannot be read'],
  ['rubbish as a key', ['v=DKIM1; p=!!!!'], 'permerror: the key cannot be read'],
  ['a revoked key', ['v=DKIM1; p='], 'permerror: the key was revoked'],
  ['another version', ['v=DKIM2; p=AAAA'], 'permerror: the key record is of another version'],
  ['another use', [keyRecord(rsa).replace('k=rsa', 'k=rsa; s=tlsrpt')], 'permerror: the key is not for mail'],
  ['another hash', [keyRecord(rsa).replace('k=rsa', 'k=rsa; h=sha1')], 'permerror: the key is for other hashes'],
  ['another type', [keyRecord(ed)], 'permerror: the key is of another type'],
  ['a key among others', ['v=spf1 -all', keyRecord(rsa)], 'pass'],
  ['a key without a version', [keyRecord(rsa).replace('v=DKIM1; ', '')], 'pass'],
  ['a domain that is trying it out', [keyRecord(rsa).replace('k=rsa', 'k=rsa; t=y:s')], 'pass: the domain tests DKIM'],
  ['a record of a megabyte', [`v=DKIM1; p=${'A'.repeat(1e6)}`], 'permerror: the key record is too long'],
])('what the DNS has: %s', async (_name, records, expected) => {
  const lookup = dnsOf({ 'TXT rsa._domainkey.football.example.com': records });
  expect(await result(await signed(), { lookup })).toBe(expected);
});

test('keys that are too short do not count, huge ones neither', async () => {
  const short = makeKey('rsa', 768);
  const lookup = dnsOf({ 'TXT rsa._domainkey.football.example.com': [keyRecord(short)] });
  const message = await signed(plain, short);
  expect(await result(message, { lookup })).toBe('policy: a key of 768 bits is too short');
  expect(await result(message, { lookup, settings: { minKeyBits: 512 } })).toBe('pass');
  expect(await result(await signed(), { settings: { minKeyBits: 2_048 } })).toBe('policy: a key of 1024 bits is too short');
  const head = Buffer.from('30820822300d06092a864886f70d01010105000382080f003082080a02820801', 'hex');
  const huge = Buffer.concat([head, Buffer.from([0]), Buffer.alloc(2_048, 0xff), Buffer.from('0203010001', 'hex')]);
  expect(readKeyRecord(`v=DKIM1; p=${huge.toString('base64')}`)).toMatch(/too long|cannot be read/);
});

const tag = (text: string, from: string | RegExp, to: string): string => text.replace(from, to);
test.each<[string, (message: string) => string, string]>([
  ['no version', (m) => tag(m, 'v=1; ', ''), 'neutral: the signature is of another version'],
  ['version 2', (m) => tag(m, 'v=1', 'v=2'), 'neutral: the signature is of another version'],
  ['no domain', (m) => tag(m, ' d=football.example.com;', ''), 'permerror: the signature has no d='],
  ['no selector', (m) => tag(m, ' s=rsa;', ''), 'permerror: the signature has no s='],
  ['a tag twice', (m) => tag(m, 'v=1;', 'v=1; v=1;'), 'neutral: the signature is no tag list'],
  ['something that is no tag', (m) => tag(m, 'v=1;', 'v=1; nonsense;'), 'neutral: the signature is no tag list'],
  ['an unknown algorithm', (m) => tag(m, 'rsa-sha256', 'rsa-md5'), 'neutral: the algorithm is unknown'],
  ['SHA-1', (m) => tag(m, 'rsa-sha256', 'rsa-sha1'), 'policy: SHA-1 does not count any more'],
  ['an unknown form', (m) => tag(m, 'relaxed/relaxed', 'nofws'), 'neutral: the canonicalization is unknown'],
  ['From is not signed', (m) => m.replace(/h=from:from:/, 'h='), 'permerror: From is not signed'],
  ['an identity elsewhere', (m) => tag(m, 'v=1;', 'v=1; i=@example.org;'), 'permerror: i= is not within d='],
  ['a body that is shorter than it says', (m) => tag(m, 'v=1;', 'v=1; l=10000;'), 'fail: the body is shorter than l= says'],
  ['a length that is no number', (m) => tag(m, 'v=1;', 'v=1; l=-1;'), 'neutral: t=, x= or l= is no number'],
  ['expires before it is made', (m) => tag(m, 'v=1;', 'v=1; x=1;'), 'neutral: x= is before t='],
  ['keys elsewhere', (m) => tag(m, 'v=1;', 'v=1; q=http;'), 'neutral: keys are not in the DNS'],
  ['a domain with blanks', (m) => tag(m, 'd=football', 'd=foot ball'), 'permerror: the signature has no usable domain or selector'],
])('a signature with a fault: %s', async (_name, change, expected) => {
  expect(await result(change(await signed()))).toBe(expected);
});

test('a signature of a part of the body counts where that is wanted', async () => {
  const body = new BodyHash('relaxed', 5);
  body.update(Buffer.from('Hello and more\r\n'));
  const field = `DKIM-Signature: v=1; a=rsa-sha256; c=relaxed; d=football.example.com; s=rsa; l=5; h=from;\r\n bh=`;
  // c=relaxed alone is simple for the body, which is the same for these five octets.
  const head = `${field}${body.end().hash}; b=`;
  const key = createPrivateKey({ key: Buffer.from(rsa.privateKey, 'base64'), format: 'der', type: 'pkcs8' });
  const text = `from:joe@football.example.com\r\n${canonicalField(head, 'relaxed')}`;
  const message = `${head}${sign('sha256', Buffer.from(text), key).toString('base64')}\r\nFrom: joe@football.example.com\r\n\r\nHello and more\r\n`;
  expect(await result(message)).toBe('policy: 11 octets of the body are not signed');
  expect(await result(message, { settings: { partial: true } })).toBe('pass');
});

test('a second From beside the one that is signed makes the signature void', async () => {
  const message = await signed();
  for (const other of ['From: boss@football.example.com\r\n', 'fRoM :boss@football.example.com\r\n'])
    for (const forged of [other + message, message.replace('To:', `${other}To:`)])
      expect(await result(forged)).toMatch(/^(policy: not every From field is signed|fail: the header was changed)$/);
  const zoneOf = { ...zone, 'TXT _dmarc.football.example.com': ['v=DMARC1; p=reject'] };
  const { decision } = await examine(`From: boss@football.example.com\r\n${message}`, { zone: zoneOf, settings: { spf: false } });
  expect(decision?.treatment).toBe('reject');
  // Who writes two and signs both is taken at the word.
  expect(await result(await signed(`From: joe@football.example.com\r\n${plain}`))).toBe('pass');
});

test('a thousand signatures: a few are looked at, those of the author first', async () => {
  const asked: string[] = [];
  const other = (await signed()).slice(0, (await signed()).indexOf('From:')).replaceAll('football.example.com', 'other.example');
  const message = `${other.repeat(50)}${await signed()}`;
  const found = await result(message, { lookup: dnsOf(zone, asked) });
  expect(found.split(', ')).toHaveLength(10);
  expect(found).toMatch(/^pass, permerror/);
  expect(new Set(asked).size).toBeLessThanOrEqual(2);
  expect(await result(`${other.repeat(1_000)}${await signed()}`)).toMatch(/^permerror/);
});

test('a header beyond a megabyte is not looked at, and said so', async () => {
  const found = await examine(`X: ${'y'.repeat(1_100_000)}\r\n${await signed()}`, { zone, settings: only, pieces: 65_536 });
  expect(found.tooLong).toBe(true);
  const many = await examine(`${'A: b\r\n'.repeat(170_000)}${await signed()}`, { zone, settings: only, pieces: 65_536 });
  expect(many.header).toMatch(/dkim=pass/);
});

test('messages that are a header, a body, or nothing', async () => {
  for (const message of ['', '\r\n', 'From: a@b.example', 'From: a@b.example\r\n', '\r\nbody', 'no header at all', '\n\n']) {
    const found = await examine(Buffer.from(message), { zone });
    expect(found.kept).toBe(message);
    expect(found.header).toMatch(/dkim=none/);
  }
});

test('what a signature claims does not get out of its field', async () => {
  const evil = crlf(`DKIM-Signature: v=1; a=rsa-sha256; d=e.example; s="x; dmarc=pass; h=from; bh=a; b=(";\nFrom: a@b.example\n\nx\n`);
  const { header } = await examine(evil, { zone, settings: only });
  expect(header).toMatch(/^Authentication-Results: mx\.example\.org;\r\n dkim=\w+ [^;]*\r\n$/);
});

test('nothing is waited for beyond the limit', async () => {
  const clock = new ManualClock(Date.UTC(2018, 5, 10, 14));
  const lookup = { ...dnsOf(zone), txt: () => new Promise<never>(() => {}) };
  const pending = result(await signed(), { lookup, clock, settings: { timeLimit: 3 } });
  for (let n = 0; n < 20; n += 1) await new Promise((resolve) => setImmediate(resolve));
  clock.advance(3_000);
  expect(await pending).toBe('temperror: the DNS did not answer in time');
});

test('a long key is cut into strings', () => {
  const text = keyRecord(makeKey('rsa', 2_048));
  const strings = [...zoneStrings(text).matchAll(/"([^"]*)"/g)].map((found) => found[1] as string);
  expect(strings.every((one) => one.length <= 255)).toBe(true);
  expect(strings.join('')).toBe(text);
  expect(zoneStrings(keyRecord(ed))).toBe(`"${keyRecord(ed)}"`);
});
