/**
 * One connection to an LDAP server: messages out, answers in, many operations at once.
 *
 * Promise: every question ends: with the server's answer, or with a DirectoryFault `unavailable` when the connection is lost, the
 * time is up or the asker gives up (the operation is then abandoned). What the server sends has a limit for each message; octets
 * that are no LDAP end the connection. Passwords are never part of a fault.
 * Spec: RFC 4511 §4, §5; RFC 4513 §3
 */

import { connect as connectTcp, isIP, type NetConnectOpts, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { type Cancel, type Clock, systemClock } from '../base/index.ts';
import { DirectoryFault } from '../directory/index.ts';
import {
  type Control,
  decodeResponse,
  encodeRequest,
  Framer,
  type LdapResult,
  noticeOfDisconnection,
  type Request,
  type Response,
} from '../ldap-wire/index.ts';
import { faultOf } from './results.ts';

export type LdapPlace = { readonly path: string } | { readonly host: string; readonly port: number };

export interface ConnectionSettings {
  /** Milliseconds to wait for the connection, and for TLS. */
  readonly timeoutMs?: number;
  /** TLS from the first octet. */
  readonly tls?: ConnectionOptions | undefined;
  /** Octets of one message at most. */
  readonly answerLimit?: number;
  readonly clock?: Clock;
}

/** Entries, references and intermediate responses: what comes before the result. */
export type Partial = Exclude<Response, { readonly result: LdapResult }>;
export type Final = Extract<Response, { readonly result: LdapResult }>;

export interface Asking {
  readonly controls?: readonly Control[];
  /** Milliseconds without a message for this operation; 0 waits for ever. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Octets of all messages before the result at most. */
  readonly mostOctets?: number;
  /** What it throws fails this operation alone. `octets` is the size of the message. */
  readonly onPartial?: (response: Partial, controls: readonly Control[], octets: number) => void;
}

export interface Answer {
  readonly response: Final;
  readonly controls: readonly Control[];
}

interface Waiting {
  readonly op: Request['op'];
  octets: number;
  readonly asking: Asking;
  resolve(answer: Answer): void;
  reject(thrown: unknown): void;
  rearm(): void;
  end(): void;
}

const startTlsOid = '1.3.6.1.4.1.1466.20037';
const defaultAnswerLimit = 256 * 1024 * 1024;
const noControls: readonly Control[] = [];
/** A connection over which nothing came for so long, and an answer is due, is given up. */
const silentMs = 2_000;
/** Octets not sent yet by which a request is a large one. */
const largeRequest = 1_048_576;

export class LdapConnection {
  readonly place: LdapPlace;
  readonly #clock: Clock;
  readonly #answerLimit: number;
  readonly #waiting = new Map<number, Waiting>();
  readonly #onLost: ((fault: DirectoryFault) => void)[] = [];
  #socket: Socket;
  #framer = new Framer();
  #nextId = 1;
  #lost: DirectoryFault | undefined;
  /** StartTLS was asked for: what comes behind the next message is not read as LDAP. */
  #halting = false;
  /** When the server was last heard. */
  heardAt: number;

  private constructor(place: LdapPlace, socket: Socket, settings: ConnectionSettings) {
    this.place = place;
    this.#clock = settings.clock ?? systemClock;
    this.#answerLimit = settings.answerLimit ?? defaultAnswerLimit;
    this.heardAt = this.#clock.now();
    this.#socket = socket;
    this.#listen(socket);
  }

  /** DirectoryFault `unavailable` where nobody answers, or the server's certificate is not to be trusted. */
  static async connect(place: LdapPlace, settings: ConnectionSettings = {}): Promise<LdapConnection> {
    const socket = settings.tls
      ? await opened(connectTls({ ...tlsOptions(place, settings.tls), ...place } as ConnectionOptions), 'secureConnect', place, settings)
      : await opened(connectTcp({ ...place, noDelay: true } as NetConnectOpts), 'connect', place, settings);
    socket.setKeepAlive(true, 15_000);
    return new LdapConnection(place, socket, settings);
  }

  /** StartTLS (RFC 4511 §4.14): nothing else may be under way. */
  async startTls(options: ConnectionOptions, timeoutMs = 10_000): Promise<void> {
    this.#halting = true;
    try {
      succeed(await this.ask({ op: 'extended', oid: startTlsOid, value: undefined }, { timeoutMs, mostOctets: 65_536 }));
    } catch (thrown) {
      // Nobody goes on in the clear by mistake.
      this.#end(thrown);
      throw thrown;
    }
    this.#halting = false;
    const plain = this.#socket;
    // Octets behind the answer were sent by whoever sits in between: RFC 4511 §4.14.1.
    if (this.#framer.waiting > 0) throw this.#end(new Error('plain octets behind the answer to StartTLS'));
    for (const event of ['data', 'error', 'close']) plain.removeAllListeners(event);
    const settings = { timeoutMs, clock: this.#clock };
    try {
      this.#socket = await opened(connectTls({ ...tlsOptions(this.place, options), socket: plain }), 'secureConnect', this.place, settings);
    } catch (thrown) {
      plain.destroy();
      this.#end(thrown);
      throw thrown;
    }
    this.#listen(this.#socket);
  }

  #listen(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (cause) => this.#end(cause));
    socket.on('close', () => this.#end(undefined));
  }

  /** Set once the connection is over. */
  get lost(): DirectoryFault | undefined {
    return this.#lost;
  }

  /** Operations under way. */
  get outstanding(): number {
    return this.#waiting.size;
  }

  onLost(listener: (fault: DirectoryFault) => void): void {
    if (this.#lost) listener(this.#lost);
    else this.#onLost.push(listener);
  }

  /** The server's answer, whatever its result code. */
  ask(request: Request, asking: Asking = {}): Promise<Answer> {
    if (this.#lost) return Promise.reject(this.#lost);
    if (asking.signal?.aborted) return Promise.reject(givenUp());
    const id = this.#id();
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, this.#wait(id, request.op, asking, resolve, reject));
      this.#socket.write(encodeRequest(id, request, asking.controls ?? noControls));
    });
  }

  #id(): number {
    while (this.#waiting.has(this.#nextId)) this.#nextId++;
    const id = this.#nextId++;
    if (this.#nextId > 0x7ffffff0) this.#nextId = 1;
    return id;
  }

  #wait(id: number, op: Request['op'], asking: Asking, resolve: (answer: Answer) => void, reject: (thrown: unknown) => void): Waiting {
    const { signal, timeoutMs = 0 } = asking;
    let cancel: Cancel = () => {};
    const abort = (): void => this.#abandon(id, givenUp());
    const late = (): void => {
      const fault = new DirectoryFault('unavailable', 'the directory does not answer in time');
      // Something in between may have forgotten this connection: whoever asks next gets another one.
      if (this.#clock.now() - this.heardAt >= Math.max(timeoutMs, silentMs)) this.#end(fault);
      else this.#abandon(id, fault);
    };
    const rearm = (): void => {
      cancel();
      if (timeoutMs > 0) cancel = this.#clock.after(timeoutMs, late);
    };
    rearm();
    signal?.addEventListener('abort', abort, { once: true });
    const end = (): void => {
      cancel();
      signal?.removeEventListener('abort', abort);
    };
    return { op, octets: 0, asking, resolve, reject, rearm, end };
  }

  #abandon(id: number, fault: unknown): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    waiting.end();
    if (!this.#lost) this.#socket.write(encodeRequest(this.#id(), { op: 'abandon', target: id }));
    waiting.reject(fault);
  }

  #read(chunk: Buffer): void {
    this.heardAt = this.#clock.now();
    try {
      this.#framer.push(chunk);
      for (;;) {
        const octets = this.#framer.next(this.#answerLimit);
        if (!octets || this.#lost) return;
        const { id, body, controls } = decodeResponse(octets);
        this.#answer(id, body, controls, octets.length);
        if (this.#halting) return;
      }
    } catch (cause) {
      this.#end(cause);
    }
  }

  #answer(id: number, response: Response, controls: readonly Control[], octets: number): void {
    const waiting = this.#waiting.get(id);
    if (id === 0 && response.op === 'extended' && response.oid === noticeOfDisconnection) {
      const why = response.result.diagnostic || `result ${response.result.code}`;
      this.#end(new Error(`the server ends the connection: ${why}`), `the directory ended the connection: ${why.slice(0, 500)}`);
    } else if (!waiting) return;
    else if ('result' in response) {
      // Whatever it means, it is not that what was asked for has been done.
      if (response.op !== waiting.op) throw new Error(`the server answers ${waiting.op} by a result of ${response.op}`);
      this.#waiting.delete(id);
      waiting.end();
      waiting.resolve({ response, controls });
    } else {
      waiting.rearm();
      waiting.octets += octets;
      try {
        if (waiting.octets > (waiting.asking.mostOctets ?? Number.POSITIVE_INFINITY)) throw tooMuch();
        waiting.asking.onPartial?.(response, controls, octets);
      } catch (thrown) {
        this.#abandon(id, thrown);
      }
    }
  }

  /** Ends it at once; everything under way fails with `unavailable`. */
  destroy(cause: unknown): void {
    this.#end(cause);
  }

  #end(cause: unknown, say?: string): DirectoryFault {
    if (this.#lost) return this.#lost;
    // A server may cut off what is too large for it before its reason can be read.
    const large =
      this.#socket.writableLength > largeRequest
        ? ' while a large request was sent: a value may be larger than it takes (mtLdapdMaxMessage)'
        : '';
    const why = cause instanceof Error ? `: ${cause.message}` : '';
    this.#lost = new DirectoryFault('unavailable', say ?? `the connection to the directory was lost${large}`, {
      cause: new Error(`${nameOf(this.place)}${why}`, { cause }),
    });
    this.#socket.destroy();
    for (const waiting of this.#waiting.values()) {
      waiting.end();
      waiting.reject(this.#lost);
    }
    this.#waiting.clear();
    for (const listener of this.#onLost.splice(0)) listener(this.#lost);
    return this.#lost;
  }

  /** Unbinds. */
  close(): void {
    if (this.#lost) return;
    this.#socket.write(encodeRequest(this.#id(), { op: 'unbind' }));
    this.#socket.destroySoon();
  }
}

/** How a place is called in messages. */
export function nameOf(place: LdapPlace): string {
  return 'path' in place ? place.path : `${place.host} port ${place.port}`;
}

const tooMuch = (): DirectoryFault => new DirectoryFault('adminLimitExceeded', 'the directory sends more than can be taken at once');
const givenUp = (): DirectoryFault => new DirectoryFault('canceled', 'given up by whoever asked');

function tlsOptions(place: LdapPlace, options: ConnectionOptions): ConnectionOptions {
  const named = 'host' in place && isIP(place.host) === 0 ? { servername: place.host } : {};
  // RFC 4513 §3.1.3: the certificate must be for the host that was asked for.
  return { minVersion: 'TLSv1.2', ...named, ...('host' in place ? { host: place.host } : {}), ...options };
}

function opened(
  socket: Socket | TLSSocket,
  event: 'connect' | 'secureConnect',
  place: LdapPlace,
  { timeoutMs = 10_000, clock = systemClock }: ConnectionSettings,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const done = (cause?: unknown): void => {
      cancel();
      socket.removeAllListeners('error');
      socket.removeAllListeners('close');
      socket.removeAllListeners(event);
      if (cause === undefined) {
        resolve(socket);
        return;
      }
      socket.on('error', () => {});
      socket.destroy();
      const { code, message } = cause as NodeJS.ErrnoException;
      const untrusted = event === 'secureConnect' && code !== undefined && !/^E[A-Z]+$/.test(code);
      const say = untrusted
        ? `the certificate of the LDAP server at ${nameOf(place)} is not accepted: ${message}`
        : `${code === 'EACCES' ? 'this user may not open' : 'no LDAP server answers at'} ${nameOf(place)}`;
      reject(new DirectoryFault('unavailable', say, { cause: new Error(message, { cause }) }));
    };
    const cancel = clock.after(timeoutMs, () => done(new Error(`no answer within ${timeoutMs} ms`)));
    socket.once('error', (cause) => done(cause));
    socket.once('close', () => done(new Error('closed by the other side')));
    socket.once(event, () => done());
  });
}

/** The answer where it is a success (or a yes or no); its result as a DirectoryFault otherwise. */
export function succeed(answer: Answer): Answer {
  const fault = faultOf(answer.response.result);
  if (fault) throw fault;
  return answer;
}
