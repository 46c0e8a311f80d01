/** Messages of others, awkward ones among them, arrive and are read with the octets they were sent with. */

import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ImapFlow, type MessageStructureObject, type StatusObject } from 'imapflow';
import { eventually, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { belowTrace, corpus, kept, numberOf, type Sample, sample } from './support/corpus.ts';
import { RawSmtp } from './support/raw-smtp.ts';
import { python, succeeds } from './support/tool.ts';

const canonicalUser = 'user1@example.test';
const rawUser = 'user2@example.test';
const appendUser = 'user3@example.test';
const samples = corpus('mime-', 'spamassassin-sample', 'dsn-mimekit');

let files: ServerFiles;
let server: RunningServer;

beforeAll(async () => {
  files = await prepareServer();
  server = await runServer(files);
  await sendAll(canonicalUser, samples, (one) => one.canonical);
}, 300_000);

afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await files.remove();
});

/** Sends all of them, each from a sender of its own, and waits until each is in the mailbox. */
async function sendAll(user: string, all: readonly Sample[], form: (one: Sample) => Buffer): Promise<void> {
  const smtp = await RawSmtp.open(files.ports.smtp);
  for (const [n, one] of all.entries()) {
    const reply = await smtp.send(`sample-${n}@elsewhere.test`, user, form(one));
    if (!reply.startsWith('250 ')) throw new Error(`${one.name}: ${reply}`);
  }
  await smtp.quit();
  await withImap(user, async (client) => {
    await eventually(async () => statusOf(await client.status('INBOX', { messages: true })) === all.length, 120_000);
  });
}

/** The number of messages; imapflow says `false` where it cannot tell. */
function statusOf(status: StatusObject | false): number | undefined {
  return status ? status.messages : undefined;
}

async function withImap<T>(user: string, act: (client: ImapFlow) => Promise<T>): Promise<T> {
  const client = new ImapFlow({
    host: '127.0.0.1',
    port: files.ports.imap,
    auth: { user, pass: password },
    tls: { rejectUnauthorized: false },
    logger: false,
  });
  await client.connect();
  try {
    return await act(client);
  } finally {
    await client.logout();
  }
}

function folder(name: string): string {
  const path = join(files.dir, name);
  mkdirSync(path);
  return path;
}

function contents(dir: string): Buffer[] {
  return readdirSync(dir).map((name) => readFileSync(join(dir, name)));
}

/** Each sample is there once, and its octets below the trace headers are the ones expected. */
function expectEach(all: readonly Sample[], got: readonly Buffer[]): void {
  const wrong: string[] = [];
  const seen = new Map<number, number>();
  for (const octets of got) {
    const n = numberOf(octets);
    seen.set(n, (seen.get(n) ?? 0) + 1);
    const one = all[n];
    if (!one || !belowTrace(octets).equals(kept(one))) wrong.push(one?.name ?? String(n));
  }
  expect(wrong).toEqual([]);
  expect(all.filter((_, n) => seen.get(n) !== 1).map((one) => one.name)).toEqual([]);
  expect(got.length).toBe(all.length);
}

test('imaplib reads every message byte for byte', async () => {
  const dir = folder('imaplib');
  await python('imap_fetch.py', [files.ports.imap, canonicalUser, password, 'INBOX', dir]);
  expectEach(samples, contents(dir));
}, 300_000);

test('imapflow reads every message byte for byte', async () => {
  const got: Buffer[] = [];
  await withImap(canonicalUser, async (client) => {
    await client.mailboxOpen('INBOX', { readOnly: true });
    for await (const message of client.fetch('1:*', { source: true })) if (message.source) got.push(message.source);
  });
  expectEach(samples, got);
}, 300_000);

test('poplib reads every message byte for byte, and LIST tells its size', async () => {
  const dir = folder('poplib');
  const sizes = await python<number[]>('pop3_fetch.py', [files.ports.pop3, canonicalUser, password, dir]);
  expectEach(samples, contents(dir));
  expect(sizes).toEqual(sizes.map((_, n) => readFileSync(join(dir, String(n + 1))).length));
}, 300_000);

test('curl reads every message by POP3 byte for byte', async () => {
  const dir = folder('curl');
  const url = `pop3://127.0.0.1:${files.ports.pop3}`;
  const config = join(files.dir, 'curl.conf');
  writeFileSync(
    config,
    samples
      .map(
        (_, n) =>
          `${n > 0 ? 'next\n' : ''}url = "${url}/${n + 1}"\noutput = "${join(dir, String(n))}"\nuser = "${canonicalUser}:${password}"\n`,
      )
      .join(''),
  );
  await succeeds('curl', ['--silent', '--show-error', '--fail-early', '--config', config]);
  expectEach(samples, contents(dir));
}, 300_000);

test('bare CR, bare LF and NUL are put right or kept as documented: no message is split, none is lost', async () => {
  const smuggled = ['\n.\n', '\n.\r\n', '\r.\r', '\r\n.\n', '\r\n.\r', '\r.\r\n', '\n.\r', '\r\n.\0\r\n', '\0.\r\n', '\r\r\n.\r\r\n'].map(
    (end, n) =>
      sample(
        `smuggled ${JSON.stringify(end)}`,
        Buffer.from(
          `Subject: smuggle ${n}\r\nFrom: a@elsewhere.test\r\n\r\nfirst${end}MAIL FROM:<evil@elsewhere.test>\r\nRCPT TO:<${rawUser}>\r\nDATA\r\nSubject: second\r\n\r\nsecond`,
          'latin1',
        ),
      ),
  );
  const bare = [
    ...smuggled,
    sample('CR alone', Buffer.from('Subject: one\rFrom: a@b.test\r\r.line\rend')),
    sample('NUL in header and body', Buffer.from('Subject: a\0b\r\n\r\n\0\0\r\n.\0\n\0')),
    sample('only dots', Buffer.from('.\n..\r\n...\r....')),
    ...samples,
  ];
  await sendAll(rawUser, bare, (one) => one.raw);
  const dir = folder('bare');
  await python('imap_fetch.py', [files.ports.imap, rawUser, password, 'INBOX', dir]);
  expectEach(bare, contents(dir));
}, 300_000);

test('what imaplib appends is kept byte for byte', async () => {
  const [from, to] = [folder('append'), folder('appended')];
  for (const [n, one] of samples.entries()) writeFileSync(join(from, String(n)), one.canonical);
  const answers = await python<[string, string][]>('imap_append.py', [files.ports.imap, appendUser, password, 'Archive', from]);
  expect(answers.filter(([status]) => status !== 'OK')).toEqual([]);
  const uids = await python<string[]>('imap_fetch.py', [files.ports.imap, appendUser, password, 'Archive', to]);
  const wrong = samples.filter((one, n) => !readFileSync(join(to, uids[n] ?? '')).equals(one.canonical)).map((one) => one.name);
  expect(wrong).toEqual([]);
}, 300_000);

/**
 * Where Python departs from the letter of RFC 2046 §5.1.1 and RFC 2047 §6.2: it takes delimiters that follow each other for one (the
 * grammar has an empty part between them), and puts a space between two encoded words whose language differs.
 */
const pythonDiffers = [
  'mime-cpython/msg_37.txt',
  'mime-mimetools/2002_06_12_doublebound.msg',
  'mime-mimetools/double-bound.msg',
  'mime-mimetools/intl.msg',
];

interface Parsed {
  subject: string | null;
  from: string[];
  subjects: number;
  defects: number;
  leaves: [section: string, type: string, digest: string | null][];
}

interface Seen {
  readonly subject: string | undefined;
  readonly from: string[];
  readonly leaves: Parsed['leaves'];
}

interface Leaf {
  readonly part: string;
  readonly type: string;
  readonly size: number;
}

/** imapflow numbers the parts of messages inside messages in a way of its own, so they are numbered here (RFC 3501 §6.4.5). */
function leavesOf(node: MessageStructureObject, path: readonly number[] = []): Leaf[] {
  const { childNodes = [] } = node;
  const here = path.length > 0 ? path : [1];
  const [inner] = childNodes;
  if (node.type === 'message/rfc822' && inner) return leavesOf(inner, inner.type.startsWith('multipart/') ? here : [...here, 1]);
  if (childNodes.length > 0) return childNodes.flatMap((child, n) => leavesOf(child, [...path, n + 1]));
  return [{ part: here.join('.'), type: node.type, size: node.size ?? 0 }];
}

/** Envelope, structure and every leaf of all messages, over one connection. */
async function structures(): Promise<Map<number, Seen>> {
  const seen = new Map<number, Seen>();
  await withImap(appendUser, async (client) => {
    await client.mailboxOpen('Archive', { readOnly: true });
    for (const [n] of samples.entries()) {
      const message = await client.fetchOne(String(n + 1), { envelope: true, bodyStructure: true });
      if (!message) throw new Error(`${samples[n]?.name}: not there`);
      if (!message.envelope || !message.bodyStructure) throw new Error(`${samples[n]?.name}: no envelope or structure`);
      const parts = leavesOf(message.bodyStructure);
      const bodies = await client.fetchOne(String(n + 1), { bodyParts: parts.map(({ part }) => part) });
      seen.set(n, {
        subject: message.envelope.subject,
        from: (message.envelope.from ?? []).map((one) => one.address ?? ''),
        leaves: parts.map(({ part, type, size }) => {
          const found = bodies ? bodies.bodyParts?.get(part) : undefined;
          // A multipart without parts must be shown with one, of no octets (RFC 3501 §9, body-type-mpart); that one is NIL.
          const octets = found || (size === 0 ? Buffer.alloc(0) : undefined);
          if (!octets) throw new Error(`${samples[n]?.name}: no part ${part} of ${size} octets`);
          if (octets.length !== size) throw new Error(`${samples[n]?.name}: part ${part} is ${octets.length} octets, not ${size}`);
          return [part, type, createHash('sha256').update(octets).digest('hex').slice(0, 8)];
        }),
      });
    }
  });
  return seen;
}

test('envelope, structure and every part of every message are read over one connection, and agree with Python where the message is sound', async () => {
  const seen = await structures();
  expect(seen.size).toBe(samples.length);
  const parsed = await python<Record<string, Parsed>>('parse.py', [join(files.dir, 'append')]);
  const differences: [name: string, ours: unknown, theirs: unknown][] = [];
  let [subjects, senders, trees] = [0, 0, 0];
  for (const [n, one] of samples.entries()) {
    const ours = seen.get(n);
    const theirs = parsed[String(n)];
    if (!ours || !theirs) throw new Error(one.name);
    if (theirs.defects > 0) continue;
    if (theirs.subjects === 1 && theirs.subject !== null && /^[\x20-\x7e]*$/.test(theirs.subject)) {
      subjects++;
      if ((ours.subject ?? '').trim() !== theirs.subject.trim()) differences.push([one.name, ours.subject, theirs.subject]);
    }
    if (theirs.from.length === 1 && /^[\w.+-]+@[\w.-]+$/.test(theirs.from[0] ?? '')) {
      senders++;
      if (ours.from.join() !== theirs.from.join()) differences.push([one.name, ours.from, theirs.from]);
    }
    trees++;
    // Python has nothing to show for a multipart without parts.
    const comparable = ours.leaves.map(([part, type, digest], at) => [part, type, theirs.leaves[at]?.[2] === null ? null : digest]);
    if (JSON.stringify(comparable) !== JSON.stringify(theirs.leaves)) differences.push([one.name, comparable, theirs.leaves]);
  }
  expect(differences.filter(([name]) => !pythonDiffers.includes(name)).map((one) => JSON.stringify(one))).toEqual([]);
  expect(differences.map(([name]) => name)).toEqual(pythonDiffers);
  expect(Math.min(subjects, senders, trees)).toBeGreaterThan(samples.length / 2);
}, 300_000);
