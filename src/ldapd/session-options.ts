/** What a session is made of, and how it may end. */

import type { Clock, Live, Log } from '../base/index.ts';
import type { Actor, Directory, Followed } from '../directory/index.ts';
import type { Dn } from '../ldap-wire/index.ts';
import type { Virtual } from './command.ts';
import type { AllCursors } from './cursors.ts';
import type { TlsMaterial } from './ldapd.ts';
import type { LdapdSettings } from './settings.ts';
import type { Unsent } from './outbox.ts';
import type { Staying } from './staying.ts';
import type { Turns } from './turns.ts';

export interface SessionOptions {
  readonly directory: Directory;
  readonly virtual: Virtual | undefined;
  readonly followed: Followed | undefined;
  /** Searches that stay open, of all connections. */
  readonly staying: Staying;
  /** Searches between two pages, of all connections. */
  readonly cursors: AllCursors;
  /** Who works when, among all connections. */
  readonly turns: Turns;
  /** What all connections together have not sent yet. */
  readonly unsent: Unsent;
  readonly settings: Live<LdapdSettings>;
  readonly tls: Live<TlsMaterial>;
  readonly log: Log;
  readonly clock: Clock;
  /** How the connection came: encrypted from the start, by the Unix socket. */
  readonly over: 'tcp' | 'tls' | 'unix';
  readonly external: Actor | undefined;
  readonly userNamed: ((name: string) => Promise<Dn>) | undefined;
  /** Told of every other name that the connection acts under; undefined is none. */
  readonly onIdentity: (before: Dn | undefined, after: Dn | undefined) => void;
  /** Told once, when the peer has made a request other than for TLS. */
  readonly onSpoken: () => void;
  readonly onClose: () => void;
}

/** What the peer is told when the connection ends (RFC 4511 §4.4.1). */
export interface Farewell {
  readonly result: 'protocolError' | 'unavailable' | 'busy' | 'strongerAuthRequired';
  readonly why: string;
}
