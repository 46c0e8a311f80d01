/** Thousands of messages of Postfix's smtp-source, into a mailbox and through a chain of hosts to smtp-sink: each comes once. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { change, imap } from '../support/mail-clients.ts';
import { eventually } from '../support/server.ts';
import { type Named, startNamed } from './support/dns/named.ts';
import { mailDomains } from './support/dns/zones.ts';
import { type MailHost, startMailHost } from './support/mail-host.ts';
import type { Neighbour } from './support/neighbours/neighbour.ts';
import { startPostfixNeighbour } from './support/neighbours/postfix.ts';
import { type Network, openNetwork } from './support/network.ts';
import { type SmtpSink, startSmtpSink } from './support/smtp-sink.ts';

const at = { ours: '198.51.100.1', postfix: '198.51.100.3', sink: '198.51.100.4', client: '198.51.100.9', dns: '198.51.100.53' };
const many = 2_000;
let net: Network<keyof typeof at>;
let named: Named;
let mail: MailHost;
let postfix: Neighbour;
let sink: SmtpSink;

beforeAll(async () => {
  net = await openNetwork(at, { nameserver: at.dns });
  named = await startNamed({
    address: at.dns,
    port: 53,
    command: net.hosts.dns.command,
    zones: mailDomains({ example: at.ours, sink: at.sink }),
  });
  [mail, postfix, sink] = await Promise.all([
    startMailHost(net.hosts.ours, { name: 'mx.example.test', domain: 'example.test', nameserver: named.server }),
    startPostfixNeighbour({
      host: net.hosts.postfix,
      name: 'mx.postfix.test',
      domain: 'postfix.test',
      users: [],
      relayFor: [at.client],
      main: [`transport_maps = inline:{sink.test=smtp:[${at.ours}]:25}`],
    }),
    startSmtpSink(net.hosts.sink),
  ]);
  await mail.modify('cn=smtpd,cn=mailtree', change('replace', 'mtSmtpdRelayAllow', at.postfix));
}, 120_000);

afterAll(async () => {
  await mail.stop();
  await postfix.stop();
  await sink.stop();
  await named.stop();
  await net.close();
});

async function source(server: string, to: string, ...more: string[]): Promise<void> {
  const args = ['-s', '20', '-m', String(many), '-l', '2000', '-f', 'source@elsewhere.test', '-t', to, ...more, `${server}:25`];
  const ran = await net.hosts.client.tool('/usr/sbin/smtp-source', args);
  expect([ran.code, ran.all]).toEqual([0, '']);
}

test('into a mailbox', async () => {
  await source(at.ours, 'user1@example.test');
  await mail.drained();
  const client = await imap(mail.files, 'user1@example.test');
  try {
    const mailbox = await client.mailboxOpen('INBOX');
    expect(mailbox.exists).toBe(many);
    const ids: (string | undefined)[] = [];
    for await (const one of client.fetch('1:*', { envelope: true })) ids.push(one.envelope?.messageId);
    expect(new Set(ids).size).toBe(many);
  } finally {
    await client.logout();
  }
}, 120_000);

test('from Postfix through us to smtp-sink', async () => {
  // Each has a recipient of its own.
  await source(at.postfix, 'x@sink.test', '-N');
  await eventually(async () => (await postfix.waiting()) === 0, 100_000);
  await mail.drained();
  const got = () => sink.messages().map((text) => /^X-Rcpt-Args: <(\d+)x@sink\.test>/m.exec(text)?.[1]);
  // It writes the last lines of a file after its answer.
  await eventually(async () => !got().includes(undefined), 30_000);
  const recipients = got();
  expect(recipients).toHaveLength(many);
  expect(new Set(recipients).size).toBe(many);
}, 240_000);
