/** What journeys talk to a whole server with: a line dialog of no opinion, and independent clients for everything else. */

import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { ImapFlow } from 'imapflow';
import { Attribute, Change, Client } from 'ldapts';
import type { MessagePage } from '../../src/main/index.ts';
import { adminDn, adminPassword, type Door, password } from './server.ts';

interface Ports {
  readonly ports: Readonly<Record<Door, number>>;
}

/** A connection that says lines and waits for what comes back. */
export class Dialog {
  readonly socket: Socket;
  /** Everything received. */
  heard = '';
  readonly closed: Promise<void>;
  #waiting: (() => void)[] = [];
  #read = 0;
  #gone = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding('latin1').on('data', (chunk) => {
      this.heard += chunk;
      for (const wake of this.#waiting.splice(0)) wake();
    });
    socket.on('error', () => {});
    this.closed = new Promise((resolve) =>
      socket.once('close', () => {
        this.#gone = true;
        for (const wake of this.#waiting.splice(0)) wake();
        resolve();
      }),
    );
  }

  /** From an address of loopback of one's own, where one is given. */
  static async open(port: number, localAddress?: string): Promise<Dialog> {
    const socket = connect({ port, host: '127.0.0.1', ...(localAddress === undefined ? {} : { localAddress }) });
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new Dialog(socket);
  }

  get open(): boolean {
    return !this.#gone;
  }

  /** What came since the last call, up to and with what matches; everything that is left once the other side hung up. */
  async until(pattern: RegExp): Promise<string> {
    for (;;) {
      const rest = this.heard.slice(this.#read);
      const match = pattern.exec(rest);
      if (match || this.#gone) {
        const end = match ? match.index + match[0].length : rest.length;
        this.#read += end;
        return rest.slice(0, end);
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** An SMTP reply of one or more lines, without its last line end. */
  async reply(): Promise<string> {
    return (await this.until(/^(\d{3}-[^\n]*\n)*\d{3}( [^\n]*)?\r?\n/)).trimEnd();
  }

  /** Says a line and returns the SMTP reply. */
  async say(line: string): Promise<string> {
    this.socket.write(`${line}\r\n`);
    return this.reply();
  }

  /** Says a line and returns everything up to what matches. */
  async ask(line: string, pattern: RegExp): Promise<string> {
    this.socket.write(`${line}\r\n`);
    return this.until(pattern);
  }

  end(): void {
    this.socket.destroy();
  }
}

/** What a new connection is told to the last of these SMTP lines; to an earlier one where that is refused. */
export async function askSmtp(lines: readonly string[], port: number, localAddress?: string): Promise<string> {
  const dialog = await Dialog.open(port, localAddress);
  let reply = await dialog.reply();
  for (const line of lines) {
    if (!/^[23]/.test(reply)) break;
    reply = await dialog.say(line);
  }
  dialog.end();
  return reply;
}

/** An SMTP conversation past EHLO. */
export async function greetedSmtp(port: number): Promise<Dialog> {
  const dialog = await Dialog.open(port);
  await dialog.reply();
  await dialog.say('EHLO client.elsewhere.test');
  return dialog;
}

/** What RCPT is answered for an address, asked by a stranger. */
export async function rcpt(files: Ports, address: string): Promise<string> {
  const dialog = await greetedSmtp(files.ports.smtp);
  try {
    await dialog.say('MAIL FROM:<somebody@elsewhere.test>');
    return await dialog.say(`RCPT TO:<${address}>`);
  } finally {
    dialog.end();
  }
}

/** Sends a message as a stranger; the reply that decided. */
export async function sendAs(
  files: Ports,
  to: readonly string[],
  subject: string,
  more: { readonly from?: string; readonly port?: number } = {},
): Promise<string> {
  const dialog = await greetedSmtp(more.port ?? files.ports.smtp);
  try {
    const mail = await dialog.say(`MAIL FROM:<${more.from ?? 'somebody@elsewhere.test'}>`);
    if (!mail.startsWith('2')) return mail;
    for (const address of to) {
      const answer = await dialog.say(`RCPT TO:<${address}>`);
      if (!answer.startsWith('2')) return answer;
    }
    await dialog.say('DATA');
    return await dialog.say(`From: somebody@elsewhere.test\r\nTo: ${to.join(', ')}\r\nSubject: ${subject}\r\n\r\nHello.\r\n.`);
  } finally {
    dialog.end();
  }
}

/**
 * Hands in a message as a user who logs in, over SMTP: as `sendmail` does, and without a process for it. `rest`: header fields after From, To and
 * Subject, an empty line and a body. Throws the reply that is none of success.
 */
export async function submitAs(files: Ports, user: string, to: string, subject: string, rest = '\nHello.\n'): Promise<void> {
  const dialog = await greetedSmtp(files.ports.submission);
  const message = `From: ${user}\nTo: ${to}\nSubject: ${subject}\n${rest}.`.replaceAll('\n', '\r\n');
  for (const line of [plain(user, password), `MAIL FROM:<${user}>`, `RCPT TO:<${to}>`, 'DATA', message]) {
    const reply = await dialog.say(line);
    if (!/^[23]/.test(reply)) throw new Error(reply);
  }
  dialog.end();
}

/** AUTH PLAIN on a connection that was greeted. */
export function plain(user: string, secret: string): string {
  return `AUTH PLAIN ${Buffer.from(`\0${user}\0${secret}`).toString('base64')}`;
}

/** An IMAP connection of imapflow, logged in. Rejects when it is refused. */
export async function imap(files: Ports, user: string, secret = password): Promise<ImapFlow> {
  const client = new ImapFlow({
    host: '127.0.0.1',
    port: files.ports.imap,
    auth: { user, pass: secret },
    tls: { rejectUnauthorized: false },
    logger: false,
  });
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** Subjects in a user's INBOX, oldest first. */
export async function subjects(files: Ports, user: string, secret = password): Promise<string[]> {
  const client = await imap(files, user, secret);
  try {
    const mailbox = await client.mailboxOpen('INBOX');
    const found: string[] = [];
    if (mailbox.exists === 0) return found;
    for await (const message of client.fetch('1:*', { envelope: true })) found.push(message.envelope?.subject ?? '');
    return found;
  } finally {
    await client.logout();
  }
}

/** The newest message of a user's INBOX, whole. */
export async function newest(files: Ports, user: string, secret = password): Promise<Buffer> {
  const client = await imap(files, user, secret);
  try {
    await client.mailboxOpen('INBOX');
    const message = await client.fetchOne('*', { source: true });
    const source = message ? message.source : undefined;
    if (!source) throw new Error(`no message for ${user}`);
    return source;
  } finally {
    await client.logout();
  }
}

/** Which doors let somebody in. */
export async function doorsOpenFor(files: Ports, user: string, secret: string): Promise<string[]> {
  const open: string[] = [];
  try {
    await (await imap(files, user, secret)).logout();
    open.push('imap');
  } catch {}
  const pop = await Dialog.open(files.ports.pop3);
  await pop.until(/\n/);
  await pop.ask(`USER ${user}`, /\n/);
  if ((await pop.ask(`PASS ${secret}`, /\n/)).startsWith('+OK')) open.push('pop3');
  pop.end();
  const smtp = await greetedSmtp(files.ports.submission);
  if ((await smtp.say(plain(user, secret))).startsWith('235')) open.push('submission');
  smtp.end();
  return open;
}

/** ldapts with the administrator's rights. */
export async function ldapAdministrator(files: Ports): Promise<Client> {
  const client = new Client({ url: `ldap://127.0.0.1:${files.ports.ldap}` });
  await client.bind(adminDn, adminPassword);
  return client;
}

/** One modification for ldapts; no values deletes the attribute. */
export function change(operation: 'add' | 'delete' | 'replace', type: string, ...values: string[]): Change {
  return new Change({ operation, modification: new Attribute({ type, values }) });
}

/** Messages that wait, as an administrator sees them. */
export async function waiting(files: { readonly dir: string }): Promise<MessagePage['messages']> {
  return (await control<MessagePage>(files, '/queue/messages?limit=1000')).messages;
}

/** The control socket's answer to a request of the command line. */
export function control<T>(files: { readonly dir: string }, path: string, method: 'GET' | 'POST' = 'GET'): Promise<T> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: join(files.dir, 'data', 'run', 'control'), method, path }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve(JSON.parse(text) as T));
    });
    call.once('error', reject).end();
  });
}
