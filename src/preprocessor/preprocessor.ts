/**
 * The preprocessor: leases the input queue, routes every recipient, runs the modules, files the result.
 *
 * Promise: what becomes of a message is one commit (filing, changed copies, bounces, completion), so a crash at any moment
 * only means that it is looked at again. A message that makes routing or a module fail waits with growing delays and is
 * held and reported in the end; it is never lost, never bounced for our defect, and delays no other.
 * Never bounces a message with the null sender; where looping items go to the postmaster, such ones do, too.
 * Source: manual chapter 3; checklist MTA-02, MTA-06, MTA-10, MTA-11. Spec: RFC 5321 §6.1, RFC 3461
 */

import { type Clock, type Component, type Live, type Log, type Random, silentLog } from '../base/index.ts';
import type { MtaPolicy } from '../dit/index.ts';
import {
  backOff,
  ClockWatch,
  createReporter,
  createWorker,
  type Deferral,
  type Filing,
  isNotice,
  type Lease,
  type NewMessage,
  type Queue,
  type QueuedRecipient,
  type ReportEntry,
  type Reporter,
  type ReporterNeeds,
  type StoryLine,
  tellStep,
  type Worker,
} from '../queue/index.ts';
import type { Router } from '../routing/index.ts';
import type { Blobs } from '../storage/index.ts';
import { AsideNotice } from './aside-notice.ts';
import { createLoopDetection } from './loop-detection.ts';
import type { Module, RoutedRecipient } from './module.ts';
import { Pipeline, type Processed, type Variant, Wait } from './pipeline.ts';
import { type Routed, routeAll } from './routed.ts';
import type { LoopDetectionSettings, PreprocessorSettings } from './settings.ts';

export interface PreprocessorNeeds {
  readonly queue: Queue;
  readonly router: Router;
  readonly blobs: Blobs;
  readonly loopDetection: Live<LoopDetectionSettings>;
  /** Run after loop detection, in this order. */
  readonly modules?: readonly Module[];
  readonly mta: Live<Pick<MtaPolicy, 'host' | 'postmaster'>>;
  readonly settings: Live<PreprocessorSettings>;
  readonly clock: Clock;
  /** Spreads retries; `Math.random` unless given. */
  readonly random?: Random;
  readonly log: Log;
  /** What reports say, and to whom there are too many. */
  readonly reports?: Pick<ReporterNeeds, 'texts' | 'limit'>;
}

const day = 86_400_000;
/** Nothing is put off for longer. */
const longestWait = 2 * day;

export interface PreprocessorComponent extends Component {
  /** In the order in which they run. */
  readonly modules: readonly Module[];
}

export function createPreprocessor(needs: PreprocessorNeeds): PreprocessorComponent {
  return new Preprocessor(needs);
}

/** What became of a lease, for the log. */
interface Settled {
  readonly own: Variant | undefined;
  readonly copies: readonly { readonly message: NewMessage; readonly variant: Variant }[];
  readonly report?: string | undefined;
  readonly deferrals: readonly Deferral[];
}

interface Failed {
  readonly entry: ReportEntry;
  /** What decided it. */
  readonly rule: string;
  readonly toPostmaster: boolean;
}

class Preprocessor implements PreprocessorComponent {
  readonly name = 'PREPROCESSOR';
  readonly modules: readonly Module[];
  readonly #needs: PreprocessorNeeds;
  readonly #random: Random;
  readonly #pipeline: Pipeline;
  readonly #reporter: Reporter;
  readonly #worker: Worker;
  readonly #watch: ClockWatch;
  readonly #asideNotice: AsideNotice;

  constructor(needs: PreprocessorNeeds) {
    const { queue, blobs, clock, log, mta, random = Math.random, settings } = needs;
    this.#needs = needs;
    this.#random = random;
    const loops = createLoopDetection({ settings: needs.loopDetection, mta });
    this.modules = [loops, ...(needs.modules ?? [])];
    this.#pipeline = new Pipeline({ blobs, modules: this.modules, clock, moduleTime: () => settings.value.moduleTime * 1_000 });
    this.#reporter = createReporter({
      blobs,
      clock,
      random,
      mta,
      newId: () => queue.newId(),
      log,
      copyBounces: () => settings.value.copyBounces,
      ...needs.reports,
    });
    this.#asideNotice = new AsideNotice({
      queue,
      reporter: this.#reporter,
      postmaster: () => mta.value.postmaster,
      wanted: () => settings.value.notifyPostmaster,
      clock,
      log,
    });
    // SMTPC says that the clock was moved.
    this.#watch = new ClockWatch(clock, silentLog, (by) => void (by < 0 && this.#hasten()));
    this.#worker = createWorker({
      queue,
      name: 'INPUT',
      settings,
      work: (lease) => this.#work(lease),
      failed: (lease, thrown) => this.#failed(lease, thrown),
      log,
      clock,
    });
  }

  async start(): Promise<void> {
    this.#asideNotice.start();
    this.#watch.start();
    await this.#hasten();
    this.#worker.start();
  }

  /** What a wrong clock had wait for a time that was never meant. */
  async #hasten(): Promise<void> {
    const { queue, log } = this.#needs;
    await queue
      .retryFar('INPUT', longestWait)
      .catch((thrown: unknown) => log.warning('mail that waits too long cannot be hastened', thrown));
  }

  async stop(): Promise<void> {
    this.#watch.stop();
    await this.#worker.stop();
    await this.#asideNotice.stop();
  }

  async #work(lease: Lease): Promise<void> {
    const routed = await routeAll(this.#needs.router, lease);
    const processed = await this.#pipeline.run(lease.message, routed.recipients);
    const own = processed.variants.find(({ blob, prefix }) => blob === lease.message.blob && prefix === lease.message.prefix);
    const filings = filingsOf(own?.recipients ?? []);
    let settled: Settled = { own, copies: [], deferrals: [] };
    if (filings.length === lease.recipients.length && processed.variants.length === 1 && this.#plain(routed, processed)) {
      await this.#needs.queue.file(lease, filings);
    } else {
      settled = await this.#settle(lease, routed, processed, own, filings);
    }
    this.#tell(lease, routed, processed, settled);
  }

  #plain({ refused, waiting, expanded }: Routed, { bounced, discarded, also }: Processed): boolean {
    return refused.length + waiting.length + expanded.length + bounced.length + discarded.length + also.length === 0;
  }

  /** Everything that becomes of the lease in one commit. */
  async #settle(
    lease: Lease,
    routed: Routed,
    processed: Processed,
    own: Variant | undefined,
    filings: readonly Filing[],
  ): Promise<Settled> {
    const { queue } = this.#needs;
    const changed = processed.variants.filter((variant) => variant !== own);
    const copies = changed.map((variant) => this.#copy(lease, variant));
    const reports = [...(await this.#reports(lease, failures(routed, processed))), ...(await this.#expansions(lease, routed))];
    const deferred = await this.#deferrals(lease, routed);
    const stays = new Set([...filings.map(({ from }) => from), ...deferred.deferrals.map(({ number }) => number)]);
    const done = lease.recipients.map(({ number }) => number).filter((number) => !stays.has(number));
    const submissions = [...copies, ...reports, ...deferred.notes, ...processed.also];
    await queue.settle(lease, { filed: filings, done, deferred: deferred.deferrals }, submissions);
    const named = changed.map((variant, n) => ({ message: copies[n] as NewMessage, variant }));
    return { own, copies: named, report: reports[0]?.id, deferrals: deferred.deferrals };
  }

  /** A changed copy is a message of its own, filed already. */
  #copy({ message }: Lease, { blob, prefix, recipients }: Variant): NewMessage {
    return {
      ...message,
      id: this.#needs.queue.newId(),
      parent: message.id,
      blob,
      prefix,
      recipients: recipients.map(({ address, queue, identifier, dsn }) => ({
        address,
        ...(dsn ? { dsn } : {}),
        filed: { queue, identifier },
      })),
    };
  }

  async #reports({ message }: Lease, failed: readonly Failed[]): Promise<NewMessage[]> {
    if (failed.length === 0) return [];
    const { mta, log } = this.#needs;
    const { postmaster } = mta.value;
    const forPostmaster = failed.filter((one) => one.toPostmaster && (message.sender !== '' || !this.#toldAlready(message, one)));
    // With the null sender the reporter knows whether the postmaster gets it.
    const forSender = failed.filter((one) => !forPostmaster.includes(one));
    if (message.sender === '' && forSender.length > 0)
      log.message(`${message.id}: not bounced, the message has the null sender (${forSender[0]?.entry.text ?? ''})`);
    return [...(await this.#report(message, forSender, undefined)), ...(await this.#report(message, forPostmaster, postmaster))];
  }

  /** A notice that does not reach the postmaster begets no other. */
  #toldAlready(message: Lease['message'], { entry }: Failed): boolean {
    return isNotice(message) || entry.address.toLowerCase() === this.#needs.mta.value.postmaster.toLowerCase();
  }

  /** RFC 3461 §5.2.7: the last that a sender hears who asked for success. */
  async #expansions({ message }: Lease, { expanded }: Routed): Promise<NewMessage[]> {
    if (expanded.length === 0) return [];
    const entries = expanded.map(
      ({ recipient, addresses }): ReportEntry => ({
        address: recipient.address,
        ...(recipient.dsn ? { dsn: recipient.dsn } : {}),
        action: 'expanded',
        status: '2.0.0',
        text: `handed to ${addresses} addresses behind this one`,
      }),
    );
    const report = await this.#reporter.report(message, entries);
    return report ? [report] : [];
  }

  async #report(message: Lease['message'], failed: readonly Failed[], to: string | undefined): Promise<NewMessage[]> {
    const report = await this.#reporter.report(
      message,
      failed.map(({ entry }) => entry),
      to === undefined ? {} : { to },
    );
    return report ? [report] : [];
  }

  /** When recipients are tried again that nothing can be said about, and what the postmaster hears of it. */
  async #deferrals(lease: Lease, { waiting }: Routed): Promise<{ deferrals: Deferral[]; notes: NewMessage[] }> {
    for (const { recipient, bug } of waiting) {
      if (bug !== undefined) this.#needs.log.error(`${lease.message.id}: routing of ${recipient.address} failed`, bug);
    }
    return await this.#putBack(
      lease,
      waiting.map(({ recipient, text, bug }) => ({ recipient, text, ours: bug !== undefined })),
    );
  }

  async #putBack(
    lease: Lease,
    waiting: readonly { recipient: QueuedRecipient; text: string; ours: boolean }[],
  ): Promise<{ deferrals: Deferral[]; notes: NewMessage[] }> {
    const { settings, clock, mta, log } = this.#needs;
    const { tries, retryDelay, notifyPostmaster } = settings.value;
    const now = clock.now();
    const held = waiting.filter(({ recipient, ours }) => ours && recipient.attempts + 1 >= tries);
    const deferrals = waiting.map((one): Deferral => {
      const delay = held.includes(one) ? day : backOff(one.recipient.attempts, retryDelay * 1000, this.#random);
      return { number: one.recipient.number, nextAttempt: now + delay, reason: held.includes(one) ? `held: ${one.text}` : one.text };
    });
    const news = held.filter(({ recipient }) => recipient.attempts + 1 === tries);
    if (news.length > 0) log.error(`${lease.message.id}: cannot be processed and is held; it is tried once a day`);
    if (news.length === 0 || !notifyPostmaster || isNotice(lease.message)) return { deferrals, notes: [] };
    const text = [
      `The message ${lease.message.id} from <${lease.message.sender}> cannot be processed and is held in the input queue.`,
      'It is tried once a day. The log says what is wrong. Concerned:',
      ...news.slice(0, 100).map(({ recipient }) => `  <${recipient.address}>`),
    ].join('\n');
    return { deferrals, notes: [await this.#reporter.note(mta.value.postmaster, `Message ${lease.message.id} is held`, text)] };
  }

  /** A module failed, or wants to wait: the whole message does. */
  async #failed(lease: Lease, thrown: unknown): Promise<void> {
    const { log, queue } = this.#needs;
    const ours = !(thrown instanceof Wait);
    const text = thrown instanceof Wait ? thrown.message : 'a module failed';
    if (ours) log.error(`${lease.message.id}: processing failed and is tried again`, thrown);
    const waiting = lease.recipients.map((recipient) => ({ recipient, text, ours }));
    const { deferrals, notes } = await this.#putBack(lease, waiting);
    await queue.settle(lease, { deferred: deferrals }, notes);
  }

  /** Routed first, so that the story reads in its order. */
  #tell({ message, recipients }: Lease, routed: Routed, processed: Processed, { own, copies, report, deferrals }: Settled): void {
    const { log } = this.#needs;
    const tell = (line: Omit<StoryLine, 'channel'>): void => tellStep(log, { channel: 'INPUT', ...line });
    const original = new Map(recipients.map(({ number, address }) => [number, address]));
    for (const { message: filed, variant } of [...(own ? [{ message, variant: own }] : []), ...copies]) {
      const routes = variant.recipients.map(({ from, address, queue, identifier }) => ({
        original: original.get(from) ?? address,
        address,
        queue,
        identifier,
      }));
      if (routes.length > 0)
        tell({ step: 'Routed', message: filed, recipients: [...new Set(routes.map((route) => route.original))], routes });
    }
    for (const { entry, rule } of failures(routed, processed)) {
      const { address, status, text } = entry;
      tell({ step: 'Rejected', message, recipients: [address], status, text: `${status} ${text}`, report, rule });
    }
    for (const { recipient, text } of processed.discarded) tell({ step: 'Discarded', message, recipients: [recipient.address], text });
    for (const { recipient, text } of routed.waiting) {
      const until = deferrals.find(({ number }) => number === recipient.number)?.nextAttempt;
      const when = until === undefined ? {} : { until };
      tell({ step: 'Deferred', message, recipients: [recipient.address], text, attempts: recipient.attempts + 1, ...when });
    }
  }
}

function filingsOf(recipients: readonly RoutedRecipient[]): Filing[] {
  const byNumber = new Map<number, Filing['to'][number][]>();
  for (const { from, ...route } of recipients) {
    const to = byNumber.get(from);
    if (to) to.push(route);
    else byNumber.set(from, [route]);
  }
  return [...byNumber].map(([from, to]) => ({ from, to }));
}

function failures({ refused }: Routed, { bounced }: Processed): Failed[] {
  const failed = (address: string, dsn: ReportEntry['dsn'], status: string, text: string): ReportEntry => ({
    address,
    ...(dsn ? { dsn } : {}),
    action: 'failed',
    status,
    text,
  });
  return [
    ...refused.map(({ recipient, refusal }) => ({
      entry: failed(recipient.address, recipient.dsn, refusal.status, targetText(recipient.address, refusal)),
      rule: 'routing',
      toPostmaster: false,
    })),
    ...bounced.map(({ recipient, status, text, toPostmaster }) => ({
      entry: failed(recipient.address, recipient.dsn, status, text),
      rule: 'module',
      toPostmaster,
    })),
  ];
}

/** A target behind the address is named, so that its owner can be told which one is dead. */
function targetText(address: string, refusal: { readonly address: string; readonly text: string }): string {
  return refusal.address.toLowerCase() === address.toLowerCase() ? refusal.text : `${refusal.address}: ${refusal.text}`;
}
