/** Load by IMAP and POP3: log in, fetch everything in INBOX, leave; by a number of sessions. */

import { connect } from 'node:net';
import type { LoadResult } from './smtp.ts';

export interface MailboxLoad {
  readonly host: string;
  readonly port: number;
  readonly sessions: number;
  /** Log-ins in all. */
  readonly rounds: number;
  readonly users: readonly string[];
  readonly password: string;
}

export function imapLoad(load: MailboxLoad): Promise<LoadResult> {
  return rounds(load, async (line, user) => {
    await line.until(/^\* OK/m);
    await line.say(`a LOGIN ${user} ${load.password}\r\n`, /^a (\S+)/m);
    await line.say('b SELECT INBOX\r\n', /^b OK/m);
    await line.say('c UID FETCH 1:* (UID FLAGS BODY.PEEK[])\r\n', /^c OK/m);
    await line.say('d LOGOUT\r\n', /^d OK/m);
  });
}

export function pop3Load(load: MailboxLoad): Promise<LoadResult> {
  return rounds(load, async (line, user) => {
    await line.until(/^\+OK.*\r\n/);
    await line.say(`USER ${user}\r\n`, /^\+OK.*\r\n/);
    await line.say(`PASS ${load.password}\r\n`, /^\+OK.*\r\n/);
    const stat = await line.say('STAT\r\n', /^\+OK (\d+).*\r\n/);
    for (let n = 1; n <= Number(stat[1]); n++) await line.say(`RETR ${n}\r\n`, /\r\n\.\r\n$/);
    await line.say('QUIT\r\n', /^\+OK.*\r\n/);
  });
}

async function rounds(load: MailboxLoad, round: (line: Line, user: string) => Promise<void>): Promise<LoadResult> {
  const latencies: number[] = [];
  let next = 0;
  const begun = performance.now();
  await Promise.all(
    Array.from({ length: load.sessions }, async () => {
      while (next < load.rounds) {
        const user = load.users[next++ % load.users.length] ?? '';
        const sent = performance.now();
        const line = new Line(load.host, load.port);
        await round(line, user);
        line.close();
        latencies.push(performance.now() - sent);
      }
    }),
  );
  return { seconds: (performance.now() - begun) / 1000, count: load.rounds, latencies: latencies.sort((a, b) => a - b) };
}

/** One connection: what was said last is matched against what must come. */
class Line {
  readonly #socket;
  #text = '';
  #check: () => void = () => {};
  #fail: (thrown: Error) => void = () => {};

  constructor(host: string, port: number) {
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (chunk) => {
      this.#text += chunk;
      this.#check();
    });
    this.#socket.on('error', (thrown) => this.#fail(thrown));
    this.#socket.on('close', () => this.#fail(new Error(`closed after ${this.#text.slice(-200)}`)));
  }

  say(text: string, expected: RegExp): Promise<RegExpExecArray> {
    this.#text = '';
    this.#socket.write(text);
    return this.until(expected);
  }

  until(expected: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      this.#check = () => {
        // Only the end can complete an answer: a long one is not searched again and again.
        const match = expected.exec(this.#text.length > 4096 ? this.#text.slice(-4096) : this.#text);
        if (match) resolve(match);
      };
      this.#check();
    });
  }

  close(): void {
    this.#fail = () => {};
    this.#socket.destroy();
  }
}
