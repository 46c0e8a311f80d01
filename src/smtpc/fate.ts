/**
 * What becomes of each recipient of a message that was (or could not be) handed to a peer.
 *
 * Pure. Spec: RFC 5321 §4.2.1, §4.5.3.1.10 (552 at RCPT means later), RFC 3463; checklist SMTPC-03, SMTPC-08
 */

import { type QueuedRecipient, unreadable } from '../queue/index.ts';
import { UnreadableBlob } from '../storage/index.ts';
import type { PeerAnswer } from './peer-session.ts';
import type { Encryption } from './tls/verify.ts';

export type Fate =
  /** `passedOn`: the peer will send the notices that the sender asked for. `encryption`: absent in the clear. */
  | { readonly kind: 'sent'; readonly host: string; readonly said: string; readonly passedOn: boolean; readonly encryption?: Encryption }
  | { readonly kind: 'bounce'; readonly status: string; readonly text: string; readonly host?: string; readonly said?: string }
  /** Our own copy cannot be read: it is put aside, and the host has nothing to do with it. */
  | { readonly kind: 'aside'; readonly text: string; readonly host?: undefined; readonly said?: undefined }
  /** `byHost`: it was not about a recipient, so that the next message may fare no better: a reply, or the connection was lost (421 included). */
  | {
      readonly kind: 'defer';
      readonly status: string;
      readonly text: string;
      readonly host?: string;
      readonly said?: string;
      readonly byHost?: 'reply' | 'lost';
      /** This host had no descriptor or no memory for it: whoever it is for, it is tried again soon. */
      readonly ours?: true;
    };

/** How a message fares that cannot be read, whoever it is for: gone or damaged, or not to be had at this moment. */
export function fateUnread(thrown: unknown): Fate {
  if (thrown instanceof UnreadableBlob) return { kind: 'aside', text: unreadable(thrown) };
  return { kind: 'defer', status: '4.3.0', text: 'the message cannot be read at present' };
}

/** What the books can be closed with. */
export type Outcome = Exclude<Fate, { kind: 'aside' }>;

export type Fates = ReadonlyMap<QueuedRecipient, Fate>;

export const all = (recipients: readonly QueuedRecipient[], fate: Fate): Fates => new Map(recipients.map((one) => [one, fate]));

/** The enhanced status of a reply, where it has one that fits its code. */
export function statusOf(said: string, code: number | undefined): string {
  const kind = code === undefined ? '4' : code >= 500 ? '5' : '4';
  const found = /^\d{3}[ -]([45]\.\d{1,3}\.\d{1,3})\b/.exec(said)?.[1];
  return found?.[0] === kind ? found : `${kind}.0.0`;
}

function byHost(code: number | undefined, phase: string): { byHost?: 'reply' | 'lost' } {
  if (code === undefined || code === 421) return { byHost: 'lost' };
  return phase === 'rcpt' ? {} : { byHost: 'reply' };
}

export function fateOf(answer: PeerAnswer, host: string, passesDsn: boolean, temporary554: boolean): Fate {
  if (answer.kind === 'taken') return { kind: 'sent', host, said: answer.said, passedOn: passesDsn };
  const { code, phase } = answer;
  const text = answer.said;
  // Where no reply came there is nothing to say of one (RFC 3464 §2.3.6): the words are ours.
  const by = code === undefined ? { host } : { host, said: text };
  // 530 and 538 are about our log-in (RFC 4954 §6): a matter of settings, not of this mail.
  const later = (code === 554 && phase === 'data' && temporary554) || (code === 552 && phase === 'rcpt') || code === 530 || code === 538;
  if (answer.kind === 'temporary' || later) {
    // Without a reply it was the connection that broke, or nobody spoke (RFC 3463 §3.5).
    return {
      kind: 'defer',
      status: code === undefined ? '4.4.2' : `4${statusOf(text, code).slice(1)}`,
      text,
      ...by,
      ...byHost(code, phase),
    };
  }
  return { kind: 'bounce', status: code === undefined ? '5.1.3' : statusOf(text, code), text, ...by };
}
