/**
 * One message over one session: the recipients of a destination in as few transactions as the limit allows.
 *
 * Spec: RFC 5321 §3.3, RFC 3461 §5.2.1
 */

import { Fault } from '../base/index.ts';
import { originalRecipientOut } from '../mail/index.ts';
import type { DsnRequest, Lease, QueuedMessage, QueuedRecipient } from '../queue/index.ts';
import { all, type Fate, type Fates, fateOf, fateUnread } from './fate.ts';
import { type Fitted, type FittingNeeds, fitted } from './fitting.ts';
import type { PeerSession } from './peer-session.ts';
import { sendInTurns } from './turns.ts';

export interface DeliverOptions extends FittingNeeds {
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
  const { fitting, refused } = await prepared(lease, session, options).catch((thrown: unknown) => unread(recipients, thrown));
  const fates = new Map<QueuedRecipient, Fate>(refused);
  const passesDsn = options.dsn && session.extensions.has('DSN');
  const left = recipients.filter((one) => !refused.has(one));
  const reading = fitting && watched(fitting.content);
  for (let from = 0; fitting && reading && from < left.length; from += options.recipientsPerTransaction) {
    const group = left.slice(from, from + options.recipientsPerTransaction);
    if (reading.trouble !== undefined) {
      for (const one of group) fates.set(one, fateUnread(reading.trouble));
      continue;
    }
    if (!session.open) {
      for (const one of group)
        fates.set(one, {
          kind: 'defer',
          status: '4.4.2',
          text: `${session.host} closed the connection`,
          host: session.host,
          byHost: 'lost',
        });
      continue;
    }
    const answers = await sendInTurns(session, {
      sender: message.sender,
      recipients: group.map(({ address, dsn }) => ({ address, dsn: passesDsn ? outward(dsn) : undefined })),
      size: fitting.octets,
      eightBit: fitting.eightBit,
      smtputf8: fitting.smtputf8,
      ...(passesDsn ? { ret: message.ret, envelopeId: message.envelopeId } : {}),
      content: reading.content,
    });
    for (const one of group) {
      const answer = answers.get(one.address) ?? { kind: 'temporary' as const, said: 'no answer', phase: 'connection' as const };
      // The connection had to be broken off, and not by the host.
      const ours = reading.trouble !== undefined && answer.kind === 'temporary' && answer.code === undefined;
      const fate = ours ? fateUnread(reading.trouble) : fateOf(answer, session.host, passesDsn, options.temporary554);
      fates.set(one, fate.kind === 'sent' && session.encryption ? { ...fate, encryption: session.encryption } : fate);
    }
  }
  return fates;
}

interface Reading {
  /** Why it could not be read to its end. */
  readonly trouble: unknown;
  readonly content: () => AsyncIterable<Uint8Array>;
}

/** Content that remembers its own failures: the session only sees that it broke off. */
function watched(content: () => AsyncIterable<Uint8Array>): Reading {
  let trouble: unknown;
  return {
    get trouble() {
      return trouble;
    },
    async *content() {
      try {
        yield* content();
      } catch (thrown) {
        trouble = thrown;
        throw thrown;
      }
    },
  };
}

/** Nothing was said to the host yet. A fault that is not about reading is a defect of ours. */
function unread(recipients: readonly QueuedRecipient[], thrown: unknown): Fitted {
  if (!(thrown instanceof Fault)) throw thrown;
  return { fitting: undefined, refused: all(recipients, fateUnread(thrown)) };
}

/** What is sent, signed: of what is really sent, for a signature breaks with any change made after it. */
async function prepared(lease: Lease, session: PeerSession, options: DeliverOptions): Promise<Fitted> {
  const made = await fitted(lease, session, options);
  const { fitting } = made;
  const signed = fitting && (await options.sign?.(lease.message, fitting.content));
  if (!signed) return made;
  const front = Buffer.from(signed);
  async function* content(): AsyncIterable<Uint8Array> {
    yield front;
    if (fitting) yield* fitting.content();
  }
  return { ...made, fitting: { ...fitting, octets: front.length + fitting.octets, content } };
}

/** The wishes of a recipient as they go to the peer, which puts xtext around them. RFC 3461 §5.2.1; RFC 6533 §3 */
function outward(dsn: DsnRequest | undefined): DsnRequest | undefined {
  return dsn?.originalRecipient === undefined ? dsn : { ...dsn, originalRecipient: originalRecipientOut(dsn.originalRecipient) };
}
