/** Load by SMTP: a number of sessions, each handing in message after message in lock-step, as smtp-source does. */

import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface SmtpLoad {
  readonly host: string;
  readonly port: number;
  readonly sessions: number;
  readonly messages: number;
  /** Octets of a message. */
  readonly size: number;
  readonly recipients: readonly string[];
  readonly sender: string;
  readonly recipientsPerMessage?: number;
  /** Messages are handed in no faster than this; not set: as fast as they are taken. */
  readonly perSecond?: number;
}

export interface LoadResult {
  readonly seconds: number;
  readonly count: number;
  /** Milliseconds, sorted: from end of data to its reply (or from request to answer). */
  readonly latencies: readonly number[];
}

export async function smtpLoad(load: SmtpLoad): Promise<LoadResult> {
  const body = messageOf(load.size);
  const latencies: number[] = [];
  let next = 0;
  const begun = performance.now();
  await Promise.all(
    Array.from({ length: load.sessions }, async () => {
      const session = await SmtpSession.open(load.host, load.port);
      while (next < load.messages) {
        const n = next++;
        if (load.perSecond) await sleep(Math.max(0, begun + (n * 1000) / load.perSecond - performance.now()));
        const per = load.recipientsPerMessage ?? 1;
        const to = Array.from({ length: per }, (_, k) => load.recipients[(n * per + k) % load.recipients.length] ?? '');
        latencies.push(await session.send(load.sender, to, body));
      }
      await session.quit();
    }),
  );
  return { seconds: (performance.now() - begun) / 1000, count: load.messages, latencies: latencies.sort((a, b) => a - b) };
}

/** A message of about this many octets: plain text in lines of 76. */
function messageOf(size: number): Buffer {
  const head =
    'From: bench@example.net\r\nTo: somebody@example.test\r\nSubject: bench\r\nDate: Tue, 1 Jan 2030 00:00:00 +0000\r\nMessage-ID: <bench@example.net>\r\n\r\n';
  const line = `${'All work and no play makes a dull mailbox. '.repeat(2).slice(0, 74)}\r\n`;
  const lines = Math.max(1, Math.ceil((size - head.length) / line.length));
  return Buffer.from(`${head}${line.repeat(lines)}.\r\n`);
}

class SmtpSession {
  readonly #socket: Socket;
  #buffer = '';
  #waiting: ((code: string) => void) | undefined;
  #lost: Error | undefined;
  #reject: ((thrown: Error) => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => this.#read(chunk));
    socket.on('error', (thrown) => this.#end(thrown));
    socket.on('close', () => this.#end(new Error('connection closed')));
  }

  static async open(host: string, port: number): Promise<SmtpSession> {
    const session = new SmtpSession(connect({ host, port, noDelay: true }));
    await session.#expect('220');
    await session.#say('EHLO bench.example.net\r\n', '250');
    return session;
  }

  async send(sender: string, recipients: readonly string[], body: Buffer): Promise<number> {
    await this.#say(`MAIL FROM:<${sender}>\r\n`, '250');
    for (const recipient of recipients) await this.#say(`RCPT TO:<${recipient}>\r\n`, '250');
    await this.#say('DATA\r\n', '354');
    const begun = performance.now();
    await this.#say(body, '250');
    return performance.now() - begun;
  }

  async quit(): Promise<void> {
    await this.#say('QUIT\r\n', '221');
    this.#socket.end();
  }

  async #say(text: string | Buffer, code: string): Promise<void> {
    this.#socket.write(text);
    await this.#expect(code);
  }

  #expect(code: string): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#lost) return reject(this.#lost);
      this.#reject = reject;
      this.#waiting = (line) => (line.startsWith(code) ? resolve() : reject(new Error(`expected ${code}, got ${line}`)));
      this.#read('');
    });
  }

  #read(chunk: string): void {
    this.#buffer += chunk;
    for (let at = this.#buffer.indexOf('\r\n'); at >= 0 && this.#waiting; at = this.#buffer.indexOf('\r\n')) {
      const line = this.#buffer.slice(0, at);
      this.#buffer = this.#buffer.slice(at + 2);
      if (line[3] === '-') continue;
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting(line);
    }
  }

  #end(thrown: Error): void {
    this.#lost ??= thrown;
    if (this.#waiting) this.#reject?.(thrown);
  }
}
