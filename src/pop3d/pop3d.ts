/**
 * The POP3 door as a component: two listeners (STLS, implicit TLS) and the sessions they bring.
 *
 * Promise: a changed port, certificate or setting is followed without dropping anybody; `stop` ends in time.
 * Spec: RFC 1939, RFC 8314 §3.3
 */

import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { type Clock, type Component, createListener, type Listener, type Live, type Log, type Place } from '../base/index.ts';
import { Connection } from './connection.ts';
import type { Services } from './session.ts';
import type { Pop3dSettings } from './settings.ts';

export interface Pop3dOptions {
  readonly store: Services['store'];
  readonly dit: Services['dit'];
  readonly settings: Live<Pop3dSettings>;
  readonly listeners: { readonly pop3: Live<Place>; readonly pop3s: Live<Place> };
  readonly tls: Live<SecureContextOptions | undefined>;
  readonly log: Log;
  readonly clock: Clock;
  /** This host's name, for the greeting. */
  readonly host: () => string;
  /** False: the address may not connect. */
  readonly admits?: (address: string) => boolean;
}

export interface Pop3d extends Component {
  /** Where it listens now. */
  addresses(): { readonly pop3: ReturnType<Listener['address']>; readonly pop3s: ReturnType<Listener['address']> };
  readonly sessions: number;
}

const graceMs = 5_000;

export function createPop3d(options: Pop3dOptions): Pop3d {
  const { store, dit, settings, tls, log, clock, host } = options;
  const open = new Set<Connection>();
  const services: Services = { store, dit, settings, clock, held: new Set(), canStartTls: () => tls.value !== undefined };
  let stopping = false;

  const serve = (socket: Socket, encrypted: boolean): void => {
    const connection = new Connection({ services, socket, encrypted, certificate: tls, host, log });
    open.add(connection);
    void connection.serve().finally(() => open.delete(connection));
    if (stopping) connection.stop();
  };
  const listener = (name: string, where: Live<Place>, encrypted: boolean): Listener =>
    createListener({
      name,
      where,
      ...(encrypted ? { tls } : {}),
      ...(options.admits ? { admits: options.admits } : {}),
      maxConnections: () => settings.value.maxSessions,
      maxPerAddress: () => settings.value.maxSessionsPerAddress,
      onConnection: (socket) => serve(socket, encrypted),
      onSurplus: (socket) => socket.write('-ERR [SYS/TEMP] too many connections, please try again later\r\n'),
      halfOpen: true,
      log,
      clock,
    });
  const pop3 = listener('POP3D', options.listeners.pop3, false);
  const pop3s = listener('POP3D (TLS)', options.listeners.pop3s, true);

  return {
    name: 'POP3D',
    async start() {
      stopping = false;
      await pop3.start();
      try {
        await pop3s.start();
      } catch (thrown) {
        await pop3.stop(0);
        throw thrown;
      }
    },
    async stop() {
      stopping = true;
      const stopped = Promise.all([pop3.stop(graceMs), pop3s.stop(graceMs)]);
      for (const connection of open) connection.stop();
      await stopped;
    },
    addresses: () => ({ pop3: pop3.address(), pop3s: pop3s.address() }),
    get sessions() {
      return open.size;
    },
  };
}
