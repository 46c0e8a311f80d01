/**
 * One SMTP session with another server: nodemailer's client, with our time-outs and our envelope.
 *
 * Promise: every wait has an end of its own phase, counted from the last command or the last whole reply, so that a peer that
 * dribbles is not waited for; the result says for every recipient what the peer said; a bare CR or LF never goes out. This file
 * and strict-replies.ts alone know the library from the inside; test/smtpc/client.test.ts fails when its inner names change. What came in plain
 * text before the handshake counts for nothing after it, and nothing is sent before the certificate was judged.
 * Spec: RFC 5321 §3.3, §4.5.3.2; RFC 1870; RFC 2920; RFC 3207 §4.2; RFC 3461 §4; RFC 6152; RFC 6531
 */

import { isIP, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import SMTPConnection from 'nodemailer/lib/smtp-connection/index.js';
import type { Cancel } from '../base/index.ts';
import { answerOf, failureOf, oneReply, PeerFailure, type SendError, type TlsTrouble } from './peer-failure.ts';
import type { PeerAnswer, PeerMessage, PeerReply, PeerSession, PhaseTimeouts, SessionOptions } from './peer-session.ts';
import { beStrict, type ReplyParts } from './strict-replies.ts';
import { type Encryption, judge } from './tls/verify.ts';

type Phase = keyof PhaseTimeouts;

/** Far beyond our own: the library's real-time timers are only there so that nothing is forgotten for ever. */
const never = 3 * 3_600_000;
const longestReply = 64 * 1_024;
/** Messages up to this size are handed over whole: it costs less than a stream. */
const wholeAtMost = 64 * 1_024;
/** So long at most, milliseconds, is waited for the first reply over a connection that was idle: it may have broken without a word. */
const firstReplyMs = 20_000;
/** Well below what a socket buffers, so that nobody waits for it to drain while it is corked. */
const oneWriteAtMost = 8 * 1_024;

/** What the library takes in no address, quoted or not. */
const unsendable = /[\r\n<>]/;

interface SendInfo {
  readonly accepted: readonly string[];
  readonly rejectedErrors?: readonly SendError[];
  readonly response: string;
}
/** What the library keeps of the transaction under way: the replies that it has had. */
interface Envelope {
  dsn?: Dsn | undefined;
  readonly mailError?: SendError;
  readonly rejectedErrors?: readonly SendError[];
}
type Dsn = { ret?: string | null; envid?: string | null; notify?: string | null; orcpt?: string | null };

/** The inner parts of the library that are used, as they are in nodemailer 10. */
interface Inner extends ReplyParts {
  _sendCommand(text: string, logged?: string): void;
  _sendRcpt(recipient: string, done: unknown): void;
  _actionGreeting(text: string): void;
  _actionEHLO(text: string): void;
  _actionHELO(text: string): void;
  _upgradeConnection(callback: (error: Error | null, secured?: boolean) => void): void;
  readonly _socket: Socket | TLSSocket;
  readonly _remainder: string;
  _envelope: Envelope | false;
}

const phases: Readonly<Record<string, Phase>> = {
  AUTH: 'helo',
  EHLO: 'helo',
  ETRN: 'helo',
  HELO: 'helo',
  STARTTLS: 'helo',
  MAIL: 'mail',
  RCPT: 'rcpt',
  DATA: 'data',
  RSET: 'mail',
  QUIT: 'quit',
};

/** Greets the peer; PeerFailure where that does not come about. */
export function openSession(options: SessionOptions): Promise<PeerSession> {
  return new Promise((resolve, reject) => {
    const session = new Session(options);
    session.start(
      () => resolve(session),
      (failure) => reject(failure),
    );
  });
}

class Session implements PeerSession {
  readonly host: string;
  readonly ended: Promise<void>;
  readonly #connection: SMTPConnection;
  readonly #inner: Inner;
  readonly #options: SessionOptions;
  #phase: Phase = 'initial';
  /** Of the commands that have no reply yet; several where the peer takes them in a row. The time of the first is running. */
  readonly #awaited: Phase[] = [];
  #timer: Cancel | undefined;
  #message: PeerMessage | undefined;
  /** The last transaction did not come to its end: the peer must be told to forget it. */
  #unfinished = false;
  #envelope: Envelope | undefined;
  /** Ends the transaction that is under way. */
  #cutOff: (why: Error) => void = () => {};
  #dataBegun = false;
  /** Was idle, and nothing has been heard since. */
  #doubtful = false;
  /** Ends a pause. */
  #wake: () => void = () => {};
  /** The peer's reply came in the middle of the message. */
  #outOfStep = false;
  /** Until the peer has greeted us: whoever waits for it. */
  #failed: ((failure: PeerFailure) => void) | undefined;
  #encryption: Encryption | undefined;
  #trouble: TlsTrouble | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.host = options.host;
    const { socket, tls } = options;
    this.#connection = new SMTPConnection({
      connection: socket,
      // Of an address literal the bare address, which is never told in a handshake (RFC 6066 §3).
      host: /^\[(?:IPv6:)?(.+)\]$/i.exec(options.host)?.[1] ?? options.host,
      port: 25,
      secure: tls.atOnce === true,
      name: options.name,
      logger: false,
      ignoreTLS: tls.tls === 'off',
      requireTLS: tls.tls === 'required',
      opportunisticTLS: tls.tls === 'opportunistic',
      // The certificate is judged by ourselves, in #arrangeTls.
      tls: {
        rejectUnauthorized: false,
        checkServerIdentity: () => undefined,
        ...(tls.tls === 'off' ? {} : { secureContext: tls.context() }),
        ...(tls.servername === undefined || isIP(tls.servername) ? {} : { servername: tls.servername }),
      },
      connectionTimeout: never,
      greetingTimeout: never,
      socketTimeout: never,
      maxResponseSize: longestReply,
    });
    this.#inner = this.#connection as unknown as Inner;
    this.ended = new Promise((resolve) => {
      this.#connection.once('end', () => {
        options.told?.closed();
        resolve();
        // The library may forget what it was sending, and tell nobody. What it has to say comes before this.
        setImmediate(() => this.#cutOff(new Error(`${this.host} closed the connection`)));
      });
    });
    this.#arrange();
    this.#arrangeTls();
  }

  get encryption(): Encryption | undefined {
    return this.#encryption;
  }
  get encrypted(): boolean {
    return this.#connection.secure;
  }
  get open(): boolean {
    return !this.#connection.destroyed;
  }
  get extensions(): ReadonlySet<string> {
    // The library keeps the keywords that it uses itself; ETRN is ours.
    const keywords = (this.#inner._ehloLines ?? []).map((line) => line.split(' ', 1)[0]?.toUpperCase() ?? '');
    return new Set([...this.#inner._supportedExtensions, ...keywords]);
  }
  get mechanisms(): readonly string[] {
    const lines = (this.#inner._ehloLines ?? []).flatMap((line) => /^AUTH[ =](.*)$/i.exec(line)?.[1] ?? []);
    return [...new Set(lines.flatMap((line) => line.toUpperCase().split(' ')).filter((one) => one !== ''))];
  }
  get dataBegun(): boolean {
    return this.#dataBegun;
  }
  get maxSize(): number | undefined {
    return this.#inner._maxAllowedSize || undefined;
  }

  start(done: () => void, failed: (failure: PeerFailure) => void): void {
    this.#failed = failed;
    this.#connection.on('error', (error) => {
      this.#rest();
      this.#failed?.(failureOf(error, this.#connection.upgrading === true, this.#trouble));
    });
    this.#connection.on('end', () => {
      this.#rest();
      this.#failed?.(new PeerFailure('the connection was closed', false, undefined));
    });
    this.#watch('initial');
    this.#connection.connect((error) => {
      if (error) {
        failed(failureOf(error, false, this.#trouble));
        return;
      }
      this.#failed = undefined;
      this.#rest();
      done();
    });
  }

  /** Puts our own steps into the library's. */
  #arrange(): void {
    const inner = this.#inner;
    const [sendCommand, sendRcpt, greeted] = [inner._sendCommand, inner._sendRcpt, inner._actionGreeting];
    const createSendStream = inner._createSendStream;
    inner._sendCommand = (text, logged) => {
      const verb = text.split(' ', 1)[0] ?? '';
      const phase = phases[verb] ?? this.#phase;
      if (this.#awaited.push(phase) === 1) this.#watch(phase);
      if (verb === 'MAIL') this.#envelope = inner._envelope || undefined;
      // The library asks for SMTPUTF8 by the addresses alone; the header may need it too.
      const wanting = verb === 'MAIL' && this.#message?.smtputf8 && this.extensions.has('SMTPUTF8') && !text.endsWith(' SMTPUTF8');
      const line = wanting && !text.includes(' SMTPUTF8 ') ? `${text} SMTPUTF8` : text;
      this.#options.told?.sent(line);
      sendCommand.call(inner, line, logged);
    };
    inner._sendRcpt = (recipient, done) => {
      // NOTIFY and ORCPT are a recipient's own; the library keeps one set for all.
      const wanted = this.#message?.recipients.find((one) => one.address === recipient)?.dsn;
      if (inner._envelope)
        inner._envelope.dsn = wanted
          ? { notify: wanted.notify?.join(',').toUpperCase() ?? null, orcpt: wanted.originalRecipient ?? null }
          : undefined;
      sendRcpt.call(inner, recipient, done);
    };
    inner._createSendStream = (done) => {
      const size = this.#message?.size ?? 0;
      this.#dataBegun = true;
      const stream = createSendStream.call(inner, done);
      // Handed over whole: from here on the peer has the time of the end of data.
      if (size <= wholeAtMost) this.#watch('end');
      if (size <= oneWriteAtMost) {
        // The message and the dot behind it in one segment.
        const socket = inner._socket;
        socket.cork();
        stream.once('end', () => socket.uncork());
      }
      return stream;
    };
    beStrict(inner, {
      host: this.host,
      // The peer is alive, and the next reply has its time from here.
      heard: () => {
        this.#doubtful = false;
        this.#awaited.shift();
        this.#watch(this.#awaited[0] ?? this.#phase);
      },
      outOfStep: () => {
        this.#outOfStep = true;
      },
    });
    if (!this.#options.size) {
      const parse = inner._parseEhloExtensions;
      inner._parseEhloExtensions = (text) => {
        parse.call(inner, text);
        inner._supportedExtensions = inner._supportedExtensions.filter((keyword) => keyword !== 'SIZE');
        inner._maxAllowedSize = 0;
      };
    }
    const { told } = this.#options;
    if (told) {
      const process = inner._processResponse;
      inner._processResponse = () => {
        const [reply = ''] = inner._responseQueue;
        if (reply.trim() !== '' && !(inner._responsePartial && inner._responseQueue.length === 1)) told.heard(reply);
        process.call(inner);
      };
    }
    inner._actionGreeting = (text) => {
      // Who must encrypt needs EHLO.
      if (this.#options.esmtp || this.#options.tls.tls === 'required' || !text.startsWith('220')) {
        greeted.call(inner, text);
        return;
      }
      inner._responseActions.push(inner._actionHELO);
      inner._sendCommand(`HELO ${this.#connection.name}`);
    };
  }

  /** Between the handshake and the next command stands what we ask of the certificate. */
  #arrangeTls(): void {
    const inner = this.#inner;
    const { tls, host } = this.#options;
    const [upgrade, ehlo, started] = [inner._upgradeConnection, inner._actionEHLO, inner._actionSTARTTLS];
    inner._actionEHLO = (text) => {
      // 421 ends the session whatever is asked.
      const offered = text.startsWith('421') || /^250[ -]STARTTLS\b/im.test(text);
      if (!offered && !this.#connection.secure)
        this.#trouble = { type: 'starttls-not-supported', text: `${host} does not offer encryption` };
      if (this.#trouble && tls.tls === 'required') inner._onError(new Error(this.#trouble.text), 'ETLS', false, 'STARTTLS');
      else ehlo.call(inner, text);
    };
    inner._actionSTARTTLS = (text) => {
      if (!text.startsWith('2')) this.#trouble = { type: 'starttls-not-supported', text: `${host} refuses encryption: ${oneReply(text)}` };
      started.call(inner, text);
    };
    inner._upgradeConnection = (callback) =>
      upgrade.call(inner, (error, secured) => {
        const judged = error ? undefined : judge(inner._socket as TLSSocket, tls);
        if (judged && 'type' in judged) this.#trouble = judged;
        else this.#encryption = judged;
        callback(error ?? (this.#trouble ? new Error(this.#trouble.text) : null), secured);
      });
  }

  #watch(phase: Phase): void {
    this.#phase = phase;
    this.#timer?.();
    const most = this.#options.timeouts[phase];
    this.#timer = this.#options.clock.after(this.#doubtful ? Math.min(firstReplyMs, most) : most, () =>
      this.#inner._onError(new Error(`${this.host} did not answer in time (${phase})`), 'ETIMEDOUT', false, 'CONN'),
    );
  }

  #rest(): void {
    this.#timer?.();
    this.#timer = undefined;
  }

  async send(message: PeerMessage): Promise<ReadonlyMap<string, PeerAnswer>> {
    const answers = new Map<string, PeerAnswer>();
    // For one such address the library would refuse the message for all.
    for (const { address } of message.recipients)
      if (unsendable.test(address))
        answers.set(address, { kind: 'permanent', said: 'the address cannot be written in SMTP', phase: 'rcpt' });
    const addresses = message.recipients.map((one) => one.address).filter((one) => !answers.has(one));
    if (addresses.length === 0) return answers;
    this.#message = message;
    this.#dataBegun = false;
    try {
      if (this.#unfinished) await this.#reset();
      this.#unfinished = true;
      const info = await this.#transmit(message, addresses);
      this.#unfinished = false;
      for (const address of info.accepted) answers.set(address, { kind: 'taken', said: oneReply(info.response) });
      for (const error of info.rejectedErrors ?? []) if (error.recipient) answers.set(error.recipient, answerOf(error));
    } catch (thrown) {
      const error = thrown as SendError;
      // The peer may be in the middle of the data: nothing more can be said over this connection.
      if (error.responseCode === undefined || this.#outOfStep) this.destroy();
      // A no that was there before the peer hung up is the answer, and not that it did.
      const hungUp = error.responseCode === undefined && (error.code === 'ECONNECTION' || error.code === 'ESOCKET');
      const { mailError, rejectedErrors } = (hungUp && this.#envelope) || error;
      for (const one of rejectedErrors ?? []) if (one.recipient) answers.set(one.recipient, answerOf(one));
      for (const address of addresses) if (!answers.has(address)) answers.set(address, answerOf(mailError ?? error));
    } finally {
      this.#message = undefined;
      this.#envelope = undefined;
      this.#rest();
    }
    for (const address of addresses)
      if (!answers.has(address)) answers.set(address, { kind: 'temporary', said: 'no answer', phase: 'connection' });
    return answers;
  }

  say(line: string): Promise<PeerReply> {
    return new Promise((resolve, reject) => {
      const gone = (): void => reject(new PeerFailure(`${this.host} closed the connection`, false, undefined));
      if (!this.open) {
        gone();
        return;
      }
      this.#connection.once('end', gone);
      this.#inner._responseActions.push((text) => {
        this.#connection.off('end', gone);
        this.#rest();
        resolve({ code: Number(text.slice(0, 3)), text: oneReply(text.trimEnd()).replace(/^\d{3}[ -]?/, '') });
      });
      this.#inner._sendCommand(line);
    });
  }

  #reset(): Promise<void> {
    return new Promise((resolve, reject) => {
      const gone = (): void => reject(new Error(`${this.host} closed the connection`));
      this.#connection.once('end', gone);
      this.#connection.reset((error) => {
        this.#connection.off('end', gone);
        if (error) reject(Object.assign(new Error(error.message), { command: 'RSET' }));
        else resolve();
      });
    });
  }

  async #transmit(message: PeerMessage, addresses: readonly string[]): Promise<SendInfo> {
    const dsn = {
      ...(message.ret ? { ret: message.ret.toUpperCase() } : {}),
      ...(message.envelopeId === undefined ? {} : { envid: message.envelopeId }),
    };
    const envelope = { from: message.sender, to: [...new Set(addresses)], size: message.size, use8BitMime: message.eightBit, dsn };
    const content = message.size <= wholeAtMost ? await gathered(message.content()) : this.#measured(message.content());
    return await new Promise((resolve, reject) => {
      this.#cutOff = reject;
      const given = Buffer.isBuffer(content)
        ? content
        : Readable.from(content, { objectMode: false, highWaterMark: this.#options.dataBuffer });
      this.#connection.send(envelope as never, given, (error, info) => {
        // What the message is read from is let go in any case.
        if (!Buffer.isBuffer(given)) given.destroy();
        if (error) reject(error);
        else resolve(info as unknown as SendInfo);
      });
    });
  }

  /** Every piece the socket takes begins a new wait; after the last one the peer has the time of the end of data. */
  async *#measured(content: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    this.#watch('block');
    for await (const chunk of content) {
      this.#watch('block');
      yield chunk;
    }
    this.#watch('end');
  }

  pause(gone: () => void): boolean {
    if (!this.#isQuiet()) return false;
    const socket = this.#inner._socket;
    // The library has had it by then: it has ended the session at a 421, and may do nothing at half a line.
    const said = (): void => this.destroy();
    socket.on('data', said);
    this.#connection.once('end', gone);
    this.#wake = () => {
      socket.off('data', said);
      this.#connection.off('end', gone);
      this.#wake = () => {};
    };
    return true;
  }

  resume(): boolean {
    this.#wake();
    this.#doubtful = true;
    return this.#isQuiet();
  }

  /** Both may still speak, the peer owes no reply, and has said nothing but what was read. */
  #isQuiet(): boolean {
    const { _socket: socket, _remainder: rest, _responseQueue: replies, _responseActions: owed } = this.#inner;
    const speaking = this.open && socket.writable && socket.readable;
    return speaking && owed.length === 0 && this.#awaited.length === 0 && rest === '' && replies.length === 0;
  }

  quit(): void {
    this.#wake();
    if (!this.open) return;
    this.#connection.quit();
  }

  destroy(): void {
    this.#rest();
    this.#connection.close();
    this.#options.socket.destroy();
    // The library forgets what it was sending, and tells nobody.
    this.#cutOff(new Error(`the connection to ${this.host} was cut off`));
  }
}

async function gathered(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}
