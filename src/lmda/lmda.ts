/**
 * Local delivery: leases the LOCAL queue and puts messages into mailboxes.
 *
 * Promise: the step from queue to mailbox is one commit, with the delivery id among its checks: a crash at any moment
 * neither loses a delivery nor makes it twice. One recipient's trouble delays only that recipient.
 * Where in the account a message goes (mailsort, filters) is decided before the parts are made.
 * Spec: RFC 5321 §4.4 (Return-Path); checklist LMDA-01, LMDA-08; architecture "A message's way"
 */

import { asFault, type Clock, type Component, type Live, type Log, type Random, silentLog } from '../base/index.ts';
import type { Dit, MtaPolicy } from '../dit/index.ts';
import {
  backOff,
  ClockWatch,
  countedFrom,
  createReporter,
  createWorker,
  type Lease,
  leaseLost,
  type NewMessage,
  type Outcome,
  type Queue,
  type QueuedRecipient,
  type ReportEntry,
  type Reporter,
  type ReporterNeeds,
  tellStep,
  type Worker,
} from '../queue/index.ts';
import { type Blobs, CheckFailed, join, type KeyValue, type Part, segment, UnreadableBlob } from '../storage/index.ts';
import type { Store } from '../store/index.ts';
import { type Judgement, judge } from './judge.ts';
import type { LmdaSettings } from './settings.ts';
import { Structures } from './structures.ts';

export interface LmdaNeeds {
  readonly queue: Queue;
  readonly store: Store;
  readonly keyValue: KeyValue;
  readonly blobs: Blobs;
  readonly dit: Pick<Dit, 'recipientByUuid'>;
  readonly mta: Live<Pick<MtaPolicy, 'host' | 'postmaster'>>;
  readonly settings: Live<LmdaSettings>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What reports say, and to whom there are too many. */
  readonly reports?: Pick<ReporterNeeds, 'copyBounces' | 'texts' | 'limit'>;
}

const day = 86_400_000;
/** No local mail is put off for longer. */
const longestWait = 2 * day;
/** Recipients of one lease that are delivered in one commit. */
const together = 32;

export function createLmda(needs: LmdaNeeds): Component {
  return new Lmda(needs);
}

interface Delivery {
  readonly recipient: QueuedRecipient;
  readonly part: Part<unknown>;
  /** For the log: whose mailbox it is. */
  readonly mailbox: string;
}

class Lmda implements Component {
  readonly name = 'LMDA';
  readonly #needs: LmdaNeeds;
  readonly #structures: Structures;
  readonly #reporter: Reporter;
  readonly #worker: Worker;
  readonly #watch: ClockWatch;

  constructor(needs: LmdaNeeds) {
    const { queue, blobs, clock, log, mta, random, settings } = needs;
    this.#needs = needs;
    this.#structures = new Structures(blobs);
    this.#reporter = createReporter({ blobs, clock, random, mta, newId: () => queue.newId(), log, ...needs.reports });
    // SMTPC says that the clock was moved.
    this.#watch = new ClockWatch(clock, silentLog, (by) => void (by < 0 && this.#hasten()));
    this.#worker = createWorker({
      queue,
      name: 'LOCAL',
      settings,
      work: (lease) => this.#work(lease),
      failed: (lease, thrown) => this.#failed(lease, thrown),
      log,
      clock,
    });
  }

  async start(): Promise<void> {
    this.#watch.start();
    await this.#hasten();
    this.#worker.start();
  }

  stop(): Promise<void> {
    this.#watch.stop();
    return this.#worker.stop();
  }

  /** What a wrong clock had wait for a time that was never meant. */
  async #hasten(): Promise<void> {
    const { queue, log } = this.#needs;
    await queue
      .retryFar('LOCAL', longestWait)
      .catch((thrown: unknown) => log.warning('mail that waits too long cannot be hastened', thrown));
  }

  async #work(lease: Lease): Promise<void> {
    for (let from = 0; from < lease.recipients.length; from += together) {
      await this.#several(lease, lease.recipients.slice(from, from + together));
    }
  }

  async #several(lease: Lease, recipients: readonly QueuedRecipient[]): Promise<void> {
    const { settings } = this.#needs;
    const deliveries: Delivery[] = [];
    const others: { recipient: QueuedRecipient; judgement: Exclude<Judgement, { is: 'deliver' }> }[] = [];
    for (const recipient of recipients) {
      const size = lease.message.blob.size + prefixOf(lease, recipient).length;
      try {
        const judgement = await judge(this.#needs, recipient, size, settings.value);
        if (judgement.is === 'deliver') deliveries.push(await this.#delivery(lease, recipient, judgement));
        else others.push({ recipient, judgement });
      } catch (thrown) {
        if (thrown instanceof UnreadableBlob) throw thrown;
        this.#needs.log.warning(`${lease.message.id}: ${recipient.address}: cannot be delivered now`, thrown);
        others.push({ recipient, judgement: { is: 'defer', status: '4.3.0', text: asFault(thrown).say } });
      }
    }
    await this.#deliver(lease, deliveries);
    const refused = others.map(({ recipient, judgement }) => ({ recipient, ...judgement }));
    await this.#refuse(lease, refused);
  }

  async #delivery(lease: Lease, recipient: QueuedRecipient, { account, owner }: { account: string; owner: string }): Promise<Delivery> {
    const { store, clock } = this.#needs;
    const { message } = lease;
    await store.ensureAccount(account);
    const structure = await this.#structures.of(message.blob.id);
    const stored = { blob: message.blob, prefix: prefixOf(lease, recipient), structure, flags: [], internalDate: clock.now() };
    const folder = message.quarantine === undefined ? 'INBOX' : await unwantedFolder(store, account);
    const how = { deliveryId: deliveryId(lease, recipient), mailbox: folder };
    return { recipient, mailbox: `${owner}/${folder}`, part: store.deliverPart(account, stored, how) };
  }

  /** All of them in one commit; where that is refused, one by one, so that one's trouble is not the others'. */
  async #deliver(lease: Lease, deliveries: readonly Delivery[]): Promise<void> {
    if (deliveries.length === 0) return;
    try {
      await this.#commit(lease, deliveries);
    } catch (thrown) {
      if (deliveries.length === 1) return await this.#one(lease, deliveries[0] as Delivery, thrown);
      for (const delivery of deliveries) {
        try {
          await this.#commit(lease, [delivery]);
        } catch (again) {
          await this.#one(lease, delivery, again);
        }
      }
    }
  }

  async #commit(lease: Lease, deliveries: readonly Delivery[]): Promise<void> {
    const { keyValue, queue } = this.#needs;
    const numbers = deliveries.map(({ recipient }) => recipient.number);
    const report = await this.#success(lease, deliveries);
    const parts = deliveries.map(({ part }) => part);
    const reports = report ? [queue.submitPart(report)] : [];
    await keyValue.transact(join(...parts, ...reports, queue.completePart(lease, numbers)), 'durable');
    this.#delivered(lease, deliveries, report);
  }

  /** RFC 3461 §5.2.2: told when it is asked for. */
  async #success(lease: Lease, deliveries: readonly Delivery[]): Promise<NewMessage | undefined> {
    const { settings } = this.#needs;
    const asked = deliveries.filter(({ recipient }) => recipient.dsn?.notify?.includes('success'));
    if (asked.length === 0 || !settings.value.successReports) return undefined;
    const entries = asked.map(({ recipient }) => entryFor(recipient, 'delivered', '2.0.0', 'delivered to the mailbox'));
    return await this.#reporter.report(lease.message, entries);
  }

  #delivered({ message }: Lease, deliveries: readonly Delivery[], report: NewMessage | undefined): void {
    const { log } = this.#needs;
    for (const { recipient, mailbox } of deliveries) {
      const about = recipient.dsn?.notify?.includes('success') ? { report: report?.id } : {};
      tellStep(log, { step: 'Delivered', message, recipients: [recipient.address], channel: 'LOCAL', mailbox, ...about });
    }
  }

  /** A single delivery that was refused: done before, or to be tried later. */
  async #one(lease: Lease, { recipient }: Delivery, thrown: unknown): Promise<void> {
    const { keyValue, queue, log } = this.#needs;
    if (thrown instanceof CheckFailed && thrown.key.includes(segment(deliveryId(lease, recipient)))) {
      await keyValue.transact(queue.completePart(lease, [recipient.number]), 'durable');
      log.info(`${lease.message.id}: ${recipient.address} had it already`);
      return;
    }
    if (leaseLost(thrown)) throw thrown;
    const { say } = asFault(thrown);
    log.warning(`${lease.message.id}: ${recipient.address}: cannot be delivered now`, thrown);
    await this.#refuse(lease, [{ recipient, is: 'defer', status: '4.3.0', text: say }]);
  }

  /** Bounces and deferrals of one lease in one commit, with the report that tells the sender. */
  async #refuse(
    lease: Lease,
    refusals: readonly { recipient: QueuedRecipient; is: 'bounce' | 'defer'; status: string; text: string }[],
  ): Promise<void> {
    if (refusals.length === 0) return;
    const { keyValue, queue, clock, random, settings, log } = this.#needs;
    const { message } = lease;
    const now = clock.now();
    const first = settings.value.retryDelay * 1000;
    const credit = this.#watch.credit(message.arrivedAt);
    const late = (recipient: QueuedRecipient): boolean => now - countedFrom(message, recipient) - credit > settings.value.giveUpDays * day;
    const bounced = refusals.filter(({ is, recipient }) => is === 'bounce' || late(recipient));
    const deferred = refusals.filter((refusal) => !bounced.includes(refusal));
    const entries = bounced.map(({ recipient, status, text }) => entryFor(recipient, 'failed', status.replace(/^4/, '5'), text));
    const report = entries.length > 0 ? await this.#reporter.report(message, entries) : undefined;
    const outcome: Outcome = {
      done: bounced.map(({ recipient }) => recipient.number),
      deferred: deferred.map(({ recipient, text }) => ({
        number: recipient.number,
        nextAttempt: now + backOff(recipient.attempts, first, random),
        reason: text,
      })),
    };
    const parts = report ? [queue.submitPart(report)] : [];
    await keyValue.transact(join(...parts, queue.settlePart(lease, outcome)), bounced.length > 0 ? 'durable' : 'soon');
    const about = { message, channel: 'LOCAL' };
    for (const { recipient, status, text } of bounced)
      tellStep(log, { ...about, step: 'Rejected', recipients: [recipient.address], status, text: `${status} ${text}`, report: report?.id });
    for (const [n, { recipient, status, text }] of deferred.entries()) {
      const until = outcome.deferred?.[n]?.nextAttempt ?? now;
      tellStep(log, { ...about, step: 'Deferred', recipients: [recipient.address], status, text, until, attempts: recipient.attempts + 1 });
    }
  }

  /** The rest of the lease waits. What was settled before the failure is not spoken of again, least of all to the sender. */
  async #failed(lease: Lease, thrown: unknown): Promise<void> {
    const { log, queue } = this.#needs;
    log.warning(`${lease.message.id}: local delivery failed and is tried again`, thrown);
    const { say } = asFault(thrown);
    const queued = new Set((await queue.get(lease.message.id))?.recipients.map(({ number }) => number));
    const left = lease.recipients.filter(({ number }) => queued.has(number));
    await this.#refuse(
      lease,
      left.map((recipient) => ({ recipient, is: 'defer', status: '4.3.0', text: say })),
    );
  }
}

/** Where mail goes that was set aside; whoever has no such folder gets it where all mail goes. */
async function unwantedFolder(store: Store, account: string): Promise<string> {
  const folders = await store.mailboxes(account);
  return folders.find(({ specialUse, selectable }) => selectable && specialUse.includes('\\Junk'))?.name ?? 'INBOX';
}

const deliveryId = (lease: Lease, recipient: QueuedRecipient): string => `${lease.message.id}/${recipient.number}`;

/** What this delivery puts in front of the message. Addresses were checked at the door; a line stays a line all the same. */
function prefixOf({ message }: Lease, recipient: QueuedRecipient): string {
  const clean = (address: string): string => address.replace(/[\u0000-\u001f\u007f]/g, '');
  return `Return-Path: <${clean(message.sender)}>\r\nDelivered-To: ${clean(recipient.address)}\r\n${message.prefix}`;
}

function entryFor(recipient: QueuedRecipient, action: ReportEntry['action'], status: string, text: string): ReportEntry {
  return { address: recipient.address, ...(recipient.dsn ? { dsn: recipient.dsn } : {}), action, status, text };
}
