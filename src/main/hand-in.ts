/**
 * Handing in a message on this host: what `sendmail` does by way of the control socket.
 *
 * Promise: the id comes back only when the message is durable in the queue. Lines are made to end in CRLF; a missing
 * Message-ID, Date or From is added, as for any submission.
 * Spec: RFC 6409 §8; manual chapter 6, "SENDMAIL"
 */

import { type Clock, Fault, type Live, type Log } from '../base/index.ts';
import type { MtaPolicy } from '../dit/index.ts';
import {
  charsetLabel,
  encodeWords,
  FirstLine,
  formatDate,
  HeadWatch,
  KeptHeader,
  LineEndNormalizer,
  LongLineWatch,
  messageId,
  mimeFields,
  missingFields,
  needs8bit,
  needsUtf8,
  normalizeAddress,
  receivedLine,
} from '../mail/index.ts';
import { type DsnRequest, type NewMessage, type Queue, type QueueId, tellStep } from '../queue/index.ts';
import type { Blobs } from '../storage/index.ts';

export interface HandedIn {
  /** Empty is the null sender. A name without a domain belongs to the local domain. */
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly message: AsyncIterable<Uint8Array>;
  /** Name of the sender, for a message without From. */
  readonly fullName?: string;
  /** RFC 3461: what the sender wants to hear about each recipient, how much comes back, and under which id. */
  readonly notify?: DsnRequest['notify'];
  readonly ret?: 'full' | 'hdrs';
  readonly envelopeId?: string;
}

/** Fault malformed names the wrong address; too-large, unavailable as storage says. */
export type HandIn = (given: HandedIn) => Promise<QueueId>;

export interface HandInOptions {
  readonly queue: Queue;
  readonly blobs: Blobs;
  readonly mta: Live<MtaPolicy>;
  /** Octets. 0 is no limit. */
  readonly maxSize: () => number;
  /** Octets that must stay free where the queue is kept; 0 for none. */
  readonly minFree: () => number;
  readonly freeSpace: () => Promise<number>;
  readonly clock: Clock;
  readonly log: Log;
}

/** As many as the queue takes. */
const maxRecipients = 100_000;

export function createHandIn(options: HandInOptions): HandIn {
  return async ({ sender, recipients, message, fullName, notify, ret, envelopeId }) => {
    const { queue, blobs, clock } = options;
    const complete = (text: string): string => completed(text, options.mta.value.domain);
    if (recipients.length === 0) throw new Fault('malformed', 'no recipients');
    if (recipients.length > maxRecipients) throw new Fault('too-many', `at most ${maxRecipients} recipients`);
    if (options.minFree() > 0 && (await options.freeSpace()) < options.minFree()) throw new Fault('busy', 'no room for mail at present');
    const from = sender === '' ? '' : complete(sender);
    const to = recipients.map(complete);
    const id = queue.newId();
    const arrivedAt = clock.now();
    const writer = blobs.create();
    try {
      const lines = new LineEndNormalizer();
      const first = new FirstLine();
      const header = new KeptHeader();
      const watch = new HeadWatch(header);
      const longLines = new LongLineWatch();
      let eightBit = false;
      const take = async (chunk: Uint8Array): Promise<void> => {
        eightBit ||= needs8bit(chunk);
        longLines.put(chunk);
        watch.put(chunk);
        await writer.write(chunk);
        const most = options.maxSize();
        if (most > 0 && writer.size > most) throw new Fault('too-large', `a message may have at most ${most} octets`);
      };
      for await (const chunk of message) await take(first.push(lines.push(Buffer.from(chunk))));
      await take(first.end());
      await take(lines.end());
      const host = options.mta.value.host;
      const added = {
        'message-id': `Message-ID: ${messageId(id, host)}\r\n`,
        date: `Date: ${formatDate(arrivedAt)}\r\n`,
        from: from === '' ? '' : `From: ${named(fullName, from)}\r\n`,
      };
      const missing = missingFields(header.bytes, ['message-id', 'date', 'from'] as const);
      const mime = missingFields(header.bytes, mimeFields).length < mimeFields.length;
      const label = mime ? '' : charsetLabel(options.mta.value.charset ?? '', eightBit);
      const trace = receivedLine({ by: host, with: 'local', id, date: arrivedAt });
      const smtputf8 = [from, ...to].some(needsUtf8);
      const blob = await writer.commit({ sender: from, recipients: to.slice(0, 100) });
      const queued: NewMessage = {
        id,
        sender: from,
        recipients: to.map((address) => ({ address, ...(notify ? { dsn: { notify } } : {}) })),
        blob,
        prefix: trace + missing.map((name) => added[name]).join('') + label,
        inputChannel: 'SMTPD',
        origin: { protocol: 'local' },
        smtputf8,
        eightBit,
        ...(longLines.found ? { longLines: true } : {}),
        arrivedAt,
        ...(ret ? { ret } : {}),
        ...(envelopeId === undefined ? {} : { envelopeId }),
        messageId: watch.messageId() ?? messageId(id, host),
        ...(watch.precedence() === 0 ? {} : { precedence: watch.precedence() }),
      };
      await queue.submit(queued);
      tellStep(options.log, { step: 'Received', message: queued, recipients: to, channel: 'SMTPD' });
      return id;
    } catch (thrown) {
      await writer.abort();
      throw thrown;
    }
  };
}

function completed(text: string, domain: string): string {
  const address = normalizeAddress(text.includes('@') ? text : `${text}@${domain}`);
  if (address === undefined) throw new Fault('malformed', `${text} is not an address`);
  return address;
}

/** An address with the name of who has it (RFC 5322 §3.4). */
function named(name: string | undefined, address: string): string {
  const text = (name ?? '')
    .replace(/[\r\n]+/g, ' ')
    .trim()
    .slice(0, 100);
  if (text === '') return address;
  const phrase = /^[\x20-\x7e]*$/.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : encodeWords(text);
  return `${phrase} <${address}>`;
}
