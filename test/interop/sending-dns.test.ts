/** Where Mailtree sends what a real name server says: BIND as the authority, hosts on addresses of the loopback. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { change, control, greetedSmtp, ldapAdministrator, newest, plain, subjects, waiting } from '../support/mail-clients.ts';
import { eventually, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';
import { type Named, startNamed } from './support/dns/named.ts';
import type { Zones } from './support/dns/zones.ts';

const zones: Zones = {
  'remote.test': {
    '@': {
      mx: [
        [20, 'two.remote.test'],
        [10, 'one.remote.test'],
      ],
    },
    one: { a: ['127.0.0.1'] },
    two: { a: ['127.0.0.2'] },
    six: { aaaa: ['::1'] },
    // Nobody listens there.
    dead: { a: ['127.0.0.99'], aaaa: ['::1'] },
    alias: { cname: 'remote.test' },
    'mx-alias': { cname: 'two.remote.test' },
    crowd: { a: Array.from({ length: 60 }, (_, n) => `127.0.2.${n + 1}`) },
  },
  'dead-first.test': {
    '@': {
      mx: [
        [5, 'really.dead-first.test'],
        [10, 'two.remote.test'],
      ],
    },
    really: { a: ['127.0.0.99'] },
  },
  'six.test': { '@': { mx: [[10, 'six.remote.test']] } },
  'half-dead.test': { '@': { mx: [[10, 'dead.remote.test']] } },
  'nomx.test': { '@': { a: ['127.0.0.2'] } },
  'nomx-six.test': { '@': { aaaa: ['::1'] } },
  'mx-is-alias.test': { '@': { mx: [[10, 'mx-alias.remote.test']] } },
  'nomail.test': { '@': { mx: [[0, '.']] } },
  'garbage.test': { '@': { mx: [[10, '127.0.0.1.']] } },
  'nothing.test': { '@': { txt: ['no address, no MX'] } },
  'dangling.test': { '@': { mx: [[10, 'gone.remote.test']] } },
  'loop.test': {
    '@': {
      mx: [
        [10, 'mail.example.test'],
        [20, 'one.remote.test'],
      ],
    },
  },
  // More than fits into a datagram: asked for over TCP.
  'many.test': {
    '@': {
      mx: [...Array.from({ length: 80 }, (_, n) => [20 + n, `a-long-name-of-a-host-${n}.many.test`] as const), [10, 'two.remote.test']],
    },
  },
  'later.test': { '@': { mx: [[10, 'one.remote.test']] } },
};

let named: Named;
let files: ServerFiles;
let server: RunningServer;
let ldap: Client;
let sinks: Record<'one' | 'two' | 'six', Sink>;

beforeAll(async () => {
  named = await startNamed({ zones });
  const one = await startSink();
  const [two, six] = await Promise.all(['127.0.0.2', '::1'].map((host) => startSink({}, { host, port: one.port })));
  sinks = { one, two: two as Sink, six: six as Sink };
  files = await prepareServer({ extra: `dns: ['${named.server}']` });
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
  await ldap.modify('cn=smtpc,cn=mailtree', [
    change('replace', 'mtSmtpcPort', String(one.port)),
    change('replace', 'mtSmtpcDnsRetries', '1'),
  ]);
});

afterAll(async () => {
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await named.stop();
  await Promise.all([...Object.values(sinks).map((sink) => sink.stop()), files.remove()]);
});

async function submit(domain: string): Promise<void> {
  const dialog = await greetedSmtp(files.ports.submission);
  for (const line of [plain('user1@example.test', password), 'MAIL FROM:<user1@example.test>', `RCPT TO:<friend@${domain}>`])
    expect(await dialog.say(line)).toMatch(/^2/);
  await dialog.say('DATA');
  expect(await dialog.say(`From: user1@example.test\r\nSubject: to ${domain}\r\n\r\nHello.\r\n.`)).toMatch(/^250 /);
  dialog.end();
}
const arrived = (sink: Sink, domain: string): boolean => sink.messages.some(({ to }) => to.includes(`friend@${domain}`));

test.each([
  ['remote.test', 'one'],
  ['dead-first.test', 'two'],
  ['six.test', 'six'],
  ['half-dead.test', 'six'],
  ['nomx.test', 'two'],
  ['nomx-six.test', 'six'],
  ['alias.remote.test', 'one'],
  ['mx-is-alias.test', 'two'],
  ['many.test', 'two'],
] as const)('mail for %s goes to host %s', async (domain, where) => {
  await submit(domain);
  await eventually(async () => arrived(sinks[where], domain));
  for (const [name, sink] of Object.entries(sinks)) expect(arrived(sink, domain)).toBe(name === where);
});

test.each([
  ['nomail.test', '5.1.10'],
  ['garbage.test', '5.4.4'],
  ['nothing.test', '5.1.2'],
  ['dangling.test', '5.4.4'],
  ['loop.test', '5.4.6'],
  ['never-heard-of.test', '5.1.2'],
])('mail for %s comes back with %s', async (domain, status) => {
  await submit(domain);
  const report = async (): Promise<string> =>
    (await subjects(files, 'user1@example.test')).length === 0 ? '' : (await newest(files, 'user1@example.test')).toString('latin1');
  await eventually(async () => (await report()).includes(`friend@${domain}`));
  expect(await report()).toMatch(new RegExp(`^Status: ${status.replaceAll('.', '\\.')}\\r?$`, 'm'));
});

test('while the name server is silent mail waits; when it answers again mail goes out', async () => {
  await ldap.modify('cn=smtpc,cn=mailtree', [change('replace', 'mtSmtpcDnsRetries', '0'), change('replace', 'mtSmtpcDnsTimeout', '1')]);
  named.pause();
  try {
    await submit('later.test');
    await eventually(async () =>
      (await waiting(files)).some(({ recipients }) => /no name server answered/.test(recipients[0]?.reason ?? '')),
    );
  } finally {
    named.resume();
  }
  await eventually(async () => (await named.ask('MX', 'later.test')).records.length === 1);
  await control(files, '/queue/SMTPC/retry', 'POST');
  await eventually(async () => arrived(sinks.one, 'later.test'));
});
