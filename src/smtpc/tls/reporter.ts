/**
 * Sends the day's reports to the domains that want them.
 *
 * Promise: a day is reported once it is over, at a moment of the first hours after it that differs from host to host; reports and the end
 * of what they count are one durable commit, so that a crash neither loses nor doubles one. What goes by HTTPS is tried for a day. Reports
 * are ordinary mail of this host, signed and queued like any; what they meet on their way is not counted.
 * Spec: RFC 8460 §3, §4.1, §5
 */

import { asFault, type Cancel, type Clock, type Live, type Log, type Random, type Resolver, severalAtOnce } from '../../base/index.ts';
import type { MtaPolicy } from '../../dit/index.ts';
import { domainOf, formatDate } from '../../mail/index.ts';
import { type NewMessage, type Queue, tellStep } from '../../queue/index.ts';
import { type Blobs, below, CheckFailed, join, type KeyValue, type Part } from '../../storage/index.ts';
import type { SmtpcSettings } from '../settings/index.ts';
import { https } from './https.ts';
import { reportBody, reportMail, reportProtocol, type TlsReport } from './report-message.ts';
import { type ReportPlace, reportPlaces } from './report-wish.ts';
import { type CountedDomain, dayOf, type Results } from './results.ts';
import type { Trust } from './trust.ts';

export interface ReporterNeeds {
  readonly results: Results;
  readonly trust: Trust;
  readonly queue: Pick<Queue, 'newId' | 'submitPart'>;
  readonly keyValue: Pick<KeyValue, 'transact' | 'scan'>;
  readonly blobs: Blobs;
  readonly resolver: Resolver;
  readonly settings: Live<SmtpcSettings>;
  readonly mta: Live<MtaPolicy>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What was made of the counts of one domain and day. */
export interface ReportSent {
  readonly day: string;
  readonly domain: string;
  readonly places: readonly string[];
}

/** A report that waits to be posted. */
interface Waiting {
  readonly place: Extract<ReportPlace, { kind: 'https' }>;
  readonly domain: string;
  /** Base64. */
  readonly body: string;
  readonly until: number;
}

const waitingKeys = 'smtpc/tlsrpt/post/';
const hour = 3_600_000;
const dayMs = 24 * hour;
const lookEvery = hour / 4;
/** RFC 8460 §4.1: not all hosts of the world at midnight. */
const spread = 4 * hour;
/** Counts of a domain whose wishes cannot be found out are given up after so many days. */
const keptDays = 3;
const postMs = 60_000;
const postsAtOnce = 8;

const startOf = (day: string): number => Date.parse(`${day}T00:00:00Z`);

export class TlsReporter {
  readonly #needs: ReporterNeeds;
  readonly #delay: number;
  #timer: Cancel | undefined;
  /** A run is to come, up to this day. */
  #due: string | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #abort = new AbortController();
  #stopped = new Promise<'stopped'>(() => {});

  constructor(needs: ReporterNeeds) {
    this.#needs = needs;
    this.#delay = Math.floor(needs.random() * spread);
  }

  start(): void {
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.#stopped = new Promise((resolve) => signal.addEventListener('abort', () => resolve('stopped')));
    this.#again();
  }

  async stop(): Promise<void> {
    this.#timer?.();
    this.#abort.abort();
    await this.#running;
  }

  #again(): void {
    this.#timer = this.#needs.clock.after(lookEvery, () => {
      this.#again();
      const waiting = this.#due !== undefined;
      this.#due = dayOf(this.#needs.clock.now() - this.#delay);
      // One run behind the present one is enough.
      if (!waiting) void this.send(() => this.#due ?? '');
    });
  }

  /** Reports of the days before this one, one run at a time. Never fails. */
  send(before: () => string): Promise<ReportSent[]> {
    const run = this.#running.then(() => {
      const day = before();
      this.#due = undefined;
      return this.#send(day);
    });
    this.#running = run;
    return run;
  }

  async #send(before: string): Promise<ReportSent[]> {
    const { results, log } = this.#needs;
    const sent: ReportSent[] = [];
    try {
      for (const day of await results.days()) {
        if (day >= before) continue;
        for await (const counted of results.of(day)) {
          if (this.#abort.signal.aborted) return sent;
          const one = await this.#reported(counted);
          if (one) sent.push(one);
        }
      }
      await this.#post();
    } catch (thrown) {
      log.error('reports about encryption could not be sent', asFault(thrown).cause ?? thrown);
    }
    return sent;
  }

  async #reported(counted: CountedDomain): Promise<ReportSent | undefined> {
    const { results, settings } = this.#needs;
    try {
      return settings.value.tlsReports ? await this.#domain(counted) : await results.forget(counted);
    } catch (thrown) {
      // More was counted meanwhile: the next time, with that.
      if (thrown instanceof CheckFailed) return undefined;
      throw thrown;
    }
  }

  async #domain(counted: CountedDomain): Promise<ReportSent | undefined> {
    const { resolver, results, keyValue, clock } = this.#needs;
    const { day, domain } = counted;
    const record = await Promise.race([resolver.txt(`_smtp._tls.${domain}`), this.#stopped]);
    if (record === 'stopped') return undefined;
    const old = clock.now() - startOf(day) > keptDays * dayMs;
    if (record.outcome === 'temporary' && !old) return undefined;
    const places = record.outcome === 'found' ? reportPlaces(record.records) : [];
    if (places.length === 0) {
      await results.forget(counted);
      return undefined;
    }
    const report = this.#report(counted);
    const made = await this.#made(report, places);
    await keyValue.transact(join(results.forgetPart(counted), ...made.parts), 'durable');
    for (const message of made.messages) this.#tell(message);
    return { day, domain, places: places.map((one) => (one.kind === 'mail' ? `mailto:${one.address}` : one.url)) };
  }

  #report({ day, domain, policies }: CountedDomain): TlsReport {
    const { settings, mta, queue, clock } = this.#needs;
    const { tlsReportOrganization, tlsReportContact } = settings.value;
    const submitter = domainOf(this.#from());
    return {
      organization: tlsReportOrganization || mta.value.domain,
      contact: tlsReportContact || mta.value.postmaster,
      submitter,
      domain,
      id: `${day}.${queue.newId()}@${mta.value.host}`,
      from: startOf(day),
      // A day that is not over is reported up to now.
      to: Math.min(startOf(day) + dayMs - 1_000, clock.now()),
      policies,
    };
  }

  #from(): string {
    return this.#needs.settings.value.tlsReportFrom || this.#needs.mta.value.postmaster;
  }

  async #made(report: TlsReport, places: readonly ReportPlace[]): Promise<{ parts: Part<void>[]; messages: NewMessage[] }> {
    const { queue, clock } = this.#needs;
    const parts: Part<void>[] = [];
    const messages: NewMessage[] = [];
    for (const place of places) {
      if (place.kind === 'mail') {
        const message = await this.#message(report, place.address);
        messages.push(message);
        parts.push(queue.submitPart(message));
      } else {
        const body = reportBody(report).toString('base64');
        const waiting: Waiting = { place, domain: report.domain, body, until: clock.now() + dayMs };
        const record = Buffer.from(JSON.stringify(waiting));
        const key = `${waitingKeys}${queue.newId()}`;
        parts.push(async () => ({ puts: [[key, record]], result: undefined }));
      }
    }
    return { parts, messages };
  }

  async #message(report: TlsReport, to: string): Promise<NewMessage> {
    const { queue, mta, clock, blobs, random } = this.#needs;
    const id = queue.newId();
    const date = clock.now();
    const from = this.#from();
    const messageId = `${id}@${mta.value.host}`;
    const boundary = `=_${id}_${Math.floor(random() * 2 ** 48).toString(36)}`;
    const blob = await blobs.put(reportMail({ report, from, to, messageId, date, boundary }), { sender: from, recipients: [to] });
    return {
      id,
      sender: from,
      recipients: [{ address: to }],
      blob,
      prefix: `Received: by ${mta.value.host} id ${id}; ${formatDate(date)}\r\n`,
      inputChannel: 'LOCALOUT',
      origin: { protocol: reportProtocol },
      smtputf8: false,
      eightBit: false,
      arrivedAt: date,
      messageId: `<${messageId}>`,
    };
  }

  #tell(message: NewMessage): void {
    const recipients = message.recipients.map(({ address }) => address);
    tellStep(this.#needs.log, { step: 'Received', message, recipients, channel: 'LOCALOUT' });
  }

  /** What waits to be posted; what cannot be stays until its time is over. */
  async #post(): Promise<void> {
    let some: { readonly key: string; readonly waiting: Waiting | undefined }[] = [];
    // Several at once: who is slow keeps nobody else's past its time.
    const postThem = () => severalAtOnce(some, postsAtOnce, ({ key, waiting }) => this.#postOne(key, waiting));
    for await (const [key, bytes] of this.#needs.keyValue.scan(below(waitingKeys))) {
      some.push({ key, waiting: waitingIn(bytes) });
      if (some.length < 8 * postsAtOnce) continue;
      await postThem();
      some = [];
    }
    await postThem();
  }

  async #postOne(key: string, waiting: Waiting | undefined): Promise<void> {
    const { keyValue, clock, log } = this.#needs;
    if (this.#abort.signal.aborted) return;
    if (waiting) {
      const why = await this.#posted(waiting);
      const about = `the report about encryption for ${waiting.domain} to ${waiting.place.url}`;
      if (why === undefined) log.info(`${about} was posted`);
      else if (clock.now() < waiting.until) {
        log.info(`${about} could not be posted: ${why}`);
        return;
      } else log.warning(`${about} is given up: ${why}`);
    }
    await keyValue.transact(async () => ({ deletes: [key], result: undefined }), 'durable');
  }

  async #posted({ place, body }: Waiting): Promise<string | undefined> {
    const { resolver, clock, trust } = this.#needs;
    const { host, port, path } = place;
    const post = { type: 'application/tlsrpt+gzip', body: Buffer.from(body, 'base64') };
    try {
      const context = () => trust('without own certificate');
      const wish = { host, port, path, post, most: 65_536, timeoutMs: postMs };
      // A stop ends the connection at once, but not a question to the DNS: nobody waits for that.
      const answer = await Promise.race([https(wish, { resolver, clock, context, signal: this.#abort.signal }), this.#stopped]);
      if (answer === 'stopped') return 'SMTPC was stopped';
      return answer.status >= 200 && answer.status < 300 ? undefined : `it answered ${answer.status}`;
    } catch (thrown) {
      return (thrown as Error).message;
    }
  }
}

/** Undefined for what was damaged: there is nothing to post. */
function waitingIn(bytes: Uint8Array): Waiting | undefined {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as Waiting;
  } catch {
    return undefined;
  }
}
