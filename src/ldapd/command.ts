/**
 * What an LDAP operation is to this door: a value with its name, its place in the standard, and a function from the request to
 * an answer. A command never touches the socket, writes a log line or counts; the session does.
 */

import type { Actor, Directory, Entry, Followed } from '../directory/index.ts';
import type { Control, Dn, LdapResult, Request, RequestName } from '../ldap-wire/index.ts';
import type { ControlKind } from './controls/control.ts';
import type { Cursors } from './cursors.ts';
import type { LdapdSettings } from './settings.ts';

/** Entries that are computed, not stored: the root DSE. */
export interface Virtual {
  /**
   * The entry of this name as the actor may see it, or undefined where the name is not virtual. `mechanisms`: what SASL may be by
   * on the connection that asks.
   */
  read(dn: Dn, actor: Actor, mechanisms: readonly string[]): Entry | undefined | Promise<Entry | undefined>;
  /** Whether an attribute of such an entry is returned for `+` or by name only. None is, where this is left out. */
  operational?(attribute: string): boolean;
}

/** An operation in work; abandoned or cancelled through its controller. */
export interface Operation {
  readonly id: number;
  readonly op: RequestName;
  readonly abort: AbortController | undefined;
  /** Set by who ended it: abandoned ones are never answered (RFC 4511 §4.11), cancelled ones are (RFC 3909). */
  ended: 'abandoned' | 'cancelled' | undefined;
}

/** What an answer at once may use. */
export type QuickContext = Pick<Context, 'directory' | 'virtual' | 'actor'>;

export interface Context {
  readonly directory: Directory;
  readonly virtual: Virtual | undefined;
  /** For searches that follow changes. */
  readonly followed: Followed | undefined;
  readonly settings: LdapdSettings;
  readonly actor: Actor;
  readonly address: string;
  /** Encrypted, or the Unix socket. */
  readonly confidential: boolean;
  /** The connection is TLS. */
  readonly tls: boolean;
  /** A certificate is there, so that StartTLS can be had. */
  readonly tlsPossible: boolean;
  /** Who SASL EXTERNAL makes of this connection, where it makes anybody. */
  readonly external: Actor | undefined;
  /** The entry that a name or an address logs in as; always a name, be it of nobody. */
  readonly userNamed: ((name: string) => Promise<Dn>) | undefined;
  readonly operation: Operation;
  /** The operation with this message id, where it is still in work. */
  outstanding(id: number): Operation | undefined;
  readonly outstandingCount: number;
  readonly cursors: Cursors;
  /** Sends an encoded operation under this request's id, ahead of the answer. */
  send(operation: Buffer, controls?: readonly Control[]): void;
  /** The operation stays until somebody ends it, and counts as such. Throws adminLimitExceeded. */
  stay(): void;
  /** True when the sender should `await rest()` before it goes on. */
  tired(): boolean;
  rest(): Promise<void>;
}

export interface Answer {
  readonly result: LdapResult;
  /** The session's next identity (bind). */
  readonly actor?: Actor;
  readonly credentials?: Uint8Array;
  readonly oid?: string;
  readonly value?: Uint8Array;
  readonly controls?: readonly Control[];
  /** The connection becomes a TLS one behind this answer. */
  readonly startTls?: true;
}

export type RequestOf<Op extends RequestName> = Extract<Request, { op: Op }>;

export interface Command<Op extends RequestName> {
  readonly op: Op;
  readonly spec: string;
  /** Controls it knows. */
  readonly controls?: readonly ControlKind<unknown>[];
  /** Waits until nothing else is in work on the connection, and lets nothing begin beside it. */
  readonly alone?: true;
  /** Can be abandoned and cancelled. */
  readonly abortable?: true;
  /** The entries of the whole answer of a request without controls, where nothing is to be waited for; else undefined, and then `run`. */
  now?(request: RequestOf<Op>, context: QuickContext): readonly Entry[] | undefined;
  run(request: RequestOf<Op>, context: Context, controls: readonly Control[]): Promise<Answer>;
}

/** A command whose request type is known to fit: the table pairs them. */
export type AnyCommand = Omit<Command<RequestName>, 'run' | 'now'> & {
  now?(request: never, context: QuickContext): readonly Entry[] | undefined;
  run(request: never, context: Context, controls: readonly Control[]): Promise<Answer>;
};
