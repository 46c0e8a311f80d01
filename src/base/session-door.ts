/**
 * A door with two ports, one that begins in the clear and one with TLS from the first octet, and one session for each connection.
 *
 * Promise: a changed port, certificate or limit is followed without dropping anybody; where one port cannot be had the other one is not
 * left open; where all connections of a port are taken, the one that has been there longest without logging in makes room; `stop` asks
 * every session to end, and ends in time. What is said in a session is the door's own business.
 * Spec: RFC 8314 §3
 */

import type { Socket } from 'node:net';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import type { Cancel, Clock } from './clock.ts';
import type { Component } from './component.ts';
import { createListener, type Listener } from './listener.ts';
import type { Place } from './listener-bind.ts';
import type { Live } from './live.ts';
import type { Log } from './log.ts';

export interface DoorSession {
  /** Until the connection has ended; never rejects. */
  serve(): Promise<void>;
  /** Ends as soon as nothing is half said. */
  stop(why: string): void;
  /** Whose session it is, once somebody has logged in. */
  readonly account: string | undefined;
}

/** What such a door is given by whoever builds it, whatever is said behind it. */
export interface SessionDoorNeeds {
  /** Certificate and key. While there are none the TLS port is closed. */
  readonly tls: Live<SecureContextOptions | undefined>;
  /** False: the address may not connect. */
  readonly admits?: (address: string) => boolean;
  /** Tells of accounts that may no longer be used: their sessions end. */
  readonly revoked?: (listener: (account: string) => void) => Cancel;
  readonly log: Log;
  readonly clock: Clock;
}

export interface SessionDoorOptions extends SessionDoorNeeds {
  /** The component's name, and that of its ports in the log. */
  readonly name: string;
  readonly listeners: { readonly plain: Live<Place>; readonly tls: Live<Place> };
  /** Connections at one time, for each port. */
  readonly limits: () => { readonly maxSessions: number; readonly maxSessionsPerAddress: number };
  /** What one connection too many is told, line end included. */
  readonly surplus: string;
  readonly open: (socket: Socket | TLSSocket, encrypted: boolean) => DoorSession;
}

export interface SessionDoor extends Component {
  problem(): string | undefined;
  /** Where it listens now. */
  addresses(): { readonly plain: ReturnType<Listener['address']>; readonly tls: ReturnType<Listener['address']> };
  readonly sessions: number;
}

/** Sessions get so long to end at a stop, in milliseconds. */
const graceMs = 5_000;
/** So long, in milliseconds, a connection may be there before it makes room for another. */
const unknownMs = 10_000;
/** When nobody was found who makes room, the next look comes so much later. */
const lookAgainMs = 250;
const crowded = 'too many connections, please try again later';
const farewell = 'server is shutting down';
const revoked = 'this account may no longer be used';

export function createSessionDoor(options: SessionDoorOptions): SessionDoor {
  const { name, limits, log, clock } = options;
  /** In the order in which they came. */
  const sessions = new Map<DoorSession, { readonly since: number; readonly encrypted: boolean }>();
  let stopping = false;
  let unsubscribe: Cancel = () => {};

  const expel = (account: string): void => {
    for (const session of sessions.keys()) if (session.account === account) session.stop(revoked);
  };
  const serve = (socket: Socket | TLSSocket, encrypted: boolean): void => {
    const session = options.open(socket, encrypted);
    sessions.set(session, { since: clock.now(), encrypted });
    void session.serve().finally(() => sessions.delete(session));
    if (stopping) session.stop(farewell);
  };
  let nextLook = 0;
  /** For anybody new on the same port. Who has logged in stays. */
  const makeRoom = (encrypted: boolean): boolean => {
    const now = clock.now();
    if (now < nextLook) return false;
    for (const [session, came] of sessions) {
      if (now - came.since < unknownMs) break;
      if (session.account !== undefined || came.encrypted !== encrypted) continue;
      sessions.delete(session);
      session.stop(crowded);
      return true;
    }
    if (encrypted && tls.endHandshake(undefined, performance.now() - unknownMs)) return true;
    nextLook = now + lookAgainMs;
    return false;
  };
  const listener = (label: string, where: Live<Place>, encrypted: boolean): Listener =>
    createListener({
      name: label,
      where,
      ...(encrypted ? { tls: options.tls } : {}),
      ...(options.admits ? { admits: options.admits } : {}),
      maxConnections: () => limits().maxSessions,
      maxPerAddress: () => limits().maxSessionsPerAddress,
      makeRoom: (client) => client === undefined && makeRoom(encrypted),
      onConnection: (socket) => serve(socket, encrypted),
      onSurplus: (socket) => socket.write(options.surplus),
      halfOpen: true,
      log,
      clock,
    });
  const plain = listener(name, options.listeners.plain, false);
  const tls = listener(`${name} (TLS)`, options.listeners.tls, true);

  return {
    name,
    async start() {
      stopping = false;
      await plain.start();
      try {
        await tls.start();
      } catch (thrown) {
        await plain.stop(0);
        throw thrown;
      }
      unsubscribe = options.revoked?.(expel) ?? unsubscribe;
    },
    async stop() {
      stopping = true;
      unsubscribe();
      const stopped = Promise.all([plain.stop(graceMs), tls.stop(graceMs)]);
      for (const session of sessions.keys()) session.stop(farewell);
      await stopped;
    },
    problem: () => plain.problem ?? tls.problem,
    addresses: () => ({ plain: plain.address(), tls: tls.address() }),
    get sessions() {
      return sessions.size;
    },
  };
}
