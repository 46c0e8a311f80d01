/** A session with another server as the rest of SMTPC sees it: what is handed over, and what comes of it. client.ts makes it. */

import type { Socket } from 'node:net';
import type { Clock } from '../base/index.ts';
import type { DsnRequest } from '../queue/index.ts';
import type { Conversation } from './conversation.ts';
import type { Encryption, TlsWish } from './tls/verify.ts';

/** Milliseconds for each phase. */
export interface PhaseTimeouts {
  readonly initial: number;
  readonly helo: number;
  readonly mail: number;
  readonly rcpt: number;
  readonly data: number;
  readonly block: number;
  readonly end: number;
  readonly quit: number;
}

export interface SessionOptions {
  /** Connected already. */
  readonly socket: Socket;
  /** The peer's name. */
  readonly host: string;
  /** What we call ourselves. */
  readonly name: string;
  readonly timeouts: PhaseTimeouts;
  readonly clock: Clock;
  readonly esmtp: boolean;
  /** Whether the peer is told the size of messages, and asked how large they may be (RFC 1870). */
  readonly size: boolean;
  readonly tls: TlsWish;
  /** Octets of a message that are read ahead of the connection. */
  readonly dataBuffer: number;
  /** Hears what is said. */
  readonly told?: Conversation | undefined;
}

export interface PeerRecipient {
  readonly address: string;
  readonly dsn?: DsnRequest | undefined;
}

export interface PeerMessage {
  readonly sender: string;
  readonly recipients: readonly PeerRecipient[];
  /** Octets, before dots are stuffed. */
  readonly size: number;
  readonly eightBit: boolean;
  readonly smtputf8: boolean;
  readonly ret?: 'full' | 'hdrs' | undefined;
  readonly envelopeId?: string | undefined;
  readonly content: () => AsyncIterable<Uint8Array>;
}

/** What became of one recipient: `said` is the peer's reply on one line, or our words where it gave none. */
export type PeerAnswer =
  | { readonly kind: 'taken'; readonly said: string }
  | {
      readonly kind: 'permanent' | 'temporary';
      readonly said: string;
      readonly code?: number;
      readonly phase: 'connection' | 'mail' | 'rcpt' | 'data';
    };

export interface PeerReply {
  readonly code: number;
  /** What stands behind the code, on one line. */
  readonly text: string;
}

export interface PeerSession {
  readonly host: string;
  readonly encrypted: boolean;
  /** How; undefined in the clear. */
  readonly encryption: Encryption | undefined;
  readonly extensions: ReadonlySet<string>;
  /** The ways of logging in that the peer offers, upper case. */
  readonly mechanisms: readonly string[];
  /** Octets of the largest message, undefined where the peer does not say. */
  readonly maxSize: number | undefined;
  /** False once the connection is gone. */
  readonly open: boolean;
  readonly ended: Promise<void>;
  /** The peer may have some of the message that was sent last, and may have taken it, whatever came back. */
  readonly dataBegun: boolean;
  send(message: PeerMessage): Promise<ReadonlyMap<string, PeerAnswer>>;
  /** One line between messages, of which nothing but the reply counts: AUTH and what belongs to it, ETRN. PeerFailure where none comes. */
  say(line: string): Promise<PeerReply>;
  /**
   * Nothing will be said for a while: a peer that hangs up, or says anything, is hung up on, and `gone` is called. False where it has said
   * something already that nobody has asked for.
   */
  pause(gone: () => void): boolean;
  /** Something will be said again; false where the connection is good for nothing. The first reply is waited for less long than others. */
  resume(): boolean;
  /** Says QUIT where that is possible, and closes. */
  quit(): void;
  destroy(): void;
}
