/**
 * Which mail is sent when: the pending queue at once, the deferred queue by domain channels.
 *
 * Promise: one slow or dead destination holds up its own mail only. Mail for a host that is down is put off without an attempt and sleeps
 * until the channel's next run (runs.ts). What is decided about single messages, giving them up and telling their senders, happens in their
 * own time. How much goes at one time is places.ts; the order is choose.ts; what is known of hosts is channels.ts.
 * Source: manual chapter 6, "Pending Queue", "Deferred Queue"; checklist SMTPC-01 … 04; docs/decisions/0020
 */

import type { Cancel } from '../base/index.ts';
import type { Lease } from '../queue/index.ts';
import { destinationOf, isFresh, waitsUntil } from './agreed.ts';
import type { Channel } from './channels.ts';
import { Errands } from './errand.ts';
import { all } from './fate.ts';
import { Lobby } from './lobby.ts';
import { PendingPlaces } from './places.ts';
import { longestDelay } from './retry.ts';
import { Runs, type RunsNeeds } from './runs.ts';
import { wayKeys } from './settings/index.ts';
import { reconsider } from './sleepers.ts';

/** Leases that are only put off, settled at one time. */
const asideAtMost = 64;
const minute = 60_000;

/** Whether it is to go although its host was down `since` then. What has been put off goes with the run that was begun for it. */
const isTold = (lease: Lease, since: number): boolean =>
  lease.recipients.some(({ told, nextAttempt }) => told === true && (!isFresh(lease) || nextAttempt >= since));

export class Scheduler {
  readonly #needs: RunsNeeds;
  readonly #errands: Errands;
  readonly #pending: PendingPlaces;
  readonly #runs: Runs;
  readonly #lobby: Lobby;
  readonly #running = new Set<Promise<void>>();
  readonly #aside = new Set<Promise<void>>();
  #filling: Promise<void> | undefined;
  #again = false;
  #timer: Cancel | undefined;
  #watch: Cancel | undefined;
  #stops: Cancel[] = [];

  constructor(needs: RunsNeeds) {
    this.#needs = needs;
    this.#errands = new Errands(needs);
    const wake = (): void => this.wake();
    this.#lobby = new Lobby(needs.channels);
    this.#pending = new PendingPlaces(() => needs.settings.value, needs.clock, wake);
    const filled = async (): Promise<void> => this.#filling;
    this.#runs = new Runs(needs, this.#errands, { wake, filled, inTurn: (work) => this.#inTurn(work) });
  }

  async start(): Promise<void> {
    const { onPeers, queue, settings } = this.#needs;
    this.#runs.weigh();
    this.#stops = [
      queue.onWork('SMTPC', () => this.wake()),
      queue.onRetry('SMTPC', (identifier) => this.#hurry(identifier)),
      settings.onChange((now, before) => {
        this.#runs.weigh();
        if (now.runInterval !== before.runInterval) this.#arm();
        if (wayKeys.some((key) => now[key] !== before[key])) this.#hurryDown();
        this.wake();
      }),
      onPeers?.(() => this.#agreed()) ?? (() => {}),
    ];
    await this.#remember();
    this.#tick();
    this.#watchDeferred();
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
    this.#hasten();
    this.#remember().catch((thrown: unknown) => this.#needs.log.error('the deferred queue could not be looked through', thrown));
  }

  /** Something else is agreed with peers: nothing waits for longer than that, and there may be room for more sessions. */
  #agreed(): void {
    const { channels, clock, peer } = this.#needs;
    this.#hasten();
    for (const channel of channels)
      if (channel.gathers && !peer(channel.destination).queueFirst) {
        channel.all = true;
        this.#runs.due(channel, clock.now());
      }
    this.#runs.findDue();
    this.wake();
  }

  /** No channel waits for longer than its interval makes it wait. */
  #hasten(): void {
    const { channels, clock, peer, random } = this.#needs;
    const now = clock.now();
    for (const channel of channels) {
      const interval = peer(channel.destination).queueInterval * minute;
      if (channel.nextRun === Number.POSITIVE_INFINITY || channel.nextRun <= now + longestDelay(interval)) continue;
      channel.nextRun = Math.round(now + random() * interval);
      channel.all ||= channel.gathers;
      if (channel.down) channel.down.until = channel.nextRun;
    }
  }

  #arm(): void {
    this.#timer?.();
    this.#timer = this.#needs.clock.after(this.#needs.settings.value.runInterval * minute, () => this.#tick());
  }

  #tick(): void {
    this.#pending.begin();
    this.wake();
    this.#inTurn(this.#lookAtTable());
    this.#arm();
  }

  /** The deferred queue has intervals of its own, whatever that of the pending queue is. */
  #watchDeferred(): void {
    this.#runs.findDue();
    if (!this.#pending.room()) this.#inTurn(this.#findDeferred());
    this.wake();
    this.#watch = this.#needs.clock.after(minute, () => this.#watchDeferred());
  }

  async #lookAtTable(): Promise<void> {
    if (await this.#needs.way.tableChanged()) this.#hurryDown();
  }

  /** The way to other hosts is another one: what is known of those that were down may not hold any more, so each is tried once. */
  #hurryDown(): void {
    for (const channel of this.#needs.channels) if (channel.down) this.#hurry(channel.destination);
  }

  /** While the pending queue takes all it may, nothing else would notice what is deferred and due. */
  async #findDeferred(): Promise<void> {
    const { channels, clock, queue } = this.#needs;
    const now = clock.now();
    for await (const { identifier, nextAttempt } of queue.identifiers('SMTPC')) {
      if (nextAttempt > now) continue;
      for await (const { deferredSince } of queue.waiting('SMTPC', identifier)) {
        if (deferredSince !== undefined) this.#runs.due(channels.of(identifier), now);
        break;
      }
    }
  }

  /** Somebody wants the mail for a destination, or all, to go now, whatever its time and whatever is known of the host. */
  #hurry(identifier: string | undefined): void {
    const { channels, clock, queue } = this.#needs;
    const one = (destination: string): void => {
      const channel = channels.of(destination);
      channel.all = true;
      if (channel.down) channel.down.until = Math.min(channel.down.until, clock.now());
      this.#runs.due(channel, clock.now());
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
        this.#runs.beginDue();
        while (this.#pending.room('stranger')) {
          const lease = this.#lobby.next();
          if (!lease) break;
          this.#sort(lease);
        }
        if (this.#aside.size >= asideAtMost) await Promise.race(this.#aside);
        if (!this.#pending.room()) return;
        const except = channels.full((destination) => peer(destination).sessions);
        let passedOver = false;
        const has = (destination: string): boolean => {
          const full = except.has(destination);
          passedOver ||= full;
          return full;
        };
        const [lease] = await queue.lease('SMTPC', 1, { except: { has, size: except.size } });
        if (!lease) {
          // What waits behind the sessions of its destination belongs to this interval.
          if (!passedOver) this.#pending.done();
          return;
        }
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
    const destination = destinationOf(lease);
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
      channel.gathers = true;
      this.#putAside(channel, lease, books.keepFor(lease, run, peer, first));
      this.#drain(channel);
    } else if (down && down.until > now && !channel.all && !isTold(lease, down.since)) {
      const wait = { at: down.until, asleep: channels.room, tried: false };
      this.#putAside(channel, lease, books.settle(lease, all(lease.recipients, down.fate), wait));
      this.#drain(channel);
    } else if (isFresh(lease)) {
      // Somebody said so: what was known of the host is over, and this one finds out anew for all.
      if (down) down.until = Math.min(down.until, now);
      this.#send(channel, lease);
    } else if (this.#runs.offer(channel, lease, peer)) {
      // It goes when it is its turn.
    } else {
      this.#runs.due(channel, now);
      this.#putAside(channel, lease, books.park(lease, now));
    }
  }

  /** What else is due for a destination whose mail is put off, many at a time and beside mail for others, which does not wait behind it. */
  #drain(channel: Channel): void {
    const { channels, queue, signal } = this.#needs;
    if (channel.draining || !channels.mayDrain) return;
    channels.drain(channel, true);
    const work = async (): Promise<void> => {
      try {
        for (let more = true; more && !signal().aborted; ) {
          const leases = await queue.lease('SMTPC', asideAtMost, { identifier: channel.destination });
          const before = this.#aside.size;
          for (const lease of leases) this.#sort(lease);
          // Only as long as all of it is put off.
          more = leases.length === asideAtMost && this.#aside.size >= before + leases.length;
          while (this.#aside.size >= asideAtMost) await Promise.race(this.#aside);
        }
      } finally {
        channels.drain(channel, false);
      }
    };
    this.#inTurn(work());
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
    const known = channels.proved(channel);
    const entered = this.#pending.enter(known ? 'known' : 'stranger', () => channels.disprove(channel));
    if (!entered && !known) this.#letOthersPass(channel, lease);
    else if (!entered) this.#putAside(channel, lease, queue.release(lease));
    if (!entered) return;
    const { run, place } = entered;
    channels.enter(channel);
    const chooser = this.#runs.weighs ? this.#runs.chooser(channel, 'due') : undefined;
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
        if (ended === 'down') await reconsider(channel, this.#needs);
      } finally {
        this.#pending.leave(run, place);
        channels.leave(channel);
      }
    };
    this.#inTurn(work());
  }

  /** Many hosts keep silent, and nothing is known of this one: it waits, and mail for others does not wait behind it. */
  #letOthersPass(channel: Channel, lease: Lease): void {
    const { books, clock, peer } = this.#needs;
    if (this.#lobby.enter(channel, lease)) return;
    this.#runs.due(channel, clock.now());
    this.#putAside(channel, lease, books.park(lease, clock.now(), peer(channel.destination).queueInterval * minute));
  }

  /** Its host takes mail: several sessions may begin, and what sleeps may go. */
  #answered(channel: Channel): void {
    if (channel.nextRun !== Number.POSITIVE_INFINITY && !channel.running && !this.#needs.peer(channel.destination).queueFirst)
      this.#runs.due(channel, this.#needs.clock.now());
    this.wake();
  }

  /** Unsent, for the next start. */
  #leave(lease: Lease): void {
    const { channels, queue } = this.#needs;
    this.#putAside(channels.of(destinationOf(lease)), lease, queue.release(lease));
  }

  /** Takes no new work; resolves when what was in hand is settled. */
  async stop(): Promise<void> {
    for (const stop of this.#stops) stop();
    this.#timer?.();
    this.#watch?.();
    await this.#filling;
    for (let lease = this.#lobby.next(); lease; lease = this.#lobby.next()) this.#leave(lease);
    while (this.#running.size + this.#aside.size > 0) await Promise.all([...this.#running, ...this.#aside]);
    this.#runs.forget();
    this.#needs.channels.clear();
  }

  cutOff(): void {
    this.#errands.cutOff();
  }
}
