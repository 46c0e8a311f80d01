/**
 * A door with two ports, one that begins in the clear and one with TLS from the first octet, and one session for each connection.
 *
 * Promise: a changed port, certificate or limit is followed without dropping anybody; where one port cannot be had the other one is not
 * left open; `stop` asks every session to end, and ends in time. What is said in a session is the door's own business.
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
const farewell = 'server is shutting down';
const revoked = 'this account may no longer be used';

export function createSessionDoor(options: SessionDoorOptions): SessionDoor {
  const { name, limits, log, clock } = options;
  const sessions = new Set<DoorSession>();
  let stopping = false;
  let unsubscribe: Cancel = () => {};

  const expel = (account: string): void => {
    for (const session of sessions) if (session.account === account) session.stop(revoked);
  };
  const serve = (socket: Socket | TLSSocket, encrypted: boolean): void => {
    const session = options.open(socket, encrypted);
    sessions.add(session);
    void session.serve().finally(() => sessions.delete(session));
    if (stopping) session.stop(farewell);
  };
  const listener = (label: string, where: Live<Place>, encrypted: boolean): Listener =>
    createListener({
      name: label,
      where,
      ...(encrypted ? { tls: options.tls } : {}),
      ...(options.admits ? { admits: options.admits } : {}),
      maxConnections: () => limits().maxSessions,
      maxPerAddress: () => limits().maxSessionsPerAddress,
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
      for (const session of sessions) session.stop(farewell);
      await stopped;
    },
    problem: () => plain.problem ?? tls.problem,
    addresses: () => ({ plain: plain.address(), tls: tls.address() }),
    get sessions() {
      return sessions.size;
    },
  };
}
