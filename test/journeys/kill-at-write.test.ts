/**
 * kill -9 at every state of the queue: before and after each write to the database on a message's way, one after the other.
 *
 * Each start first brings to its end what the last kill interrupted. What had its 250 must arrive: here exactly once; at another host once, and twice only where
 * that host had taken it and the process died before that was written.
 */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type FakeDns, startFakeDns } from '../support/fake-dns.ts';
import { change, control, Dialog, ldapAdministrator, subjects } from '../support/mail-clients.ts';
import { eventually, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';

let files: ServerFiles;
let sink: Sink;
let dns: FakeDns;
/** Of the queue's messages that the sink puts off once. */
const putOff = new Set<string>();

beforeAll(async () => {
  sink = await startSink({
    reply: (verb, line) => {
      const slow = /slow-[\w-]+/.exec(line)?.[0];
      if (verb !== 'RCPT' || !slow || putOff.has(slow)) return undefined;
      putOff.add(slow);
      return '451 4.3.0 not now';
    },
  });
  dns = await startFakeDns({ 'remote.test': { mx: [[10, 'mx.remote.test']] }, 'mx.remote.test': { a: ['127.0.0.1'] } });
  files = await prepareServer({ extra: `dns: [127.0.0.1:${dns.port}]` });
  const server = await runServer(files);
  const ldap = await ldapAdministrator(files);
  await ldap.modify('cn=smtpc,cn=mailtree', change('replace', 'mtSmtpcPort', String(sink.port)));
  await ldap.modify('cn=smtpd,cn=mailtree', [
    change('replace', 'mtSmtpdRelayAllow', '127.0.0.1'),
    change('replace', 'mtSmtpdRejectUnknownRecipients', 'FALSE'),
  ]);
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
});

afterAll(async () => {
  await Promise.all([sink.stop(), dns.stop()]);
  await files.remove();
});

/** A server that is killed at that write of the message whose record has the mark in it. */
function armed(mark: string, at: string, log: string): Promise<RunningServer> {
  const preload = resolve('test/support/kill-at-write.mjs');
  const command = [
    'env',
    `KILL_MARK=${mark}`,
    `KILL_AT=${at}`,
    `KILL_LOG=${log}`,
    'sh',
    '-c',
    `node=$1; shift; exec "$node" --import ${preload} "$@"`,
    'sh',
  ];
  return runServer(files, { command });
}

/** Whether the message got its 250. */
async function handIn(sender: string, recipient: string, subject: string): Promise<boolean> {
  try {
    const dialog = await Dialog.open(files.ports.smtp);
    await dialog.reply();
    for (const line of ['EHLO x.test', `MAIL FROM:<${sender}>`, `RCPT TO:<${recipient}>`, 'DATA']) await dialog.say(line);
    const reply = await dialog.say(`Message-ID: <${subject}@x.test>\r\nSubject: ${subject}\r\n\r\nx\r\n.`);
    dialog.end();
    return reply.startsWith('250 ');
  } catch {
    return false;
  }
}

interface Listed {
  readonly queues: readonly { readonly pending: number; readonly deferred: number }[];
}

/** Until nothing waits any more, seen several times: what moves while it is counted may be missed once. What is put off is tried again at once. */
async function drained(): Promise<void> {
  let calm = 0;
  await eventually(async () => {
    const { queues } = await control<Listed>(files, '/status');
    if (queues.some(({ deferred }) => deferred > 0)) await control(files, '/queue/SMTPC/retry', 'POST');
    calm = queues.every(({ pending, deferred }) => pending + deferred === 0) ? calm + 1 : 0;
    return calm === 5;
  }, 30_000);
}

interface Way {
  readonly name: string;
  readonly sender: string;
  readonly recipient: (mark: string) => string;
  /** How often the message arrived. */
  readonly arrived: (mark: string) => Promise<number>;
  readonly outward: boolean;
}

const inbox = async (user: string, pattern: RegExp): Promise<number> =>
  (await subjects(files, `${user}@example.test`)).filter((subject) => pattern.test(subject)).length;
const taken = (pattern: RegExp): number => sink.messages.filter(({ data }) => pattern.test(data)).length;

const ways: readonly Way[] = [
  {
    name: 'to a mailbox',
    sender: 'a@elsewhere.test',
    recipient: () => 'user1@example.test',
    arrived: (mark) => inbox('user1', new RegExp(`^${mark}$`)),
    outward: false,
  },
  {
    name: 'to another host',
    sender: 'user2@example.test',
    recipient: (mark) => `${mark}@remote.test`,
    arrived: async (mark) => taken(new RegExp(`^Subject: ${mark}\r$`, 'm')),
    outward: true,
  },
  {
    name: 'to another host that puts it off once',
    sender: 'user2@example.test',
    recipient: (mark) => `slow-${mark}@remote.test`,
    arrived: async (mark) => taken(new RegExp(`^Subject: ${mark}\r$`, 'm')),
    outward: true,
  },
  {
    name: 'to nobody, so that the sender is told',
    sender: 'b@remote.test',
    recipient: () => 'nobody@example.test',
    arrived: async (mark) => taken(new RegExp(`^Subject: ${mark}\r$`, 'm')),
    outward: true,
  },
];

test.each(ways)(
  'mail $name survives kill -9 before and after every write',
  async ({ name, sender, recipient, arrived, outward }) => {
    const label = `m${ways.findIndex((way) => way.name === name)}`;
    const log = join(files.dir, `writes-${label}`);
    // Nobody is killed in the first round: it counts the writes and shows what they are.
    const rounds = [''];
    const wrong: string[] = [];
    let killed = 0;
    let last: { readonly mark: string; readonly at: string; readonly acknowledged: boolean; readonly taken: number } | undefined;
    const judge = async (): Promise<void> => {
      if (!last) return;
      const count = await arrived(last.mark);
      const [least, most] = last.acknowledged ? [1, 1] : [0, 1];
      const twice = outward && last.taken > 0 && last.at.endsWith('before') ? 1 : 0;
      if (count < least || count > most + twice)
        wrong.push(`killed ${last.at}: arrived ${count} times, ${last.acknowledged ? '' : 'not '}acknowledged`);
    };
    for (let n = 0; n < rounds.length; n++) {
      const at = rounds[n] ?? '';
      const mark = `${label}-${n}-x`;
      const server = await armed(`${mark}@x.test`, at, log);
      await drained();
      await judge();
      const acknowledged = await handIn(sender, recipient(mark), mark);
      const ended = new Promise<void>((done) => server.process.once('exit', () => done()));
      const quiet = drained().catch(() => ended);
      await (at === '' ? quiet : Promise.race([ended, quiet]));
      last = { mark, at, acknowledged, taken: await (outward ? arrived(mark) : 0) };
      if (at !== '') {
        if (server.process.signalCode === 'SIGKILL') killed++;
        await server.kill();
        continue;
      }
      const writes = readFileSync(log, 'utf8').trim().split('\n').length;
      for (let write = 1; write <= writes; write++) rounds.push(`${write} before`, `${write} after`);
      await server.stop();
    }
    const server = await runServer(files);
    await drained();
    await judge();
    expect(await server.stop()).toBe(0);
    expect(wrong).toEqual([]);
    // Where writes came together there were fewer than in the first round.
    expect(killed).toBeGreaterThanOrEqual((rounds.length - 1) / 2);
    console.info(
      `${name}: ${killed} kills in ${rounds.length - 1} rounds; writes:\n${readFileSync(log, 'utf8')
        .trim()
        .split('\n')
        .slice(0, (rounds.length - 1) / 2)
        .join('\n')}`,
    );
  },
  300_000,
);
