/**
 * One message over one session: the recipients of a destination in as few transactions as the limit allows.
 *
 * Spec: RFC 5321 §3.3, RFC 3461 §5.2.1
 */

import { originalRecipientOut } from '../mail/index.ts';
import type { DsnRequest, Lease, QueuedMessage, QueuedRecipient } from '../queue/index.ts';
import type { Blobs } from '../storage/index.ts';
import type { PeerSession } from './client.ts';
import { all, type Fate, type Fates, fateOf, unsendable } from './fate.ts';

export interface DeliverOptions {
  readonly blobs: Pick<Blobs, 'stream'>;
  readonly recipientsPerTransaction: number;
  readonly temporary554: boolean;
  /** Whether delivery status notifications are asked of peers that offer them. */
  readonly dsn: boolean;
  /** Signatures to be put in front of what is sent; the content may be read once for it. Absent: nothing is signed. */
  readonly sign?: SignMessage;
}

export type SignMessage = (message: QueuedMessage, content: () => AsyncIterable<Uint8Array>) => Promise<string>;

export async function deliver(lease: Lease, session: PeerSession, options: DeliverOptions): Promise<Fates> {
  const { message, recipients } = lease;
  const trace = Buffer.from(message.prefix, 'utf8');
  // Of what is really sent: a signature breaks with any change made after it.
  const signed = await options.sign?.(message, () => contentOf(trace, options.blobs.stream(message.blob.id)));
  const prefix = signed ? Buffer.concat([Buffer.from(signed), trace]) : trace;
  const octets = prefix.length + message.blob.size;
  const refusal = unsendable(message, octets, session);
  if (refusal) return all(recipients, refusal);
  const passesDsn = options.dsn && session.extensions.has('DSN');
  const fates = new Map<QueuedRecipient, Fate>();
  for (let from = 0; from < recipients.length; from += options.recipientsPerTransaction) {
    const group = recipients.slice(from, from + options.recipientsPerTransaction);
    if (!session.open) {
      for (const one of group)
        fates.set(one, { kind: 'defer', status: '4.4.2', text: `${session.host} closed the connection`, host: session.host });
      continue;
    }
    const answers = await session.send({
      sender: message.sender,
      recipients: group.map(({ address, dsn }) => ({ address, dsn: passesDsn ? outward(dsn) : undefined })),
      size: octets,
      eightBit: message.eightBit,
      smtputf8: message.smtputf8,
      ...(passesDsn ? { ret: message.ret, envelopeId: message.envelopeId } : {}),
      content: () => contentOf(prefix, options.blobs.stream(message.blob.id)),
    });
    for (const one of group) {
      const answer = answers.get(one.address) ?? { kind: 'temporary' as const, said: 'no answer', phase: 'connection' as const };
      const fate = fateOf(answer, session.host, passesDsn, options.temporary554);
      fates.set(one, fate.kind === 'sent' && session.encryption ? { ...fate, encryption: session.encryption } : fate);
    }
  }
  return fates;
}

/** The wishes of a recipient as they go to the peer, which puts xtext around them. RFC 3461 §5.2.1; RFC 6533 §3 */
function outward(dsn: DsnRequest | undefined): DsnRequest | undefined {
  return dsn?.originalRecipient === undefined ? dsn : { ...dsn, originalRecipient: originalRecipientOut(dsn.originalRecipient) };
}

async function* contentOf(prefix: Buffer, bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  if (prefix.length > 0) yield prefix;
  yield* bytes;
}
