/**
 * Which mail is sent when: the pending queue at once, the deferred queue by domain channels.
 *
 * Promise: one slow or dead destination holds up its own mail only. Mail for a host that is down is put off without an attempt and sleeps:
 * at the channel's next run its first message, that of the lowest weight, is the probe, and the rest follows over several sessions only where
 * that one was answered. What is decided about single messages, giving them up and telling their senders, happens in their own time.
 * How much goes at one time is places.ts; the order is choose.ts; what is known of hosts is channels.ts.
 * Source: manual chapter 6, "Pending Queue", "Deferred Queue"; checklist SMTPC-01 … 04; docs/decisions/0020
 */

import type { Cancel, Log } from '../base/index.ts';
import type { Peer } from '../dit/index.ts';
import type { Lease, WaitingSlip } from '../queue/index.ts';
import { isFresh, waitsUntil } from './agreed.ts';
import type { Channel } from './channels.ts';
import { Chooser, type Traits } from './choose.ts';
import { type ErrandNeeds, Errands } from './errand.ts';
import { all } from './fate.ts';
import { DeferredPlaces, PendingPlaces, Place } from './places.ts';
import { longestDelay } from './retry.ts';
import { weighs, weightOf, weightRule } from './weight.ts';

export interface SchedulerNeeds extends ErrandNeeds {
  readonly log: Log;
}

/** Leases that are only put off, settled at one time. */
const asideAtMost = 64;
const afterDefectMs = 60_000;
const minute = 60_000;
const hour = 60 * minute;

const isTold = ({ recipients }: Lease): boolean => recipients.some(({ told }) => told === true);

export class Scheduler {
  readonly #needs: SchedulerNeeds;
  readonly #errands: Errands;
  readonly #pending: PendingPlaces;
  readonly #deferred: DeferredPlaces;
  /** Channels whose time has come, in that order. */
  readonly #ready = new Set<Channel>();
  readonly #choosers = new Map<Channel, Chooser>();
  readonly #running = new Set<Promise<void>>();
  readonly #aside = new Set<Promise<void>>();
  #rule: ReturnType<typeof weightRule>['rule'];
  #filling: Promise<void> | undefined;
  #again = false;
  #timer: Cancel | undefined;
  #stops: Cancel[] = [];

  constructor(needs: SchedulerNeeds) {
    this.#needs = needs;
    this.#errands = new Errands(needs);
    const bounds = () => needs.settings.value;
    this.#pending = new PendingPlaces(bounds, needs.clock, () => this.wake());
    this.#deferred = new DeferredPlaces(bounds, needs.clock, () => this.wake());
    this.#rule = weightRule(needs.settings.value).rule;
  }

  async start(): Promise<void> {
    const { queue, settings } = this.#needs;
    this.#weigh();
    this.#stops = [
      queue.onWork('SMTPC', () => this.wake()),
      queue.onRetry('SMTPC', (identifier) => this.#hurry(identifier)),
      settings.onChange((now, before) => {
        this.#weigh();
        if (now.runInterval !== before.runInterval) this.#arm();
        this.wake();
      }),
    ];
    await this.#remember();
    this.#tick();
  }

  #weigh(): void {
    const { rule, problems } = weightRule(this.#needs.settings.value);
    this.#rule = rule;
    for (const problem of problems) this.#needs.log.warning(`priority weight: ${problem}; it weighs nothing`);
  }

  /**
   * Channels whose first message is far from due sleep, and nobody remembers until when: they get a time, spread over the interval, so that
   * a start does not wake everything at once.
   */
  async #remember(): Promise<void> {
    const { channels, clock, peer, queue, random } = this.#needs;
    const now = clock.now();
    for await (const { identifier, nextAttempt } of queue.identifiers('SMTPC')) {
      const interval = peer(identifier).queueInterval * minute;
      if (nextAttempt <= now + longestDelay(interval) || !channels.room) continue;
      channels.of(identifier).nextRun = Math.round(now + random() * interval);
    }
  }

  /** The clock was put back or forward: what waits for a time that was wrong gets another one. */
  moved(): void {
    const { channels, clock, log, peer, random } = this.#needs;
    const now = clock.now();
    for (const channel of channels) {
      const interval = peer(channel.destination).queueInterval * minute;
      if (channel.nextRun === Number.POSITIVE_INFINITY || channel.nextRun <= now + longestDelay(interval)) continue;
      channel.nextRun = Math.round(now + random() * interval);
      if (channel.down) channel.down.until = channel.nextRun;
    }
    this.#remember().catch((thrown: unknown) => log.error('the deferred queue could not be looked through', thrown));
  }

  #arm(): void {
    this.#timer?.();
    this.#timer = this.#needs.clock.after(this.#needs.settings.value.runInterval * minute, () => this.#tick());
  }

  #tick(): void {
    this.#pending.begin();
    const now = this.#needs.clock.now();
    for (const channel of this.#needs.channels) if (channel.nextRun <= now) this.#ready.add(channel);
    if (!this.#pending.room) this.#inTurn(this.#findDeferred());
    this.wake();
    this.#arm();
  }

  /** While the pending queue takes all it may, nothing else would notice what is deferred and due. */
  async #findDeferred(): Promise<void> {
    const { channels, clock, queue } = this.#needs;
    const now = clock.now();
    for await (const { identifier, nextAttempt } of queue.identifiers('SMTPC')) {
      if (nextAttempt > now) continue;
      for await (const { deferredSince } of queue.waiting('SMTPC', identifier)) {
        if (deferredSince !== undefined) this.#due(channels.of(identifier), now);
        break;
      }
    }
  }

  #due(channel: Channel, now: number): void {
    channel.nextRun = Math.min(channel.nextRun, now);
    this.#ready.add(channel);
  }

  /** Somebody wants the mail for a destination, or all, to go now, whatever its time and whatever is known of the host. */
  #hurry(identifier: string | undefined): void {
    const { channels, clock, queue } = this.#needs;
    const one = (destination: string): void => {
      const channel = channels.of(destination);
      channel.all = true;
      if (channel.down) channel.down.until = Math.min(channel.down.until, clock.now());
      this.#due(channel, clock.now());
    };
    if (identifier !== undefined) one(identifier);
    else
      this.#inTurn(
        (async () => {
          for await (const found of queue.identifiers('SMTPC')) one(found.identifier);
        })(),
      );
    this.wake();
  }

  wake(): void {
    const aborted = this.#needs.signal().aborted;
    if (aborted) return;
    this.#again = true;
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = undefined;
      if (this.#again && !this.#needs.signal().aborted) this.wake();
    });
  }

  /** Begins whatever there is work and room for. */
  async #fill(): Promise<void> {
    const { channels, log, peer, queue, signal } = this.#needs;
    try {
      while (this.#again && !signal().aborted) {
        this.#again = false;
        this.#startRuns();
        if (this.#aside.size >= asideAtMost) await Promise.race(this.#aside);
        if (!this.#pending.room) return;
        const except = channels.full((destination) => peer(destination).sessions);
        const [lease] = await queue.lease('SMTPC', 1, { except });
        if (!lease) return;
        this.#again = true;
        this.#sort(lease);
      }
    } catch (thrown) {
      this.#again = false;
      log.error('the queue cannot be worked at present', thrown);
    }
  }

  /** What becomes of a lease that is due: sent, put off with the rest of its channel, or left to the channel's run. */
  #sort(lease: Lease): void {
    const { books, channels, clock, peer: peerOf } = this.#needs;
    const destination = lease.recipients[0]?.identifier ?? '';
    const channel = channels.of(destination);
    const peer = peerOf(destination);
    const now = clock.now();
    const { down } = channel;
    const no = books.forbidden(lease, destination, peer);
    const run = waitsUntil(lease, peer, now);
    if (no) this.#putAside(channel, lease, books.settle(lease, no));
    else if (run !== undefined) {
      const first = channel.nextRun > run;
      if (first) channel.nextRun = run;
      this.#putAside(channel, lease, books.keepFor(lease, run, peer, first));
    } else if (down && down.until > now && !channel.all && !isTold(lease)) {
      const wait = { at: down.until, asleep: channels.room, tried: false };
      this.#putAside(channel, lease, books.settle(lease, all(lease.recipients, down.fate), wait));
    } else if (isFresh(lease)) this.#send(channel, lease);
    else if (this.#offer(channel, lease, peer)) {
      // It goes when it is its turn.
    } else {
      this.#due(channel, now);
      this.#putAside(channel, lease, books.park(lease, now));
    }
  }

  /** Hands it to the channel's run, which begins where there is room for it. */
  #offer(channel: Channel, lease: Lease, peer: Peer): boolean {
    if (!channel.running && this.#deferred.room && this.#needs.channels.open(channel, peer.sessions)) this.#startRun(channel);
    return this.#choosers.get(channel)?.offer(lease) ?? false;
  }

  /** Nothing is sent for it. */
  #putAside(channel: Channel, lease: Lease, work: Promise<void>): void {
    const done = work
      .catch((thrown: unknown) => this.#needs.books.defect(lease, thrown))
      .finally(() => {
        this.#aside.delete(done);
        this.#needs.channels.tidy(channel);
      });
    this.#aside.add(done);
  }

  #inTurn(work: Promise<void>): void {
    const done = work
      .catch((thrown: unknown) => this.#needs.log.error('the deferred queue could not be worked', thrown))
      .finally(() => {
        this.#running.delete(done);
        this.wake();
      });
    this.#running.add(done);
  }

  /** A session of the pending queue. */
  #send(channel: Channel, lease: Lease): void {
    const { channels, queue, settings } = this.#needs;
    const entered = this.#pending.enter();
    if (!entered) {
      this.#putAside(channel, lease, queue.release(lease));
      return;
    }
    const { run, place } = entered;
    channels.enter(channel);
    const chooser = weighs(this.#rule) ? this.#chooser(channel, 'due') : undefined;
    const next = async (): Promise<Lease | undefined> => {
      if (!run.take()) return undefined;
      const found = chooser ? await chooser.next() : (await queue.lease('SMTPC', 1, { identifier: channel.destination }))[0];
      if (!found) run.untake();
      return found;
    };
    const work = async (): Promise<void> => {
      try {
        // The oldest brought us here; the first to go is the one of the lowest weight.
        if (chooser) await queue.release(lease);
        const first = chooser ? await chooser.next() : lease;
        if (!first) return;
        const most = (peer: { messagesPerSession: number }): number => Math.min(settings.value.messagesPerSession, peer.messagesPerSession);
        const answered = (): void => this.#answered(channel);
        const ended = await this.#errands.run({ channel, first, place, most, next, probe: false, answered });
        if (ended === 'down') await this.#reconsider(channel);
      } finally {
        this.#pending.leave(run, place);
        channels.leave(channel);
      }
    };
    this.#inTurn(work());
  }

  /** Its host takes mail: several sessions may begin, and what sleeps may go. */
  #answered(channel: Channel): void {
    if (channel.nextRun !== Number.POSITIVE_INFINITY && !channel.running && !this.#needs.peer(channel.destination).queueFirst)
      this.#due(channel, this.#needs.clock.now());
    this.wake();
  }

  #chooser(channel: Channel, which: 'due' | 'run' | 'all'): Chooser {
    const { clock, peer, queue } = this.#needs;
    const { destination } = channel;
    const weigh = () => {
      const rule = this.#rule;
      const now = clock.now();
      return weighs(rule) ? (message: Traits) => weightOf(message, rule, now) : undefined;
    };
    // A message that may be to blame itself waits for up to four runs (errand.ts).
    const farthest = 6 * longestDelay(peer(destination).queueInterval * minute);
    return new Chooser({ queue, destination, weigh, which, farthest, now: () => clock.now() });
  }

  /**
   * What sleeps was told when to wake by the settings of that time. Where they have changed since, or nobody remembers them, what would
   * sleep too long is told again. Costs an index entry each, once a change.
   */
  async #reconsider(channel: Channel): Promise<void> {
    const { books, clock, peer, queue, settings } = this.#needs;
    const { down, rule: before } = channel;
    const { delayNotice, delayNoticeAfter } = settings.value;
    const { retryPeriod } = peer(channel.destination);
    const rule = `${retryPeriod} ${delayNotice ? delayNoticeAfter : 'none'}`;
    if (!down || before === rule) return;
    channel.rule = rule;
    const now = clock.now();
    const notice = delayNotice ? delayNoticeAfter * hour : Number.POSITIVE_INFINITY;
    const oversleeps = ({ arrivedAt, due, sleeps }: WaitingSlip): boolean =>
      sleeps && (due > arrivedAt + retryPeriod * hour || (due > arrivedAt + notice && (before !== undefined || arrivedAt + notice > now)));
    const again = async (keys: readonly string[]): Promise<void> => {
      for (const lease of await queue.leaseWaiting('SMTPC', keys))
        await books.settle(lease, all(lease.recipients, down.fate), { at: down.until, asleep: true, tried: false });
    };
    let keys: string[] = [];
    for await (const slip of queue.waiting('SMTPC', channel.destination)) {
      if (oversleeps(slip)) keys.push(slip.key);
      if (keys.length < asideAtMost) continue;
      await again(keys);
      keys = [];
    }
    await again(keys);
  }

  #startRuns(): void {
    const now = this.#needs.clock.now();
    for (const channel of [...this.#ready]) {
      if (!this.#deferred.room) return;
      if (channel.running || channel.nextRun > now) this.#ready.delete(channel);
      // One that has all its sessions already stays ready until one of them ends.
      else if (this.#needs.channels.open(channel, this.#needs.peer(channel.destination).sessions)) this.#startRun(channel);
    }
  }

  #startRun(channel: Channel): void {
    const { channels, clock } = this.#needs;
    this.#ready.delete(channel);
    const chooser = this.#chooser(channel, channel.all ? 'all' : 'run');
    channel.running = true;
    this.#choosers.set(channel, chooser);
    channel.all = false;
    channel.nextRun = Number.POSITIVE_INFINITY;
    const place = this.#deferred.enter();
    channels.enter(channel);
    const work = async (): Promise<void> => {
      try {
        // Whatever is due comes to the run first, so that it begins with the right one.
        await this.#filling;
        await this.#probe(channel, chooser, place);
        await this.#reconsider(channel);
      } catch (thrown) {
        channel.nextRun = clock.now() + afterDefectMs;
        throw thrown;
      } finally {
        this.#deferred.leave(place);
        channel.running = false;
        this.#choosers.delete(channel);
        this.#nextRun(channel, chooser.earliest);
        if (channel.all || channel.nextRun <= clock.now()) this.#due(channel, clock.now());
        const rest = chooser.rest();
        await Promise.all(rest.map((lease) => this.#giveBack(channel, lease)));
        channels.tidy(channel);
      }
    };
    this.#inTurn(work());
  }

  /** After a run: `earliest` is when what was not for it falls due. */
  #nextRun(channel: Channel, earliest: number): void {
    const { down } = channel;
    const now = this.#needs.clock.now();
    channel.nextRun = down && down.until > now ? down.until : Math.min(channel.nextRun, earliest);
    // Given up or deleted meanwhile: with nobody left to find out, a host that was down would be looked at for ever.
    if (down && channel.nextRun === Number.POSITIVE_INFINITY) channel.down = undefined;
  }

  /** What a run was offered and did not come to. */
  async #giveBack(channel: Channel, lease: Lease): Promise<void> {
    const { books, clock, queue, signal } = this.#needs;
    if (channel.down && !signal().aborted)
      await books.settle(lease, all(lease.recipients, channel.down.fate), { at: channel.down.until, asleep: true, tried: false });
    else await queue.release(lease).catch((thrown: unknown) => books.defect(lease, thrown));
    this.#due(channel, Math.max(clock.now(), channel.down?.until ?? 0));
  }

  /** The first message of a channel; where the host takes it up the others follow, over as many sessions as are agreed. */
  async #probe(channel: Channel, chooser: Chooser, place: Place): Promise<void> {
    const { channels, peer } = this.#needs;
    const helpers: Promise<void>[] = [];
    const answered = (): void => {
      place.progress();
      for (let n = channel.sessions; n < peer(channel.destination).sessions && helpers.length < n + 1; n += 1)
        helpers.push(this.#follow(channel, chooser));
      this.wake();
    };
    try {
      const first = await chooser.next();
      if (first && !(await this.#overSession(channel, chooser, place, first, answered))) return;
    } finally {
      channels.leave(channel);
    }
    await Promise.all([...helpers, this.#follow(channel, chooser)]);
  }

  /** False where the channel was put off. */
  async #overSession(channel: Channel, chooser: Chooser, place: Place, first: Lease, answered?: () => void): Promise<boolean> {
    const ended = await this.#errands.run({
      channel,
      first,
      place,
      probe: answered !== undefined,
      most: ({ messagesPerSession }) => messagesPerSession,
      next: () => chooser.next(),
      back: (lease) => chooser.back(lease),
      ...(answered ? { answered } : {}),
    });
    if (ended === 'down') chooser.stop();
    return ended !== 'down';
  }

  /** Sessions one after the other, as long as there is something for them. */
  async #follow(channel: Channel, chooser: Chooser): Promise<void> {
    const { channels, clock, peer, signal } = this.#needs;
    while (!chooser.stopped && !signal().aborted) {
      if (!channels.open(channel, peer(channel.destination).sessions)) return;
      channels.enter(channel);
      const place = new Place(clock, () => {});
      try {
        const lease = await chooser.next();
        if (!lease || !(await this.#overSession(channel, chooser, place, lease))) return;
      } finally {
        place.end();
        channels.leave(channel);
      }
      // New mail for the same destination gets a session in between.
      this.wake();
      await this.#filling;
    }
  }

  /** Takes no new work; resolves when what was in hand is settled. */
  async stop(): Promise<void> {
    for (const stop of this.#stops) stop();
    this.#timer?.();
    await this.#filling;
    while (this.#running.size + this.#aside.size > 0) await Promise.all([...this.#running, ...this.#aside]);
    this.#ready.clear();
    this.#needs.channels.clear();
  }

  cutOff(): void {
    this.#errands.cutOff();
  }
}
