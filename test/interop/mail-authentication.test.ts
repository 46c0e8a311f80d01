/**
 * Mail authentication against others' implementations, with BIND for the DNS: dkimpy and OpenDKIM verify what we sign and sign what we verify, dkimpy
 * seals with ARC, pyspf says what an SPF record means, authres reads our results.
 */

import { createPrivateKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { constant, createResolver } from '../../src/base/index.ts';
import { digest, signature } from '../../src/mail-auth/dkim-sign.ts';
import { keyRecord, type MadeKey, makeKey } from '../../src/mail-auth/index.ts';
import { type Asked, examine, words } from '../mail-auth/support.ts';
import { tempDir } from '../support/temp.ts';
import { canonical, corpus } from './support/corpus.ts';
import { type Named, startNamed } from './support/dns/named.ts';
import type { Zones } from './support/dns/zones.ts';
import { tool } from './support/tool.ts';

const rsa = makeKey('rsa');
const ed = makeKey('ed25519');
let named: Named;
let dir: { path: string; remove: () => Promise<void> };

const pem = (key: MadeKey): string =>
  createPrivateKey({ key: Buffer.from(key.privateKey, 'base64'), format: 'der', type: 'pkcs8' }).export({
    format: 'pem',
    type: key.type === 'rsa' ? 'pkcs1' : 'pkcs8',
  }) as string;
/** dkimpy takes the 32 octets themselves. */
const seed = Buffer.from(ed.privateKey, 'base64').subarray(-32).toString('base64');

const spfRecords: Readonly<Record<string, string>> = {
  a: 'v=spf1 ip4:192.0.2.1 -all',
  soft: 'v=spf1 ~all',
  none: 'nothing',
  empty: 'v=spf1',
  inc: 'v=spf1 include:%{d}.inner.test -all',
  'inc.spf.test.inner.test.': 'v=spf1 exists:%{d}.ex.spf.test -all',
  mac: 'v=spf1 exists:%{ir}.%{v}._spf.%{d2} -all',
  local: 'v=spf1 exists:%{l1r-}.lp.%{o} -all',
  ptr: 'v=spf1 ptr:names.test -all',
  mx: 'v=spf1 mx -all',
  cidr: 'v=spf1 a:host.spf.test/24//64 -all',
  red: 'v=spf1 redirect=a.spf.test',
  lost: 'v=spf1 redirect=nothing.spf.test',
  missing: 'v=spf1 include:nothing.spf.test -all',
  incsoft: 'v=spf1 include:soft.spf.test -all',
  upper: 'V=SPF1 IP4:192.0.2.1 -ALL',
  late: 'v=spf1 ip4:192.0.2.1 ip4:1.2.3 -all',
  unknown: 'v=spf1 ip4:192.0.2.1 nonsense:x -all',
  void: 'v=spf1 a:v1.spf.test a:v2.spf.test a:v3.spf.test ip4:192.0.2.1 -all',
  ten: `v=spf1 ${'a:host.spf.test '.repeat(10)}ip4:192.0.2.1 -all`,
  eleven: `v=spf1 ${'a:host.spf.test '.repeat(11)}ip4:192.0.2.1 -all`,
  loop: 'v=spf1 include:loop.spf.test -all',
  six: 'v=spf1 ip6:2001:db8::/32 -all',
  wide: 'v=spf1 ip4:192.0.2.0/33 -all',
  colon: 'v=spf1 -all:x',
  modifier: 'v=spf1 foo=bar ip4:192.0.2.1 -all',
  twice: 'v=spf1 redirect=a.spf.test redirect=a.spf.test',
  badmacro: 'v=spf1 exists:%{x}.e.test -all',
  percent: 'v=spf1 exists:%x.e.test -all',
  helo: 'v=spf1 exists:%{h}.h.test -all',
};

const zones: Zones = {
  test: {
    ...Object.fromEntries(Object.entries(spfRecords).map(([name, text]) => [name.endsWith('.') ? name : `${name}.spf`, { txt: [text] }])),
    'inc.spf.test.inner.test.ex.spf': { a: ['127.0.0.2'] },
    '1.2.0.192.in-addr._spf.spf': { a: ['127.0.0.1'] },
    'strong.lp.local.spf': { a: ['127.0.0.1'] },
    'mail.names': { a: ['192.0.2.1'] },
    'mx.spf': {
      mx: [
        [10, 'm1.spf.test'],
        [20, 'm2.spf.test'],
      ],
      txt: [spfRecords.mx as string],
    },
    'm1.spf': { a: ['192.0.2.9'] },
    'm2.spf': { a: ['192.0.2.1'] },
    'host.spf': { a: ['192.0.2.200'], aaaa: ['2001:db8::77'] },
    'client.helo.test.h': { a: ['127.0.0.1'] },
    'two.spf': { txt: ['v=spf1 -all', 'v=spf1 +all'] },
    'rsa._domainkey': { txt: [keyRecord(rsa)] },
    'ed._domainkey': { txt: [keyRecord(ed)] },
  },
  '2.0.192.in-addr.arpa': { '192.0.2.1': { ptr: ['mail.names.test'] } },
};

beforeAll(async () => {
  dir = await tempDir();
  named = await startNamed({ zones });
});

afterAll(async () => {
  await named.stop();
  await dir.remove();
});

const python = async (args: readonly string[], input: string | Buffer): Promise<string> => {
  const ran = await tool('/usr/bin/python3', ['test/interop/clients/mail_authentication.py', named.server, ...args], { input });
  expect({ code: ran.code, err: ran.err }).toEqual({ code: 0, err: '' });
  return ran.out;
};

const lookup = () => createResolver({ servers: constant([{ host: named.address, port: named.port }]) });
const ours = async (message: Buffer, settings: Asked['settings'] = {}): Promise<string> =>
  words(await examine(message, { lookup: lookup(), now: Date.now(), settings: { spf: false, dmarc: false, ...settings } }));

async function signedByUs(message: Buffer, key: MadeKey): Promise<Buffer> {
  async function* content(): AsyncIterable<Uint8Array> {
    for (let at = 0; at < message.length; at += 1_000) yield message.subarray(at, at + 1_000);
  }
  const read = await digest(content());
  if (!read) throw new Error('the header is too long');
  const privateKey = createPrivateKey({ key: Buffer.from(key.privateKey, 'base64'), format: 'der', type: 'pkcs8' });
  const field = signature(
    read,
    { domain: 'test', selector: key.type === 'rsa' ? 'rsa' : 'ed', type: key.type, key: privateKey },
    { now: Date.now() },
  );
  return Buffer.concat([Buffer.from(field), message]);
}

const messages: readonly (readonly [string, string])[] = [
  [
    'plain',
    'From: Joe <joe@test>\r\nTo: a@b.example\r\nSubject:  two\r\n\t lines \r\nDate: Wed, 25 Nov 2026 12:00:00 +0000\r\n\r\nHello \t world  \r\n\r\n\r\n',
  ],
  ['no body', 'From: joe@test\r\nSubject: empty\r\n\r\n'],
  ['only empty lines', 'From: joe@test\r\nSubject: empty\r\n\r\n\r\n\r\n\r\n'],
  ['no end of line', 'From: joe@test\r\n\r\nno end'],
  ['octets above 127', 'From: "J\u00fcrgen" <joe@test>\r\nSubject: \u00fc\r\n\r\n\u00fc\u00e4 \u00f6\r\n'],
  [
    'long',
    `From: joe@test\r\nReferences: ${'<abcdefghijklmnop@example.org>\r\n '.repeat(100)}<x@y>\r\n\r\n${'A long line with  many words \t. '.repeat(5_000)}\r\n`,
  ],
];

test.each(messages)('dkimpy and OpenDKIM verify what we sign: %s', async (name, text) => {
  const message = Buffer.from(text, 'utf8');
  const both = await signedByUs(await signedByUs(message, rsa), ed);
  expect(await python(['verify'], both)).toBe('pass\npass\n');
  const file = join(dir.path, 'message.eml');
  // As SMTP would carry it: a line that does not end is none for OpenDKIM.
  writeFileSync(file, canonical(await signedByUs(message, rsa)));
  writeFileSync(join(dir.path, 'keys'), `rsa._domainkey.test ${keyRecord(rsa)}\n`);
  writeFileSync(
    join(dir.path, 'opendkim.conf'),
    ['Mode v', `TestPublicKeys ${join(dir.path, 'keys')}`, 'Syslog no', `Socket local:${join(dir.path, 'socket')}`, ''].join('\n'),
  );
  const opendkim = await tool('opendkim', ['-x', join(dir.path, 'opendkim.conf'), '-t', file, '-v']);
  expect({ name, said: opendkim.all }).toEqual({ name, said: expect.stringMatching(/succeeded/) });
});

test.each(messages)('we verify what dkimpy signs, in every form: %s', async (_name, text) => {
  const keys = ['simple/simple', 'simple/relaxed', 'relaxed/simple', 'relaxed/relaxed'].flatMap((form) => [
    { domain: 'test', selector: 'rsa', key: pem(rsa), form, algorithm: 'rsa-sha256' },
    { domain: 'test', selector: 'ed', key: seed, form, algorithm: 'ed25519-sha256' },
  ]);
  const signed = Buffer.from(await python(['sign', JSON.stringify(keys)], Buffer.from(text, 'utf8')), 'latin1');
  expect([...(await ours(signed)).matchAll(/dkim=(\w+)/g)].map((found) => found[1])).toEqual(keys.map(() => 'pass'));
});

test('a length given by dkimpy, and SHA-1 by OpenDKIM', async () => {
  const text = Buffer.from(messages[0]?.[1] ?? '');
  const keys = [{ domain: 'test', selector: 'rsa', key: pem(rsa), form: 'relaxed/relaxed', algorithm: 'rsa-sha256', length: true }];
  const signed = Buffer.from(await python(['sign', JSON.stringify(keys)], text), 'latin1');
  expect(await ours(signed)).toMatch(/dkim=pass /);
  const longer = Buffer.concat([signed, Buffer.from('and more\r\n')]);
  expect(await ours(longer)).toMatch(/dkim=policy /);
  expect(await ours(longer, { partial: true })).toMatch(/dkim=pass /);
  const key = join(dir.path, 'rsa.pem');
  writeFileSync(key, pem(rsa));
  const old = await tool('opendkim-testmsg', ['-C', '-d', 'test', '-s', 'rsa', '-k', key], { input: text });
  expect(await ours(Buffer.from(old.out, 'latin1'))).toMatch(/dkim=policy reason="SHA-1/);
});

test('a chain that dkimpy seals holds, for it and for us; broken, for neither', async () => {
  const first = 'From: joe@test\r\nTo: a@b.example\r\nSubject: x\r\n\r\nHello\r\n';
  const hop = { domain: 'test', selector: 'rsa', key: pem(rsa), host: 'lists.test' };
  const hops = ['dkim=pass header.d=test', 'arc=pass'].map((found) => ({
    ...hop,
    results: `Authentication-Results: lists.test; ${found}`,
  }));
  for (const count of [1, 2]) {
    const sealed = await python(['seal', JSON.stringify(hops.slice(0, count))], first);
    expect(await python(['arc'], Buffer.from(sealed, 'latin1'))).toBe('pass\n');
    expect(await ours(Buffer.from(sealed, 'latin1'))).toMatch(/[; ]arc=pass/);
    const broken = Buffer.from(sealed.replace('Hello', 'Hullo'), 'latin1');
    expect(await python(['arc'], broken)).toBe('fail\n');
    expect(await ours(broken)).toMatch(/[; ]arc=fail/);
  }
});

test('SPF records mean the same to pyspf and to us', async () => {
  const names = [...Object.keys(spfRecords).filter((name) => !name.endsWith('.')), 'two', 'nothing'];
  const questions = names.flatMap((name) =>
    ['192.0.2.1', '203.0.113.9', '2001:db8::9'].map((address) => [address, `strong-bad@${name}.spf.test`, 'client.helo.test']),
  );
  const theirs = JSON.parse(await python(['spf'], JSON.stringify(questions))) as string[];
  const resolver = lookup();
  const found: Record<string, string> = {};
  const expected: Record<string, string> = {};
  for (const [n, [address = '', sender = '', helo = '']] of questions.entries()) {
    const text = words(
      await examine('From: a@b.example\n\nx\n', {
        lookup: resolver,
        address,
        sender,
        helo,
        settings: { dkim: false, dmarc: false, arc: false },
      }),
    );
    const key = `${address} ${sender}`;
    // RFC 7208 §4.6.4: whether an address of the other family is a void lookup is read in two ways.
    if (address.includes(':') && /(void|ten)\./.test(sender)) continue;
    found[key] = /spf=(\w+)/.exec(text)?.[1] ?? '';
    expected[key] = theirs[n] ?? '';
  }
  expect(found).toEqual(expected);
});

test('authres reads our results', async () => {
  const { header } = await examine(await signedByUs(Buffer.from(messages[0]?.[1] ?? ''), rsa), {
    lookup: lookup(),
    now: Date.now(),
    sender: '"odd one; x=y"@a.spf.test',
  });
  const read = JSON.parse(await python(['results'], header.trimEnd())) as { id: string; results: [string, string][] };
  expect(read.id).toBe('mx.example.org');
  expect(read.results).toEqual([
    ['spf', 'pass'],
    ['spf', 'none'],
    ['dkim', 'pass'],
    ['dmarc', 'none'],
    ['arc', 'none'],
  ]);
});

test('messages of all kinds are examined and signed, and nothing of them changes', async () => {
  let seen = 0;
  for (const { name, canonical: message } of corpus(
    'spamassassin-sample',
    'mime-cpython',
    'mime-stalwart-rfc',
    'mime-mimetools',
    'bounces-flufl',
    'dsn-mimekit',
  )) {
    const found = await examine(message, { zone: {}, pieces: 4_096, settings: { removeForged: false } });
    expect({ name, same: found.kept === message.toString('latin1'), results: /^Authentication-Results: /.test(found.header) }).toEqual({
      name,
      same: true,
      results: true,
    });
    expect(await ours(await signedByUs(message, rsa))).toMatch(/dkim=(pass|policy)|header is/);
    seen += 1;
  }
  expect(seen).toBeGreaterThan(100);
});
