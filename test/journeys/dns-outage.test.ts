/** No name server answers, while mail comes in and is to go out: all of it waits, strangers are put off, and everything goes when the DNS is back. */

import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Packet } from 'dns-packet';
import type { Client } from 'ldapts';
import { type FakeDns, startFakeDns } from '../support/fake-dns.ts';
import { change, control, Dialog, ldapAdministrator, subjects, submitAs, waiting } from '../support/mail-clients.ts';
import { eventually, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';

let dns: FakeDns;
let sink: Sink;
let files: ServerFiles;
let server: RunningServer;
let ldap: Client;
const sent: string[] = [];

const answering = (rcode: number) => (packet: Packet) => [
  { ...packet, flags: ((packet.flags ?? 0) & ~15) | rcode, answers: [], authorities: [] },
];
const outages = [
  ['silent', () => []],
  ['servfail', answering(2)],
  ['refused', answering(5)],
] as const;
const domainsOf = (outage: string): string[] => [1, 2, 3].map((n) => `${outage}${n}.test`);

beforeAll(async () => {
  sink = await startSink();
  const mail = { mx: [[10, 'mx.test']] as [number, string][] };
  const zones = Object.fromEntries(outages.flatMap(([name]) => domainsOf(name)).map((name) => [name, mail]));
  dns = await startFakeDns({ ...zones, 'sender.test': mail, 'mx.test': { a: ['127.0.0.1'] } });
  files = await prepareServer({ extra: `dns: [127.0.0.1:${dns.port}]` });
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
  const settings = { mtSmtpcPort: sink.port, mtSmtpcDnsTimeout: 1, mtSmtpcDnsRetries: 0, mtSmtpcDnsCacheSize: 0 };
  await ldap.modify(
    'cn=smtpc,cn=mailtree',
    Object.entries(settings).map(([name, value]) => change('replace', name, String(value))),
  );
  await ldap.modify('cn=smtpd,cn=mailtree', change('replace', 'mtSmtpdRejectSenderDomain', 'TRUE'));
});

afterAll(async () => {
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await Promise.all([sink.stop(), dns.stop()]);
  await files.remove();
});

/** What a stranger hears to MAIL. */
async function strangerHears(): Promise<string> {
  const socket = connect({ port: files.ports.smtp, host: '127.0.0.1', localAddress: '127.0.0.77' });
  const dialog = new Dialog(socket);
  await dialog.reply();
  await dialog.say('EHLO x.test');
  const reply = await dialog.say('MAIL FROM:<a@sender.test>');
  dialog.end();
  return reply;
}

const reasons = async (): Promise<string[]> =>
  (await waiting(files)).flatMap(({ recipients }) => recipients.map(({ reason = '' }) => reason));

test.each(outages)('name servers are %s: mail waits and strangers are put off', async (name, tamper) => {
  await eventually(async () => /^250 /.test(await strangerHears()));
  dns.tamper = tamper;
  for (const domain of domainsOf(name)) {
    await submitAs(files, 'user1@example.test', `x@${domain}`, domain);
    sent.push(domain);
  }
  expect(await strangerHears()).toMatch(/^450 4\.4\.3 .*sender\.test/);
  const text = name === 'silent' ? 'no name server answered' : `answered ${name.toUpperCase()}`;
  await eventually(async () => (await reasons()).filter((reason) => reason.includes(text)).length >= 3);
  // The mail within the house goes on.
  await submitAs(files, 'user1@example.test', 'user2@example.test', `inside ${name}`);
  await eventually(async () => (await subjects(files, 'user2@example.test')).includes(`inside ${name}`));
  expect(sink.messages).toEqual([]);
  dns.tamper = undefined;
});

test('when they answer again everything goes, and nobody was told of a failure', async () => {
  expect(sent).toHaveLength(9);
  for (const domain of sent) await control(files, `/queue/SMTPC/retry?identifier=${domain}`, 'POST');
  await eventually(async () => sink.messages.length === sent.length);
  expect(sink.messages.map(({ to }) => to[0]?.split('@')[1]).sort()).toEqual([...sent].sort());
  expect(await strangerHears()).toMatch(/^250 /);
  expect(await subjects(files, 'user1@example.test')).toEqual([]);
  expect(server.output()).not.toMatch(/Rejected|Bounced/);
});
