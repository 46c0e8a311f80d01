/**
 * The IMAP door as a component: two listeners (STARTTLS, implicit TLS) and the sessions they bring.
 *
 * Promise: a changed port, certificate or setting is followed without dropping anybody; `stop` says BYE to everybody and ends in time.
 * Spec: RFC 3501, RFC 8314 §3.2
 */

import type { Socket } from 'node:net';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { type Clock, type Component, createListener, type Listener, type Live, type Log, type Place } from '../base/index.ts';
import type { Dit } from '../dit/index.ts';
import type { Blobs } from '../storage/index.ts';
import type { Store } from '../store/index.ts';
import { Connection } from './connection.ts';
import type { Services } from './session.ts';
import type { ImapdSettings } from './settings.ts';

export interface ImapdOptions {
  readonly store: Store;
  /** Where appended messages are written. */
  readonly blobs: Pick<Blobs, 'create'>;
  readonly dit: Pick<Dit, 'login'>;
  readonly settings: Live<ImapdSettings>;
  readonly listeners: { readonly imap: Live<Place>; readonly imaps: Live<Place> };
  readonly tls: Live<SecureContextOptions | undefined>;
  readonly log: Log;
  readonly clock: Clock;
  /** This host's name, for the greeting. */
  readonly host: () => string;
  /** False: the address may not connect. */
  readonly admits?: (address: string) => boolean;
}

export interface Imapd extends Component {
  /** Where it listens now. */
  addresses(): { readonly imap: ReturnType<Listener['address']>; readonly imaps: ReturnType<Listener['address']> };
  readonly sessions: number;
}

const graceMs = 5_000;

export function createImapd(options: ImapdOptions): Imapd {
  const { settings, log, clock, tls } = options;
  const open = new Set<Connection>();
  const services: Services = { ...options, canStartTls: () => tls.value !== undefined };
  let stopping = false;

  const serve = (socket: Socket | TLSSocket, encrypted: boolean): void => {
    const connection = new Connection({ services, socket, encrypted, certificate: tls, log });
    open.add(connection);
    void connection.serve().finally(() => open.delete(connection));
    if (stopping) connection.stop('server is shutting down');
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
      onSurplus: (socket) => socket.write('* BYE [LIMIT] too many connections, please try again later\r\n'),
      halfOpen: true,
      log,
      clock,
    });
  const imap = listener('IMAPD', options.listeners.imap, false);
  const imaps = listener('IMAPD (TLS)', options.listeners.imaps, true);

  return {
    name: 'IMAPD',
    async start() {
      stopping = false;
      await imap.start();
      try {
        await imaps.start();
      } catch (thrown) {
        await imap.stop(0);
        throw thrown;
      }
    },
    async stop() {
      stopping = true;
      const stopped = Promise.all([imap.stop(graceMs), imaps.stop(graceMs)]);
      for (const connection of open) connection.stop('server is shutting down');
      await stopped;
    },
    addresses: () => ({ imap: imap.address(), imaps: imaps.address() }),
    get sessions() {
      return open.size;
    },
  };
}
