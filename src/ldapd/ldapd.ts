/**
 * The LDAP door as a component: its listeners (LDAP, LDAPS, Unix socket) and the connections they bring.
 *
 * Promise: a surplus connection is told so (Notice of Disconnection, busy); stopping tells everybody and ends in time.
 * It speaks for any implementation of the Directory port; entries, schema and rights are that one's business.
 * Spec: RFC 4511 §4.4.1, §5
 */

import type { AddressInfo } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import {
  type Clock,
  type Component,
  constant,
  createListener,
  type Listener,
  type Live,
  type Log,
  type Place,
  systemClock,
} from '../base/index.ts';
import type { Actor, Directory, Followed } from '../directory/index.ts';
import type { Dn } from '../ldap-wire/index.ts';
import type { Virtual } from './command.ts';
import { Crowd } from './crowd.ts';
import { AllCursors } from './cursors.ts';
import { Unsent } from './outbox.ts';
import { noticeMessage } from './results.ts';
import { Session } from './session.ts';
import type { LdapdSettings } from './settings.ts';
import { Standing } from './standing.ts';
import { Staying } from './staying.ts';
import { Turns } from './turns.ts';

export type TlsMaterial = SecureContextOptions | undefined;

export interface LdapdOptions {
  readonly directory: Directory;
  /** Synchronisation and persistent search; without it their controls are refused. */
  readonly followed?: Followed;
  /** Root DSE, subschema and other computed entries. */
  readonly virtual?: Virtual;
  readonly settings: Live<LdapdSettings>;
  /** Where to listen; what is left out is off. `ldapi` is a Unix socket. */
  readonly listen: { readonly ldap?: Live<Place>; readonly ldaps?: Live<Place>; readonly ldapi?: Live<Place> };
  /** Certificate and key, for LDAPS and StartTLS. */
  readonly tls?: Live<TlsMaterial>;
  /** Who SASL EXTERNAL on the Unix socket is: only the server's own user can open it. */
  readonly external?: Actor;
  /** The entry that SASL PLAIN by a name or an address logs in as; always a name, be it of nobody. */
  readonly userNamed?: (name: string) => Promise<Dn>;
  readonly log: Log;
  readonly clock?: Clock;
}

export interface Ldapd extends Component {
  /** Where it listens now. */
  addresses(): Readonly<Record<'ldap' | 'ldaps' | 'ldapi', AddressInfo | string | undefined>>;
  /** Open connections. */
  readonly connections: number;
}

const off = constant<Place>('off');
const noTls = constant<TlsMaterial>(undefined);
/** Operations in work get so long at a stop, and connections a little longer, in milliseconds. */
const finishMs = 5_000;
const stopMs = 7_000;

export function createLdapd(options: LdapdOptions): Ldapd {
  const { settings, log } = options;
  const clock = options.clock ?? systemClock;
  const tls = options.tls ?? noTls;
  const sessions = new Set<Session>();
  const staying = new Staying(() => settings.value.maxPersistentAll);
  const crowd = new Crowd(clock);
  const cursors = new AllCursors();
  const turns = new Turns();
  const unsent = new Unsent();
  const standing = new Standing(options.directory, log);

  const connectBy = (over: 'tcp' | 'tls' | 'unix') => (socket: ConstructorParameters<typeof Session>[0]) => {
    const session: Session = new Session(socket, {
      directory: options.directory,
      virtual: options.virtual,
      followed: options.followed,
      staying,
      cursors,
      turns,
      unsent,
      settings,
      tls,
      log,
      clock,
      over,
      external: options.external,
      userNamed: options.userNamed,
      onIdentity: (before, after) => standing.moved(session, before, after),
      onSpoken: () => crowd.spoken(session),
      onClose: () => {
        sessions.delete(session);
        crowd.left(session);
      },
    });
    sessions.add(session);
    if (over !== 'unix') crowd.came(session);
  };
  const others = (own: Listener): number => [ldap, ldaps].reduce((sum, one) => sum + (one === own ? 0 : one.connections), 0);
  const common = {
    log,
    clock,
    halfOpen: true,
    maxPerAddress: () => settings.value.maxConnectionsPerAddress || Number.POSITIVE_INFINITY,
    admits: (): boolean => {
      turns.came();
      return true;
    },
    makeRoom: (client: string | undefined): boolean => crowd.makeRoom(client, (before) => ldaps.endHandshake(client, before)),
  };
  const onSurplus = (socket: { write(octets: Buffer): unknown }): void => {
    socket.write(noticeMessage('busy', 'too many connections'));
  };
  const ldap: Listener = createListener({
    ...common,
    name: 'DIRECTORY',
    where: options.listen.ldap ?? off,
    maxConnections: () => settings.value.maxConnections - others(ldap),
    onConnection: connectBy('tcp'),
    onSurplus,
  });
  const ldaps: Listener = createListener({
    ...common,
    name: 'DIRECTORY (TLS)',
    where: options.listen.ldaps ?? off,
    tls,
    maxConnections: () => settings.value.maxConnections - others(ldaps),
    onConnection: connectBy('tls'),
  });
  const ldapi: Listener = createListener({
    ...common,
    // Whoever may open it is one and the same.
    makeRoom: () => false,
    name: 'DIRECTORY (socket)',
    where: options.listen.ldapi ?? off,
    maxConnections: () => settings.value.maxConnections,
    onConnection: connectBy('unix'),
    onSurplus,
  });
  const all = [ldap, ldaps, ldapi];

  return {
    name: 'DIRECTORY',
    async start() {
      try {
        await standing.start();
        for (const listener of all) await listener.start();
      } catch (thrown) {
        standing.stop();
        await Promise.all(all.map((listener) => listener.stop(0)));
        throw thrown;
      }
    },
    async stop() {
      const stopped = all.map((listener) => listener.stop(stopMs));
      for (const session of [...sessions]) session.shutdown(finishMs);
      await Promise.all(stopped);
      standing.stop();
    },
    problem: () => all.find(({ problem }) => problem !== undefined)?.problem,
    addresses: () => ({ ldap: ldap.address(), ldaps: ldaps.address(), ldapi: ldapi.address() }),
    get connections() {
      return all.reduce((sum, listener) => sum + listener.connections, 0);
    },
  };
}
