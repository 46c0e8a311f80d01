/**
 * One connection: reads commands, enforces limits and states, runs them one after the other, answers, and logs.
 *
 * Promise: whatever arrives is answered in the protocol's terms or ends this connection alone; commands run in the order they came,
 * pipelined or not; nothing pipelined in plaintext behind STLS is read; a client that says nothing, or does not read, is let go in time;
 * a session that ends without QUIT removes nothing.
 * Spec: RFC 1939 §3; RFC 2449 §6.6 (PIPELINING), §8 (response codes); RFC 3206
 */

import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { asFault, counter, type Live, type Log, oneLine, peerAddress, replyOf, startTls } from '../base/index.ts';
import { findCommand } from './commands/table.ts';
import { err, type Reply, type Services, type Session, type SessionState } from './session.ts';
import { type Line, LineInput } from './wire/line-input.ts';
import { Gone, Output } from './wire/output.ts';

export interface ConnectionOptions {
  readonly services: Services;
  readonly socket: Socket;
  readonly encrypted: boolean;
  readonly certificate: Live<SecureContextOptions | undefined>;
  readonly host: () => string;
  readonly log: Log;
}

/** RFC 2449 §4 has 255 octets, but a SASL response may be longer: user names and passwords of 255 octets each, in base64. */
const commandsTotal = counter('mailtree_pop3_commands_total', 'POP3 commands, by name.', ['command']);
const longestLine = 1024;
/** What a peer may still send after our last word before it is cut. */
const lingerMs = 2_000;
const logins: readonly string[] = ['PASS', 'AUTH'];

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #output: Output;
  readonly #session: Session;
  #socket: Socket;
  #input: LineInput;
  #encrypted: boolean;
  #state: SessionState = { name: 'authorization' };
  #lastActivity: number;
  readonly #cameAt: number;
  #cancelTimer: () => void = () => {};
  #errors = 0;
  #notUnderstood = false;
  #failedLogins = 0;
  #stopping = false;
  #listening = false;
  #retrieved = 0;

  constructor(options: ConnectionOptions) {
    const { services, socket } = options;
    this.#options = options;
    this.#socket = socket;
    this.#encrypted = options.encrypted;
    this.#lastActivity = this.#cameAt = services.clock.now();
    this.#output = new Output(socket, () => this.#alive());
    this.#input = this.#listenTo(socket);
    const encrypted = (): boolean => this.#encrypted;
    this.#session = {
      ...services,
      peer: {
        address: peerAddress(socket),
        get encrypted() {
          return encrypted();
        },
      },
      ask: (challenge) => this.#ask(challenge),
    };
  }

  #alive(): void {
    this.#lastActivity = this.#options.services.clock.now();
  }

  #listenTo(socket: Socket): LineInput {
    return new LineInput(socket, longestLine, () => this.#alive());
  }

  /** Serves until the connection ends; never rejects. */
  async serve(): Promise<void> {
    try {
      this.#watchTime();
      await this.#output.text(`+OK ${this.#options.host()} POP3 service ready\r\n`);
      while (this.#state.name !== 'closed' && !this.#stopping) {
        const line = await this.#listen();
        if (!line) break;
        await this.#command(line);
      }
      await this.#output.flush();
    } catch (thrown) {
      if (!(thrown instanceof Gone)) this.#options.log.warning(`session of ${this.#who()} ended by an error`, thrown);
      // A reply may be half said: only a cut connection tells the client so.
      this.#socket.destroy();
    } finally {
      this.#end();
    }
  }

  get account(): string | undefined {
    return this.#state.name === 'transaction' ? this.#state.maildrop.account.uuid : undefined;
  }

  /** Ends the session as soon as nothing is half said. */
  stop(): void {
    this.#stopping = true;
    if (this.#listening) this.#end();
  }

  /** The idle timer. RFC 1939 §3: the connection is closed without a reply, and nothing is removed. */
  #watchTime(): void {
    const { clock, settings } = this.#options.services;
    const { idleMinutes, loginSeconds } = settings.value;
    const due =
      // An octet now and then is no log-in.
      this.#state.name === 'transaction' ? this.#lastActivity + idleMinutes * 60_000 : this.#cameAt + loginSeconds * 1000;
    const left = due - clock.now();
    if (left <= 0) {
      this.#options.log.info(`${this.#who()} was idle for too long`);
      this.#socket.destroy();
    } else this.#cancelTimer = clock.after(left, () => this.#watchTime());
  }

  #who(): string {
    const address = this.#session.peer.address || 'a local socket';
    return this.#state.name === 'transaction' ? `${this.#state.maildrop.account.mail} from ${address}` : address;
  }

  #end(): void {
    this.#cancelTimer();
    this.#enter({ name: 'closed' });
    this.#input.detach();
    const socket = this.#socket;
    if (socket.destroyed) return;
    // What the peer still sends is not read, so that our last words are not lost to a reset.
    socket.end();
    socket.resume();
    socket.once(
      'close',
      this.#options.services.clock.after(lingerMs, () => socket.destroy()),
    );
  }

  #enter(next: SessionState): void {
    const before = this.#state;
    if (before.name === 'transaction' && next !== before) {
      before.maildrop.close();
      this.#options.log.info(`${this.#who()} logged off: ${this.#retrieved} messages read`);
    }
    this.#state = next;
    if (before.name !== next.name && next.name !== 'closed') {
      this.#cancelTimer();
      this.#watchTime();
    }
  }

  async #listen(): Promise<Line | undefined> {
    if (!this.#input.ready) await this.#output.flush();
    this.#listening = true;
    try {
      return await this.#input.line();
    } finally {
      this.#listening = false;
    }
  }

  async #ask(challenge: string): Promise<string> {
    await this.#output.text(`+ ${challenge}\r\n`);
    const line = await this.#listen();
    if (!line || this.#stopping) throw new Gone('connection closed');
    return line.overlong ? '*' : line.text;
  }

  async #command(line: Line): Promise<void> {
    const space = line.text.indexOf(' ');
    const name = (space < 0 ? line.text : line.text.slice(0, space)).toUpperCase();
    const args = space < 0 ? '' : line.text.slice(space + 1);
    const reply = line.overlong ? err('line too long') : await this.#perform(name, args);
    if (this.#gone()) {
      // The peer left while the command ran: what it opened is closed again.
      if (reply.next?.name === 'transaction') reply.next.maildrop.close();
      throw new Gone('connection closed');
    }
    const login = this.#state.name === 'authorization' && logins.includes(name);
    if (reply.next) this.#enter(reply.next);
    if (login) this.#countLogin(reply);
    else if (!reply.ok) this.#errors += 1;
    await this.#answer(reply);
    if (reply.follow) await this.#encrypt();
    const { maxErrors, maxLoginAttempts } = this.#options.services.settings.value;
    if (this.#errors >= maxErrors || this.#failedLogins >= maxLoginAttempts) this.#enter({ name: 'closed' });
  }

  #gone(): boolean {
    return this.#socket.destroyed || this.#state.name === 'closed';
  }

  async #perform(name: string, args: string): Promise<Reply> {
    const command = findCommand(name);
    commandsTotal.count(command ? name : 'other');
    if (!command) {
      // Once a session; what was said may be a password.
      if (!this.#notUnderstood) this.#options.log.warning(`${this.#who()} says what is no command`);
      this.#notUnderstood = true;
      return err('unknown command');
    }
    if (!command.states.includes(this.#state.name)) {
      return err(this.#state.name === 'authorization' ? 'log in first' : `${name} is for before the log-in`);
    }
    try {
      const reply = await command.run(this.#session, this.#state, args);
      if (reply.cause !== undefined) this.#options.log.error(`${this.#who()}: ${name}`, reply.cause);
      if (reply.ok && name === 'RETR') this.#retrieved += 1;
      return reply;
    } catch (thrown) {
      if (thrown instanceof Gone) throw thrown;
      const fault = asFault(thrown);
      if (fault.kind === 'bug' || fault.cause !== undefined) this.#options.log.error(`${this.#who()}: ${name}`, fault);
      return err(fault.say, replyOf(fault).pop3);
    }
  }

  #countLogin(reply: Reply): void {
    const { log } = this.#options;
    if (reply.next) log.info(`${this.#who()} logged in${this.#encrypted ? ' over TLS' : ''}`);
    else if (!reply.ok) {
      this.#failedLogins += 1;
      log.info(`log-in from ${this.#who()} refused: ${reply.text}`);
      // RFC 1939 §4: a failed PASS goes back to USER.
      this.#enter({ name: 'authorization' });
    }
  }

  async #answer(reply: Reply): Promise<void> {
    const code = reply.code ? `[${reply.code}] ` : '';
    await this.#output.text(`${reply.ok ? '+OK' : '-ERR'} ${code}${oneLine(reply.text)}\r\n`);
    if (reply.body) await this.#output.body(reply.body);
  }

  async #encrypt(): Promise<void> {
    await this.#output.flush();
    this.#input.detach();
    const options = this.#options.certificate.value;
    if (!options) throw new Gone('no certificate');
    const secure = await startTls(this.#socket, options, undefined, this.#options.services.clock).catch((thrown) => {
      this.#options.log.info(`STLS with ${this.#who()}: ${asFault(thrown).say}`);
      throw new Gone('no TLS', { cause: thrown });
    });
    this.#socket = secure;
    this.#encrypted = true;
    this.#output.moveTo(secure);
    this.#input = this.#listenTo(secure);
    this.#alive();
  }
}
