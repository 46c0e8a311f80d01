/**
 * Us and the peers, side by side on this machine with the same client: `npm run bench`.
 *
 * Rounds alternate between the sides, because such machines are noisy; the median counts. CPU is what the whole machine used less
 * what the load client used, the same way for every side. Needs root and Debian's postfix, dovecot and slapd.
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { adminDn, adminPassword, cpuOf, memoryOf } from '../support/server.ts';
import { freePort } from '../support/temp.ts';
import { type LdapResult, ldapLoad } from './load/ldap.ts';
import { addressOf, hashedPassword } from './load/ldap-requests.ts';
import { imapLoad, pop3Load } from './load/mailbox.ts';
import { type LoadResult, smtpLoad } from './load/smtp.ts';
import { type MailtreePeer, startMailtree } from './peers/mailtree.ts';
import { type MailPeer, startPostfixDovecot } from './peers/postfix-dovecot.ts';
import { startSlapd } from './peers/slapd.ts';

const password = 'bench-password-1';
const people = { base: 'dc=example,dc=test', domain: 'example.test', hashed: hashedPassword(password), people: 200, password };
const users = Array.from({ length: people.people }, (_, n) => addressOf(n, people));
const rounds = Number(process.env['ROUNDS'] ?? 3);
const messages = Number(process.env['MESSAGES'] ?? 2_000);

interface Measured {
  readonly perSecond: number;
  /** Milliseconds of processor time each: the whole machine's, less the load client's. */
  readonly cpu: number;
  /** The same of one process with all its threads, where the side is one process. */
  readonly process: number | undefined;
  readonly p99: number;
}

async function machineBusy(): Promise<number> {
  const [, user, nice, system, , , irq, softirq] = ((await readFile('/proc/stat', 'latin1')).split('\n')[0] ?? '').split(/\s+/).map(Number);
  return ((user ?? 0) + (nice ?? 0) + (system ?? 0) + (irq ?? 0) + (softirq ?? 0)) / 100;
}

async function measure(
  load: () => Promise<LoadResult>,
  options: { readonly drained?: () => Promise<void>; readonly pid?: number } = {},
): Promise<Measured> {
  const { drained, pid } = options;
  const before = pid === undefined ? 0 : cpuOf(pid);
  const [busy, own, begun] = [await machineBusy(), process.cpuUsage(), performance.now()];
  const result = await load();
  await drained?.();
  const seconds = (performance.now() - begun) / 1000;
  const { user, system } = process.cpuUsage(own);
  const cpu = (await machineBusy()) - busy - (user + system) / 1e6;
  return {
    perSecond: result.count / seconds,
    cpu: (cpu * 1000) / result.count,
    process: pid === undefined ? undefined : ((cpuOf(pid) - before) * 1000) / result.count,
    p99: result.latencies[Math.floor(result.latencies.length * 0.99)] ?? 0,
  };
}

/** A load from a process of its own, which takes the server's processor time itself. */
async function measureAlone(load: () => Promise<LdapResult>): Promise<Measured> {
  const { count, seconds, server, latencies } = await load();
  const cpu = (server * 1000) / count;
  return { perSecond: count / seconds, cpu, process: undefined, p99: latencies[Math.floor(count * 0.99)] ?? 0 };
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** Sides take turns; prints a line a side and the ratio of the first to each other. */
async function compare(title: string, sides: readonly (readonly [name: string, round: () => Promise<Measured>])[]): Promise<void> {
  const results = new Map<string, Measured[]>(sides.map(([name]) => [name, []]));
  for (let n = 0; n < rounds; n++) for (const [name, round] of sides) results.get(name)?.push(await round());
  console.log(`\n${title}`);
  const first = median((results.get(sides[0]?.[0] ?? '') ?? []).map((m) => m.perSecond));
  for (const [name] of sides) {
    const all = results.get(name) ?? [];
    const rate = median(all.map((m) => m.perSecond));
    const middle = (value: (one: Measured) => number): string => median(all.map(value)).toFixed(3).padStart(8);
    const alone = all[0]?.process === undefined ? '' : `  (its process ${middle((one) => one.process ?? 0).trim()})`;
    console.log(
      `  ${name.padEnd(30)} ${rate.toFixed(0).padStart(7)}/s  ${middle(({ cpu }) => cpu)} ms CPU each  p99 ${middle(({ p99 }) => p99)} ms  ratio ${(first / rate).toFixed(2)}${alone}`,
    );
  }
}

async function mailtreeDrained(peer: MailtreePeer): Promise<void> {
  for (;;) {
    const summary = await new Promise<{ queues: { pending: number; deferred: number }[] }>((resolve, reject) => {
      request({ socketPath: peer.control, path: '/status' }, (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => resolve(JSON.parse(text)));
      })
        .on('error', reject)
        .end();
    });
    if (summary.queues.every((queue) => queue.pending + queue.deferred === 0)) return;
    await sleep(20);
  }
}

async function mail(dir: string, format: 'mdbox' | 'maildir', ours: MailtreePeer): Promise<MailPeer> {
  const ports = { smtp: await freePort(), lmtp: await freePort(), imap: await freePort(), pop3: await freePort() };
  const peer = await startPostfixDovecot({ dir: await mkdtemp(join(dir, format)), ports, users, password, format });
  const load = (port: number) => () =>
    smtpLoad({ host: '127.0.0.1', port, sessions: 20, messages, size: 4096, recipients: users, sender: 'bench@example.net' });
  await compare('Acceptance to mailbox, 4 KB, 20 sessions, 200 users, durable', [
    ['Mailtree', () => measure(load(ours.ports.smtp), { drained: () => mailtreeDrained(ours), pid: ours.pid })],
    [peer.name, () => measure(load(peer.smtp), { drained: () => peer.drained() })],
  ]);
  return peer;
}

async function main(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'mailtree-bench-'));
  const ours = await startMailtree({ users, password });
  const { ports } = ours;
  const own = { pid: ours.pid };
  const slapdPort = await freePort();
  const slapd = await startSlapd({ dir, port: slapdPort, people, count: people.people });
  const started: { stop(): Promise<void> }[] = [ours, slapd];
  try {
    // Idle: the workers that hashed the users' passwords have ended.
    await sleep(10_000);
    const before = cpuOf(ours.pid);
    await sleep(10_000);
    const idle = (cpuOf(ours.pid) - before) * 100;
    console.log(
      `Mailtree: ready ${ours.readyAfter.toFixed(0)} ms after its first start; idle ${memoryOf(ours.pid).toFixed(0)} MB resident, ${idle.toFixed(0)} ms CPU in a second`,
    );
    const sides = [
      { name: 'Mailtree', port: ports.ldap, pid: ours.pid, bind: { dn: adminDn, password: adminPassword } },
      { ...slapd, port: slapdPort },
    ];
    for (const connections of [1, 10]) {
      const search = (side: (typeof sides)[number]) => () =>
        ldapLoad({ ...people, ...side, host: '127.0.0.1', kind: 'equality', connections, count: 20_000, warm: 5_000, first: 0 });
      await compare(
        `LDAP equality search by mail, ${connections} connection${connections > 1 ? 's' : ''}`,
        sides.map((side) => [side.name, () => measureAlone(search(side))] as const),
      );
    }
    const mdbox = await mail(dir, 'mdbox', ours);
    started.push(mdbox);
    const box = (port: number) => ({ host: '127.0.0.1', port, sessions: 10, rounds: 200, users, password });
    await compare('IMAP: log in, fetch all of INBOX, log out; 10 sessions', [
      ['Mailtree', () => measure(() => imapLoad(box(ports.imap)), own)],
      [mdbox.name, () => measure(() => imapLoad(box(mdbox.imap)))],
    ]);
    await compare('POP3: log in, retrieve all, quit; 10 sessions', [
      ['Mailtree', () => measure(() => pop3Load(box(ports.pop3)), own)],
      [mdbox.name, () => measure(() => pop3Load(box(mdbox.pop3)))],
    ]);
    started.push(await mail(dir, 'maildir', ours));
    console.log(`\nMailtree after the load: ${memoryOf(ours.pid).toFixed(0)} MB resident`);
  } finally {
    for (const peer of started.reverse()) await peer.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

await main();
