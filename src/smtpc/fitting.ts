/**
 * A message as this peer can take it: attachments as they were agreed on, 8 or 7 bit, UTF-8 in the header or not, lines of a length for
 * everybody, without our notes on spam.
 *
 * Promise: what the peer cannot take and we cannot convert is not begun, and the text says why. What comes out is what is sent: whoever
 * signs messages does it on this.
 * Spec: RFC 1870 §6; RFC 6152 §3; RFC 6531 §3.2, §3.7; RFC 5321 §2.4; checklist MTA-17, SMTPC-11, SMTPC-14
 */

import { convertAttachments } from '../attachments/index.ts';
import type { PeerPolicy } from '../dit/index.ts';
import { type FitSource, fitMessage, hasInternationalHeader, prefixWithoutVerdicts, withoutVerdicts } from '../mail/index.ts';
import type { Lease, QueuedMessage, QueuedRecipient } from '../queue/index.ts';
import type { Blobs } from '../storage/index.ts';
import type { Fate } from './fate.ts';
import type { PeerSession } from './peer-session.ts';

export interface FittingNeeds {
  readonly blobs: Pick<Blobs, 'stream' | 'whole'>;
  /** This server's character set: what unlabelled text is taken to be in. */
  readonly charset: string;
  /** The peer gets what we noted about spam. */
  readonly keepVerdicts: boolean;
  /** What was agreed on attachments. */
  readonly attachments: AttachmentPolicy;
  /** Hears what was not converted, and why. */
  readonly note: (text: string) => void;
}

export type AttachmentPolicy = Pick<
  PeerPolicy,
  'toMac' | 'fromMac' | 'withoutMime' | 'nativeEncoding' | 'appleEncoding' | 'notesAsAttachment'
>;

export interface Fitting {
  readonly octets: number;
  readonly eightBit: boolean;
  readonly smtputf8: boolean;
  readonly content: () => AsyncIterable<Uint8Array>;
}

export interface Fitted {
  /** Undefined where nobody can have it. */
  readonly fitting: Fitting | undefined;
  readonly refused: ReadonlyMap<QueuedRecipient, Fate>;
}

type Session = Pick<PeerSession, 'host' | 'extensions' | 'maxSize'>;

const ascii = (text: string): boolean => !/[^\u0000-\u007f]/.test(text);

export async function fitted(lease: Lease, session: Session, needs: FittingNeeds): Promise<Fitted> {
  const { message, recipients } = lease;
  const { host, extensions, maxSize } = session;
  const refused = new Map<QueuedRecipient, Fate>();
  const refuse = (some: readonly QueuedRecipient[], status: string, text: string): void => {
    for (const one of some) refused.set(one, { kind: 'bounce', status, text, host });
  };
  const source = sourceOf(message, needs);
  const international = message.smtputf8 && extensions.has('SMTPUTF8');
  if (message.smtputf8 && !international) {
    const needing = ascii(message.sender) ? recipients.filter(({ address }) => !ascii(address)) : recipients;
    refuse(needing, '5.6.7', `${host} does not take addresses with other characters than ASCII, and the sender's or this one has some`);
    if (needing.length < recipients.length && (await hasInternationalHeader(source)))
      refuse(recipients, '5.6.7', `${host} does not take messages with UTF-8 addresses or headers`);
  }
  if (refused.size === recipients.length) return { fitting: undefined, refused };
  const agreed = await asAgreed(message, source, extensions.has('8BITMIME'), needs);
  const made = agreed.plain ?? (await converted(message, agreed.source, extensions.has('8BITMIME'), needs.charset));
  if (typeof made === 'string') {
    refuse(recipients, '5.6.3', `${host} takes 7-bit messages only: ${made}`);
    return { fitting: undefined, refused };
  }
  if (maxSize !== undefined && made.octets > maxSize) {
    refuse(recipients, '5.3.4', `the message has ${made.octets} octets, ${host} takes at most ${maxSize}`);
    return { fitting: undefined, refused };
  }
  const { content } = made;
  return {
    fitting: { ...made, smtputf8: international, content: needs.keepVerdicts ? content : () => withoutVerdicts(content()) },
    refused,
  };
}

interface Agreed {
  readonly source: FitSource;
  /** It has no MIME any more, so that nothing of it can be encoded: it fits already. */
  readonly plain?: Omit<Fitting, 'smtputf8'>;
}

/** With its attachments as this peer wants them; itself where it wants nothing. */
async function asAgreed(message: QueuedMessage, source: FitSource, eightBit: boolean, needs: FittingNeeds): Promise<Agreed> {
  const { attachments, charset, note } = needs;
  const withoutNotes = message.inputChannel === 'NOTESOUT' && !attachments.notesAsAttachment;
  const bytes = { size: source.size, stream: (start = 0, end = source.size) => source.stream(start, end) };
  const made = await convertAttachments(bytes, { withoutNotes, eightBit, charset, ...attachments });
  for (const one of made.notes) note(`${message.id}: ${one}`);
  const result = made.message ?? source;
  if (!made.plain) return { source: result };
  return { source: result, plain: { octets: result.size, eightBit: made.plain.eightBit, content: () => result.stream(0, result.size) } };
}

/** The message, or in words why it cannot be sent. */
async function converted(
  message: QueuedMessage,
  source: FitSource,
  offers8Bit: boolean,
  charset: string,
): Promise<Omit<Fitting, 'smtputf8'> | string> {
  const asItIs = { octets: source.size, eightBit: message.eightBit, content: () => source.stream(0, source.size) };
  const sevenBit = message.eightBit && !offers8Bit;
  if (!sevenBit && !message.longLines) return asItIs;
  const made = await fitMessage(source, { sevenBit, charset });
  if (made.is === 'cannot') return made.text;
  if (made.is === 'fit') return { ...asItIs, eightBit: message.eightBit && !sevenBit };
  return { octets: made.size, eightBit: made.eightBit, content: made.content };
}

function sourceOf({ prefix, blob }: QueuedMessage, { blobs, keepVerdicts }: FittingNeeds): FitSource {
  const front = Buffer.from(keepVerdicts ? prefix : prefixWithoutVerdicts(prefix), 'utf8');
  return {
    size: front.length + blob.size,
    async *stream(start, end) {
      if (start < front.length) yield front.subarray(start, Math.min(end, front.length));
      const [from, to] = [Math.max(0, start - front.length), end - front.length];
      if (to > 0) yield* from === 0 && to >= blob.size ? blobs.whole(blob.id) : blobs.stream(blob.id, from, to);
    },
  };
}
