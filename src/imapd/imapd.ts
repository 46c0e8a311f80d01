/**
 * The IMAP door as a component: two listeners (STARTTLS, implicit TLS) and the sessions they bring.
 *
 * Promise: a changed port, certificate or setting is followed without dropping anybody; `stop` says BYE to everybody and ends in time.
 * Spec: RFC 3501, RFC 8314 §3.2
 */

import { type Component, createSessionDoor, type Listener, type Live, type Place, type SessionDoorNeeds } from '../base/index.ts';
import type { Dit } from '../dit/index.ts';
import type { Blobs } from '../storage/index.ts';
import type { Store } from '../store/index.ts';
import { Connection } from './connection.ts';
import type { Services } from './session.ts';
import type { ImapdSettings } from './settings.ts';

export interface ImapdOptions extends SessionDoorNeeds {
  readonly store: Store;
  /** Where appended messages are written. */
  readonly blobs: Pick<Blobs, 'create'>;
  readonly dit: Pick<Dit, 'login'>;
  readonly settings: Live<ImapdSettings>;
  readonly listeners: { readonly imap: Live<Place>; readonly imaps: Live<Place> };
  /** This host's name, for the greeting. */
  readonly host: () => string;
}

export interface Imapd extends Component {
  /** Where it listens now. */
  addresses(): { readonly imap: ReturnType<Listener['address']>; readonly imaps: ReturnType<Listener['address']> };
  readonly sessions: number;
}

export function createImapd(options: ImapdOptions): Imapd {
  const { settings, log, tls, listeners } = options;
  const services: Services = { ...options, canStartTls: () => tls.value !== undefined };
  const door = createSessionDoor({
    ...options,
    name: 'IMAPD',
    listeners: { plain: listeners.imap, tls: listeners.imaps },
    limits: () => settings.value,
    surplus: '* BYE [LIMIT] too many connections, please try again later\r\n',
    open: (socket, encrypted) => new Connection({ services, socket, encrypted, certificate: tls, log }),
  });
  return {
    name: door.name,
    start: door.start,
    stop: door.stop,
    problem: door.problem,
    addresses() {
      const { plain: imap, tls: imaps } = door.addresses();
      return { imap, imaps };
    },
    get sessions() {
      return door.sessions;
    },
  };
}
