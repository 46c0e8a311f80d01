/**
 * SMTPD: the door through which mail comes in, on up to three ports.
 *
 * Promise: settings, addresses and certificate may change while it runs: connections opened afterwards see the new ones, open ones
 * live on; `stop` lets messages that are in be filed and ends within ten seconds. What is said over a connection is in
 * commands/ and receive.ts.
 * Source: manual chapter 3 "SMTPD", chapter 6 "SMTPD Options"
 */

import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import {
  type Clock,
  type Component,
  createListener,
  type Listener,
  type Live,
  LiveValue,
  type Log,
  type Place,
  peerAddress,
  type Resolver,
  systemClock,
} from '../base/index.ts';
import type { MtaPolicy } from '../dit/index.ts';
import type { MailAuthentication } from '../mail-auth/index.ts';
import type { Queue } from '../queue/index.ts';
import type { Blobs, KeyValue } from '../storage/index.ts';
import { type Conversation, createEngine, type Engine } from './adapter.ts';
import { handshakeMs, leastUseful } from './crowd.ts';
import { LoginGuard, logIn } from './login.ts';
import { connectionRefusal } from './policy/client.ts';
import { DailyCounts } from './policy/daily.ts';
import { Rates } from './policy/rates.ts';
import { createScram } from './scram.ts';
import type { House, Judge, ListenerKind, Session, SmtpdDit, SmtpdSettings } from './session.ts';

export interface SmtpdOptions {
  readonly queue: Queue;
  readonly blobs: Blobs;
  readonly judge: Judge;
  readonly dit: SmtpdDit;
  readonly resolver: Resolver;
  /** SPF, DKIM and their kin; absent: mail is taken as it is. */
  readonly authentication?: MailAuthentication;
  /** Where the users' daily counts are kept: with the queue, as both change in one commit. */
  readonly keyValue: KeyValue;
  /** Name of the entry that holds the settings, for the log. */
  readonly settingsEntry: string;
  readonly settings: Live<SmtpdSettings>;
  readonly listeners: { readonly [K in ListenerKind]: Live<Place> };
  /** Certificate and key; undefined: no STARTTLS, and the smtps port stays closed. */
  readonly tls: Live<SecureContextOptions | undefined>;
  readonly mta: Live<MtaPolicy>;
  readonly log: Log;
  readonly clock?: Clock;
  /** Octets free where the queue is kept. */
  readonly freeSpace?: () => Promise<number | undefined>;
}

export interface Smtpd extends Component {
  /** The port a listener has at the moment, undefined while it is closed. */
  port(kind: ListenerKind): number | undefined;
  /** Open connections. */
  readonly connections: number;
}

const kinds: readonly ListenerKind[] = ['smtp', 'submission', 'smtps'];
/** Of the ten seconds that `stop` has. */
const graceMs = 8_000;
const freeSpaceMs = 2_000;
/** When nobody was found who makes room, the next look comes so much later. */
const lookAgainMs = 250;

export function createSmtpd(options: SmtpdOptions): Smtpd {
  const clock = options.clock ?? systemClock;
  const { log, settings } = options;
  const house: House = {
    ...options,
    clock,
    rates: new Rates(),
    daily: new DailyCounts(options.keyValue, clock, log),
    freeSpace: remembered(options.freeSpace ?? (async () => undefined), clock),
  };
  const guard = new LoginGuard();
  const open = new Set<Conversation>();
  const certificate = new LiveValue<SecureContextOptions | undefined>(undefined);
  let cancel: () => void = () => {};
  let stopping = false;
  let engine: Engine | undefined;

  const trust = (offered: SecureContextOptions | undefined): void => {
    try {
      if (offered) engine?.useCertificate(offered);
      certificate.set(offered);
    } catch (thrown) {
      log.error(`the certificate cannot be used${certificate.value ? ', the old one is kept' : ''}`, thrown);
    }
  };
  const serve = (kind: ListenerKind, socket: Socket | TLSSocket): void => {
    const session = newSession(kind, socket, house, settings.value, () => settings.value.offerStartTls && certificate.value !== undefined);
    const conversation = (engine as Engine).serve(socket, session, connectionRefusal(session));
    open.add(conversation);
    log.smtp(`${session.id} connection from [${session.address}] to ${kind}`);
    socket.once('close', () => {
      open.delete(conversation);
      log.smtp(`${session.id} closed`);
    });
    if (stopping) conversation.farewell('closing down');
  };
  const others = (kind: ListenerKind): number =>
    kinds.reduce((sum, one) => (one === kind ? sum : sum + (listeners.get(one)?.connections ?? 0)), 0);
  const unlimited = (most: number): number => (most === 0 ? Number.POSITIVE_INFINITY : most);
  /** What port 25 leaves to users, whatever strangers do. */
  const kept = (kind: ListenerKind): number => (kind === 'smtp' ? Math.floor(settings.value.maxSessions / 10) : 0);
  let nextLook = 0;
  /** Strangers on port 25 make room for one another; for a user, anybody who has not logged in does. */
  const makeRoom = (kind: ListenerKind): boolean => {
    const now = clock.now();
    if (now < nextLook) return false;
    const found = leastUseful(open, now, kind === 'smtp' ? kind : undefined);
    found?.makeRoom();
    if (found || (kind !== 'smtp' && listeners.get('smtps')?.endHandshake(undefined, performance.now() - handshakeMs))) return true;
    nextLook = now + lookAgainMs;
    return false;
  };
  const listen = (kind: ListenerKind): Listener =>
    createListener({
      name: `SMTPD (${kind})`,
      where: options.listeners[kind],
      ...(kind === 'smtps' ? { tls: certificate } : {}),
      maxConnections: () => unlimited(settings.value.maxSessions) - Math.max(others(kind), kept(kind)),
      maxPerAddress: () => unlimited(settings.value.maxSessionsPerAddress),
      makeRoom: (client) => client === undefined && makeRoom(kind),
      onConnection: (socket) => serve(kind, socket),
      // Exim sends the final dot and QUIT, closes its half and waits for what we say to the message.
      halfOpen: true,
      onSurplus: (socket) => void socket.write(`421 4.3.2 ${options.mta.value.host} too many connections, try again later\r\n`),
      log,
      clock,
    });
  const listeners = new Map<ListenerKind, Listener>();

  return {
    name: 'SMTPD',
    async start() {
      stopping = false;
      engine = createEngine({
        host: () => options.mta.value.host,
        login: (session, name, password) => logIn(session, name, password, guard),
        scram: (session) => createScram(session, guard),
        closing: () => stopping,
      });
      trust(options.tls.value);
      cancel = options.tls.onChange(trust);
      for (const kind of kinds) listeners.set(kind, listen(kind));
      try {
        for (const listener of listeners.values()) await listener.start();
      } catch (thrown) {
        await this.stop();
        throw thrown;
      }
    },
    async stop() {
      stopping = true;
      cancel();
      for (const conversation of open) if (!conversation.filing) conversation.farewell('closing down');
      await Promise.all([...listeners.values()].map((listener) => listener.stop(graceMs)));
      listeners.clear();
    },
    problem: () => [...listeners.values()].find(({ problem }) => problem !== undefined)?.problem,
    port(kind) {
      const address = listeners.get(kind)?.address();
      return typeof address === 'object' ? address.port : undefined;
    },
    get connections() {
      return open.size;
    },
  };
}

function newSession(
  kind: ListenerKind,
  socket: Socket | TLSSocket,
  house: House,
  settings: SmtpdSettings,
  canStartTls: () => boolean,
): Session {
  const session: Session = {
    id: randomUUID().slice(0, 8),
    kind,
    house,
    settings,
    address: peerAddress(socket),
    port: socket.remotePort ?? 0,
    state: { at: 'start' },
    tls: 'encrypted' in socket && socket.encrypted === true,
    canStartTls: () => !session.tls && canStartTls(),
    user: undefined,
    loginFailures: 0,
  };
  return session;
}

/** Asks at most every two seconds, and once for all who ask meanwhile. */
function remembered(ask: () => Promise<number | undefined>, clock: Clock): () => Promise<number | undefined> {
  let answer: Promise<number | undefined> | undefined;
  let at = 0;
  return () => {
    if (!answer || clock.now() - at >= freeSpaceMs) {
      at = clock.now();
      answer = ask();
      answer.catch(() => {
        answer = undefined;
      });
    }
    return answer;
  };
}
