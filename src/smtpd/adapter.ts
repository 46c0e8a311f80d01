/**
 * The one place that knows smtp-server from the inside: a connection of that library with our commands and our DATA.
 *
 * From the library: command lines and their back-pressure, the order of things around STARTTLS, the SASL exchanges, closing.
 * From us: every command but STARTTLS and AUTH (commands/), replies with their own enhanced status, DATA and BDAT (reader.ts), idle
 * time by our clock, limits on errors. test/smtpd/adapter.test.ts fails when the library's inner names change.
 * Spec: RFC 5321 §4.2, §4.5.3.1.4; RFC 2920 §3.2; RFC 3207 §4.2
 */

import type { Socket } from 'node:net';
import { createSecureContext, type SecureContextOptions, TLSSocket } from 'node:tls';
import { SMTPServer } from 'smtp-server';
import { SMTPConnection } from 'smtp-server/lib/smtp-connection.js';
import { counter } from '../base/index.ts';
import { commands } from './commands/index.ts';
import { Patience } from './patience.ts';
import { noteOutcome, refused, setting } from './policy/refusal.ts';
import { Reader } from './reader.ts';
import { authenticate, isAnswer, type LogIn, looksLikeCredentials, notBase64, readAuth } from './sasl.ts';
import type { ScramDialog } from './scram.ts';
import { type Chunk, type Command, faultReply, type Outcome, type Reply, type Session, tellNotUnderstood, withoutMail } from './session.ts';

const commandsTotal = counter('mailtree_smtp_commands_total', 'SMTP commands received, by name.', ['command']);
const repliesTotal = counter('mailtree_smtp_replies_total', 'SMTP replies given, by code.', ['code']);
const crowded = 'too many connections, try again later';
/** RFC 3463 §3.4, §3.5; others are matters of policy. */
const farewellStatus: Readonly<Record<string, string>> = { 'idle for too long': '4.4.2', 'closing down': '4.3.2', [crowded]: '4.3.2' };
/** RFC 4954 §4.3 asks for 12,288 octets of AUTH; other lines end earlier. */
const maxAuthLine = 12_288;
const maxLine = 2_048;
/** Commands of a connection that may be done before others have their turn. */
const commandsOfTurn = 16;
/** Whoever is not let in holds a connection this long at most. */
const turnedAwaySeconds = 5;

export interface EngineOptions {
  readonly host: () => string;
  /** Checks a name and password and notes the user in the session. Never throws. */
  readonly login: LogIn;
  /** Begins a SCRAM log-in, which notes the user in the session. Never throws. */
  readonly scram: (session: Session) => ScramDialog;
  /** The door is being closed: a session ends after the message that it is filing. */
  readonly closing: () => boolean;
}

export interface Engine {
  /**
   * Takes over an accepted socket; encrypted ones have done their handshake. With a refusal the client is told that instead of the
   * greeting: 421 ends the connection, 554 leaves it QUIT.
   */
  serve(socket: Socket | TLSSocket, session: Session, refusal?: Outcome): Conversation;
  /** The certificate for STARTTLS from now on. Throws where it cannot be used. */
  useCertificate(options: SecureContextOptions): void;
}

export interface Conversation {
  readonly ours: Session;
  /** A message has been received in full and is being filed. */
  readonly filing: boolean;
  /** When it last brought a message, or a good part of one; when it came, where it has not. Infinite once it ends. */
  readonly usefulAt: number;
  /** Says 421 and closes. */
  farewell(text: string): void;
  /** The same, without waiting for the client to close. */
  makeRoom(): void;
  destroy(): void;
}

export function createEngine(options: EngineOptions): Engine {
  const server = new SMTPServer({
    logger: false,
    name: options.host(),
    disableReverseLookup: true,
    authOptional: true,
    authMethods: ['PLAIN', 'LOGIN'],
    allowInsecureAuth: true,
    hideENHANCEDSTATUSCODES: false,
    maxCommandLength: maxAuthLine,
    onAuth: (auth, session, callback) => authenticate(auth, sessions.get(session), options.login, callback),
  });
  const sessions = new WeakMap<object, Session>();
  server.on('error', () => {});
  return {
    serve(socket, session, refusal) {
      const connection = new Connection(server, socket, session, options, refusal);
      sessions.set(connection.session, session);
      server.connections.add(connection);
      // Errors of a client's socket end its connection, which logs what is worth it.
      connection.on('error', () => connection.close());
      connection.init();
      return connection;
    },
    useCertificate(certificate) {
      server.secureContext.set('*', createSecureContext(certificate));
    },
  };
}

/** The library writes to a socket while its `readyState` is `open` alone; who has closed its half still hears our answers. */
function answerHalfOpen(socket: Socket): void {
  socket.allowHalfOpen = true;
  Object.defineProperty(socket, 'readyState', { get: () => (socket.writable ? 'open' : 'closed') });
}

type Handler = NonNullable<ReturnType<SMTPConnection['_getHandler']>>;

class Connection extends SMTPConnection implements Conversation {
  readonly ours: Session;
  readonly #options: EngineOptions;
  /** What the octets that are being read are. */
  #chunk: Chunk | undefined;
  readonly #refusal: Outcome | undefined;
  /** Was refused in place of the greeting: there is nothing left to say but QUIT. */
  #turnedAway = false;
  #filing = false;
  #errors = 0;
  #commands = 0;
  #corked: Socket | undefined;
  readonly #patience: Patience;

  constructor(server: SMTPServer, socket: Socket | TLSSocket, session: Session, options: EngineOptions, refusal?: Outcome) {
    super(server, socket, { id: session.id });
    answerHalfOpen(socket);
    this.ours = session;
    this.#options = options;
    this.#refusal = refusal;
    this.name = options.host();
    this.#patience = new Patience(session);
    if (socket instanceof TLSSocket) {
      this.secure = this.session.secure = true;
      this.tlsOptions = socket.getCipher();
    }
  }

  get filing(): boolean {
    return this.#filing;
  }

  get usefulAt(): number {
    return this._closing || this._closed ? Number.POSITIVE_INFINITY : this.#patience.usefulAt;
  }

  /** Without the library's tenth of a second of waiting for clients that talk too soon. */
  override init(): void {
    this._setListeners(() => this.connectionReady());
  }

  override _sendGreeting(): void {
    if (this.#refusal) {
      this.#refuse(this.#refusal);
      return;
    }
    const text = this.ours.settings.greeting.trim();
    this.send(220, `${this.name} ${this.ours.settings.esmtp ? 'ESMTP' : 'SMTP'}${text ? ` ${text}` : ''}`, false);
  }

  /**
   * RFC 5321 §3.1 lets 554 stand in for the greeting and has us wait for QUIT then; 421 ends it (§3.8). RFC 2034 §3: neither carries an
   * enhanced status.
   */
  #refuse(outcome: Outcome): void {
    noteOutcome(this.ours, outcome);
    const { code, text } = outcome.reply;
    this.#turnedAway = code !== 421;
    this.send(code, `${this.name} ${typeof text === 'string' ? text : text.join(' ')}`, false);
    if (this.#turnedAway) this._armTimeout();
    else this.close();
  }

  override _createParser(): Reader {
    const reader = new Reader({ maxCommandLength: maxAuthLine });
    reader.oncommand = (line, next) => this._onCommand(line, next);
    reader.onOctets = (count) => this.#patience.brought(count);
    reader.onMessage = (done) => void this.#received(done);
    // The client says no more; everything it said has been answered.
    reader.on('finish', () => {
      if (this._parser === reader) this.close();
    });
    reader.on('error', () => this.#answer({ code: 500, status: '5.5.2', text: 'line too long' }, true));
    return reader;
  }

  override _getHandler(name: string): Handler | undefined {
    if (this.#turnedAway && name !== 'QUIT') return (_, next) => this.#say(503, '5.5.1', 'you may not send mail here, say QUIT', next);
    if (name === 'STARTTLS') return this.#starttls;
    if (name === 'AUTH') return this.#auth;
    const command = commands.get(name);
    return command && ((line, next) => this.#run(command, name, line, next));
  }

  #starttls(line: Buffer, next: () => void): void {
    if (this.secure) {
      this.#say(503, '5.5.1', 'the connection is encrypted already', next);
      return;
    }
    if (!this.ours.settings.esmtp) {
      this.#say(502, '5.5.1', 'STARTTLS is not available', next);
      return;
    }
    if (!this.ours.canStartTls()) {
      this.#say(454, '4.7.0', 'TLS is not available', next);
      return;
    }
    this.handler_STARTTLS(line, next);
  }

  #auth(line: Buffer, next: () => void): void {
    const { ours } = this;
    const { mechanism, initial, refusal } = readAuth(ours, line);
    if (refusal) {
      this.#apply(refusal);
      next();
    } else if (mechanism !== 'SCRAM-SHA-256' || ours.user) {
      this.handler_AUTH(line, next);
    } else {
      const dialog = this.#options.scram(ours);
      if (initial === undefined) this.#challenge(dialog, '', next);
      else void this.#scram(dialog, initial === '=' ? '' : initial, next);
    }
  }

  #challenge(dialog: ScramDialog, text: string, next: () => void): void {
    this._nextHandler = (answer, done) => void this.#scram(dialog, answer.toString().trim(), done);
    this.send(334, Buffer.from(text).toString('base64'));
    next();
  }

  async #scram(dialog: ScramDialog, base64: string, next: () => void): Promise<void> {
    if (base64 === '*') return this.#say(501, '5.7.0', 'given up', next);
    const step = await dialog.next(Buffer.from(base64, 'base64'));
    if (this._closed) return next();
    if ('challenge' in step) return this.#challenge(dialog, step.challenge, next);
    if ('malformed' in step) return this.#say(501, '5.5.2', 'this is no SCRAM-SHA-256, or asks for what is not offered', next);
    if (!step.ok) return this.#say(step.code, step.code < 500 ? '4.7.0' : '5.7.8', step.say, next);
    this.session.user = this.ours.user;
    this.#say(235, '2.7.0', 'Authentication successful', next);
  }

  #say(code: number, status: string, text: string, next: () => void): void {
    this.#answer({ code, status, text });
    next();
  }

  /** Answers that are remembered come at once: who sends hundreds of commands ahead must not keep others from their turn. */
  #inTurn(next: () => void): void {
    this.#commands += 1;
    if (this.#commands % commandsOfTurn === 0) setImmediate(next);
    else next();
  }

  #run(command: Command, name: string, line: Buffer, done: () => void): void {
    const { ours } = this;
    const next = (): void => this.#inTurn(done);
    if (line.length > maxLine) {
      this.#say(500, '5.5.2', 'line too long', next);
      return;
    }
    if (!command.states.includes(ours.state.at)) {
      this.#say(503, '5.5.1', ours.state.at === 'start' ? 'say HELO or EHLO first' : 'not now', next);
      return;
    }
    const finish = (outcome: Outcome): void => {
      if (this._closed) {
        outcome.receiver?.abort();
        outcome.chunk?.receiver.abort();
      } else if (outcome.chunk?.octets === 0) {
        // Nothing follows: it is in.
        this.#chunk = outcome.chunk;
        void this.#received(next);
        return;
      } else this.#apply(outcome);
      next();
    };
    const fail = (thrown: unknown): void => finish({ reply: faultReply(thrown, ours, name) });
    try {
      const outcome = command.run(ours, line.toString().slice(name.length).trim());
      if (outcome instanceof Promise) void outcome.then(finish).catch(fail);
      else finish(outcome);
    } catch (thrown) {
      fail(thrown);
    }
  }

  #apply(outcome: Outcome): void {
    noteOutcome(this.ours, outcome);
    if (outcome.chunk && this._parser instanceof Reader) {
      this.#chunk = outcome.chunk;
      this._parser.begin(outcome.chunk.receiver, outcome.chunk.octets);
      return;
    }
    if (outcome.state) {
      this.#dropTransfer();
      this.ours.state = outcome.state;
      if (outcome.state.at === 'greeted') {
        this.hostNameAppearsAs = outcome.state.helo;
        this.openingCommand = outcome.state.esmtp ? 'EHLO' : 'HELO';
      }
    }
    if (outcome.receiver && this._parser instanceof Reader) {
      this.#chunk = { octets: 0, receiver: outcome.receiver, last: true };
      this._parser.begin(outcome.receiver);
    }
    this.#answer(outcome.reply, outcome.close);
  }

  /** A message of which only some chunks came is given up. */
  #dropTransfer(): void {
    const { state } = this.ours;
    if (state.at !== 'mail') return;
    state.transfer?.abort();
    delete state.transfer;
  }

  /** The message, or a chunk of it, is in: files it, answers, and goes on with what was pipelined behind it. */
  async #received(done: () => void): Promise<void> {
    const chunk = this.#chunk;
    this.#chunk = undefined;
    if (!chunk) return done();
    const { receiver } = chunk;
    if (!chunk.last && !receiver.refused) {
      if (!this._closed) this.#answer({ code: 250, status: '2.0.0', text: `${chunk.octets} octets received` });
      return done();
    }
    if (this.ours.state.at === 'mail') delete this.ours.state.transfer;
    this.#filing = true;
    const { hopeless } = receiver;
    const answer = await receiver.end().catch((thrown: unknown) => faultReply(thrown, this.ours, 'DATA'));
    this.#filing = false;
    this.ours.state = withoutMail(this.ours.state);
    this.#patience.useful();
    if (!this._closed) this.#answer(answer, hopeless);
    if (this.#options.closing()) this.farewell('closing down');
    done();
  }

  #answer(reply: Reply, close = false): void {
    const text = typeof reply.text === 'string' ? reply.text : [...reply.text];
    this.send(reply.code, text, reply.status ?? false);
    if (close) this.close();
  }

  override _getEnhancedStatusCode(code: number, context?: string | false): string {
    if (context === false || (code >= 300 && code < 400) || !this.ours.settings.offerEnhancedStatus) return '';
    // The library passes names of its own, and sometimes what the client said: only a status that fits the code counts.
    if (context && /^[245]\.\d{1,3}\.\d{1,3}$/.test(context) && context[0] === String(code)[0]) return context;
    return super._getEnhancedStatusCode(code);
  }

  override send(code: number, data?: string | string[] | null, context?: string | false): void {
    const { house, settings, id } = this.ours;
    this.#patience.answered();
    // Replies of one turn of the loop travel together (RFC 2920 §3.2).
    if (!this.#corked) {
      const socket = this._socket;
      socket.cork();
      this.#corked = socket;
      setImmediate(() => {
        this.#corked = undefined;
        socket.uncork();
      });
    }
    if (house.log.enabled('smtp') && code !== 334)
      house.log.smtp(`${id} > ${code} ${Array.isArray(data) ? data.join(' / ') : (data ?? '')}`);
    super.send(code, data, context);
    repliesTotal.count(String(code));
    if (code === 500) tellNotUnderstood(this.ours);
    if (code >= 400 && code !== 421) {
      this.#errors += 1;
      if (code === 535 && this.ours.loginFailures >= settings.maxLoginFailures)
        this.#enough('too many failed logins', 'mtSmtpdMaxLoginFailures');
      else if (this.#errors >= settings.maxErrors) this.#enough('too many errors', 'mtSmtpdMaxErrors');
    }
  }

  override _onCommand(line: Buffer, next?: () => void): void {
    const { house, id } = this.ours;
    if (house.log.enabled('smtp')) {
      const text = line.toString();
      const shown = looksLikeCredentials(text) ? '(a line that may be a password)' : text;
      house.log.smtp(`${id} < ${this._redactCredentials((text.split(' ')[0] ?? '').toUpperCase(), shown).line.slice(0, 1_000)}`);
    }
    const name = /^[A-Za-z0-9]{4,8}(?=[ \r\n]|$)/.exec(line.subarray(0, 10).toString('latin1'))?.[0].toUpperCase() ?? '';
    commandsTotal.count(commands.has(name) || name === 'AUTH' || name === 'STARTTLS' ? name : 'other');
    if (this._nextHandler && !isAnswer(line)) this._nextHandler = (_, done) => this.#say(501, '5.5.2', notBase64, done);
    super._onCommand(line, next);
  }

  /** RFC 3207 §4.2: what was known before the encryption is forgotten. */
  override upgrade(next: () => void, secured?: () => void): void {
    this.#corked?.uncork();
    const plain = this._socket;
    const watchers = plain.rawListeners('close');
    // Who leaves during the handshake is gone; half-open is a matter of the encrypted stream.
    plain.allowHalfOpen = false;
    super.upgrade(next, () => {
      answerHalfOpen(this._socket);
      this.#dropTransfer();
      this.ours.tls = true;
      this.ours.state = { at: 'start' };
      this.ours.user = undefined;
      secured?.();
    });
    // The library takes all listeners off the plain socket; who counts connections must still hear of its end.
    for (const watcher of watchers) plain.on('close', watcher as () => void);
  }

  /** Ends a session by a setting, which the log names. */
  #enough(text: string, attribute: string): void {
    if (this._closed || this._closing) return;
    noteOutcome(this.ours, refused(421, '4.7.0', text, setting(this.ours, attribute)));
    this.farewell(text);
  }

  farewell(text: string): void {
    if (this._closed || this._closing) return;
    this.send(421, `${this.name} ${text}`, farewellStatus[text] ?? '4.7.0');
  }

  makeRoom(): void {
    this.farewell(crowded);
    this._socket.destroySoon();
  }

  destroy(): void {
    this._socket.destroy();
  }

  override close(): void {
    this.#patience.end();
    super.close();
  }

  override _onClose(): void {
    this.#patience.end();
    this.#chunk?.receiver.abort();
    this.#chunk = undefined;
    this.#dropTransfer();
    super._onClose();
  }

  override _armTimeout(): void {
    const { idleTimeout } = this.ours.settings;
    const seconds = this.#turnedAway ? Math.min(idleTimeout, turnedAwaySeconds) : idleTimeout;
    this.#patience.begin(seconds, {
      // While we are at work the client waits for us and may be silent.
      atWork: () => this._handlerPending || this.#filing,
      over: () => this._onTimeout(),
    });
  }

  override _onTimeout(): void {
    if (this._closing) this._socket.destroy();
    else this.farewell('idle for too long');
  }
}
