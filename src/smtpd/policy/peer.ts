/**
 * What is agreed with the host that talks to us: whether it may send at all, and how large its messages may be.
 *
 * A peer is known by its address and by the name it gives in HELO. Users' ports have no peers.
 * Source: manual chapter 3, "Peer Domain Attributes"; checklist SMTPD-10. Spec: RFC 1870 §4
 */

import type { Outcome, Session } from '../session.ts';
import { type Rule, refused, setting } from './refusal.ts';

/** Notes who it is; the refusal where nothing is taken from there. */
export function peerRefusal(session: Session, helo: string): Outcome | undefined {
  if (session.kind !== 'smtp') return undefined;
  const peer = session.house.dit.peer(session.address, helo);
  session.peer = peer;
  if (peer.accept) return undefined;
  const text = `host ${helo} is not authorized to connect to ${session.house.mta.value.host}`;
  return refused(550, '5.7.1', text, { rule: 'mtPeerAccept', why: peer.saidBy.accept ?? peer.dn ?? '' });
}

export interface SizeLimit {
  /** 0 is no limit. */
  readonly octets: number;
  readonly rule: Rule;
}

/** The smaller of what this host takes and what is agreed with the peer. */
export function sizeLimit(session: Session): SizeLimit {
  const general = session.settings.maxMessageSize;
  const own = session.peer?.inboundSize ?? 0;
  if (own === 0 || (general > 0 && general <= own)) return { octets: general, rule: setting(session, 'mtSmtpdMaxMessageSize') };
  return { octets: own, rule: { rule: 'mtPeerInboundSize', why: session.peer?.saidBy.inboundSize ?? '' } };
}

/** What SIZE promises: the most that any peer may send. 0 is no promise. */
export function advertisedSize({ settings, kind, house }: Session): number {
  const sizes = [settings.maxMessageSize, kind === 'smtp' ? house.dit.largestInbound : 0].filter((size) => size > 0);
  return sizes.length > 0 ? Math.min(...sizes) : 0;
}
