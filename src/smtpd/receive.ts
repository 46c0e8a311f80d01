/**
 * From the octets behind DATA to a message in the queue.
 *
 * Promise: 250 is said only after bytes and envelope are durable; whatever goes wrong on our side is 451 and nothing is queued;
 * every line of what is kept ends in CRLF (docs/smtp-line-ends.md); memory does not grow with the message.
 * Spec: RFC 5321 §4.4 (trace), §4.5.3.1.7; RFC 3848 (protocol names); RFC 6409 §8 (Message-ID, Date, From)
 */

import { Fault } from '../base/index.ts';
import {
  charsetLabel,
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
  receivedLine,
} from '../mail/index.ts';
import type { Conclusion, Examination } from '../mail-auth/index.ts';
import { type NewMessage, type QueueId, tellStep } from '../queue/index.ts';
import type { BlobWriter } from '../storage/index.ts';
import { beginExamination, headerTooLong, refusalOf, standing } from './authenticity.ts';
import { dailyLimits, dailyRefusal } from './policy/daily-limits.ts';
import { type SizeLimit, sizeLimit } from './policy/peer.ts';
import { noteOutcome, refused, setting } from './policy/refusal.ts';
import { authorRefusal } from './policy/send-as.ts';
import { faultReply, type Outcome, type Receiver, type Reply, type Session, type State, submits } from './session.ts';
import { protocolName } from './trace.ts';

type Mailing = Extract<State, { at: 'mail' }>;

/** After a message went over the limit by this much the client is not waited for any longer. */
const patience = 16 * 1_048_576;
const crlf = Buffer.from('\r\n');

export function createReceiver(session: Session, state: Mailing): Receiver {
  return new MessageReceiver(session, state);
}

class MessageReceiver implements Receiver {
  readonly #session: Session;
  readonly #state: Mailing;
  readonly #writer: BlobWriter;
  readonly #lines = new LineEndNormalizer();
  readonly #first = new FirstLine();
  #eightBit = false;
  readonly #head: HeadWatch;
  readonly #longLines = new LongLineWatch();
  /** Of what is handed in here: another server's message is not ours to complete. */
  readonly #header: KeptHeader | undefined;
  readonly #limit: SizeLimit;
  /** Undefined: the message is taken as it is. */
  readonly #examination: Examination | undefined;
  /** Small pieces that wait to be written together. */
  #pieces: Buffer[] = [];
  #gathered = 0;
  #octets = 0;
  #tooLarge = false;
  #trouble: unknown;

  constructor(session: Session, state: Mailing) {
    this.#session = session;
    this.#state = state;
    this.#writer = session.house.blobs.create();
    this.#limit = sizeLimit(session);
    this.#examination = beginExamination(session, state);
    this.#header = session.user || submits(session) ? new KeptHeader() : undefined;
    this.#head = new HeadWatch(this.#header);
  }

  get hopeless(): boolean {
    return this.#tooLarge && this.#octets > this.#limit.octets + patience;
  }

  get refused(): boolean {
    return this.#tooLarge;
  }

  write(bytes: Buffer): Promise<void> | undefined {
    this.#octets += bytes.length;
    if (this.#limit.octets > 0 && this.#octets > this.#limit.octets && !this.#tooLarge) {
      this.#tooLarge = true;
      this.abort();
    }
    if (this.#tooLarge || this.#trouble) return undefined;
    if (this.#gathered === 0 && bytes.length >= this.#session.settings.dataBuffer) return this.#put(bytes);
    // The piece is a view into what the socket has read: it will not stay.
    this.#pieces.push(Buffer.from(bytes));
    this.#gathered += bytes.length;
    return this.#gathered >= this.#session.settings.dataBuffer ? this.#put(this.#takeGathered()) : undefined;
  }

  #takeGathered(): Buffer {
    const bytes = Buffer.concat(this.#pieces, this.#gathered);
    this.#pieces = [];
    this.#gathered = 0;
    return bytes;
  }

  #put(bytes: Buffer): Promise<void> {
    return this.#take(this.#first.push(this.#lines.push(bytes)));
  }

  #take(clean: Uint8Array): Promise<void> {
    this.#eightBit ||= needs8bit(clean);
    this.#longLines.put(clean);
    this.#head.put(clean);
    return this.#keep(this.#examination ? this.#examination.push(clean) : clean);
  }

  #keep(bytes: Uint8Array): Promise<void> {
    return this.#writer.write(bytes).catch((thrown: unknown) => this.#note(thrown));
  }

  #note(thrown: unknown): void {
    this.#trouble ??= thrown ?? new Error('unknown trouble');
  }

  async end(): Promise<Reply> {
    if (this.#tooLarge)
      return this.#refuse(refused(552, '5.3.4', `a message may have at most ${this.#limit.octets} octets`, this.#limit.rule));
    try {
      if (this.#gathered > 0) await this.#put(this.#takeGathered());
      if (this.#trouble) throw this.#trouble;
      return await this.#file();
    } catch (thrown) {
      this.abort();
      // Whatever kind of fault it is: the message itself was not judged, so the client shall try again.
      const answer = faultReply(
        thrown instanceof Fault ? thrown : new Fault('bug', 'internal error, please try again later', { cause: thrown }),
        this.#session,
        'DATA',
      );
      return answer.code >= 500 ? { ...answer, code: 451, status: '4.3.0' } : answer;
    }
  }

  #refuse(outcome: Outcome): Reply {
    noteOutcome(this.#session, outcome, [...this.#state.recipients.keys()]);
    return outcome.reply;
  }

  async #file(): Promise<Reply> {
    const { house } = this.#session;
    await this.#take(this.#first.end());
    const held = this.#lines.end();
    // A last chunk need not end in a line end (RFC 3030 §2); what is kept does.
    const last = this.#lines.complete ? held : crlf;
    if (last.length > 0) await this.#writer.write(this.#examination?.push(last) ?? last);
    const conclusion = await this.#examined();
    const refusal =
      (this.#header && (await authorRefusal(this.#session, this.#header))) ??
      this.#unauthentic(conclusion) ??
      (await dailyRefusal(this.#session, this.#writer.size));
    if (refusal) {
      this.abort();
      return this.#refuse(refusal);
    }
    const id = house.queue.newId();
    const message = await this.#message(id, conclusion);
    const daily = dailyLimits(this.#session);
    if (daily && this.#session.user) {
      try {
        await house.daily.submit(this.#session.user.uuid, message.blob.size, daily, house.queue.submitPart(message));
      } catch (thrown) {
        if (!(thrown instanceof Fault && thrown.kind === 'over-quota')) throw thrown;
        // Whose bytes these would have been nobody knows any more: the sweep gives their room back.
        return this.#refuse(refused(452, '4.7.1', thrown.say, setting(this.#session, 'mtSmtpdUserMegabytesPerDay')));
      }
    } else await house.queue.submit(message);
    const recipients = message.recipients.map(({ address }) => address);
    const found = conclusion?.summary ? { text: conclusion.summary } : {};
    tellStep(house.log, { step: 'Received', message, recipients, channel: message.inputChannel, session: this.#session.id, ...found });
    return { code: 250, status: '2.0.0', text: `Ok: queued as ${id}` };
  }

  #unauthentic(conclusion: Conclusion | undefined): Outcome | undefined {
    if (this.#examination?.tooLong) return headerTooLong(this.#session);
    return conclusion && refusalOf(this.#session, conclusion);
  }

  async #examined(): Promise<Conclusion | undefined> {
    if (!this.#examination) return undefined;
    const last = this.#examination.last();
    if (last.length > 0) await this.#writer.write(last);
    return this.#examination.end();
  }

  async #message(id: QueueId, conclusion: Conclusion | undefined): Promise<NewMessage> {
    const { house, address, port, user, tls } = this.#session;
    const { mail, helo } = this.#state;
    const recipients = [...this.#state.recipients.values()];
    const arrivedAt = house.clock.now();
    const named = this.#head.messageId() ?? (this.#header ? messageId(id, house.mta.value.host) : undefined);
    const protocol = protocolName(this.#state.esmtp, tls, user !== undefined, mail.smtputf8);
    const one = recipients.length === 1 ? recipients[0]?.address : undefined;
    const trace = receivedLine({
      from: helo,
      ip: address,
      by: house.mta.value.host,
      with: protocol,
      id,
      date: arrivedAt,
      ...(one === undefined ? {} : { for: one }),
    });
    const blob = await this.#writer.commit({
      sender: mail.sender,
      recipients: recipients.slice(0, 100).map((recipient) => recipient.address),
      address,
      helo,
    });
    return {
      id,
      sender: mail.sender,
      recipients,
      blob,
      prefix: (conclusion?.header ?? '') + trace + mail.tags.join('') + this.#missing(id, mail.sender, arrivedAt),
      inputChannel: 'SMTPD',
      origin: { address, port, helo, protocol, tls, ...(user ? { user: user.dn, login: user.mail } : {}) },
      // What a client declared to be safe and did not need must not keep the message from older servers later.
      smtputf8:
        mail.smtputf8 &&
        (this.#eightBit || [mail.sender, ...recipients.map((recipient) => recipient.address)].some((one) => /[^ -~]/.test(one))),
      eightBit: this.#eightBit,
      arrivedAt,
      ...(this.#longLines.found ? { longLines: true } : {}),
      ...(mail.ret ? { ret: mail.ret } : {}),
      ...(mail.envelopeId === undefined ? {} : { envelopeId: mail.envelopeId }),
      ...standing(this.#session, conclusion),
      ...(named === undefined ? {} : { messageId: named }),
      ...(this.#head.precedence() === 0 ? {} : { precedence: this.#head.precedence() }),
    };
  }

  #missing(id: QueueId, sender: string, at: number): string {
    if (!this.#header) return '';
    const { bytes, ended } = this.#header;
    const missing = missingFields(bytes, ['message-id', 'date', 'from']);
    const own = missing.includes('message-id') ? `Message-ID: ${messageId(id, this.#session.house.mta.value.host)}\r\n` : '';
    const date = missing.includes('date') ? `Date: ${formatDate(at)}\r\n` : '';
    // RFC 5322 §3.6 wants one, and two are worse than none.
    const from = sender !== '' && missing.includes('from') && ended ? `From: ${sender}\r\n` : '';
    const mime = missingFields(bytes, mimeFields).length < mimeFields.length;
    return own + date + from + (mime ? '' : charsetLabel(this.#session.house.mta.value.charset ?? '', this.#eightBit));
  }

  abort(): void {
    void this.#writer
      .abort()
      .catch((thrown: unknown) => this.#session.house.log.warning('a message given up could not be cleared away', thrown));
  }
}
