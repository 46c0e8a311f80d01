/**
 * Everything that has ever been tried to make a mail host send a stranger's mail to another stranger, from a network address that may not: nothing of
 * it leaves. Every name there is leads to one host that takes all mail.
 */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { change, Dialog } from '../support/mail-clients.ts';
import { eventually } from '../support/server.ts';
import { type Named, startNamed } from './support/dns/named.ts';
import { type MailHost, startMailHost } from './support/mail-host.ts';
import { type Network, openNetwork } from './support/network.ts';
import { type SmtpSink, startSmtpSink } from './support/smtp-sink.ts';

const at = {
  ours: '198.51.100.1',
  ours6: '2001:db8::1',
  victim: '203.0.113.5',
  victim6: '2001:db8:5::5',
  stranger: '203.0.113.9',
  stranger6: '2001:db8:9::9',
  dns: '198.51.100.53',
};
let net: Network<'ours' | 'victim' | 'stranger' | 'dns'>;
let named: Named;
let mail: MailHost;
let sink: SmtpSink;

beforeAll(async () => {
  net = await openNetwork(
    { ours: [at.ours, at.ours6], victim: [at.victim, at.victim6], stranger: [at.stranger, at.stranger6], dns: [at.dns] },
    { nameserver: at.dns },
  );
  const there = { mx: [[10, 'mx.victim.test'] as const], a: [at.victim], aaaa: [at.victim6] };
  named = await startNamed({
    address: at.dns,
    port: 53,
    command: net.hosts.dns.command,
    zones: { test: { '*': there, victim: there, '*.victim': there, 'mx.victim': { a: [at.victim], aaaa: [at.victim6] } } },
  });
  sink = await startSmtpSink(net.hosts.victim);
  mail = await startMailHost(net.hosts.ours, { name: 'mail.example.test', domain: 'example.test', nameserver: named.server });
}, 120_000);

afterAll(async () => {
  await mail.stop();
  await sink.stop();
  await named.stop();
  await net.close();
});

const senders = [
  '<spam@stranger.test>',
  '<>',
  '<user1@example.test>',
  '<postmaster@example.test>',
  '<spam>',
  `<spam@[${at.ours}]>`,
  '<spam@mail.example.test>',
  '<friend@victim.test>',
  '<spam@localhost>',
];

const here = ['example.test', 'mail.example.test', `[${at.ours}]`, `[IPv6:${at.ours6}]`, 'EXAMPLE.TEST', 'jade.net'];
const recipients = [
  // As it is, and in other spellings.
  '<friend@victim.test>',
  '<Friend@VICTIM.Test>',
  '<friend@victim.test.>',
  '<friend@sub.victim.test>',
  '<"friend"@victim.test>',
  'friend@victim.test',
  '<friend@victim.test> ',
  '< friend@victim.test >',
  '<<friend@victim.test>>',
  '"friend@victim.test"',
  '<"friend@victim.test">',
  '<"friend%victim.test">',
  '<friend%victim.test>',
  '<friend@victim.test',
  '<smtp:friend@victim.test>',
  '<mailto:friend@victim.test>',
  '<friend(comment)@victim.test>',
  '<friend@victim.test (example.test)>',
  // Addresses instead of names.
  `<friend@[${at.victim}]>`,
  `<friend@[IPv6:${at.victim6}]>`,
  `<friend@${at.victim}>`,
  '<friend@3405803781>',
  '<friend@[3405803781]>',
  '<friend@#3405803781>',
  '<friend@[0xcb007105]>',
  // Hosts that look like ours.
  '<friend@sub.example.test>',
  '<friend@example.test.victim.test>',
  '<friend@notexample.test>',
  '<friend@example.test@victim.test>',
  '<user1@victim.test>',
  // UUCP.
  '<victim.test!friend>',
  '<example.test!victim.test!friend>',
  '<mail.example.test!friend@victim.test>',
  // Several at once.
  '<user1@example.test,friend@victim.test>',
  '<friend@victim.test>,<user1@example.test>',
  '<friend@victim.test>;<user1@example.test>',
  '<user1@example.test> <friend@victim.test>',
  '<user1@example.test>,<friend@victim.test>',
  // More than seven bits, more than one line, more than text.
  '<fr\u00efend@victim.test>',
  '<friend@v\u00efctim.test>',
  '<friend@victim.test\u0000@example.test>',
  '<friend@victim.test\u0000>',
  '<friend@victim.test\r@example.test>',
  '<"friend@victim.test\\"@example.test>',
  '<"friend\\@victim.test,"@example.test>',
  '<\\friend@victim.test>',
  ...here.flatMap((host) => [
    // Percent, at, quotes, bangs, source routes.
    `<friend%victim.test@${host}>`,
    `<friend%victim.test%${host}@${host}>`,
    `<friend@victim.test@${host}>`,
    `<"friend@victim.test"@${host}>`,
    `<"friend%victim.test"@${host}>`,
    `<friend@victim.test%${host}>`,
    `<victim.test!friend@${host}>`,
    `<"victim.test!friend"@${host}>`,
    `<@${host}:friend@victim.test>`,
    `<@victim.test,@${host}:friend@victim.test>`,
    `<@${host},@victim.test:friend@victim.test>`,
    `<@${host}:friend%victim.test@${host}>`,
    `<@${host}:@victim.test:friend@victim.test>`,
    `<@:friend@victim.test@${host}>`,
    `<friend#victim.test@${host}>`,
    `<friend/victim.test@${host}>`,
    `<+friend@victim.test@${host}>`,
    `<|friend@victim.test@${host}>`,
    `<friend=victim.test@${host}>`,
    `<SRS0=AAAA=BB=victim.test=friend@${host}>`,
    `<bounces+friend=victim.test@${host}>`,
  ]),
];

/** Says EHLO and MAIL, and then each of these until the server has had enough; what it said to those it took. */
async function taken(address: string, sender: string, port: number, extension: string): Promise<string[]> {
  const found: string[] = [];
  let dialog: Dialog | undefined;
  for (const recipient of recipients) {
    if (!dialog?.open) {
      dialog = new Dialog(await net.hosts.stranger.connect(address, port, address.includes(':') ? at.stranger6 : at.stranger));
      await dialog.reply();
      await dialog.say('EHLO stranger.test');
      const said = await dialog.say(`MAIL FROM:${sender}${extension}`);
      if (!said.startsWith('250')) return [`MAIL: ${said}`];
    }
    dialog.socket.write(Buffer.from(`RCPT TO:${recipient}\r\n`, 'utf8'));
    const said = await dialog.reply();
    if (said.startsWith('2')) found.push(`${recipient}: ${said}`);
    else if (!/^[45]\d\d /m.test(said)) found.push(`${recipient}: no refusal but ${said}`);
    if (/^421 /m.test(said)) dialog.end();
  }
  dialog?.end();
  return found;
}

test('nothing is relayed, whoever says to have sent it, over IPv4 and IPv6', async () => {
  await mail.modify('cn=smtpd,cn=mailtree', change('replace', 'mtSmtpdMaxErrors', '1000'));
  for (const address of [at.ours, at.ours6])
    for (const sender of senders)
      for (const extension of ['', ' SMTPUTF8 BODY=8BITMIME']) {
        const found = await taken(address, sender, 25, extension);
        // A bare name gets no further than this.
        expect([sender, found]).toEqual([sender, sender === '<spam>' ? [expect.stringMatching(/^MAIL: 55\d /)] : []]);
      }
}, 120_000);

test('ports for users take nothing from strangers', async () => {
  expect(await taken(at.ours, '<user1@example.test>', 587, '')).toEqual([expect.stringMatching(/^MAIL: 530 5\.7\.0 /)]);
});

test('a message goes to those who were taken, not to others that were tried in the same transaction', async () => {
  const dialog = new Dialog(await net.hosts.stranger.connect(at.ours, 25));
  await dialog.reply();
  await dialog.say('EHLO stranger.test');
  await dialog.say('MAIL FROM:<spam@stranger.test>');
  expect(await dialog.say('RCPT TO:<friend@victim.test>')).toMatch(/^550 5\.7\.1 /);
  expect(await dialog.say('RCPT TO:<user1@example.test>')).toMatch(/^250 /);
  expect(await dialog.say('RCPT TO:<friend%victim.test@example.test>')).toMatch(/^55\d /);
  expect(await dialog.say('DATA')).toMatch(/^354 /);
  const header =
    'From: spam@stranger.test\r\nTo: friend@victim.test\r\nCc: friend@victim.test\r\nBcc: friend@victim.test\r\nResent-To: friend@victim.test\r\n';
  const asking =
    'Disposition-Notification-To: friend@victim.test\r\nReturn-Receipt-To: friend@victim.test\r\nErrors-To: friend@victim.test\r\n';
  expect(await dialog.say(`${header}${asking}Apparently-To: friend@victim.test\r\nSubject: to all\r\n\r\n.`)).toMatch(/^250 /);
  dialog.end();
  await eventually(async () => (await mail.inbox('user1@example.test')).length === 1, 30_000);
  await mail.drained();
});

test('of all this nothing came to the victim; what may go there does', async () => {
  await mail.drained();
  expect(sink.messages()).toEqual([]);
  expect(named.asked().filter((asked) => asked.startsWith('MX'))).toEqual([]);
  await mail.modify('cn=smtpd,cn=mailtree', change('replace', 'mtSmtpdRelayAllow', at.stranger));
  const dialog = new Dialog(await net.hosts.stranger.connect(at.ours, 25));
  await dialog.reply();
  await dialog.say('EHLO stranger.test');
  for (const line of ['MAIL FROM:<allowed@stranger.test>', 'RCPT TO:<friend@victim.test>']) expect(await dialog.say(line)).toMatch(/^250 /);
  await dialog.say('DATA');
  expect(await dialog.say('Subject: allowed\r\n\r\n.')).toMatch(/^250 /);
  dialog.end();
  await eventually(async () => /^Subject: allowed\r?$/m.test(sink.messages().join('')), 30_000);
  expect(sink.messages()).toHaveLength(1);
});
