/**
 * Postfix and Exim as neighbours, whole servers on hosts of their own: mail goes both ways by the MX records of a real DNS, encrypted, with all that
 * SMTP's extensions promise; what cannot be delivered comes back; what had to wait is fetched.
 */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { change } from '../support/mail-clients.ts';
import { eventually, password } from '../support/server.ts';
import { type Named, startNamed } from './support/dns/named.ts';
import type { Zone } from './support/dns/zones.ts';
import { type MailHost, startMailHost } from './support/mail-host.ts';
import { startEximNeighbour } from './support/neighbours/exim.ts';
import type { Neighbour } from './support/neighbours/neighbour.ts';
import { startPostfixNeighbour } from './support/neighbours/postfix.ts';
import { type Network, openNetwork } from './support/network.ts';
import { RawSmtp } from './support/raw-smtp.ts';

const at = { ours: '198.51.100.1', postfix: '198.51.100.2', exim: '198.51.100.3', client: '198.51.100.9', dns: '198.51.100.53' };
const user = 'user1@example.test';
const sizeLimit = 3_000_000;
let net: Network<keyof typeof at>;
let named: Named;
let mail: MailHost;
let postfix: Neighbour;
let exim: Neighbour;

/** Nobody listens at the first exchanger. */
const zoneOf = (host: string, addresses: Zone[string]): Zone => ({
  '@': {
    mx: [
      [20, `mx.${host}`],
      [10, `down.${host}`],
    ],
  },
  mx: addresses,
  down: { a: [at.client] },
});
const away = (host: string): Zone => ({ ...zoneOf(host, {}), '@': { mx: [[10, `down.${host}`]] } });
const zones = {
  'postfix.test': zoneOf('postfix.test', { a: [at.postfix], aaaa: ['2001:db8::2'] }),
  'exim.test': zoneOf('exim.test', { a: [at.exim] }),
};

beforeAll(async () => {
  net = await openNetwork(
    { ours: [at.ours, '2001:db8::1'], postfix: [at.postfix, '2001:db8::2'], exim: [at.exim], client: [at.client], dns: [at.dns] },
    { nameserver: at.dns },
  );
  named = await startNamed({
    address: at.dns,
    port: 53,
    command: net.hosts.dns.command,
    zones: { 'example.test': { '@': { mx: [[10, 'mail.example.test']] }, mail: { a: [at.ours], aaaa: ['2001:db8::1'] } }, ...zones },
  });
  const common = { users: ['friend', 'jürgen', 'second'], sizeLimit, relayFor: [at.client], relayDomains: ['example.test'] };
  [mail, postfix, exim] = await Promise.all([
    startMailHost(net.hosts.ours, { name: 'mail.example.test', domain: 'example.test', nameserver: named.server }),
    startPostfixNeighbour({ ...common, host: net.hosts.postfix, name: 'mx.postfix.test', domain: 'postfix.test' }),
    startEximNeighbour({ ...common, host: net.hosts.exim, name: 'mx.exim.test', domain: 'exim.test' }),
  ]);
  await mail.modify('cn=smtpd,cn=mailtree', change('replace', 'mtSmtpdRelayAllow', at.client));
}, 120_000);

afterAll(async () => {
  await mail.stop();
  await postfix.stop();
  await exim.stop();
  await named.stop();
  await net.close();
});

const header = (subject: string, more = '') => `From: ${user}\r\nTo: friend@elsewhere.test\r\nSubject: ${subject}\r\n${more}\r\n`;
const eightBits = 'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n';
const samples = (mark: string): Record<string, Buffer> => ({
  dots: Buffer.from(
    `${header(`${mark} dots`)}line\r\n.dot\r\n..dots\r\n.\u0020\r\n\r\n.\r\n \r\n`.replace('\r\n.\r\n', '\r\n. \r\n'),
    'latin1',
  ),
  'eight bits': Buffer.from(`${header(`${mark} eight bits`, eightBits)}${'Grüße '.repeat(40)}\r\n`, 'utf8'),
  long: Buffer.from(`${header(`${mark} long`)}${`${'x'.repeat(70)}\r\n`.repeat(20_000)}`, 'latin1'),
  'no text': Buffer.from(header(`${mark} no text`), 'latin1'),
});
const bodyOf = (text: string): string => {
  const wire = text.replace(/\r?\n/g, '\r\n');
  return wire.slice(wire.indexOf('\r\n\r\n') + 4);
};
const subjectOf = (text: string): string | undefined => /^Subject: (.*?)\r?$/m.exec(text)?.[1];
/** The message with that subject, once it is there; exactly one. */
async function arrived(box: () => string[] | Promise<string[]>, subject: string): Promise<string> {
  let found: string[] = [];
  await eventually(async () => {
    found = (await box()).filter((text) => subjectOf(text) === subject);
    return found.length > 0;
  }, 30_000);
  expect(found).toHaveLength(1);
  return found[0] ?? '';
}
async function report(box: () => string[] | Promise<string[]>, mark: string): Promise<string> {
  const isReport = (text: string): boolean => /^Content-Type: multipart\/report/im.test(text) && text.includes(mark);
  let found: string[] = [];
  await eventually(async () => {
    found = (await box()).filter(isReport);
    return found.length > 0;
  }, 30_000);
  expect(found).toHaveLength(1);
  return (found[0] ?? '').replace(/\r?\n[ \t]+/g, ' ');
}
/** As user1, who has logged in. */
async function submit(to: string, content: Buffer, parameters: Parameters<RawSmtp['send']>[3] = {}): Promise<void> {
  const smtp = await RawSmtp.open(mail.files.ports.submission);
  await smtp.logIn(user, password);
  expect(await smtp.send(user, to, content, parameters)).toMatch(/^250 /);
  await smtp.quit();
}
/** From a client of theirs, or of ours, that may relay. */
async function through(address: string, from: string, to: string, content: Buffer, parameters: Parameters<RawSmtp['send']>[3] = {}) {
  const smtp = await RawSmtp.over(await net.hosts.client.connect(address, 25));
  expect(await smtp.send(from, to, content, parameters)).toMatch(/^250 /);
  await smtp.quit();
}
const inbox = () => mail.inbox(user);

describe.each(['postfix', 'exim'] as const)('%s', (kind) => {
  const domain = `${kind}.test`;
  const friend = `friend@${domain}`;
  const there = (): Neighbour => (kind === 'postfix' ? postfix : exim);
  const theirs = (name = 'friend') => there().inbox(name);

  test('what it sends us arrives once and whole, encrypted', async () => {
    const all = samples(`from ${kind}`);
    for (const one of Object.values(all)) await through(at[kind], `somebody@${domain}`, user, one, { mail: 'BODY=8BITMIME' });
    for (const [name, one] of Object.entries(all)) {
      const got = await arrived(inbox, `from ${kind} ${name}`);
      expect(bodyOf(got)).toBe(bodyOf(one.toString('latin1')));
      expect(got.replace(/\r\n[ \t]+/g, ' ')).toMatch(
        new RegExp(`^Received: from mx\\.${kind}\\.test .* by mail\\.example\\.test with ESMTPS id`, 'm'),
      );
    }
  });

  test('what our users send it goes by the next MX when the first is down, and arrives once and whole, encrypted', async () => {
    const all = samples(`to ${kind}`);
    for (const one of Object.values(all)) await submit(friend, one, { mail: 'BODY=8BITMIME' });
    for (const [name, one] of Object.entries(all)) {
      const got = await arrived(theirs, `to ${kind} ${name}`);
      expect(bodyOf(got)).toBe(bodyOf(one.toString('latin1')));
      expect(got).toMatch(kind === 'postfix' ? /\(using TLSv1\.3 with/ : /with esmtps +\(TLS1\.3\)/);
    }
    expect(named.asked()).toEqual(expect.arrayContaining([`MX ${domain}`, `A mx.${domain}`, `AAAA mx.${domain}`]));
  });

  test('addresses and headers in UTF-8 go both ways', async () => {
    const content = Buffer.from(header(`Grüße ${kind}`, `X-Kind: größe\r\n${eightBits}`), 'utf8');
    const parameters = { mail: 'BODY=8BITMIME SMTPUTF8' };
    const utf8 = (text: string) => Buffer.from(text, 'utf8').toString('latin1');
    await submit(`jürgen@${domain}`, content, parameters);
    await eventually(async () => theirs('jürgen').length > 0, 30_000);
    expect(theirs('jürgen').join('')).toContain(utf8(`Subject: Grüße ${kind}`));
    await through(at[kind], `jürgen@${domain}`, user, content, parameters);
    const got = await arrived(inbox, utf8(`Grüße ${kind}`));
    expect(got).toContain(utf8(`Return-Path: <jürgen@${domain}>`));
    expect(got.replace(/\r\n[ \t]+/g, ' ')).toMatch(/by mail\.example\.test with UTF8SMTPS id/);
  });

  test('we relay for clients that may: to it, and what it refuses goes back to the sender', async () => {
    await through(at.ours, 'somebody@elsewhere.test', friend, samples(`by us to ${kind}`)['no text'] ?? Buffer.alloc(0));
    expect(await arrived(theirs, `by us to ${kind} no text`)).toMatch(/by mail\.example\.test/);
    await through(at.ours, user, `nobody@${domain}`, Buffer.from(header(`refused ${kind}`)));
    const text = await report(inbox, `nobody@${domain}`);
    expect(text).toMatch(new RegExp(`^Final-Recipient: rfc822; ?nobody@${domain}`, 'im'));
    expect(text).toMatch(/^Action: failed/im);
    expect(text).toMatch(/^Status: 5\.\d+\.\d+/im);
    expect(text).toMatch(/^Diagnostic-Code: smtp; ?55\d/im);
    expect(text).toMatch(new RegExp(`^Remote-MTA: dns; ?mx\\.${kind}\\.test`, 'im'));
  });

  test('what we refuse goes back to its sender', async () => {
    await through(at[kind], friend, 'nobody@example.test', Buffer.from(header(`unknown ${kind}`)));
    await eventually(async () => theirs().some((text) => text.includes('nobody@example.test') && /550[ -]5\.1\.1/.test(text)), 30_000);
  });

  test('a larger message than it takes is not sent there: it comes back', async () => {
    const before = there().log().length;
    await submit(friend, Buffer.from(`${header(`large ${kind}`)}${`${'x'.repeat(70)}\r\n`.repeat(60_000)}`));
    const text = await report(inbox, `large ${kind}`);
    expect(text).toMatch(/^Status: 5\.3\.4/im);
    expect(there().log().slice(before)).not.toMatch(/4\d{6}/);
    expect(theirs().map(subjectOf)).not.toContain(`large ${kind}`);
  });

  test('requests for notices go along both ways, and the notices come back', async () => {
    const asked = { mail: 'RET=HDRS ENVID=Our+2BId', rcpt: `NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;old+2Bname@${domain}` };
    await submit(`second@${domain}`, Buffer.from(header(`notice ${kind}`)), asked);
    const sent = await report(inbox, `notice ${kind}`);
    // Exim gives it back in the form that SMTP has it in (xtext), which RFC 3464 does not.
    const plus = kind === 'exim' ? '\\+2B' : '\\+';
    expect(sent).toMatch(new RegExp(`^Original-Envelope-Id: Our${plus}Id`, 'im'));
    expect(sent).toMatch(new RegExp(`^Original-Recipient: rfc822; ?old${plus}name@${domain}`, 'im'));
    expect(sent).toMatch(/^Action: (delivered|relayed)/im);
    expect(sent).toMatch(/^Status: 2\.\d+\.\d+/im);
    await through(at[kind], friend, 'user2@example.test', Buffer.from(header(`their notice ${kind}`)), {
      mail: 'RET=HDRS ENVID=Their+2BId',
      rcpt: 'NOTIFY=SUCCESS ORCPT=rfc822;other@example.test',
    });
    const got = await report(theirs, `their notice ${kind}`);
    expect(got).toMatch(/^Reporting-MTA: dns; ?mail\.example\.test/im);
    expect(got).toMatch(/^Original-Envelope-Id: Their\+Id/im);
    expect(got).toMatch(/^Original-Recipient: rfc822; ?other@example\.test/im);
    expect(got).toMatch(/^Action: delivered/im);
    expect(got).toMatch(/^Return-Path: ?<>/im);
  });

  test('mail that waits here for it comes when it asks (ETRN)', async () => {
    await named.change({ [domain]: away(domain) });
    await submit(friend, Buffer.from(header(`waiting for ${kind}`)));
    await eventually(() => mail.deferred(), 30_000);
    await named.change({ [domain]: zones[`${kind}.test`] });
    expect(theirs().map(subjectOf)).not.toContain(`waiting for ${kind}`);
    const smtp = await RawSmtp.over(await there().host.connect(at.ours, 25));
    expect(await smtp.say(`ETRN ${domain}\r\n`)).toMatch(/^25[0-3] /);
    await smtp.quit();
    await arrived(theirs, `waiting for ${kind}`);
    await mail.drained();
  });

  /** Leaves a message there because we take no connection from it for now; resolves when we would take it again. */
  async function leftThere(subject: string): Promise<void> {
    const refusing = ['mtSmtpdConnectionDeny', 'mtSmtpdConnectionCode'];
    const before = there().log().length;
    await mail.modify(
      'cn=smtpd,cn=mailtree',
      change('replace', 'mtSmtpdConnectionDeny', at[kind], '2001:db8::2'),
      change('replace', 'mtSmtpdConnectionCode', 'temporary'),
    );
    await through(at[kind], `somebody@${domain}`, user, Buffer.from(header(subject)));
    await eventually(async () => (await there().waiting()) === 1 && /421/.test(there().log().slice(before)), 30_000);
    await mail.modify('cn=smtpd,cn=mailtree', ...refusing.map((one) => change('replace', one)));
  }

  test('mail that waits there for us comes with its next queue run', async () => {
    await leftThere(`waiting at ${kind}`);
    await there().flush();
    await arrived(inbox, `waiting at ${kind}`);
    await eventually(async () => (await there().waiting()) === 0, 30_000);
  });

  test('mail that waits there for us comes when we ask (ETRN)', async () => {
    await leftThere(`asked of ${kind}`);
    await there().settled();
    await mail.modify(
      'cn=smtpc,cn=mailtree',
      change('replace', 'mtSmtpcEtrnName', 'example.test'),
      change('replace', 'mtSmtpcEtrnHost', `mx.${kind}.test`),
    );
    await arrived(inbox, `asked of ${kind}`);
    await eventually(async () => (await there().waiting()) === 0, 30_000);
    await mail.modify('cn=smtpc,cn=mailtree', change('replace', 'mtSmtpcEtrnName'), change('replace', 'mtSmtpcEtrnHost'));
  });
});

test('at the end nothing waits anywhere, and nothing came twice', async () => {
  await mail.drained();
  for (const box of [await inbox(), postfix.inbox('friend'), exim.inbox('friend')]) {
    const ids = box.filter((text) => !/multipart\/report/.test(text)).map(subjectOf);
    expect(ids).toEqual([...new Set(ids)]);
  }
  expect([await postfix.waiting(), await exim.waiting()]).toEqual([0, 0]);
});
