/**
 * What is agreed with the peer a destination belongs to, looked at before anything is sent.
 *
 * Pure: peer and time are arguments. Source: manual chapter 3, "Peer Domain Attributes"; checklist SMTPC-03, SMTPC-14. Spec: RFC 3463
 */

import type { Peer } from '../dit/index.ts';
import type { Lease } from '../queue/index.ts';
import type { Fate } from './fate.ts';

/** Why mail is not for this peer, and the entry that says so. The text is for the sender, the entry for the log alone. */
export interface Forbidden {
  readonly fate: Fate;
  readonly entry: string | undefined;
}

export function forbidden({ message }: Lease, destination: string, peer: Peer): Forbidden | undefined {
  if (!peer.transmit) {
    const text = `this host is not authorized to send mail to ${destination}`;
    return { fate: { kind: 'bounce', status: '5.7.1', text }, entry: peer.saidBy.transmit };
  }
  const octets = Buffer.byteLength(message.prefix, 'utf8') + message.blob.size;
  if (peer.outboundSize === 0 || octets <= peer.outboundSize) return undefined;
  const text = `the message has ${octets} octets, at most ${peer.outboundSize} are sent to ${destination}`;
  return { fate: { kind: 'bounce', status: '5.3.4', text }, entry: peer.saidBy.outboundSize };
}

/** All recipients of a lease of SMTPC have the same. */
export const destinationOf = ({ recipients }: Lease): string => recipients[0]?.identifier ?? '';

/** Of the pending queue: nobody has put it off yet. */
export const isFresh = ({ recipients }: Lease): boolean =>
  recipients.every(({ attempts, deferredSince }) => attempts === 0 && deferredSince === undefined);

/** The queue run that mail must wait for which was never tried; undefined: it goes at once. Runs are at the multiples of the interval. */
export function waitsUntil(lease: Lease, peer: Peer, now: number): number | undefined {
  if (!peer.queueFirst || !isFresh(lease)) return undefined;
  const interval = peer.queueInterval * 60_000;
  return now - (now % interval) + interval;
}
