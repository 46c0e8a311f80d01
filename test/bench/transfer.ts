/**
 * Mail transfer beside Postfix (and Dovecot), with the same client: acceptance to mailbox and relaying, in all sizes.
 *
 *     npm run --silent build && npx tsx test/bench/transfer.ts [mailbox|relay|pace ...]
 *
 * `ROUNDS` and `MESSAGES` scale it, `ONLY=20/4096/1,100/4096/1` picks sessions/octets/recipients. A round ends when everything is in the mailboxes, or at the
 * next host (Postfix's smtp-sink). Needs root and Debian's postfix, postfix-ldap, dovecot and slapd.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/temp.ts';
import { addressOf, hashedPassword } from './load/ldap-requests.ts';
import { smtpLoad } from './load/smtp.ts';
import { startMailtree } from './peers/mailtree.ts';
import { startPostfixDovecot } from './peers/postfix-dovecot.ts';
import { answering, ended, type Peer, start } from './peers/process.ts';
import { startSlapd } from './peers/slapd.ts';
import { compare, mailtreeDrained, measure } from './side-by-side.ts';

interface Side {
  readonly name: string;
  readonly port: number;
  readonly pid?: number;
  drained(): Promise<void>;
}

const password = 'bench-password-1';
const people = { base: 'dc=example,dc=test', domain: 'example.test', hashed: hashedPassword(password), people: 200, password };
const users = Array.from({ length: people.people }, (_, n) => addressOf(n, people));
const strangers = Array.from({ length: people.people }, (_, n) => `someone${n}@far.example.net`);
const messages = Number(process.env['MESSAGES'] ?? 2_000);
const only = process.env['ONLY']?.split(',');

/** Sessions, octets, recipients; and the share of the messages, so that no round takes minutes. */
const shapes = [
  [1, 4_096, 1, 0.25],
  [20, 4_096, 1, 1],
  [100, 4_096, 1, 1],
  [1, 65_536, 1, 0.25],
  [20, 65_536, 1, 0.5],
  [100, 65_536, 1, 0.5],
  [20, 4_096, 50, 0.03],
  [20, 65_536, 50, 0.03],
] as const;

/** Code is compiled, caches are as full as they get, before anything is measured. */
async function warm(side: Side, recipients: readonly string[], count: number): Promise<void> {
  const load = { host: '127.0.0.1', port: side.port, sessions: 20, size: 4_096, recipients, sender: 'bench@example.net' };
  await smtpLoad({ ...load, messages: count });
  await side.drained();
}

async function everyShape(what: string, recipients: readonly string[], sides: readonly Side[]): Promise<void> {
  for (const side of sides) await warm(side, recipients, side.pid === undefined ? messages / 4 : 3 * messages);
  for (const [sessions, size, each, share] of shapes) {
    if (only && !only.includes(`${sessions}/${size}/${each}`)) continue;
    const load = ({ port }: Side) =>
      smtpLoad({
        host: '127.0.0.1',
        port,
        sessions,
        messages: Math.ceil(messages * share),
        size,
        recipients,
        sender: 'bench@example.net',
        recipientsPerMessage: each,
      });
    await compare(
      `${what}: ${sessions} sessions, ${size / 1024} KB, ${each} recipients`,
      sides.map((side) => {
        const own = side.pid === undefined ? {} : { pid: side.pid };
        return [side.name, () => measure(() => load(side), { drained: () => side.drained(), ...own })] as const;
      }),
    );
  }
}

/** How long the reply to the end of data takes while mail comes at half the rate that is possible. */
async function pace(side: Side): Promise<void> {
  const load = { host: '127.0.0.1', port: side.port, sessions: 20, size: 4_096, recipients: users, sender: 'bench@example.net' };
  const begun = performance.now();
  await smtpLoad({ ...load, messages: 2 * messages });
  await side.drained();
  const most = (2 * messages * 1000) / (performance.now() - begun);
  const { latencies } = await smtpLoad({ ...load, messages: 2 * messages, perSecond: most / 2 });
  await side.drained();
  const at = (part: number): string => (latencies[Math.floor(latencies.length * part)] ?? 0).toFixed(1);
  console.log(
    `${side.name}: at ${(most / 2).toFixed(0)}/s, half of the most, end of data to reply: median ${at(0.5)} ms, p99 ${at(0.99)} ms, p99.9 ${at(0.999)} ms`,
  );
}

/** Postfix's own sink: takes everything. */
async function startSink(port: number): Promise<Peer> {
  const child = start('/usr/sbin/smtp-sink', ['-u', 'nobody', `127.0.0.1:${port}`, '1000']);
  await answering(port);
  return {
    name: 'smtp-sink',
    async stop() {
      child.kill('SIGTERM');
      await ended(child);
    },
  };
}

async function main(): Promise<void> {
  const wanted = process.argv.slice(2);
  const runs = (name: string): boolean => wanted.length === 0 || wanted.includes(name);
  const dir = await mkdtemp(join(tmpdir(), 'mailtree-bench-'));
  const sinkPort = await freePort();
  const started: Peer[] = [await startSink(sinkPort)];
  try {
    const ours = await startMailtree({ users, password, relayPort: sinkPort });
    started.push(ours);
    const mailtree: Side = { name: 'Mailtree', port: ours.ports.smtp, pid: ours.pid, drained: () => mailtreeDrained(ours) };
    const ports = async () => ({ smtp: await freePort(), lmtp: await freePort(), imap: await freePort(), pop3: await freePort() });
    const postfix = async (more: { ldap?: { port: number; base: string }; relayPort?: number } = {}): Promise<Side> => {
      const place = await mkdtemp(join(dir, 'postfix-'));
      const peer = await startPostfixDovecot({ dir: place, ports: await ports(), users, password, format: 'mdbox', ...more });
      started.push(peer);
      return { name: peer.name, port: peer.smtp, drained: () => peer.drained() };
    };
    const plain = await postfix({ relayPort: sinkPort });
    if (runs('mailbox')) {
      const ldap = { port: await freePort(), base: people.base };
      started.push(await startSlapd({ dir, port: ldap.port, people, count: people.people }));
      await everyShape('To mailbox', users, [mailtree, plain, await postfix({ ldap })]);
    }
    if (runs('relay')) await everyShape('Relay', strangers, [mailtree, plain]);
    if (runs('pace')) for (const side of [mailtree, plain]) await pace(side);
  } finally {
    for (const peer of started.reverse()) await peer.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

await main();
