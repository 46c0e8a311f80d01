/**
 * What commands see of a session: its states, what they may use, and what they answer.
 *
 * A command never touches the socket. Spec: RFC 1939 §3 (states)
 */

import { type Clock, isLoopback, type Live } from '../base/index.ts';
import type { Dit } from '../dit/index.ts';
import type { Store } from '../store/index.ts';
import type { Maildrop } from './maildrop.ts';
import type { Pop3dSettings } from './settings.ts';

export type SessionState =
  | { readonly name: 'authorization'; readonly user?: string }
  | { readonly name: 'transaction'; readonly maildrop: Maildrop }
  | { readonly name: 'closed' };

export type StateName = SessionState['name'];
export type StateOf<N extends StateName> = Extract<SessionState, { name: N }>;

export interface Services {
  readonly store: Pick<Store, 'ensureAccount' | 'mailbox' | 'index' | 'source' | 'read' | 'stream' | 'remove'>;
  readonly dit: Pick<Dit, 'login'>;
  readonly settings: Live<Pop3dSettings>;
  readonly clock: Clock;
  /** Accounts whose inbox a session holds (RFC 1939 §4: one at a time). */
  readonly held: Set<string>;
  readonly canStartTls: () => boolean;
}

export interface Session extends Services {
  readonly peer: { readonly address: string; readonly encrypted: boolean };
  /** Sends a challenge and waits for the client's line. */
  readonly ask: (challenge: string) => Promise<string>;
}

/** The lines or octets of a multi-line reply; dot-stuffing and the end are the writer's business. */
export type Body = { readonly lines: Iterable<string> } | { readonly octets: AsyncIterable<Uint8Array> };

export interface Reply {
  readonly ok: boolean;
  readonly text: string;
  /** RFC 2449 §8 response code, without brackets. */
  readonly code?: string;
  readonly body?: Body;
  readonly next?: SessionState;
  readonly follow?: 'start-tls';
  /** For the log alone. */
  readonly cause?: unknown;
}

export const ok = (text: string, more: Partial<Reply> = {}): Reply => ({ ok: true, text, ...more });
export const err = (text: string, code?: string): Reply => ({ ok: false, text, ...(code ? { code } : {}) });

/** Whether a password may be taken over this connection. RFC 2595 §2.3 */
export function mayLogIn({ peer, settings }: Session): boolean {
  const { plaintextLogin } = settings.value;
  return peer.encrypted || plaintextLogin === 'always' || (plaintextLogin === 'loopback' && isLoopback(peer.address));
}
