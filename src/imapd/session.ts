/**
 * What a command knows of its connection: states, peer, ports, and a way to say and to ask.
 *
 * The socket, timers, counters and the log are the dispatcher's (connection.ts).
 * Spec: RFC 3501 §3
 */

import { type Clock, isLoopback, type Live } from '../base/index.ts';
import type { Dit } from '../dit/index.ts';
import type { Blobs } from '../storage/index.ts';
import type { AccountId, Store } from '../store/index.ts';
import type { SelectedMailbox } from './mailbox/selected.ts';
import type { ImapdSettings } from './settings.ts';

export interface Account {
  readonly id: AccountId;
  readonly mail: string;
}

export type SessionState =
  | { readonly name: 'not-authenticated' }
  | { readonly name: 'authenticated'; readonly account: Account }
  | { readonly name: 'selected'; readonly account: Account; readonly mailbox: SelectedMailbox }
  | { readonly name: 'logout' };

export type StateName = SessionState['name'];
export type StateOf<N extends StateName> = Extract<SessionState, { name: N }>;

/** How a command ended: the tagged reply, and what follows. */
export interface Completion {
  readonly status: 'OK' | 'NO' | 'BAD';
  /** Response code without brackets. */
  readonly code?: string;
  readonly text: string;
  readonly next?: SessionState;
  /** For the log alone: what went wrong behind a reply that says little. */
  readonly cause?: unknown;
  /** For the log alone: what was done, where it is worth a line. */
  readonly event?: string;
  /** Done by the dispatcher once the reply is out. */
  readonly follow?: 'start-tls';
}

/** Untagged responses. */
export interface Replies {
  /** Response text with its CRLF; sent as UTF-8. */
  text(text: string): void;
  octets(bytes: Uint8Array): void;
  /** Waits while the peer does not read; throws Disconnected once it is gone. */
  room(): Promise<void>;
  /** Sends now what was collected. */
  flush(): void;
}

export interface Dialog {
  /** Sends a continuation request and resolves with the peer's line. Throws Disconnected when it has gone. */
  ask(prompt: string): Promise<string>;
}

export interface Peer {
  /** Empty for a Unix socket. */
  readonly address: string;
  readonly encrypted: boolean;
}

/** The ports behind the door. */
export interface Services {
  readonly store: Store;
  readonly blobs: Pick<Blobs, 'create'>;
  readonly dit: Pick<Dit, 'login'>;
  readonly settings: Live<ImapdSettings>;
  readonly clock: Clock;
  /** Name of this host in the greeting. */
  readonly host: () => string;
  /** There is a certificate. */
  readonly canStartTls: () => boolean;
}

export interface Session extends Services {
  readonly peer: Peer;
  readonly out: Replies;
  readonly dialog: Dialog;
  /** Of the command that is running. */
  readonly tag: () => string;
  /** Extensions the client has switched on (RFC 5161). */
  readonly enabled: Set<'CONDSTORE'>;
}

/** Whether a password may be sent over this connection. */
export function mayLogIn(session: Pick<Session, 'peer' | 'settings'>): boolean {
  if (session.peer.encrypted) return true;
  const choice = session.settings.value.plaintextLogin;
  return choice === 'always' || (choice === 'loopback' && isLoopback(session.peer.address));
}

export function ok(text: string, more: Partial<Completion> = {}): Completion {
  return { status: 'OK', text, ...more };
}

export function no(text: string, code?: string): Completion {
  return { status: 'NO', text, ...(code === undefined ? {} : { code }) };
}
