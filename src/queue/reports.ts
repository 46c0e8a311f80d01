/**
 * Delivery reports: who is told what about recipients that failed, were delayed or got the message.
 *
 * Promise: a report goes to the sender (or to whom the caller names), carries the null sender itself, is never sent to the
 * null sender, and tells a sender nothing about recipients whose NOTIFY does not ask for it. What looks like an answer of a machine, what
 * the sender's own domain disowns, and what strangers send by the hundred in one name is not reported: no back-scatter. Bounces that nobody can be told of go to the
 * postmaster where that is wanted, and a notice to the postmaster never begets another. Header fields of the message are carried
 * along bounded; the whole of it where RET=FULL asks for it and it is not huge, without being held in memory. A message whose bytes
 * cannot be read any more is reported all the same.
 * Submitting the report (joined with the end of what caused it) is the caller's business; its text is mail/report.ts's.
 * Spec: RFC 3461 §4.1, §4.3, §5.2, §6; RFC 5321 §4.5.5, §7.8; RFC 3834 §2
 */

import type { Clock, Live, Log, Random } from '../base/index.ts';
import {
  buildReport,
  decodeWords,
  formatDate,
  headerValue,
  isAutomaticAnswer,
  isForged,
  isSpamTagged,
  normalizeLineEnds,
  noticeHeader,
  type ReportAction,
  type ReportContent,
  type ReportedRecipient,
  reportLine,
  splitHeader,
  textPart,
} from '../mail/index.ts';
import type { BlobInfo, Blobs } from '../storage/index.ts';
import type { DsnRequest, NewMessage, QueuedMessage, QueueId } from './port.ts';
import type { ReportLimit } from './report-limit.ts';

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
  /** An administrator's words for this kind of report; undefined for ours. `late`: the message was late and has been sent now. */
  readonly texts?: (action: ReportAction, late: boolean) => Promise<string | undefined>;
  readonly limit?: ReportLimit;
  /** Hears of reports that are not written. */
  readonly log?: Pick<Log, 'message' | 'warning'>;
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
const nothing = new Uint8Array(0);
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
export function wanted(entry: Pick<ReportEntry, 'action' | 'dsn' | 'wasLate'>): boolean {
  const notify = entry.dsn?.notify;
  if (notify === undefined) return entry.action === 'failed' || entry.action === 'delayed' || entry.wasLate === true;
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
    const header = await this.#header(message);
    if (options.to === undefined && this.#unasked(message, header ?? nothing, to)) return undefined;
    const about = await this.#about(message, header ?? nothing, to, told, options.subject);
    const protocol = options.to === undefined ? 'report' : notice;
    const marks = {
      parent: message.id,
      ...(message.spam || isSpamTagged(message.prefix, header ?? nothing) ? { spam: true } : {}),
    };
    const whole = message.ret === 'full' && told.every(({ action }) => action === 'failed');
    const fits = message.blob.size <= wholeAtMost;
    if (whole && fits) {
      const made = await this.#whole(message, about).catch(() => undefined);
      if (made) return { ...this.#message(to, protocol, about, made), ...marks, ...(message.longLines ? { longLines: true } : {}) };
    }
    const remark = whole && !fits ? 'The message is too large to be returned with this report; its header is attached.' : undefined;
    return { ...this.#message(to, protocol, about, await this.#withHeader(message, about, header, remark)), ...marks };
  }

  /** The beginning of the message; undefined where it cannot be read any more. */
  async #header(message: QueuedMessage): Promise<Uint8Array | undefined> {
    try {
      return await this.#needs.blobs.read(message.blob.id, 0, Math.min(message.blob.size, headerAtMost));
    } catch {
      return undefined;
    }
  }

  /** Whether a report would go to somebody who did not send this, or be one of very many. Users of this server get theirs. */
  #unasked({ id, prefix, origin, authentication }: QueuedMessage, header: Uint8Array, to: string): boolean {
    const { limit, log } = this.#needs;
    if (origin.user !== undefined || origin.address === undefined) return false;
    // The door knows; a message that came otherwise may have been looked at by a scanner.
    if (authentication === undefined ? isForged(prefix) : authentication === 'fail') {
      log?.message(`${id}: no report to <${to}>: the domain of the sender disowns the message`);
      return true;
    }
    if (isAutomaticAnswer(header)) {
      log?.message(`${id}: no report to <${to}>: the message is itself an automatic answer`);
      return true;
    }
    const counted = limit?.take(to, authentication === 'pass');
    if (counted?.first?.startsWith('@'))
      log?.warning(`addresses ${counted.first} got as many reports in an hour as one domain may; there are no more for now`);
    else if (counted?.first) log?.warning(`<${to}> got as many reports in an hour as one address may; there are no more for now`);
    return counted?.refused ?? false;
  }

  async #about(
    message: QueuedMessage,
    header: Uint8Array,
    to: string,
    told: readonly ReportEntry[],
    subject: string | undefined,
  ): Promise<Omit<ReportContent, 'original'>> {
    const { mta, clock, random, newId, texts } = this.#needs;
    const id = newId();
    const block = splitHeader(header);
    const first = told[0];
    const title = headerValue(block, 'subject');
    return {
      host: mta.value.host,
      postmaster: mta.value.postmaster,
      id,
      to,
      subject,
      date: clock.now(),
      boundary: `=_${id}_${Math.floor(random() * 2 ** 48).toString(36)}`,
      recipients: told.slice(0, entriesAtMost).map(({ dsn, ...entry }) => ({ ...entry, originalRecipient: dsn?.originalRecipient })),
      hidden: Math.max(0, told.length - entriesAtMost),
      arrivedAt: message.arrivedAt,
      envelopeId: message.envelopeId,
      receivedFrom: message.origin.helo,
      queueId: message.id,
      originalId: headerValue(block, 'message-id') ?? message.messageId,
      originalSubject: title === undefined ? undefined : decodeWords(title),
      text: first ? await texts?.(first.action, first.wasLate === true) : undefined,
    };
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

  async #withHeader(
    message: QueuedMessage,
    about: Omit<ReportContent, 'original'>,
    header: Uint8Array | undefined,
    remark: string | undefined,
  ): Promise<Stored> {
    // The sender must hear of it all the same.
    const why = header === undefined ? 'The message itself cannot be read any more.' : remark;
    const { fields } = splitHeader(header ?? nothing);
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
