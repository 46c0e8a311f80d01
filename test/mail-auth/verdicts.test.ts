/** SPF, DMARC, and what becomes of a message by them. */

import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { ManualClock } from '../../src/base/index.ts';
import { organizationalDomain } from '../../src/mail-auth/index.ts';
import type { Lookup } from '../../src/mail-auth/resolver.ts';
import { type Asked, dnsOf, examine, football, footballZone, words, type Zone } from './support.ts';

const message = (from = 'joe@football.example.com'): string => `From: ${from}\n\nHello\n`;
const allowed: Zone = { 'TXT football.example.com': ['v=spf1 ip4:192.0.2.0/24 -all'] };
const policy = (text: string, domain = 'football.example.com'): Zone => ({ [`TXT _dmarc.${domain}`]: [`v=DMARC1; ${text}`] });

async function result(text: string, asked: Asked): Promise<string> {
  const { decision, ...rest } = await examine(text, asked);
  const found = words({ ...rest, decision });
  const one = (method: string): string => new RegExp(`[; ]${method}=(\\w+)`).exec(found)?.[1] ?? '-';
  return `spf ${one('spf')} dmarc ${one('dmarc')}: ${decision?.treatment} ${decision?.standing}`;
}

test('SPF vouches for a domain, DKIM too, and nothing is done', async () => {
  const zone = { ...allowed, ...policy('p=reject') };
  expect(await result(message(), { zone })).toBe('spf pass dmarc pass: none pass');
  expect(await result(football, { zone: { ...footballZone, ...policy('p=reject') } })).toBe('spf none dmarc pass: none pass');
});

test('a mail that nobody vouches for is treated as its domain asks', async () => {
  const asked = { address: '203.0.113.9' };
  for (const [text, treatment] of [
    ['p=reject', 'reject'],
    ['p=quarantine', 'quarantine'],
    ['p=none', 'none'],
    ['p=nonsense; rua=mailto:x@y.example', 'none'],
  ] as const)
    expect(await result(message(), { ...asked, zone: { ...allowed, ...policy(text) } })).toBe(`spf fail dmarc fail: ${treatment} fail`);
  expect(await result(message(), { ...asked, zone: { ...allowed, ...policy('p=nonsense') } })).toBe('spf fail dmarc none: none fail');
  expect(await result(message(), { ...asked, zone: allowed })).toBe('spf fail dmarc none: none fail');
});

test('sub-domains: the policy of the organization, sp, and alignment', async () => {
  const from = message('joe@mail.football.example.com');
  const base = { ...allowed, ...policy('p=reject; sp=quarantine', 'example.com') };
  const stranger = { address: '203.0.113.9' };
  expect(await result(from, { zone: base, ...stranger })).toBe('spf fail dmarc fail: quarantine fail');
  expect(await result(from, { zone: { ...base, ...policy('p=none', 'mail.football.example.com') }, ...stranger })).toBe(
    'spf fail dmarc fail: none fail',
  );
  expect(await result(from, { zone: base })).toBe('spf pass dmarc pass: none pass');
  const strict = { ...allowed, ...policy('p=reject; aspf=s', 'example.com') };
  expect(await result(from, { zone: strict })).toBe('spf pass dmarc fail: reject fail');
  expect(await result(message(), { zone: strict })).toBe('spf pass dmarc pass: none pass');
  const signed = { ...footballZone, ...policy('p=reject; adkim=s', 'example.com') };
  expect(await result(football, { zone: signed })).toBe('spf none dmarc pass: none pass');
  expect(await result(football.replace('From: Joe SixPack <joe@', 'From: Joe SixPack <joe@x.'), { zone: signed })).toBe(
    'spf none dmarc fail: reject fail',
  );
});

test('domains that a registry hands out', () => {
  expect(organizationalDomain('a.b.example.co.uk')).toBe('example.co.uk');
  expect(organizationalDomain('co.uk')).toBe('co.uk');
  expect(organizationalDomain('shop.user.github.io')).toBe('user.github.io');
  expect(organizationalDomain('x.xn--bcher-kva.example')).toBe('xn--bcher-kva.example');
});

test('a percentage leaves the rest to the next milder treatment', async () => {
  const asked = { address: '203.0.113.9', zone: { ...allowed, ...policy('p=reject; pct=30') } };
  expect(await result(message(), { ...asked, random: 0.29 })).toMatch(/: reject /);
  expect(await result(message(), { ...asked, random: 0.31 })).toMatch(/: quarantine /);
  const soft = { ...asked, zone: { ...allowed, ...policy('p=quarantine; pct=30') } };
  expect(await result(message(), { ...soft, random: 0.31 })).toMatch(/: none /);
});

test('From with several domains is judged by the strictest, without any by none', async () => {
  const zone = { ...allowed, ...policy('p=none'), ...policy('p=reject', 'bank.example') };
  const two = 'joe@football.example.com, boss@bank.example';
  expect(await result(message(two), { zone })).toBe('spf pass dmarc fail: reject fail');
  expect(await result(`From: joe@football.example.com\nFrom: boss@bank.example\n\nx\n`, { zone })).toBe('spf pass dmarc fail: reject fail');
  for (const from of ['', 'undisclosed:;', 'joe', '@', '<>', 'joe@[192.0.2.1]', '"joe@bank.example"'])
    expect(await result(message(from), { zone })).toBe('spf pass dmarc permerror: none pass');
  expect(await result('Subject: no From\n\nx\n', { zone })).toBe('spf pass dmarc permerror: none pass');
});

test.each([
  ['behind many others', `${Array.from({ length: 10 }, (_, n) => `joe@e${n}.example`).join(', ')}, boss@bank.example`],
  ['among more than are looked at', Array.from({ length: 60 }, (_, n) => `joe@e${n}.example`).join(', ')],
  ['behind a name without end', `"${'x'.repeat(200_000)}" <boss@bank.example>`],
  ['with a NUL at its end', 'boss@bank.example\0'],
  ['with a NUL in it', 'boss@ba\0nk.example'],
  ['with characters that are not shown', 'boss@bank\u200b.example\u0001'],
  ['with a dot of another script', 'boss@bank\u3002example'],
  ['behind a route', '<@football.example.com:boss@bank.example>'],
  ['in a group', 'friends: joe@football.example.com, boss@bank.example;'],
  ['with blanks and comments in it', 'boss (x) @ (joe@football.example.com) bank . example'],
])('an author %s is judged like any other', async (_, from) => {
  const zone = { ...allowed, ...policy('p=none'), ...policy('p=reject', 'bank.example') };
  expect(await result(message(from), { zone })).toBe('spf pass dmarc fail: reject fail');
});

test('From that takes long to read does not', async () => {
  const begun = process.cpuUsage();
  for (const from of ['(', '"', '<', ',', '@', 'a@b,', '\\', '((((a', 'x:', ';', '[', '=?'].map((piece) =>
    piece.repeat(900_000 / piece.length),
  ))
    await examine(message(from), { settings: { spf: false } });
  const { user } = process.cpuUsage(begun);
  expect(user).toBeLessThan(20_000_000);
});

test('international domains are the same in both spellings', async () => {
  const zone = { ...policy('p=reject', 'xn--bcher-kva.example'), 'TXT xn--bcher-kva.example': ['v=spf1 ip4:192.0.2.1 -all'] };
  for (const from of ['a@b\u00fccher.example', 'a@xn--bcher-kva.example', '"x" <a@B\u00dcCHER.example>'])
    expect(await result(message(from), { zone, sender: 'a@b\u00fccher.example' })).toBe('spf pass dmarc pass: none pass');
});

test('administrators decide otherwise: for all, for one domain, and for a domain that publishes nothing', async () => {
  const asked = { address: '203.0.113.9', zone: { ...allowed, ...policy('p=reject') } };
  for (const dmarcFail of ['none', 'tag', 'quarantine', 'reject'] as const)
    expect(await result(message(), { ...asked, settings: { dmarcFail } })).toMatch(`: ${dmarcFail} `);
  const rules = [{ domain: 'example.com', dmarcFail: 'tag' } as const];
  expect(await result(message(), { ...asked, rules })).toMatch(/: tag /);
  const must = [{ domain: 'example.com', mustPass: true }];
  expect(await result(message(), { address: '203.0.113.9', zone: allowed, rules: must })).toBe('spf fail dmarc fail: reject fail');
  expect(await result(message(), { zone: allowed, rules: must })).toBe('spf pass dmarc pass: none pass');
});

test('mail whose sender does not allow the host, where DMARC has nothing better', async () => {
  const asked = { address: '203.0.113.9', zone: allowed };
  for (const spfFail of ['none', 'tag', 'quarantine', 'reject'] as const)
    expect(await result(message(), { ...asked, settings: { spfFail } })).toMatch(`: ${spfFail} fail`);
  const signed = { ...asked, zone: { ...allowed, ...footballZone, ...policy('p=reject') } };
  expect(await result(football, { ...signed, settings: { spfFail: 'reject' } })).toBe('spf fail dmarc pass: none pass');
  expect(await result(message(), { ...asked, rules: [{ domain: 'football.example.com', spfFail: 'reject' }] })).toMatch(/: reject /);
});

test('while the DNS does not answer mail is taken, or put off where the answer could decide', async () => {
  const zone: Zone = { ...allowed, 'TXT _dmarc.football.example.com': 'away' };
  expect(await result(message(), { zone })).toBe('spf pass dmarc temperror: none pass');
  const defer = { settings: { temporary: 'defer' } } as const;
  expect(await result(message(), { zone: { 'TXT football.example.com': 'away', ...policy('p=reject') }, ...defer })).toBe(
    'spf temperror dmarc temperror: defer none',
  );
  expect(await result(message(), { zone: { 'TXT football.example.com': 'away' }, ...defer })).toBe('spf temperror dmarc none: none none');
  expect(
    await result(message(), { zone: { 'TXT football.example.com': 'away' }, settings: { ...defer.settings, spfFail: 'reject' } }),
  ).toMatch(/: defer /);
  // What is away behind an include is away.
  const include: Zone = { 'TXT football.example.com': ['v=spf1 include:other.example -all'], 'TXT other.example': 'away' };
  expect(await result(message(), { zone: include })).toMatch(/^spf temperror/);
});

test('name servers of others that keep silent, or say nothing of use, take no forged mail through', async () => {
  const zone: Zone = { ...allowed, ...policy('p=reject'), 'TXT x._domainkey.evil.example': 'away', 'TXT evil.example': 'away' };
  const hash = createHash('sha256').update('Hello\r\n').digest('base64');
  const signed = (domain: string): string =>
    `DKIM-Signature: v=1; a=rsa-sha256; d=${domain}; s=x; h=from; bh=${hash}; b=AAAA\n${message()}`;
  const stranger = { address: '203.0.113.9', sender: 'joe@evil.example', helo: 'evil.example' };
  const forged = 'spf temperror dmarc fail: reject fail';
  expect(await result(signed('evil.example'), { zone, ...stranger })).toBe(forged);
  // Nor do those that would answer after the time we have.
  const there = dnsOf(zone);
  const txt: Lookup['txt'] = (name) => (name.endsWith('evil.example') ? new Promise(() => {}) : there.txt(name));
  for (const sender of [stranger.sender, 'joe@football.example.com']) {
    const clock = new ManualClock(Date.UTC(2018, 5, 10, 14));
    const pending = result(signed('evil.example'), { lookup: { ...there, txt }, clock, ...stranger, sender });
    for (let n = 0; n < 50; n += 1) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(15_000);
    expect(await pending).toMatch(/dmarc fail: reject fail$/);
  }
  // Those of the domain itself might have vouched for it.
  const own = { ...zone, 'TXT x._domainkey.football.example.com': 'away' } as const;
  expect(await result(signed('football.example.com'), { zone: own, ...stranger })).toMatch(/dmarc temperror: none/);
});

test('while a policy cannot be had, mail that somebody else vouches for is put off, too', async () => {
  const away: Zone = { 'TXT _dmarc.football.example.com': 'away', 'TXT evil.example': ['v=spf1 ip4:203.0.113.9 -all'] };
  const stranger = { address: '203.0.113.9', sender: 'joe@evil.example', settings: { temporary: 'defer' } } as const;
  expect(await result(message(), { zone: away, ...stranger })).toMatch(/^spf pass dmarc temperror: defer/);
  expect(await result(message(), { zone: { ...allowed, ...away }, settings: stranger.settings })).toMatch(
    /^spf pass dmarc temperror: none/,
  );
});

test('what is wrong behind the version of a policy does not make it void', async () => {
  for (const text of ['p=reject;;', 'p=reject; rua', 'p=reject; ; pct=100', 'p=reject; =; p=none'])
    expect(await result(message(), { address: '203.0.113.9', zone: { ...allowed, ...policy(text) } })).toMatch(/dmarc fail: reject/);
});

test('what was found stands in the header, and only words of ours do', async () => {
  const { header } = await examine(message(), {
    zone: { ...allowed, ...policy('p=quarantine') },
    address: '203.0.113.9',
    sender: '"evil; dkim=pass"@football.example.com',
    settings: { arc: false },
  });
  expect(header).toBe(
    [
      'Authentication-Results: mx.example.org;',
      ' spf=fail smtp.mailfrom="\\"evil; dkim=pass\\"@football.example.com";',
      ' spf=none smtp.helo=client.example.net;',
      ' dkim=none;',
      ' dmarc=fail (p=quarantine) header.from=football.example.com',
      'X-Mailtree-Authentication: quarantine;',
      ' reason="neither SPF nor DKIM vouches for football.example.com in From (policy quarantine)"',
      '',
    ].join('\r\n'),
  );
});

test('the null sender is judged by the name in HELO', async () => {
  const zone = { 'TXT client.example.net': ['v=spf1 ip4:192.0.2.1 -all'], ...policy('p=reject', 'example.net') };
  const found = await examine(message('MAILER-DAEMON@client.example.net'), { zone, sender: '' });
  expect(words(found)).toMatch(/spf=pass smtp.helo=client.example.net; dkim=none; dmarc=pass/);
});

test('SPF records that go on for ever, or cost too much, are errors', async () => {
  const loop: Zone = { 'TXT football.example.com': ['v=spf1 include:football.example.com -all'] };
  expect(await result(message(), { zone: loop })).toMatch(/^spf permerror/);
  const redirect: Zone = { 'TXT football.example.com': ['v=spf1 redirect=football.example.com'] };
  expect(await result(message(), { zone: redirect })).toMatch(/^spf permerror/);
  const asked: string[] = [];
  const { dnsOf } = await import('./support.ts');
  const wide = Object.fromEntries(
    Array.from({ length: 200 }, (_, n) => [
      `TXT s${n}.example`,
      [`v=spf1 ${Array.from({ length: 20 }, (_, m) => `include:s${(n * 7 + m) % 200}.example`).join(' ')} -all`],
    ]),
  );
  const lookup = dnsOf({ ...wide, 'TXT football.example.com': ['v=spf1 include:s1.example include:s2.example -all'] }, asked);
  expect(await result(message(), { lookup, settings: { dkim: false, dmarc: false } })).toMatch(/^spf permerror/);
  expect(asked.length).toBeLessThan(20);
  for (const record of [
    'v=spf1 ip4:999.1.1.1 -all',
    'v=spf1 nonsense',
    'v=spf1 include:',
    `v=spf1 ${'a '.repeat(5_000)}`,
    'v=spf1 exists:%{x} -all',
  ])
    expect(await result(message(), { zone: { 'TXT football.example.com': [record] } })).toMatch(/^spf permerror/);
});

test.each([
  ['mx.example.org; spf=pass', true],
  ['MX.Example.ORG 1; spf=pass', true],
  ['(x) mx.example.org (y) ; spf=pass', true],
  ['"mx.example.org"; spf=pass', true],
  ['"mx.exam\\ple.org"; spf=pass', true],
  ['mx.example.org.; none', true],
  ['(mx.example.org) other.example; spf=pass', false],
  ['other.example; x=mx.example.org', false],
  ['mx.example.org.evil.example; spf=pass', false],
  ['', false],
])('results that pretend to be ours go: %s', async (value, gone) => {
  const { kept } = await examine(
    `Authentication-Results: ${value}\nFrom: a@b.example\nAUTHENTICATION-results :\n ${value}\n\nAuthentication-Results: mx.example.org; in the body\n`,
  );
  expect(/^authentication-results/im.test(kept.slice(0, kept.indexOf('\r\n\r\n')))).toBe(!gone);
  expect(kept).toMatch(/\r\n\r\nAuthentication-Results: mx.example.org; in the body\r\n$/);
  expect(kept).toContain('From: a@b.example\r\n');
});

test('results in the name of a host with other letters go, however it is spelt', async () => {
  for (const id of ['mx.b\u00fccher.example', 'MX.B\u00dcCHER.example.', 'mx.xn--bcher-kva.example', '"mx.b\u00fccher.example"'])
    for (const authservId of ['mx.b\u00fccher.example', 'mx.xn--bcher-kva.example'])
      expect((await examine(`Authentication-Results: ${id}; spf=pass\n\nx\n`, { settings: { authservId } })).kept).toBe('\r\nx\r\n');
});

test('our tags go, too, from whoever they come; a name of our own counts beside the host', async () => {
  const forged =
    'X-Mailtree-DNSBL: none\nx-mailtree-authentication: pass\nX-Mailtree-Other: stays\nAuthentication-Results: mail.example.org; spf=pass\n\nx\n';
  expect((await examine(forged, { outside: false })).kept).toBe(
    'X-Mailtree-Other: stays\r\nAuthentication-Results: mail.example.org; spf=pass\r\n\r\nx\r\n',
  );
  expect((await examine(forged, { settings: { authservId: 'mail.example.org' } })).kept).toBe('X-Mailtree-Other: stays\r\n\r\nx\r\n');
  expect((await examine(forged, { settings: { removeForged: false } })).kept).toBe(forged.replace(/\n/g, '\r\n'));
});

test('who is not asked about: users, exempted hosts, and everybody where it is switched off', async () => {
  const zone = { ...allowed, ...policy('p=reject') };
  const asked = { zone, address: '203.0.113.9' };
  expect((await examine(message(), { ...asked, outside: false })).decision).toBeUndefined();
  expect((await examine(message(), { ...asked, settings: { exempt: ['203.0.113.0/24'] } })).decision).toBeUndefined();
  expect((await examine(message(), { ...asked, settings: { verify: false } })).header).toBe('');
  const none = { spf: false, dkim: false, dmarc: false, arc: false };
  expect((await examine(message(), { ...asked, settings: none })).decision).toBeUndefined();
  expect(words(await examine(message(), { ...asked, settings: { ...none, spf: true } }))).toMatch(
    /^Authentication-Results: mx.example.org; spf=fail smtp.mailfrom=\S+ spf=none smtp.helo=\S+\r\n$/,
  );
});

const spfOf = async (record: string, more: Zone = {}, asked: Asked = {}): Promise<string> =>
  (await result(message(), { zone: { 'TXT football.example.com': [record], ...more }, ...asked })).split(' ')[1] as string;

test.each([
  ['v=spf1 ip4:192.0.2.1 ip4:1.2.3 -all', 'permerror'],
  ['v=spf1 ip4:192.0.2.1 nonsense:x -all', 'permerror'],
  ['v=spf1 ip4:192.0.2.0/33 -all', 'permerror'],
  ['v=spf1 ip6:192.0.2.1 -all', 'permerror'],
  ['v=spf1 ip4:192.0.2.1 a:example..com -all', 'pass'],
  ['v=spf1 -all:x', 'permerror'],
  ['v=spf1 include -all', 'permerror'],
  ['v=spf1 redirect=a.example redirect=b.example', 'permerror'],
  ['v=spf1 exists:%{c}.example.com -all', 'permerror'],
  ['v=spf1 exists:%x.example.com -all', 'permerror'],
  ['v=spf1 a:host -all', 'permerror'],
  ['v=spf10 -all', 'none'],
  ['V=SPF1 IP4:192.0.2.1 -ALL', 'pass'],
  ['v=spf1  ip4:192.0.2.1   -all ', 'pass'],
  ['v=spf1 foo=bar ip4:192.0.2.1 -all', 'pass'],
  ['v=spf1 exists:%%.example.com exists:%{l}.example.com ?all', 'neutral'],
  ['v=spf1', 'neutral'],
  ['v=spf1 a:host.example./24 -all', 'pass'],
  ['v=spf1 exists:host.example. -all', 'pass'],
])('a faulty term counts wherever it stands: %s', async (record, expected) => {
  expect(await spfOf(record, { 'A host.example': ['192.0.2.77'] })).toBe(expected);
});

test('the current domain is that of the record, behind include and redirect too', async () => {
  const behind: Zone = {
    'TXT inner.example': ['v=spf1 exists:%{d1r}.%{i}.%{d}.example -all'],
    'A inner.192.0.2.1.inner.example.example': ['127.0.0.2'],
  };
  expect(await spfOf('v=spf1 include:inner.example -all', behind)).toBe('pass');
  expect(await spfOf('v=spf1 redirect=inner.example', behind)).toBe('pass');
});
