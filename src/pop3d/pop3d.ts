/**
 * The POP3 door as a component: two listeners (STLS, implicit TLS) and the sessions they bring.
 *
 * Promise: a changed port, certificate or setting is followed without dropping anybody; `stop` ends in time.
 * Spec: RFC 1939, RFC 8314 §3.3
 */

import { type Component, createSessionDoor, type Listener, type Live, type Place, type SessionDoorNeeds } from '../base/index.ts';
import { Connection } from './connection.ts';
import type { Services } from './session.ts';
import type { Pop3dSettings } from './settings.ts';

export interface Pop3dOptions extends SessionDoorNeeds {
  readonly store: Services['store'];
  readonly dit: Services['dit'];
  readonly settings: Live<Pop3dSettings>;
  readonly listeners: { readonly pop3: Live<Place>; readonly pop3s: Live<Place> };
  /** This host's name, for the greeting. */
  readonly host: () => string;
}

export interface Pop3d extends Component {
  /** Where it listens now. */
  addresses(): { readonly pop3: ReturnType<Listener['address']>; readonly pop3s: ReturnType<Listener['address']> };
  readonly sessions: number;
}

export function createPop3d(options: Pop3dOptions): Pop3d {
  const { store, dit, settings, listeners, tls, log, clock, host } = options;
  const services: Services = { store, dit, settings, clock, held: new Set(), canStartTls: () => tls.value !== undefined };
  const door = createSessionDoor({
    ...options,
    name: 'POP3D',
    listeners: { plain: listeners.pop3, tls: listeners.pop3s },
    limits: () => settings.value,
    surplus: '-ERR [SYS/TEMP] too many connections, please try again later\r\n',
    open: (socket, encrypted) => new Connection({ services, socket, encrypted, certificate: tls, host, log }),
  });
  return {
    name: door.name,
    start: door.start,
    stop: door.stop,
    problem: door.problem,
    addresses() {
      const { plain: pop3, tls: pop3s } = door.addresses();
      return { pop3, pop3s };
    },
    get sessions() {
      return door.sessions;
    },
  };
}
