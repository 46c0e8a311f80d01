/**
 * kill -9 while an administrator works the queue: before and after writes to the database, while mail is held, released, requeued, bounced and deleted.
 *
 * test/queue/control-crash.test.ts does so at every write of every operation, within one process; here it is a whole server, at some of
 * them. KILL_ALL=1 does all.
 */

import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type FakeDns, startFakeDns } from '../support/fake-dns.ts';
import { change, control, imap, ldapAdministrator, sendAs } from '../support/mail-clients.ts';
import { eventually, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';

/** Kills without KILL_ALL. */
const some = 3;
const sender = 'user2@example.test';
const sent = ['held', 'requeued', 'bulk1', 'bulk2'];
const all = [...sent, 'bounced', 'deleted'];

let files: ServerFiles;
let sink: Sink;
let dns: FakeDns;
/** Rounds whose mail the other host takes by now. */
const open = new Set<string>();

beforeAll(async () => {
  sink = await startSink({
    reply: (verb, line) => {
      const round = /-(r\d+)@/.exec(line)?.[1];
      return verb === 'RCPT' && round && !open.has(round) ? '451 4.3.0 not now' : undefined;
    },
  });
  dns = await startFakeDns({ 'remote.test': { mx: [[10, 'mx.remote.test']] }, 'mx.remote.test': { a: ['127.0.0.1'] } });
  files = await prepareServer({ extra: `dns: [127.0.0.1:${dns.port}]` });
  const server = await runServer(files);
  const ldap = await ldapAdministrator(files);
  await ldap.modify('cn=smtpc,cn=mailtree', change('replace', 'mtSmtpcPort', String(sink.port)));
  await ldap.modify('cn=smtpd,cn=mailtree', change('replace', 'mtSmtpdRelayAllow', '127.0.0.1'));
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
}, 60_000);

afterAll(async () => {
  await Promise.all([sink.stop(), dns.stop()]);
  await files.remove();
});

/** Kills itself at that write, counted from the message to user1 whose recipient record has the mark. */
function armed(mark: string, at: string, log: string): Promise<RunningServer> {
  const preload = resolve('test/support/kill-at-write.mjs');
  const settings = ['env', `KILL_MARK=${mark}`, `KILL_AT=${at}`, `KILL_LOG=${log}`];
  return runServer(files, { command: [...settings, 'sh', '-c', `node=$1; shift; exec "$node" --import ${preload} "$@"`, 'sh'] });
}

/** Whether it was done, as far as whoever asked can know; rejects where it was refused. */
function operate(operation: object, recipient: string): Promise<boolean> {
  return new Promise((done, fail) => {
    const headers = { 'Content-Type': 'application/json' };
    const socketPath = join(files.dir, 'data', 'run', 'control');
    const call = request({ socketPath, path: '/queue/operate', method: 'POST', headers }, (response) => {
      const { statusCode } = response;
      response
        .resume()
        .once('end', () => (statusCode === 200 ? done(true) : fail(new Error(`${JSON.stringify(operation)}: ${statusCode}`))));
      response.once('error', () => done(false));
    });
    call.once('error', () => done(false)).end(JSON.stringify({ operation, filter: { recipient } }));
  });
}

interface Waits {
  readonly messages: readonly { readonly recipients: readonly { readonly address: string; readonly state: string }[] }[];
}

/** What waits of a round: `held-r3` and its state. */
async function waiting(round: string): Promise<Map<string, string>> {
  const { messages } = await control<Waits>(files, `/queue/messages?limit=1000&recipient=${encodeURIComponent(`*-${round}@remote.test`)}`);
  return new Map(messages.flatMap(({ recipients }) => recipients.map(({ address, state }) => [address.split('-')[0] ?? '', state])));
}

const steps: readonly (readonly [operation: object, what: string])[] = [
  [{ do: 'hold', note: 'wait' }, '*'],
  [{ do: 'release' }, 'held'],
  [{ do: 'release' }, 'bulk*'],
  [{ do: 'release' }, 'requeued'],
  [{ do: 'requeue' }, 'requeued'],
  [{ do: 'bounce', reason: 'moved away' }, 'bounced'],
  [{ do: 'delete' }, 'deleted'],
];

async function reports(round: string): Promise<string[]> {
  const client = await imap(files, sender);
  const found: string[] = [];
  if ((await client.mailboxOpen('INBOX')).exists > 0)
    for await (const { source } of client.fetch('1:*', { source: true })) {
      const about = new RegExp(`^Final-Recipient: rfc822; *(\\w+)-${round}@`, 'im').exec(source?.toString() ?? '')?.[1];
      if (about) found.push(about);
    }
  await client.logout();
  return found;
}

interface Round {
  readonly name: string;
  readonly at: string;
  /** Operations that were answered. */
  done: number;
  /** Mail was let go before the kill. */
  let: boolean;
}

/** Brings to its end what a kill interrupted, and says what is wrong. */
async function judge({ name, at, done, let: let_ }: Round): Promise<string[]> {
  const wrong: string[] = [];
  const now = await waiting(name);
  if (!let_) {
    const held = (what: string): boolean => now.get(what) === 'held';
    const expected: [boolean, string, boolean][] = [
      [done >= 1, 'held', done >= 5 || held('bounced')],
      [done >= 2, 'released', now.has('held') && !held('held')],
      [done >= 3, 'released together', ['bulk1', 'bulk2'].every((what) => now.has(what) && !held(what))],
      [done >= 5, 'requeued', now.has('requeued') && !held('requeued')],
      [true, 'not bounced', done >= 5 || now.has('bounced')],
      [true, 'not deleted', done >= 6 || now.has('deleted')],
    ];
    for (const [asked, what, is] of expected) if (asked && !is) wrong.push(`${name}, killed ${at}: not ${what}`);
  }
  if (done >= 6 && now.has('bounced')) wrong.push(`${name}, killed ${at}: bounced mail waits`);
  if (done >= 7 && now.has('deleted')) wrong.push(`${name}, killed ${at}: deleted mail waits`);
  for (const [operation, what] of steps.slice(done)) await operate(operation, `${what}-${name}@remote.test`);
  await letGo(name);
  const taken = (what: string): number => sink.messages.filter(({ to }) => to.includes(`${what}-${name}@remote.test`)).length;
  // The other host had it, and that was not written down.
  const twice = let_ && at.endsWith('before') ? 1 : 0;
  for (const what of sent)
    if (taken(what) < 1 || taken(what) > 1 + twice) wrong.push(`${name}, killed ${at}: ${what} arrived ${taken(what)} times`);
  for (const what of ['bounced', 'deleted']) if (taken(what) > 0) wrong.push(`${name}, killed ${at}: ${what} mail arrived`);
  await eventually(async () => (await reports(name)).length > 0);
  const told = await reports(name);
  if (told.join() !== 'bounced') wrong.push(`${name}, killed ${at}: reports about ${told.join() || 'nothing'}`);
  return wrong;
}

/** The other host takes it now: until nothing of the round waits. */
async function letGo(name: string): Promise<void> {
  open.add(name);
  await eventually(async () => {
    await operate({ do: 'release' }, `*-${name}@remote.test`);
    await control(files, '/queue/SMTPC/retry', 'POST');
    return (await waiting(name)).size === 0;
  }, 30_000);
}

test('what an administrator was told is done stays done, nothing is lost, and nothing is done half', async () => {
  const log = join(files.dir, 'writes');
  const wrong: string[] = [];
  const kills: string[] = [''];
  let [killed, writes] = [0, 0];
  let last: Round | undefined;
  for (let n = 0; n < kills.length; n++) {
    const round: Round = { name: `r${n}`, at: kills[n] ?? '', done: 0, let: false };
    const server = await armed(`arm-${round.name}@x.test`, round.at, log);
    if (last) wrong.push(...(await judge(last)));
    last = round;
    for (const what of all)
      expect(await sendAs(files, [`${what}-${round.name}@remote.test`], `${what}-${round.name}`, { from: sender })).toMatch(/^250 /);
    await eventually(
      async () => [...(await waiting(round.name)).values()].filter((state) => state === 'deferred').length === all.length,
      30_000,
    );
    const dead = new Promise<void>((done) => server.process.once('exit', () => done()));
    const worked = (async () => {
      await sendAs(files, ['user1@example.test'], 'armed', { from: `arm-${round.name}@x.test` }).catch(() => {});
      for (const [operation, what] of steps) {
        if (!(await operate(operation, `${what}-${round.name}@remote.test`))) return await dead;
        round.done++;
      }
      round.let = true;
      await (round.at === '' ? letGo(round.name) : letGo(round.name).catch(() => dead));
    })();
    await Promise.race([worked, dead]);
    if (round.at !== '') {
      if (server.process.signalCode === 'SIGKILL') killed++;
      await server.kill();
      continue;
    }
    await server.stop();
    writes = readFileSync(log, 'utf8').trim().split('\n').length;
    const every = Array.from({ length: writes }, (_, write) => [`${write + 1} before`, `${write + 1} after`]).flat();
    // The last of them are those of the end of the server, and where writes come together there are fewer.
    const step = Math.floor(every.length / 2 / some);
    kills.push(...(process.env['KILL_ALL'] ? every : Array.from({ length: some }, (_, i) => every[3 + i * step] ?? '1 after')));
  }
  const server = await runServer(files);
  if (last) wrong.push(...(await judge(last)));
  expect(await server.stop()).toBe(0);
  console.info(`${killed} kills in ${kills.length - 1} rounds of ${writes} writes`);
  expect(wrong).toEqual([]);
  // Where writes came together there were fewer than in the first round.
  expect(killed).toBeGreaterThanOrEqual(Math.floor((kills.length - 1) / 2));
}, 600_000);
