/**
 * One connection: reads commands, enforces limits and states, runs them one after the other, answers, and logs.
 *
 * Promise: whatever arrives is answered in the protocol's terms or ends this connection alone; commands run in the order they came,
 * pipelined or not; nothing pipelined in plaintext behind STARTTLS is read; a client that says nothing, or does not read, is let go
 * in time; when the peer has gone, what runs for it stops at its next step.
 * Spec: RFC 3501 §3, §5.4, §5.5, §7
 */

import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { asFault, counter, Fault, type Live, type Log, oneLine, peerAddress, replyOf, startTls } from '../base/index.ts';
import { capabilities } from './capabilities.ts';
import type { Command } from './command.ts';
import { findCommand } from './commands/table.ts';
import { pace } from './pace.ts';
import { Refusal } from './refusal.ts';
import type { Completion, Services, Session, SessionState } from './session.ts';
import { checkSkipped, Farewell, gather, type LiteralTaker, type ReadLimits } from './wire/command-reader.ts';
import { Cursor } from './wire/cursor.ts';
import { Disconnected, Input, type Line } from './wire/input.ts';
import { Output } from './wire/output.ts';

export interface ConnectionOptions {
  readonly services: Services;
  readonly socket: Socket | TLSSocket;
  readonly encrypted: boolean;
  readonly certificate: Live<Parameters<typeof startTls>[1] | undefined>;
  readonly log: Log;
}

const commandsTotal = counter('mailtree_imap_commands_total', 'IMAP commands, by name and result.', ['command', 'result']);
const longestLine = 64 * 1024;
/** Octets of a command kept before and after log-in. */
const memoryBefore = 8 * 1024;
const memoryAfter = 128 * 1024;
/** RFC 7888 §5 */
const literalMinus = 4096;
const discardBefore = 64 * 1024;
/** A client that takes nothing of an answer for this long is gone. */
const stalledMs = 5 * 60_000;

const commandLine = /^([^\x00-\x20(){%*"\\+\x7f-\xff]{1,100}) ((?:[Uu][Ii][Dd] )?[A-Za-z]{1,20})(?=$| )/;

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #output: Output;
  readonly #session: Session;
  #socket: Socket | TLSSocket;
  #input: Input;
  #encrypted: boolean;
  #state: SessionState = { name: 'not-authenticated' };
  #tag = '';
  #lastActivity: number;
  readonly #cameAt: number;
  #cancelTimer: () => void = () => {};
  /** Waiting for the peer's next line: nothing is half said. */
  #listening = false;
  #stopping: string | undefined;
  /** Who is logged in, as the log names them. */
  #loggedIn: string | undefined;
  #wasNotUnderstood = false;
  #badCommands = 0;
  #failedLogins = 0;
  readonly #step = pace(50);

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.#encrypted = options.encrypted;
    this.#lastActivity = this.#cameAt = options.services.clock.now();
    this.#output = new Output(options.socket, () => this.#alive());
    this.#input = this.#listenTo(options.socket);
    this.#session = this.#makeSession();
  }

  #makeSession(): Session {
    const connection = this;
    const address = peerAddress(this.#socket);
    return {
      ...this.#options.services,
      out: this.#output,
      enabled: new Set(),
      tag: () => this.#tag,
      dialog: { ask: (prompt) => this.#ask(prompt) },
      peer: {
        address,
        get encrypted() {
          return connection.#encrypted;
        },
      },
    };
  }

  #alive(): void {
    this.#lastActivity = this.#options.services.clock.now();
  }

  #listenTo(socket: Socket): Input {
    return new Input(socket, {
      onData: () => this.#alive(),
      onWait: () => this.#output.flush(),
    });
  }

  /** Serves until the connection ends; never rejects. */
  async serve(): Promise<void> {
    const { log } = this.#options;
    try {
      this.#watchTime();
      this.#greet();
      while (this.#state.name !== 'logout' && this.#stopping === undefined) {
        const line = await this.#listen();
        if (!line) break;
        await this.#command(line);
        await this.#step();
        await this.#output.room();
      }
      if (this.#stopping !== undefined) this.#bye(this.#stopping);
    } catch (thrown) {
      if (thrown instanceof Farewell) this.#bye(thrown.say);
      else if (!(thrown instanceof Disconnected)) log.error(`session of ${this.#who()} ended by an error`, thrown);
      else if (thrown.cause !== undefined) {
        log.warning(`session of ${this.#who()}`, thrown);
        this.#socket.destroy();
      }
    } finally {
      this.#end();
    }
  }

  get account(): string | undefined {
    return 'account' in this.#state ? this.#state.account.id : undefined;
  }

  /** Says good-bye as soon as nothing is half said. */
  stop(why: string): void {
    this.#stopping = why;
    if (!this.#listening) return;
    this.#bye(why);
    this.#end();
  }

  #who(): string {
    const address = this.#session.peer.address || 'a local socket';
    return 'account' in this.#state ? `${this.#state.account.mail} from ${address}` : address;
  }

  #greet(): void {
    const { services } = this.#options;
    const list = capabilities(this.#session, this.#state);
    this.#output.text(`* OK [CAPABILITY ${list}] ${services.host()} ${services.settings.value.greeting}\r\n`);
  }

  #bye(why: string): void {
    this.#output.text(`* BYE ${why}\r\n`);
    this.#output.flush();
  }

  #end(): void {
    this.#cancelTimer();
    this.#leave(this.#state);
    this.#state = { name: 'logout' };
    if (this.#loggedIn !== undefined) this.#options.log.info(`${this.#loggedIn} logged off`);
    this.#loggedIn = undefined;
    this.#output.flush();
    this.#input.detach();
    const socket = this.#socket;
    if (socket.destroyed) return;
    // What the peer still sends is not read, so that our last words are not lost to a reset.
    socket.end();
    socket.resume();
    const cancel = this.#options.services.clock.after(2_000, () => socket.destroy());
    socket.once('close', cancel);
  }

  #leave(state: SessionState): void {
    if (state.name === 'selected') state.mailbox.close();
  }

  async #listen(): Promise<Line | undefined> {
    this.#listening = true;
    try {
      return await this.#input.line(longestLine);
    } finally {
      this.#listening = false;
    }
  }

  async #ask(prompt: string): Promise<string> {
    this.#output.text(`+ ${prompt}\r\n`);
    const line = await this.#listen();
    if (!line) throw new Disconnected('connection closed');
    if (line.overlong) throw new Farewell('line too long');
    return line.text;
  }

  #limits(): ReadLimits {
    const loggedIn = this.#state.name !== 'not-authenticated';
    const appendLimit = this.#session.settings.value.appendLimit;
    return loggedIn
      ? { line: longestLine, memory: memoryAfter, nonSync: Number.POSITIVE_INFINITY, discard: 2 * appendLimit }
      : { line: memoryBefore, memory: memoryBefore, nonSync: literalMinus, discard: discardBefore };
  }

  async #command(line: Line): Promise<void> {
    const found = commandLine.exec(line.text);
    this.#tag = found?.[1] ?? '';
    if (!found || line.overlong) {
      checkSkipped(line);
      // A literal that is sent behind a line nobody understands is not a command.
      if (!line.overlong) await gather(this.#input, line.text, this.#limits(), () => {}, unwanted);
      this.#notUnderstood();
      this.#tag ||= /^[^\x00-\x20(){%*"\\+\x7f-\xff]{1,100}(?= |$)/.exec(line.text)?.[0] ?? '*';
      return this.#finish(undefined, { status: 'BAD', text: line.overlong ? 'command line too long' : 'expected a tag and a command' });
    }
    const name = found[2]!.toUpperCase();
    const started = this.#session.clock.now();
    const command = findCommand(name);
    const completion = await this.#perform(command, name, line.text.slice(found[0].length));
    commandsTotal.count(command ? name : 'other', completion.status);
    if (!command) this.#notUnderstood();
    await this.#finish(command, completion);
    const { log } = this.#options;
    if (completion.event !== undefined) log.info(`${this.#who()}: ${completion.event}`);
    if (completion.cause !== undefined) log.error(`${this.#who()}: ${name}: ${completion.text}`, completion.cause);
    if (log.enabled('diagnostic')) log.diagnostic(`${this.#who()}: ${name} ${completion.status} ${this.#session.clock.now() - started} ms`);
    if (name === 'LOGIN' || name === 'AUTHENTICATE') this.#logLogin(completion);
  }

  #logLogin(completion: Completion): void {
    const { log } = this.#options;
    if (completion.status !== 'OK') {
      log.info(`log-in from ${this.#who()} refused: ${completion.text}`);
      return;
    }
    this.#loggedIn = this.#who();
    log.info(`${this.#loggedIn} logged in${this.#encrypted ? ' over TLS' : ''}`);
  }

  /** Once a session; what was said may be a password. */
  #notUnderstood(): void {
    if (this.#wasNotUnderstood) return;
    this.#wasNotUnderstood = true;
    this.#options.log.warning(`${this.#who()} says what is no command`);
  }

  /** Gathers the rest of the command, runs it, and turns whatever happens into a completion. */
  async #perform(command: Command | undefined, name: string, rest: string): Promise<Completion> {
    const allowed = command?.states.includes(this.#state.name) ?? false;
    const goAhead = (): void => {
      this.#output.text('+ go ahead\r\n');
      this.#output.flush();
    };
    const streaming = allowed ? command?.stream?.(this.#session, this.#state) : undefined;
    try {
      const { pieces, refused } = await gather(this.#input, rest, this.#limits(), goAhead, allowed ? streaming : unwanted);
      if (!command) return { status: 'BAD', text: 'unknown command' };
      if (!allowed)
        return { status: 'BAD', text: this.#state.name === 'not-authenticated' ? 'log in first' : `${name} is not allowed in this state` };
      if (refused) throw refused;
      const args = new Cursor(pieces);
      return streaming ? await streaming.finish(args) : await command.parse(args)(this.#session, this.#state);
    } catch (thrown) {
      if (thrown instanceof Disconnected || thrown instanceof Farewell) throw thrown;
      return this.#refusal(asFault(thrown), name);
    } finally {
      await streaming?.release().catch((thrown) => this.#options.log.warning('letting go of a message', thrown));
    }
  }

  #refusal(fault: Fault, name: string): Completion {
    if (fault.kind === 'bug') this.#options.log.error(`${this.#who()}: ${name}`, fault);
    else if (fault.kind === 'unavailable' && fault.told) this.#options.log.diagnostic(`${this.#who()}: ${name}: ${fault.say}`);
    else if (fault.kind === 'unavailable') this.#options.log.warning(`${this.#who()}: ${name}`, fault);
    const [status, code] = replyOf(fault).imap;
    const say = fault instanceof Refusal ? fault.code : code;
    // CLIENTBUG on every typing error tells nobody anything.
    return { status, text: fault.say, ...(say === undefined || say === 'CLIENTBUG' ? {} : { code: say }) };
  }

  /** Tells what happened meanwhile, then the tagged reply, then goes to the next state. */
  async #finish(command: Command | undefined, completion: Completion): Promise<void> {
    const before = this.#state;
    const next = completion.next ?? before;
    if (next !== before) {
      this.#state = next;
      if (before.name === 'selected' && (next.name !== 'selected' || next.mailbox !== before.mailbox)) this.#leave(before);
    } else if (next.name === 'selected') await this.#report(next, command?.expunge ?? true);
    const code = completion.code === undefined ? '' : `[${completion.code}] `;
    this.#output.text(`${this.#tag} ${completion.status} ${code}${printable(completion.text)}\r\n`);
    this.#count(completion);
    if (completion.follow === 'start-tls') await this.#startTls();
  }

  async #report(state: SessionState & { name: 'selected' }, expunge: boolean): Promise<void> {
    const { mailbox, account } = state;
    try {
      await mailbox.sync();
    } catch (thrown) {
      this.#options.log.warning(`${this.#who()}: changes of a mailbox`, thrown);
    }
    mailbox.report(this.#output, { expunge, modSeq: this.#session.enabled.has('CONDSTORE') });
    if (!mailbox.gone) return;
    this.#output.text('* OK [CLOSED] the mailbox was deleted\r\n');
    this.#leave(state);
    this.#state = { name: 'authenticated', account };
  }

  #count({ status, code }: Completion): void {
    const { maxBadCommands, maxLoginAttempts } = this.#session.settings.value;
    if (code === 'AUTHENTICATIONFAILED') this.#failedLogins += 1;
    this.#badCommands = status === 'BAD' ? this.#badCommands + 1 : 0;
    const most = this.#state.name === 'not-authenticated' ? Math.ceil(maxBadCommands / 4) : maxBadCommands;
    if (this.#failedLogins >= maxLoginAttempts) throw new Farewell('too many failed log-ins');
    if (this.#badCommands >= most) throw new Farewell('too many bad commands');
  }

  async #startTls(): Promise<void> {
    const certificate = this.#options.certificate.value;
    if (!certificate) throw new Disconnected('no certificate');
    this.#output.flush();
    // RFC 3501 §6.2.1: what was sent in plaintext behind the command is forgotten here.
    this.#input.detach();
    try {
      this.#socket = await startTls(this.#socket, certificate, undefined, this.#session.clock);
    } catch (thrown) {
      this.#options.log.info(`${this.#who()}: ${asFault(thrown).say}`);
      throw new Disconnected('no TLS');
    }
    this.#encrypted = true;
    this.#output.switchTo(this.#socket);
    this.#input = this.#listenTo(this.#socket);
  }

  /** One timer a connection, set for the earliest moment at which it could be due. */
  #watchTime(): void {
    const { clock, settings } = this.#session;
    const left = (): number => {
      const due = (): number => {
        if (this.#output.blocked) return this.#lastActivity + stalledMs;
        // An octet now and then is no log-in.
        if (this.#state.name === 'not-authenticated') return this.#cameAt + settings.value.loginSeconds * 1000;
        return this.#lastActivity + settings.value.idleMinutes * 60_000;
      };
      return due() - clock.now();
    };
    const arm = (): void => {
      this.#cancelTimer = clock.after(Math.min(Math.max(left(), 1_000), stalledMs), check);
    };
    const check = (): void => {
      const working = !this.#listening && !this.#output.blocked && !this.#input.waiting;
      if (working || left() > 0) {
        arm();
        return;
      }
      this.#options.log.info(`${this.#who()} timed out`);
      if (this.#listening) this.#bye('idle for too long');
      this.#end();
      this.#socket.destroySoon();
    };
    arm();
  }
}

/** For commands that are not going to be run. */
const unwanted: LiteralTaker = {
  announce: () => Promise.reject(new Fault('wrong-moment', 'not now')),
};

/** Reply text: one line of printable ASCII. */
function printable(text: string): string {
  return oneLine(text).replace(/[^\x20-\x7e]/g, '?');
}
