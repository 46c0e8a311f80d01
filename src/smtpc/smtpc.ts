/**
 * SMTPC: takes what waits for other hosts and sends it there.
 *
 * Promise: one slow or dead destination holds up its own mail only: it has a bounded number of sessions, the first message to it is a
 * probe, and while it is down what comes for it is put off without an attempt; a connection is used for several messages; `stop`
 * lets transactions that run come to their end and hands back the rest within ten seconds.
 * How a message is sent is in deliver.ts, what happens then in settle.ts.
 * Source: manual chapter 3 "SMTPC", chapter 6; checklist SMTPC-01 … 14
 */

import type { SecureContextOptions } from 'node:tls';
import {
  asFault,
  type Cancel,
  type Clock,
  type Component,
  type Live,
  type Log,
  Lru,
  type Random,
  type Resolver,
  systemClock,
} from '../base/index.ts';
import type { MtaPolicy, Peer } from '../dit/index.ts';
import { createReporter, type Lease, leaseLost, type Queue, type Reporter, type ReporterNeeds } from '../queue/index.ts';
import type { Blobs, KeyValue } from '../storage/index.ts';
import { forbidden, waitsUntil } from './agreed.ts';
import type { PeerSession } from './client.ts';
import { deliver, type SignMessage } from './deliver.ts';
import { all, type Fate, type Fates } from './fate.ts';
import type { EtrnAnswer } from './etrn.ts';
import type { RelayStatus } from './relays.ts';
import type { SmtpcSettings } from './settings/index.ts';
import { settle } from './settle.ts';
import { TlsDesk } from './tls/desk.ts';
import { isTlsReport } from './tls/report-message.ts';
import { TlsReporter } from './tls/reporter.ts';
import { Way } from './way.ts';

export interface SmtpcOptions {
  readonly queue: Queue;
  readonly keyValue: Pick<KeyValue, 'transact' | 'get' | 'scan'>;
  readonly blobs: Blobs;
  readonly resolver: Resolver;
  readonly settings: Live<SmtpcSettings>;
  /** The server's own certificate, for who asks. */
  readonly certificate?: Live<SecureContextOptions | undefined>;
  /** What is agreed with the peer a destination belongs to, as it is now. */
  readonly peer: (destination: string) => Peer;
  readonly mta: Live<MtaPolicy>;
  readonly log: Log;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Signs what is sent; absent: nothing is signed. */
  readonly sign?: SignMessage;
  /** Whether we ourselves listen there for mail: sending to it would be a loop. */
  readonly isOwn?: (address: string, port: number) => boolean;
  /** What reports say, and to whom there are too many. */
  readonly reports?: Pick<ReporterNeeds, 'copyBounces' | 'texts' | 'limit'>;
  /** Whether delivery status notifications are asked of other hosts: the same switch by which we offer them. */
  readonly dsn?: () => boolean;
}

/** Messages of a destination known to be down that are put off at one time. */
const putOffAtOnce = 50;
const destinationsRemembered = 10_000;
/** After a defect of ours the lease waits this long. */
const afterDefectMs = 60_000;
const stopMs = 8_000;

interface Down {
  readonly since: number;
  readonly until: number;
  readonly fate: Fate;
}

export interface SmtpcComponent extends Component {
  /** Asks a host to send what waits there for us (for these names alone, where given); what it said. */
  etrn(host: string, names?: readonly string[]): Promise<EtrnAnswer[]>;
  /** Which mail relay host is used now. */
  relays(): RelayStatus;
  /** What administrators ask about encryption. */
  readonly tls: TlsDesk;
}

export function createSmtpc(options: SmtpcOptions): SmtpcComponent {
  return new Smtpc(options);
}

class Smtpc implements SmtpcComponent {
  readonly name = 'SMTPC';
  readonly #options: SmtpcOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #reporter: Reporter;
  readonly #way: Way;
  readonly #tlsReporter: TlsReporter;
  readonly tls: TlsDesk;
  /** Sessions, those being opened included, by destination. */
  readonly #busy = new Map<string, number>();
  /** Destinations that have greeted us since they last failed: they may have several sessions. */
  readonly #proved = new Lru<string, true>(destinationsRemembered);
  readonly #down = new Lru<string, Down>(destinationsRemembered);
  readonly #sessions = new Set<PeerSession>();
  #running: Promise<void>[] = [];
  #filling: Promise<void> | undefined;
  #again = false;
  #abort = new AbortController();
  #stops: Cancel[] = [];
  #timer: Cancel | undefined;

  constructor(options: SmtpcOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#way = new Way({ isOwn: () => false, ...options, clock: this.#clock, random: this.#random });
    const { blobs, log, mta, queue, reports } = options;
    const clock = this.#clock;
    this.#reporter = createReporter({ blobs, mta, clock, random: this.#random, newId: () => queue.newId(), log, ...reports });
    const { encryption } = this.#way;
    this.#tlsReporter = new TlsReporter({ ...options, ...encryption.forReports, clock, random: this.#random });
    this.tls = new TlsDesk({
      ...options,
      encryption,
      reporter: this.#tlsReporter,
      relay: () => this.#way.relay(),
      plan: (destination) => this.#way.plan(destination),
    });
  }

  async start(): Promise<void> {
    this.#abort = new AbortController();
    await this.#way.start();
    this.#tlsReporter.start();
    this.#stops = [this.#options.queue.onWork('SMTPC', () => this.#wake())];
    this.#tick();
  }

  /** Nothing depends on the interval: it only makes up for a wake-up that got lost. */
  #tick(): void {
    this.#wake();
    this.#timer = this.#clock.after(this.#options.settings.value.runInterval * 60_000, () => this.#tick());
  }

  #wake(): void {
    if (this.#abort.signal.aborted) return;
    this.#again = true;
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = undefined;
      if (this.#again && !this.#abort.signal.aborted) this.#wake();
    });
  }

  /** Begins sessions for destinations that have work, as long as there are any to give. */
  async #fill(): Promise<void> {
    const { queue, log, settings } = this.#options;
    try {
      while (this.#again && !this.#abort.signal.aborted) {
        this.#again = false;
        const free = settings.value.sessions - this.#total();
        if (free <= 0) return;
        const [lease] = await queue.lease('SMTPC', 1, { except: this.#full() });
        if (!lease) return;
        this.#again = true;
        this.#begin(lease);
      }
    } catch (thrown) {
      this.#again = false;
      log.error('the queue cannot be worked at present', thrown);
    }
  }

  #total(): number {
    let sum = 0;
    for (const n of this.#busy.values()) sum += n;
    return sum;
  }

  #full(): string[] {
    return [...this.#busy]
      .filter(([destination, n]) => n >= (this.#proved.get(destination) ? this.#options.peer(destination).sessions : 1))
      .map(([destination]) => destination);
  }

  #begin(lease: Lease): void {
    const destination = lease.recipients[0]?.identifier ?? '';
    this.#busy.set(destination, (this.#busy.get(destination) ?? 0) + 1);
    const work = this.#work(destination, lease).finally(() => {
      const left = (this.#busy.get(destination) ?? 1) - 1;
      if (left > 0) this.#busy.set(destination, left);
      else this.#busy.delete(destination);
      this.#running = this.#running.filter((one) => one !== work);
      this.#wake();
    });
    this.#running.push(work);
  }

  /** A destination: a session, and messages over it one after the other. Never fails. */
  async #work(destination: string, first: Lease): Promise<void> {
    const { signal } = this.#abort;
    let session: PeerSession | undefined;
    let lease: Lease | undefined = first;
    try {
      const peer = this.#options.peer(destination);
      if (await this.#keptBack(lease, destination, peer)) return;
      const down = this.#down.get(destination);
      if (down && isHeldUp(lease, down, this.#clock.now())) return await this.#putOff(destination, lease, down.fate);
      const report = isTlsReport(lease.message);
      const reached = await this.#way.reach(destination, peer, report);
      if (reached.kind !== 'session') {
        const fate: Fate =
          reached.kind === 'defer'
            ? { kind: 'defer', status: reached.status, text: reached.text }
            : { kind: 'bounce', status: reached.status, text: reached.text };
        // Stopped while waiting: that is no attempt.
        if (signal.aborted) return await this.#options.queue.release(lease);
        return await this.#putOff(destination, lease, fate);
      }
      session = reached.session;
      this.#sessions.add(reached.session);
      void reached.session.ended.then(() => this.#sessions.delete(reached.session));
      this.#down.delete(destination);
      this.#proved.set(destination, true);
      this.#again = true;
      for (let n = 0; lease; n += 1) {
        const current: Lease = lease;
        // What is agreed may have changed since the session began.
        const no = this.#forbidden(current, destination, this.#options.peer(destination));
        const fates = no ?? (await deliver(current, session, this.#deliverOptions(destination)));
        if (n > 0 && !session.open && [...fates.values()].every((fate) => fate.kind === 'defer')) {
          // The peer had enough of this connection, not of the message: a new connection will tell.
          await this.#options.queue.release(current);
          return;
        }
        lease = undefined;
        await this.#settle(current, fates);
        // What was good enough for a report about encryption may not be for others.
        if (report || !session.open || signal.aborted || n + 1 >= peer.messagesPerSession) break;
        [lease] = await this.#options.queue.lease('SMTPC', 1, { identifier: destination });
      }
    } catch (thrown) {
      await this.#defect(lease, thrown);
    } finally {
      session?.quit();
    }
  }

  #forbidden(lease: Lease, destination: string, peer: Peer): Fates | undefined {
    const no = forbidden(lease, destination, peer);
    if (!no) return undefined;
    this.#options.log.info(`${lease.message.id}: not for ${destination}, by ${no.entry ?? 'the default for peers'}`);
    return all(lease.recipients, no.fate);
  }

  /** Whether nothing is sent now: the peer gets no such mail, or this waits for the queue run. */
  async #keptBack(lease: Lease, destination: string, peer: Peer): Promise<boolean> {
    const no = this.#forbidden(lease, destination, peer);
    const run = no ? undefined : waitsUntil(lease, peer, this.#clock.now());
    if (no) await this.#settle(lease, no);
    if (run === undefined) return no !== undefined;
    const reason = `waits for the queue run of ${peer.peer}`;
    await this.#options.queue.defer(
      lease,
      lease.recipients.map(({ number }) => ({ number, nextAttempt: run, reason })),
    );
    for (const { address } of lease.recipients)
      this.#options.log.message(`Deferred ${lease.message.id} to <${address}> until ${new Date(run).toISOString()}: ${reason}`);
    return true;
  }

  /** The probe failed: it and what else waits for the destination is settled with the same words. */
  async #putOff(destination: string, lease: Lease, fate: Fate): Promise<void> {
    const { queue } = this.#options;
    const { queueInterval } = this.#options.peer(destination);
    this.#proved.delete(destination);
    const known = this.#down.get(destination);
    const now = this.#clock.now();
    if (fate.kind === 'defer' && !(known && known.until > now)) {
      this.#down.set(destination, { since: now, until: now + (queueInterval * 60_000) / 2, fate });
    }
    await this.#settle(lease, all(lease.recipients, fate));
    const others = this.#abort.signal.aborted ? [] : await queue.lease('SMTPC', putOffAtOnce, { identifier: destination });
    // One that cannot be settled must not keep the others.
    for (const other of others) await this.#settle(other, all(other.recipients, fate)).catch((thrown) => this.#defect(other, thrown));
  }

  /**
   * What cannot be settled with all that belongs to it (the report cannot be made, say) is settled without: what the peer has taken is
   * done and is never sent twice for a defect of ours, the rest waits.
   */
  async #settle(lease: Lease, fates: Fates): Promise<void> {
    const { queue, log } = this.#options;
    try {
      await this.#settleWhole(lease, fates);
    } catch (thrown) {
      if (leaseLost(thrown)) {
        log.diagnostic(`${lease.message.id}: the lease does not hold any more`);
        return;
      }
      log.error(`${lease.message.id}: what became of it could not be written down`, thrown);
      const nextAttempt = this.#clock.now() + afterDefectMs;
      const each = [...fates];
      await queue.settle(lease, {
        done: each.filter(([, { kind }]) => kind === 'sent').map(([{ number }]) => number),
        deferred: each
          .filter(([, { kind }]) => kind !== 'sent')
          .map(([{ number }, fate]) => ({ number, nextAttempt, reason: fate.kind === 'sent' ? '' : fate.text })),
      });
    }
  }

  async #settleWhole(lease: Lease, fates: Fates): Promise<void> {
    const { keyValue, queue, log, settings } = this.#options;
    const value = settings.value;
    const peer = this.#options.peer(lease.recipients[0]?.identifier ?? '');
    await settle(lease, fates, {
      keyValue,
      queue,
      reporter: this.#reporter,
      log,
      clock: this.#clock,
      random: this.#random,
      retry: { interval: peer.queueInterval * 60_000, period: peer.retryPeriod * 3_600_000 },
      delayNotice: value.delayNotice,
      delayNoticeAfter: value.delayNoticeAfter * 3_600_000,
      successNotice: value.successNotice,
      spamReportPeriod: value.spamReportPeriod * 3_600_000,
    });
  }

  /** Something of ours broke: the message waits, and is never bounced for it. */
  async #defect(lease: Lease | undefined, thrown: unknown): Promise<void> {
    const { log, queue } = this.#options;
    log.error(`sending ${lease?.message.id ?? 'mail'} failed`, asFault(thrown).cause ?? thrown);
    if (!lease) return;
    const nextAttempt = this.#clock.now() + afterDefectMs;
    try {
      await queue.defer(
        lease,
        lease.recipients.map(({ number }) => ({ number, nextAttempt, reason: 'internal error' })),
      );
    } catch (again) {
      log.error(`${lease.message.id} could not be deferred`, again);
    }
  }

  #deliverOptions(destination: string) {
    const value = this.#options.settings.value;
    return {
      blobs: this.#options.blobs,
      ...(this.#options.sign ? { sign: this.#options.sign } : {}),
      recipientsPerTransaction: value.recipientsPerTransaction,
      temporary554: value.treat554AsTemporary,
      dsn: this.#options.dsn?.() ?? true,
      charset: this.#options.mta.value.charset ?? '',
      keepVerdicts: this.#options.peer(destination).keepSpamHeaders,
    };
  }

  etrn(host: string, names?: readonly string[]): Promise<EtrnAnswer[]> {
    return this.#way.etrn(host, names);
  }

  relays(): RelayStatus {
    return this.#way.relays();
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops) stop();
    this.#timer?.();
    this.#abort.abort();
    this.#way.stop();
    await this.#tlsReporter.stop();
    await this.#filling;
    const settled = Promise.all(this.#running);
    let cancel: Cancel = () => {};
    const grace = new Promise<void>((resolve) => {
      cancel = this.#clock.after(stopMs, resolve);
    });
    await Promise.race([settled, grace]);
    cancel();
    // A transaction cut off here is deferred by its own worker, as for any connection that breaks.
    for (const session of this.#sessions) session.destroy();
    await settled;
  }
}

/** Came while the destination was known to be down. What falls due later, or was told to go now, is a probe of its own. */
function isHeldUp(lease: Lease, down: Down, now: number): boolean {
  return down.until > now && lease.recipients.every((one) => one.attempts === 0 || one.nextAttempt <= down.since);
}
