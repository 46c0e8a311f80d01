/**
 * Us and the peers, side by side on this machine with the same client: `npm run bench`.
 *
 * How is in side-by-side.ts; mail transfer in full is in transfer.ts. Needs root and Debian's postfix, dovecot and slapd.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { adminDn, adminPassword, cpuOf, memoryOf } from '../support/server.ts';
import { freePort } from '../support/temp.ts';
import { type LdapResult, ldapLoad } from './load/ldap.ts';
import { addressOf, hashedPassword } from './load/ldap-requests.ts';
import { imapLoad, pop3Load } from './load/mailbox.ts';
import { smtpLoad } from './load/smtp.ts';
import { type MailtreePeer, startMailtree } from './peers/mailtree.ts';
import { type MailPeer, startPostfixDovecot } from './peers/postfix-dovecot.ts';
import { startSlapd } from './peers/slapd.ts';
import { compare, mailtreeDrained, type Measured, measure } from './side-by-side.ts';

const password = 'bench-password-1';
const people = { base: 'dc=example,dc=test', domain: 'example.test', hashed: hashedPassword(password), people: 200, password };
const users = Array.from({ length: people.people }, (_, n) => addressOf(n, people));
const messages = Number(process.env['MESSAGES'] ?? 2_000);

/** A load from a process of its own, which takes the server's processor time itself. */
async function measureAlone(load: () => Promise<LdapResult>): Promise<Measured> {
  const { count, seconds, server, latencies } = await load();
  const cpu = (server * 1000) / count;
  return { perSecond: count / seconds, cpu, process: undefined, p99: latencies[Math.floor(count * 0.99)] ?? 0 };
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
