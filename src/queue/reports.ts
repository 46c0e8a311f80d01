/**
 * Delivery reports: who is told what about recipients that failed, were delayed or got the message.
 *
 * Promise: a report goes to the sender (or to whom the caller names), carries the null sender itself, is never sent to the
 * null sender, and tells a sender nothing about recipients whose NOTIFY does not ask for it. Bounces that nobody can be told of go to the
 * postmaster where that is wanted, and a notice to the postmaster never begets another. Header fields of the message are carried
 * along bounded; the whole of it where RET=FULL asks for it and it is not huge, without being held in memory. A message whose bytes
 * cannot be read any more is reported all the same.
 * Submitting the report (joined with the end of what caused it) is the caller's business; its text is mail/report.ts's.
 * Spec: RFC 3461 §4.1, §4.3, §5.2, §6; RFC 5321 §4.5.5
 */

import type { Clock, Live, Random } from '../base/index.ts';
import {
  buildReport,
  formatDate,
  normalizeLineEnds,
  noticeHeader,
  type ReportContent,
  type ReportedRecipient,
  reportLine,
  splitHeader,
  textPart,
} from '../mail/index.ts';
import type { BlobInfo, Blobs } from '../storage/index.ts';
import type { DsnRequest, NewMessage, QueuedMessage, QueueId } from './port.ts';

export interface ReportEntry extends Omit<ReportedRecipient, 'originalRecipient'> {
  readonly dsn?: DsnRequest;
}

export interface ReporterNeeds {
  readonly blobs: Pick<Blobs, 'create' | 'read' | 'stream'>;
  readonly mta: Live<{ readonly host: string; readonly postmaster: string }>;
  readonly clock: Clock;
  readonly random: Random;
  readonly newId: () => QueueId;
  /** The postmaster gets bounces that have no sender to go to; not so unless given. */
  readonly copyBounces?: () => boolean;
}

export interface ReportOptions {
  /** Somebody else than the sender gets it (looping items to postmaster); then the sender's wishes do not count. */
  readonly to?: string;
  readonly subject?: string;
}

export interface Reporter {
  /** The report as a message to submit, its bytes already stored; undefined when nobody is to be told. */
  report(message: QueuedMessage, entries: readonly ReportEntry[], options?: ReportOptions): Promise<NewMessage | undefined>;
  /** A note from this host to the postmaster or a user: plain text. */
  note(to: string, subject: string, text: string): Promise<NewMessage>;
}

const headerAtMost = 32 * 1024;
const wholeAtMost = 10 * 1_048_576;
const entriesAtMost = 500;
/** `Origin.protocol` of what was written for the postmaster. */
export const noticeProtocol = 'notice';
const notice = noticeProtocol;

/** Whether a message is this host's own word to the postmaster: failing, it begets no other. */
export function isNotice(message: Pick<QueuedMessage, 'origin'>): boolean {
  return message.origin.protocol === notice;
}

/** RFC 3461 §4.1: whether the sender wants to hear this. */
export function wanted(entry: Pick<ReportEntry, 'action' | 'dsn'>): boolean {
  const notify = entry.dsn?.notify;
  if (notify === undefined) return entry.action === 'failed' || entry.action === 'delayed';
  if (notify.includes('never')) return false;
  return notify.includes(entry.action === 'failed' ? 'failure' : entry.action === 'delayed' ? 'delay' : 'success');
}

class Reports implements Reporter {
  readonly #needs: ReporterNeeds;

  constructor(needs: ReporterNeeds) {
    this.#needs = needs;
  }

  async report(message: QueuedMessage, entries: readonly ReportEntry[], options: ReportOptions = {}): Promise<NewMessage | undefined> {
    if (message.sender === '' && options.to === undefined) return await this.#copy(message, entries);
    const to = options.to ?? message.sender;
    const told = options.to === undefined ? entries.filter(wanted) : entries;
    if (to === '' || told.length === 0) return undefined;
    const { mta, clock, random, newId } = this.#needs;
    const id = newId();
    const whole = message.ret === 'full' && told.every(({ action }) => action === 'failed');
    const fits = message.blob.size <= wholeAtMost;
    const about = {
      host: mta.value.host,
      id,
      to,
      subject: options.subject,
      date: clock.now(),
      boundary: `=_${id}_${Math.floor(random() * 2 ** 48).toString(36)}`,
      recipients: told.slice(0, entriesAtMost).map(({ dsn, ...entry }) => ({ ...entry, originalRecipient: dsn?.originalRecipient })),
      hidden: Math.max(0, told.length - entriesAtMost),
      arrivedAt: message.arrivedAt,
      envelopeId: message.envelopeId,
    };
    const protocol = options.to === undefined ? 'report' : notice;
    if (whole && fits) {
      const made = await this.#whole(message, about).catch(() => undefined);
      if (made) return { ...this.#message(to, protocol, about, made), parent: message.id };
    }
    const remark = whole && !fits ? 'The message is too large to be returned with this report; its header is attached.' : undefined;
    return { ...this.#message(to, protocol, about, await this.#withHeader(message, about, remark)), parent: message.id };
  }

  async note(to: string, subject: string, text: string): Promise<NewMessage> {
    const { mta, clock, newId } = this.#needs;
    const about = { host: mta.value.host, id: newId(), to, subject, date: clock.now() };
    const body = text
      .split(/\r\n|\r|\n/)
      .map((one) => `${reportLine(one)}\r\n`)
      .join('');
    const blob = await this.#store(about, [Buffer.from([...noticeHeader(about), textPart(body)].join('\r\n'))]);
    return this.#message(to, notice, about, { blob, smtputf8: /[^\u0000-\u007f]/.test(to), eightBit: false });
  }

  /** A bounce that has nobody to go to. */
  async #copy(message: QueuedMessage, entries: readonly ReportEntry[]): Promise<NewMessage | undefined> {
    const { copyBounces, mta } = this.#needs;
    const { postmaster } = mta.value;
    const failed = entries.filter(({ action }) => action === 'failed');
    const own = failed.some(({ address }) => address.toLowerCase() === postmaster.toLowerCase());
    if (failed.length === 0 || own || isNotice(message) || !copyBounces?.()) return undefined;
    return await this.report(message, failed, { to: postmaster });
  }

  async #whole(message: QueuedMessage, about: Omit<ReportContent, 'original'>): Promise<Stored> {
    const { smtputf8 } = message;
    const eightBit = message.eightBit || smtputf8;
    const { head, tail, ...kind } = buildReport({ ...about, original: { is: 'whole', eightBit, smtputf8 } });
    const { blobs } = this.#needs;
    async function* pieces(): AsyncIterable<Uint8Array> {
      yield head;
      yield Buffer.from(message.prefix);
      for await (const chunk of normalizeLineEnds(blobs.stream(message.blob.id))) yield withoutNul(chunk);
      yield tail;
    }
    return { blob: await this.#store(about, pieces()), ...kind };
  }

  async #withHeader(message: QueuedMessage, about: Omit<ReportContent, 'original'>, remark: string | undefined): Promise<Stored> {
    let own: Uint8Array;
    let why = remark;
    try {
      own = await this.#needs.blobs.read(message.blob.id, 0, Math.min(message.blob.size, headerAtMost));
    } catch {
      // The sender must hear of it all the same.
      own = new Uint8Array(0);
      why = 'The message itself cannot be read any more.';
    }
    const { fields } = splitHeader(own);
    const bytes = tidy(Buffer.concat([Buffer.from(message.prefix), ...fields.map(({ raw }) => raw)]));
    const { head, tail, ...kind } = buildReport({ ...about, original: { is: 'header', bytes, remark: why } });
    return { blob: await this.#store(about, [head, tail]), ...kind };
  }

  async #store(about: { to: string; date: number }, pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<BlobInfo> {
    const writer = this.#needs.blobs.create();
    try {
      for await (const piece of pieces) await writer.write(piece);
      return await writer.commit({ sender: '', recipients: [about.to], arrivedAt: about.date });
    } catch (thrown) {
      await writer.abort();
      throw thrown;
    }
  }

  #message(to: string, protocol: string, about: { host: string; id: QueueId; date: number }, stored: Stored): NewMessage {
    return {
      id: about.id,
      sender: '',
      // RFC 3461 §6.1: nobody wants to hear about a report.
      recipients: [{ address: to, dsn: { notify: ['never'] } }],
      prefix: `Received: by ${about.host} id ${about.id}; ${formatDate(about.date)}\r\n`,
      inputChannel: 'LOCALOUT',
      origin: { protocol },
      ...stored,
      arrivedAt: about.date,
      messageId: `<${about.id}@${about.host}>`,
    };
  }
}

interface Stored {
  readonly blob: BlobInfo;
  readonly smtputf8: boolean;
  readonly eightBit: boolean;
}

function withoutNul(bytes: Uint8Array): Uint8Array {
  return bytes.includes(0) ? bytes.filter((byte) => byte !== 0) : bytes;
}

/** CRLF line ends, the last one included, and no NUL: what is put into a report must be mail again. */
function tidy(bytes: Buffer): Buffer {
  const text = bytes
    .toString('latin1')
    .replace(/\u0000/g, '')
    .replace(/\r\n|\r|\n/g, '\r\n');
  return Buffer.from(text === '' || text.endsWith('\r\n') ? text : `${text}\r\n`, 'latin1');
}

export function createReporter(needs: ReporterNeeds): Reporter {
  return new Reports(needs);
}
