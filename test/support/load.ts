/**
 * Clients that keep a server busy while it is killed, remember what it answered, and judge afterwards what it has.
 *
 * Promise: `run` ends by itself when the server is gone. What was asked and not answered may have happened or not.
 */

import { ImapFlow } from 'imapflow';
import { LdapClient } from '../../src/directory-remote/index.ts';
import { parseDn, parseFilter } from '../../src/ldap-wire/index.ts';
import { password, type ServerFiles } from './server.ts';
import { Wire } from './wire.ts';

export const users = [1, 2, 3].flatMap((n) => [`user${n}@example.test`, `user${n}@jade.net`]);
const folders = ['INBOX', 'Kept', 'Moved'] as const;

export interface Load {
  /** Works until the connections are gone. */
  run(sessions: number): Promise<void>;
  /** Connections may go from now on. */
  stopping(): void;
}

export interface Verdict {
  readonly wrong: string[];
  readonly summary: string;
}

export interface Found {
  readonly folder: string;
  readonly id: string;
  readonly whole: boolean;
  readonly flagged: boolean;
}

/** Numbers in [0, 1) that depend on the seed alone. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let n = Math.imul(state ^ (state >>> 15), state | 1);
    n ^= n + Math.imul(n ^ (n >>> 7), n | 61);
    return ((n ^ (n >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** The message that belongs to an id: mostly small, now and then large. */
function messageOf(id: string): string {
  let hash = 0;
  for (const c of id) hash = (Math.imul(hash, 31) + c.charCodeAt(0)) >>> 0;
  const lines = hash % 50 === 0 ? 6_000 : hash % 10 === 0 ? 800 : hash % 60;
  return `X-Load-Id: ${id}\r\nSubject: load\r\n\r\n${`${id} ${hash} and some more words to fill a line\r\n`.repeat(lines + 1)}end ${id}\r\n`;
}

/** Runs `work` again and again on connections made by `open`, until one fails, which is a fault unless the server is being ended. */
abstract class Workers<Connection> implements Load {
  protected readonly files: ServerFiles;
  protected readonly random: () => number;
  #ending = false;

  constructor(files: ServerFiles, random: () => number) {
    this.files = files;
    this.random = random;
  }

  abstract open(worker: number): Promise<Connection>;
  abstract work(connection: Connection, worker: number): Promise<void>;
  abstract connections(sessions: number): number;

  stopping(): void {
    this.#ending = true;
  }

  async run(sessions: number): Promise<void> {
    this.#ending = false;
    const one = async (worker: number): Promise<void> => {
      try {
        const connection = await this.open(worker);
        for (;;) await this.work(connection, worker);
      } catch (thrown) {
        if (!this.#ending) throw thrown;
      }
    };
    await Promise.all(Array.from({ length: this.connections(sessions) }, (_, worker) => one(worker)));
  }
}

function expectReply(got: string, wanted: string): void {
  if (!got.startsWith(wanted)) throw new Error(`${wanted} was expected, not ${got}`);
}

interface Sent {
  readonly to: readonly string[];
  answered: boolean;
}

export class SmtpLoad extends Workers<Wire> {
  readonly #sent = new Map<string, Sent>();
  /** Messages answered for so far. */
  answered = 0;

  connections(sessions: number): number {
    return sessions;
  }

  async open(): Promise<Wire> {
    const wire = await Wire.open(this.files.ports.smtp);
    expectReply(await wire.reply(), '220');
    expectReply(await wire.smtp('EHLO load.test\r\n'), '250');
    return wire;
  }

  async work(wire: Wire): Promise<void> {
    const id = `m${this.#sent.size}`;
    const to = users.filter(() => this.random() < 0.4);
    if (to.length === 0) to.push(users[0] as string);
    const sent: Sent = { to, answered: false };
    this.#sent.set(id, sent);
    wire.say(`MAIL FROM:<load@elsewhere.test>\r\n${to.map((user) => `RCPT TO:<${user}>\r\n`).join('')}DATA\r\n`);
    for (let n = 0; n <= to.length; n++) expectReply(await wire.reply(), '250');
    expectReply(await wire.reply(), '354');
    expectReply(await wire.smtp(`${messageOf(id)}.\r\n`), '250');
    sent.answered = true;
    this.answered += 1;
  }

  judge(contents: ReadonlyMap<string, readonly Found[]>): Verdict {
    const wrong: string[] = [];
    let [answered, unanswered, deliveries] = [0, 0, 0];
    const counts = new Map<string, number>();
    for (const [user, found] of contents) {
      for (const { folder, id, whole } of found) {
        if (folder !== 'INBOX') continue;
        if (!this.#sent.get(id)?.to.includes(user)) wrong.push(`${user} has ${id}, which was not sent there`);
        if (!whole) wrong.push(`${id} of ${user} is not what was sent`);
        counts.set(`${id} ${user}`, (counts.get(`${id} ${user}`) ?? 0) + 1);
      }
    }
    for (const [id, sent] of this.#sent) {
      const there = sent.to.map((user) => counts.get(`${id} ${user}`) ?? 0);
      deliveries += there.reduce((a, b) => a + b, 0);
      const all = there.every((n) => n === 1);
      if (sent.answered) answered += 1;
      else if (all) unanswered += 1;
      const none = there.every((n) => n === 0);
      if (!all && (sent.answered || !none)) wrong.push(`${id} (${sent.answered ? '' : 'not '}answered for) is there ${there} times`);
    }
    const summary = `SMTP: ${this.#sent.size} messages begun, ${answered} answered for, ${unanswered} there without an answer, ${deliveries} deliveries`;
    if (answered === 0) wrong.push('no message was taken');
    return { wrong, summary };
  }
}

interface Kept {
  readonly user: string;
  answered: boolean;
  flagged: boolean;
  /** Whether it was moved: asked, and answered. */
  move: 'no' | 'asked' | 'done';
}

export class ImapLoad extends Workers<Wire> {
  readonly #kept = new Map<string, Kept>();
  #tags = 0;

  connections(): number {
    return 4;
  }

  async #ask(wire: Wire, text: string): Promise<string> {
    const tag = `t${++this.#tags}`;
    const answer = await wire.imap(tag, text);
    if (!answer.includes(`${tag} OK`) && !answer.includes('ALREADYEXISTS')) throw new Error(`${text}: ${answer.slice(-200)}`);
    return answer;
  }

  async open(worker: number): Promise<Wire> {
    const wire = await Wire.open(this.files.ports.imap);
    await wire.until(/^\* OK [^\n]*\n/);
    await this.#ask(wire, `LOGIN ${users[worker % 2]} ${password}`);
    for (const folder of ['Kept', 'Moved']) await this.#ask(wire, `CREATE ${folder}`);
    await this.#ask(wire, worker === 3 ? 'SELECT INBOX' : 'SELECT Kept');
    return wire;
  }

  async work(wire: Wire, worker: number): Promise<void> {
    if (worker === 3) {
      const exists = /\* (\d+) EXISTS/.exec(await this.#ask(wire, 'SELECT INBOX'))?.[1];
      if (exists !== '0') await this.#ask(wire, 'STORE * +FLAGS (\\Seen $Load)');
      return;
    }
    const id = `a${this.#kept.size}`;
    const kept: Kept = { user: users[worker % 2] as string, answered: false, flagged: false, move: 'no' };
    this.#kept.set(id, kept);
    const text = messageOf(id);
    const uid = /APPENDUID \d+ (\d+)/.exec(await this.#ask(wire, `APPEND Kept {${text.length}+}\r\n${text}`))?.[1];
    kept.answered = true;
    if (this.random() < 0.5) {
      await this.#ask(wire, `UID STORE ${uid} +FLAGS.SILENT (\\Flagged)`);
      kept.flagged = true;
    }
    if (this.random() < 0.3) {
      kept.move = 'asked';
      await this.#ask(wire, `UID MOVE ${uid} Moved`);
      kept.move = 'done';
    }
  }

  judge(contents: ReadonlyMap<string, readonly Found[]>): Verdict {
    const wrong: string[] = [];
    const places = new Map<string, Found[]>();
    for (const [user, found] of contents) {
      for (const one of found) {
        if (one.folder === 'INBOX') continue;
        if (this.#kept.get(one.id)?.user !== user) wrong.push(`${user} has ${one.id}, which was not put there`);
        places.set(one.id, [...(places.get(one.id) ?? []), one]);
      }
    }
    for (const [id, kept] of this.#kept) {
      const found = places.get(id) ?? [];
      const [one] = found;
      if (found.length > 1) wrong.push(`${id} is there ${found.length} times`);
      else if (!one && kept.answered) wrong.push(`${id} was answered for and is gone`);
      else if (one) {
        if (!one.whole) wrong.push(`${id} is not what was put there`);
        if (kept.flagged && !one.flagged) wrong.push(`${id} has lost its flag`);
        if ((kept.move === 'done' && one.folder !== 'Moved') || (kept.move === 'no' && one.folder !== 'Kept'))
          wrong.push(`${id} is in ${one.folder}, moved: ${kept.move}`);
      }
    }
    const count = (test: (kept: Kept) => boolean): number => [...this.#kept.values()].filter(test).length;
    if (count((k) => k.answered) === 0) wrong.push('no message was put into a mailbox');
    const summary = `IMAP: ${count((k) => k.answered)} APPENDs answered for, ${count((k) => k.flagged)} flagged, ${count((k) => k.move === 'done')} moved`;
    return { wrong, summary };
  }
}

/** An entry: its description as answered for (undefined: no such entry), and what it may be instead. */
interface Written {
  description: string | undefined;
  asked: { readonly description: string | undefined } | undefined;
}

export class DirectoryLoad extends Workers<LdapClient> {
  readonly #entries = new Map<string, Written>();
  #acknowledged = 0;

  connections(): number {
    return 3;
  }

  async open(): Promise<LdapClient> {
    const client = await LdapClient.connect({ path: this.files.ldapi });
    await client.bindExternal();
    return client;
  }

  async work(client: LdapClient): Promise<void> {
    const mail = `load${this.#entries.size}@example.test`;
    const dn = parseDn(`mail=${mail},dc=example,dc=test`);
    const entry: Written = { description: undefined, asked: undefined };
    this.#entries.set(dn.toString(), entry);
    const write = async (description: string | undefined, ask: () => Promise<void>): Promise<void> => {
      entry.asked = { description };
      await ask();
      entry.description = description;
      entry.asked = undefined;
      this.#acknowledged += 1;
    };
    const attributes = { objectClass: ['inetOrgPerson', 'mtMailUser', 'inetLocalMailRecipient'], mail: [mail], cn: [mail], sn: ['Load'] };
    await write('added', () =>
      client.add(
        dn,
        Object.entries({ ...attributes, description: ['added'] }).map(([name, values]) => ({ name, values })),
      ),
    );
    while (this.random() < 0.6) {
      const text = `changed ${Math.floor(this.random() * 1e9)}`;
      const values = [text];
      await write(text, () => client.modify(dn, [{ operation: 'replace', attribute: { name: 'description', values } }]));
    }
    if (this.random() < 0.2) await write(undefined, () => client.delete(dn));
  }

  /** Asks the running server. */
  async judge(): Promise<Verdict & { readonly acknowledged: number }> {
    const wrong: string[] = [];
    const client = await this.open();
    const filter = parseFilter('(objectClass=*)');
    for (const [dn, written] of this.#entries) {
      const found = await client
        .search({ base: parseDn(dn), scope: 'base', filter, attributes: ['description'] })
        .then(([entry]) => entry?.text('description'))
        .catch(() => undefined);
      if (found === written.description || (written.asked && found === written.asked.description)) continue;
      wrong.push(`${dn}: ${found}, not ${written.description}`);
    }
    client.close();
    if (this.#acknowledged === 0) wrong.push('nothing was written to the directory');
    const summary = `LDAP: ${this.#acknowledged} writes answered for, ${this.#entries.size} entries`;
    return { wrong, summary, acknowledged: this.#acknowledged };
  }
}

/** Everything in a user's mailboxes, read with an ordinary client. */
export async function mailboxContents(files: ServerFiles, user: string): Promise<Found[]> {
  const client = new ImapFlow({
    host: '127.0.0.1',
    port: files.ports.imap,
    auth: { user, pass: password },
    tls: { rejectUnauthorized: false },
    logger: false,
  });
  await client.connect();
  const found: Found[] = [];
  for (const folder of folders) {
    const mailbox = await client.mailboxOpen(folder, { readOnly: true }).catch(() => undefined);
    if (!mailbox || mailbox.exists === 0) continue;
    for await (const { source, flags } of client.fetch('1:*', { source: true, flags: true })) {
      const text = source?.toString('latin1') ?? '';
      const id = /^X-Load-Id: (\S+)\r$/m.exec(text)?.[1] ?? '';
      found.push({ folder, id, whole: text.endsWith(messageOf(id)), flagged: flags?.has('\\Flagged') ?? false });
    }
  }
  await client.logout();
  return found;
}
