/** Every rule of SMTPD changed by LDAP on a running server: the next connection is judged by it, and the log names the rule. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Attribute, type Client } from 'ldapts';
import { type FakeDns, startFakeDns } from '../support/fake-dns.ts';
import { askSmtp, change, control, Dialog, ldapAdministrator, newest, plain } from '../support/mail-clients.ts';
import { command, eventually, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';

let files: ServerFiles;
let server: RunningServer;
let ldap: Client;
let dns: FakeDns;
let sink: Sink;
const smtpd = 'cn=smtpd,cn=mailtree';
const mta = 'cn=mta,cn=mailtree';
/** Where "another host" is. */
const stranger = '127.0.0.77';
const local = 'RCPT TO:<user1@example.test>';
const remote = 'RCPT TO:<friend@elsewhere.test>';
const from = 'MAIL FROM:<somebody@elsewhere.test>';

beforeAll(async () => {
  dns = await startFakeDns({
    'elsewhere.test': { mx: [[10, 'mx.elsewhere.test']] },
    'mx.elsewhere.test': { a: ['127.0.0.1'] },
    '77.0.0.127.in-addr.arpa': { ptr: ['host77.elsewhere.test'] },
    '77.0.0.127.bl.test': { a: ['127.0.0.2'] },
    'address.test': { a: ['127.0.0.1'] },
    'mute.test': { txt: ['no mail here'] },
  });
  sink = await startSink();
  files = await prepareServer({ extra: `dns: ['127.0.0.1:${dns.port}']` });
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
  await ldap.modify('cn=smtpc,cn=mailtree', change('replace', 'mtSmtpcPort', String(sink.port)));
});

afterAll(async () => {
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await Promise.all([dns.stop(), sink.stop()]);
  await files.remove();
});

const open = (address = stranger, port = files.ports.smtp): Promise<Dialog> => Dialog.open(port, address);
const ask = (lines: readonly string[], address = stranger, port = files.ports.smtp): Promise<string> => askSmtp(lines, port, address);

const set = (attribute: string, ...values: string[]): Promise<void> => ldap.modify(smtpd, change('replace', attribute, ...values));
/** Whatever earlier tests left: the setting is missing, so its default holds. */
const unset = async (...attributes: string[]): Promise<void> => {
  for (const attribute of attributes) await ldap.modify(smtpd, change('replace', attribute));
};
const becomes = (lines: readonly string[], pattern: RegExp, address?: string): Promise<number> =>
  eventually(async () => pattern.test(await ask(lines, address)));
const logFile = (): string => join(files.dir, 'data', 'log', 'iemta.log');
const log = (): string => (existsSync(logFile()) ? readFileSync(logFile(), 'utf8') : '');
const logged = (pattern: RegExp): Promise<number> => eventually(async () => pattern.test(log()));
const mail = [`EHLO host77.elsewhere.test`, from];
const message = ['DATA', 'Subject: tagged\r\n\r\nHello.\r\n.'];

test.each([
  ['mtSmtpdOfferSize', /SIZE/],
  ['mtSmtpdOffer8BitMime', /8BITMIME/],
  ['mtSmtpdOfferDsn', /DSN/],
  ['mtSmtpdOfferEtrn', /ETRN/],
  ['mtSmtpdOfferSmtpUtf8', /SMTPUTF8/],
  ['mtSmtpdOfferPipelining', /PIPELINING/],
  ['mtSmtpdOfferChunking', /CHUNKING/],
  ['mtSmtpdOfferEnhancedStatus', /ENHANCEDSTATUSCODES/],
  ['mtSmtpdOfferStartTls', /STARTTLS/],
])('%s is offered until it is switched off', async (attribute, keyword) => {
  expect(await ask(['EHLO x.test'])).toMatch(keyword);
  await set(attribute, 'FALSE');
  await eventually(async () => !keyword.test(await ask(['EHLO x.test'])));
  await unset(attribute);
  await becomes(['EHLO x.test'], keyword);
});

test('the ways of logging in, one by one and all together', async () => {
  const offered = async (): Promise<string> => /^250[- ]AUTH (.*)\r?$/m.exec(await ask(['EHLO x.test']))?.[1]?.trim() ?? '';
  for (const [attribute, mechanism] of [
    ['mtSmtpdAuthPlain', 'PLAIN'],
    ['mtSmtpdAuthLogin', 'LOGIN'],
  ] as const) {
    expect((await offered()).split(' ')).toContain(mechanism);
    await set(attribute, 'FALSE');
    await eventually(async () => !(await offered()).split(' ').includes(mechanism));
    expect(await ask(['EHLO x.test', `AUTH ${mechanism}`])).toMatch(/^504 /);
    await unset(attribute);
  }
  await set('mtSmtpdOfferAuth', 'FALSE');
  await eventually(async () => (await offered()) === '');
  await unset('mtSmtpdOfferAuth');
  await set('mtSmtpdLoginWithoutTls', 'never');
  await eventually(async () => (await offered()) === '');
  await unset('mtSmtpdLoginWithoutTls');
  await eventually(async () => (await offered()) !== '');
});

test('ESMTP as a whole', async () => {
  await set('mtSmtpdEsmtp', 'FALSE');
  await becomes(['EHLO x.test'], /^502 /);
  expect(await ask(['HELO x.test', from, local])).toMatch(/^250 /);
  await unset('mtSmtpdEsmtp');
  await becomes(['EHLO x.test'], /^250/);
});

/** Says nothing while the other tests run. */
let idle: Dialog;
test('the greeting and the idle time are those at the time of the connection', async () => {
  await ldap.modify(smtpd, [change('replace', 'mtSmtpdGreeting', 'Good day'), change('replace', 'mtSmtpdIdleTimeout', '10')]);
  await becomes([], /^220 .* Good day/);
  idle = await open();
  await idle.reply();
  await unset('mtSmtpdGreeting', 'mtSmtpdIdleTimeout');
  await becomes([], /^220 .* Mailtree/);
});

test('addresses without a domain: refused, completed, or neither', async () => {
  const bare = [...mail, 'RCPT TO:<user1>'];
  expect(await ask(bare)).toMatch(/^553 5\.1\.3 /);
  await set('mtSmtpdRejectUnqualified', 'never');
  await becomes(bare, /^250 /);
  await set('mtSmtpdQualify', 'FALSE');
  await becomes(bare, /^553 /);
  await unset('mtSmtpdRejectUnqualified', 'mtSmtpdQualify');
});

test('relaying: by address, by default, for good or for now', async () => {
  const relay = [...mail, remote];
  expect(await ask(relay)).toMatch(/^550 5\.7\.1 /);
  await logged(
    /Rejected from: <somebody@elsewhere\.test> to friend@elsewhere\.test rule=mtSmtpdRelayDefault .*client=\[127\.0\.0\.77\].*: 550 .*\(rule: mtSmtpdRelayDefault of cn=smtpd/,
  );
  await set('mtSmtpdRefusalCode', 'temporary');
  await becomes(relay, /^450 4\.7\.1 /);
  for (const form of ['127.0.0.77', '127.0.0.70-127.0.0.80', '127.0.0.64/27']) {
    await set('mtSmtpdRelayAllow', form);
    await becomes(relay, /^250 /);
    expect(await ask(relay, '127.0.0.100')).toMatch(/^450 /);
    await unset('mtSmtpdRelayAllow');
    await becomes(relay, /^450 /);
  }
  await set('mtSmtpdRelayDefault', 'allow');
  await becomes(relay, /^250 /);
  await set('mtSmtpdRelayDeny', '127.0.0.0/8');
  await becomes(relay, /^450 /);
  await set('mtSmtpdRejectRemoteRecipients', 'FALSE');
  await becomes(relay, /^250 /);
  await unset('mtSmtpdRejectRemoteRecipients', 'mtSmtpdRelayDeny', 'mtSmtpdRelayDefault', 'mtSmtpdRefusalCode');
  await becomes(relay, /^550 /);
  const user = ['EHLO x.test', plain('user1@example.test', password), 'MAIL FROM:<user1@example.test>', remote];
  expect(await ask(user, '127.0.0.1', files.ports.submission)).toMatch(/^250 /);
  await set('mtSmtpdRelayForAuthenticated', 'FALSE');
  await eventually(async () => /^550 /.test(await ask(user, '127.0.0.1', files.ports.submission)));
  await unset('mtSmtpdRelayForAuthenticated');
});

test('lists of addresses are checked by the directory', async () => {
  for (const wrong of ['everybody', '10.0.0', 'example.org', '10.0.0.0/8/8'])
    await expect(set('mtSmtpdRelayAllow', wrong)).rejects.toThrow(/mtSmtpdRelayAllow/);
});

test('connections: by address and by default, for good or for now', async () => {
  await set('mtSmtpdConnectionDeny', '127.0.0.77');
  await becomes([], /^554 /);
  expect(await ask([], '127.0.0.78')).toMatch(/^220 /);
  await logged(/mtSmtpdConnectionDeny \(127\.0\.0\.77\) of cn=smtpd/);
  await set('mtSmtpdConnectionCode', 'temporary');
  await becomes([], /^421 /);
  await set('mtSmtpdConnectionDefault', 'deny');
  await becomes([], /^421 /, '127.0.0.78');
  await set('mtSmtpdConnectionAllow', '127.0.0.76-127.0.0.78');
  await becomes([], /^220 /);
  expect(await ask([], '127.0.0.79')).toMatch(/^421 /);
  await unset('mtSmtpdConnectionDefault', 'mtSmtpdConnectionDeny', 'mtSmtpdConnectionAllow', 'mtSmtpdConnectionCode');
  await becomes([], /^220 /, '127.0.0.79');
});

test('reverse DNS: addresses without a name, and names that are not theirs', async () => {
  await set('mtSmtpdRejectUnresolvable', 'TRUE');
  await set('mtSmtpdRejectHeloMismatch', 'TRUE');
  expect(await ask(['EHLO x.test'])).toMatch(/^250/);
  await set('mtSmtpdReverseDns', 'TRUE');
  await becomes(['EHLO x.test'], /^550 /);
  expect(await ask(['EHLO host77.elsewhere.test'])).toMatch(/^250/);
  expect(await ask(['HELO host78.elsewhere.test'], '127.0.0.78')).toMatch(/^550 .*no name in the DNS/);
  await logged(/\(rule: mtSmtpdRejectUnresolvable of cn=smtpd,cn=mailtree\)/);
  await set('mtSmtpdHeloMismatchCode', 'temporary');
  await becomes(['EHLO x.test'], /^450 /);
  await set('mtSmtpdUnresolvableCode', 'temporary');
  await becomes(['EHLO x.test'], /^450 .*no name/, '127.0.0.78');
  await set('mtSmtpdRejectUnresolvable', 'FALSE');
  await becomes(['EHLO x.test'], /^450 .*is not the name/, '127.0.0.78');
  await unset(
    'mtSmtpdReverseDns',
    'mtSmtpdRejectUnresolvable',
    'mtSmtpdRejectHeloMismatch',
    'mtSmtpdHeloMismatchCode',
    'mtSmtpdUnresolvableCode',
  );
  await becomes(['EHLO x.test'], /^250/);
});

const entry = (objectClass: string, cn: string, more: Record<string, string> = {}): Attribute[] =>
  Object.entries({ objectClass, cn, ...more }).map(([type, value]) => new Attribute({ type, values: [value] }));

test('spammers are entries: an address, or a domain with what is below it', async () => {
  const from = (address: string): string[] => ['EHLO x.test', `MAIL FROM:<${address}>`];
  for (const cn of ['offers@elsewhere.test', 'spam.test']) await ldap.add(`cn=${cn},cn=spammers,${mta}`, entry('mtSpammer', cn));
  await becomes(from('Offers@Elsewhere.test'), /^553 5\.7\.1 /);
  await becomes(from('a@sub.spam.test'), /^553 /);
  await ldap.add(`cn=*@crowd.test,cn=spammers,${mta}`, entry('mtSpammer', '*@crowd.test'));
  await becomes(from('anybody@crowd.test'), /^553 /);
  await ldap.del(`cn=*@crowd.test,cn=spammers,${mta}`);
  expect(await ask(from('more@elsewhere.test'))).toMatch(/^250 /);
  expect(await ask(from('a@notspam.test'))).toMatch(/^250 /);
  await logged(
    /Rejected from: <a@sub\.spam\.test> rule=mtSmtpdRejectSpammers .*: 553 .*\(rule: cn=spam\.test,cn=spammers,cn=mta,cn=mailtree\)/,
  );
  await set('mtSmtpdSpammerCode', 'temporary');
  await becomes(from('a@spam.test'), /^451 /);
  await set('mtSmtpdRejectSpammers', 'FALSE');
  await becomes(from('a@spam.test'), /^250 /);
  await unset('mtSmtpdSpammerCode', 'mtSmtpdRejectSpammers');
  await becomes(from('a@spam.test'), /^553 /);
  await ldap.del(`cn=spam.test,cn=spammers,${mta}`);
  await becomes(from('a@spam.test'), /^250 /);
  await expect(ldap.add(`cn=@,cn=spammers,${mta}`, entry('mtSpammer', '@'))).rejects.toThrow(/an address or a domain/);
});

const explained = async (...args: string[]): Promise<string> =>
  (await command('mailtree', ['explain', 'user1@example.test', ...args], files)).out;

test('sender domains that take no mail', async () => {
  const from = (domain: string): string[] => ['EHLO x.test', `MAIL FROM:<a@${domain}>`];
  expect(await ask(from('gone.test'))).toMatch(/^250 /);
  await set('mtSmtpdRejectSenderDomain', 'TRUE');
  await becomes(from('gone.test'), /^550 5\.1\.8 /);
  expect(await explained('--sender', 'a@gone.test')).toMatch(/may send: no, 550 5\.1\.8 .*gone\.test has neither MX nor address/);
  expect(await ask(from('mute.test'))).toMatch(/^550 5\.1\.8 /);
  for (const domain of ['elsewhere.test', 'address.test', 'example.test']) expect(await ask(from(domain))).toMatch(/^250 /);
  await set('mtSmtpdSenderDomainCode', 'temporary');
  await becomes(from('gone.test'), /^450 4\.1\.8 /);
  await unset('mtSmtpdRejectSenderDomain', 'mtSmtpdSenderDomainCode');
  await becomes(from('gone.test'), /^250 /);
});

test('DNS blacklists are entries: refused, or tagged; but for a list of addresses', async () => {
  const bl = `cn=bl.test,cn=dnsbl,${mta}`;
  expect(await ask(mail)).toMatch(/^250 /);
  await ldap.add(bl, entry('mtDnsBl', 'bl.test'));
  await becomes(mail, /^554 5\.7\.1 .*bl\.test/);
  const about = await explained('--client', stranger);
  expect(about).toMatch(/may send mail: no, 554 5\.7\.1 listed by bl\.test\n +by cn=bl\.test/);
  expect(about).toMatch(/may send to this recipient: no, [\s\S]*not asked: .*HELO/);
  expect(await ask(mail, '127.0.0.78')).toMatch(/^250 /);
  await logged(/\(rule: cn=bl\.test,cn=dnsbl,cn=mta,cn=mailtree\)/);
  await set('mtSmtpdDnsBlCode', 'temporary');
  await becomes(mail, /^450 4\.7\.1 /);
  await set('mtSmtpdDnsBlWhitelist', '127.0.0.77-127.0.0.79');
  await becomes(mail, /^250 /);
  await unset('mtSmtpdDnsBlWhitelist');
  await becomes(mail, /^450 /);
  await ldap.modify(bl, change('replace', 'mtDnsBlAnswer', '127.0.0.9'));
  await becomes(mail, /^250 /);
  await ldap.modify(bl, [change('delete', 'mtDnsBlAnswer'), change('replace', 'mtDnsBlAction', 'pass')]);
  await eventually(
    async () =>
      /^250 /.test(await ask([...mail, local, ...message])) &&
      /DNSBL/.test((await newest(files, 'user1@example.test').catch(() => '')).toString()),
  );
  expect((await newest(files, 'user1@example.test')).toString()).toMatch(/^X-Mailtree-DNSBL: bl\.test \(127\.0\.0\.2\)\r$/m);
  await ldap.modify(bl, change('delete', 'mtDnsBlAction'));
  await becomes(mail, /^450 /);
  await set('mtSmtpdDnsBl', 'FALSE');
  await becomes(mail, /^250 /);
  await unset('mtSmtpdDnsBl', 'mtSmtpdDnsBlCode');
  await ldap.del(bl);
  await becomes(mail, /^250 /);
  await expect(ldap.add(`cn=no zone,cn=dnsbl,${mta}`, entry('mtDnsBl', 'no zone'))).rejects.toThrow(/DNS zone/);
  await expect(ldap.del(`cn=dnsbl,${mta}`)).rejects.toThrow(/needed by the server/);
});

test('peers: nothing is taken from one, and no more than so much from another', async () => {
  const peers = 'cn=peers,cn=mailtree';
  await ldap.add(`cn=xyz.test,${peers}`, entry('mtPeer', 'xyz.test', { mtPeerAccept: 'FALSE' }));
  await becomes(['EHLO sales.xyz.test'], /^550 host sales\.xyz\.test is not authorized to connect to mail\.example\.test/);
  await logged(/rule=mtPeerAccept .*\(rule: cn=xyz\.test,cn=peers,cn=mailtree\)/);
  await ldap.add(`cn=127.0.0.77,${peers}`, entry('mtPeer', '127.0.0.77', { mtPeerAccept: 'TRUE', mtPeerInboundSize: '9000' }));
  await becomes(['EHLO sales.xyz.test', `${from} SIZE=9001`], /^552 5\.3\.4 /);
  expect(await ask(['EHLO sales.xyz.test', `${from} SIZE=9000`])).toMatch(/^250 /);
  expect(await ask(['EHLO other.test', `${from} SIZE=9001`], '127.0.0.78')).toMatch(/^250 /);
  await ldap.modify(`cn=default,${peers}`, change('replace', 'mtPeerInboundSize', '20000'));
  await becomes(['EHLO other.test'], /SIZE 20000\b/);
  await ldap.modify(`cn=default,${peers}`, change('replace', 'mtPeerInboundSize', '0'));
  for (const cn of ['xyz.test', '127.0.0.77']) await ldap.del(`cn=${cn},${peers}`);
  await becomes(['EHLO sales.xyz.test'], /^250/);
});

test('VRFY and EXPN', async () => {
  const vrfy = ['EHLO x.test', 'VRFY user1@example.test'];
  const expn = ['EHLO x.test', 'EXPN sales@example.test'];
  expect(await ask(vrfy)).toMatch(/^252 .*command disabled/);
  expect(await ask(expn)).toMatch(/^550 5\.7\.1 command disabled/);
  await set('mtSmtpdVrfy', 'TRUE');
  await becomes(vrfy, /^250 2\.1\.5 <user1@example\.test>/);
  expect(await ask(['EHLO x.test', 'VRFY nobody@example.test'])).toMatch(/^550 /);
  await set('mtSmtpdExpn', 'TRUE');
  await becomes(expn, /^250[- ]2\.1\.5 <user1@example\.test>/);
  expect(await ask(['EHLO x.test', 'EXPN nobody@example.test'])).toMatch(/^550 5\.1\.1 /);
  await unset('mtSmtpdVrfy', 'mtSmtpdExpn');
});

test('unknown recipients: refused at once, or accepted and bounced', async () => {
  const unknown = [...mail, 'RCPT TO:<nobody@example.test>'];
  expect(await ask(unknown)).toMatch(/^550 5\.1\.1 /);
  await set('mtSmtpdRejectUnknownRecipients', 'FALSE');
  await becomes(unknown, /^250 /);
  sink.messages.length = 0;
  expect(await ask([...unknown, ...message])).toMatch(/^250 /);
  await eventually(async () => sink.messages.some((one) => /nobody@example\.test/.test(one.data)));
  await unset('mtSmtpdRejectUnknownRecipients');
  await becomes(unknown, /^550 /);
});

test('limits a minute', async () => {
  for (const [attribute, lines, address] of [
    ['mtSmtpdConnectionsPerMinute', [], '127.0.1.1'],
    ['mtSmtpdMessagesPerMinute', mail, '127.0.1.2'],
    ['mtSmtpdRecipientsPerMinute', [...mail, local], '127.0.1.3'],
    ['mtSmtpdEtrnPerMinute', ['EHLO x.test', 'ETRN idle.test'], '127.0.1.4'],
  ] as const) {
    const before = attribute === 'mtSmtpdEtrnPerMinute' ? '30' : undefined;
    await set(attribute, '2');
    await becomes(lines, /^4(21|50|58) /, address);
    await logged(new RegExp(`\\(rule: ${attribute} of cn=smtpd`));
    await set('mtSmtpdRateExempt', '127.0.1.0/24');
    await becomes(lines, /^2/, address);
    await unset('mtSmtpdRateExempt');
    if (before === undefined) await unset(attribute);
    else await set(attribute, before);
  }
});

test('DriveMin', async () => {
  await set('mtSmtpdDriveMin', '1048576');
  await becomes(mail, /^452 4\.3\.1 /);
  await logged(/\(rule: mtSmtpdDriveMin of cn=smtpd/);
  await unset('mtSmtpdDriveMin');
  await becomes(mail, /^250 /);
});

test('the data buffer changes nothing but speed', async () => {
  const body = Array.from({ length: 4_000 }, (_, n) => `line ${n}`).join('\r\n');
  for (const size of ['512', '32768']) {
    await set('mtSmtpdDataBuffer', size);
    expect(await ask([...mail, local, 'DATA', `Subject: buffer ${size}\r\n\r\n${body}\r\n.`])).toMatch(/^250 /);
    await eventually(async () => (await newest(files, 'user1@example.test')).toString().includes(`Subject: buffer ${size}\r\n\r\n${body}`));
  }
  await unset('mtSmtpdDataBuffer');
});

test('ETRN sends what waits for a domain at once', async () => {
  dns.zone['dial.test'] = { failing: true };
  const user = ['EHLO x.test', plain('user1@example.test', password), 'MAIL FROM:<user1@example.test>', 'RCPT TO:<x@dial.test>'];
  expect(
    await ask([...user, 'DATA', 'From: user1@example.test\r\nSubject: dialled\r\n\r\nx\r\n.'], '127.0.0.1', files.ports.submission),
  ).toMatch(/^250 /);
  await eventually(async () => {
    const { queues } = await control<{ queues: { queue: string; deferred: number }[] }>(files, '/status');
    return queues.some(({ queue, deferred }) => queue === 'SMTPC' && deferred > 0);
  }, 60_000);
  dns.zone['dial.test'] = { mx: [[10, 'mx.elsewhere.test']] };
  expect(await ask(['EHLO dial.test', 'ETRN dial.test'])).toMatch(/^253 2\.0\.0 1 /);
  await eventually(async () => sink.messages.some((one) => /Subject: dialled/.test(one.data)));
  expect(await ask(['EHLO dial.test', 'ETRN dial.test'])).toMatch(/^251 /);
}, 90_000);

test('who said nothing for as long as was allowed was sent away', async () => {
  expect(await idle.reply()).toMatch(/^421 4\.4\.2 /);
});

test('what a user may send in a day outlives a kill', async () => {
  await set('mtSmtpdUserMessagesPerDay', '2');
  const user = ['EHLO x.test', plain('user2@example.test', password), 'MAIL FROM:<user2@example.test>', local];
  const whole = [...user, 'DATA', 'From: user2@example.test\r\nSubject: x\r\n\r\nx\r\n.'];
  const send = (lines = whole): Promise<string> => ask(lines, '127.0.0.1', files.ports.submission);
  await eventually(async () => /mtSmtpdUserMessagesPerDay|2/.test(await send(['EHLO x.test'])));
  expect(await send()).toMatch(/^250 /);
  // Open connections and all: the ports are free again at once.
  const held = await Promise.all([open(), open(stranger, files.ports.submission)]);
  await server.kill();
  server = await runServer(files);
  for (const one of held) one.end();
  await ldap.unbind().catch(() => {});
  ldap = await ldapAdministrator(files);
  expect(await send()).toMatch(/^250 /);
  expect(await send()).toMatch(/^452 4\.7\.1 /);
  await logged(/user=user2@example\.test.*: 452 .*mtSmtpdUserMessagesPerDay/);
  expect(await explained('--sender', 'user2@example.test')).toMatch(/may send: no, 452 .*sent today: 2 messages \(of 2\)/);
  await set('mtSmtpdUserMessagesPerDay', '0');
  await set('mtSmtpdUserMegabytesPerDay', '1');
  const sized = ['EHLO x.test', plain('user2@example.test', password), 'MAIL FROM:<user2@example.test> SIZE=1040000'];
  await eventually(async () => /^250 /.test(await send()));
  expect(await send([...sized.slice(0, 2), `${sized[2]?.replace('1040000', '2000000')}`])).toMatch(/^452 /);
  await unset('mtSmtpdUserMessagesPerDay', 'mtSmtpdUserMegabytesPerDay');
});
