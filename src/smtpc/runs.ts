/**
 * The deferred queue: runs of domain channels whose time has come.
 *
 * Promise: a run begins with one message, that of the lowest weight; the rest follows over several sessions only where that one was
 * answered. Hosts that were down and such as were not take turns, so that thousands of dead ones do not keep a live one waiting.
 * How many channels are worked at one time is places.ts; the order within one is choose.ts.
 * Source: manual chapter 6, "Deferred Queue"; checklist SMTPC-02, SMTPC-04; docs/decisions/0020
 */

import type { Cancel, Log } from '../base/index.ts';
import type { Peer } from '../dit/index.ts';
import type { Lease } from '../queue/index.ts';
import type { Channel } from './channels.ts';
import { Chooser, type Traits } from './choose.ts';
import type { ErrandNeeds, Errands } from './errand.ts';
import { all } from './fate.ts';
import { DeferredPlaces, Place } from './places.ts';
import { Ready } from './ready.ts';
import { longestDelay } from './retry.ts';
import { reconsider } from './sleepers.ts';
import { weighs, weightOf, weightRule } from './weight.ts';

export interface RunsNeeds extends ErrandNeeds {
  readonly log: Log;
  readonly onPeers?: (listener: () => void) => Cancel;
}

/** What the runs ask of whoever hands out the work. */
export interface Foreman {
  /** There may be work, or room for it. */
  wake(): void;
  /** What is due has been handed out. */
  filled(): Promise<void>;
  /** Goes on beside everything else; stopping waits for it. */
  inTurn(work: Promise<void>): void;
}

const afterDefectMs = 60_000;
const minute = 60_000;

export class Runs {
  readonly #needs: RunsNeeds;
  readonly #errands: Errands;
  readonly #foreman: Foreman;
  readonly #places: DeferredPlaces;
  readonly #ready = new Ready();
  readonly #choosers = new Map<Channel, Chooser>();
  #rule: ReturnType<typeof weightRule>['rule'];

  constructor(needs: RunsNeeds, errands: Errands, foreman: Foreman) {
    this.#needs = needs;
    this.#errands = errands;
    this.#foreman = foreman;
    this.#places = new DeferredPlaces(
      () => needs.settings.value,
      needs.clock,
      () => foreman.wake(),
    );
    this.#rule = weightRule(needs.settings.value).rule;
  }

  /** Takes the settings for the priority weight as they are now. */
  weigh(): void {
    const { rule, problems } = weightRule(this.#needs.settings.value);
    this.#rule = rule;
    for (const problem of problems) this.#needs.log.warning(`priority weight: ${problem}; it weighs nothing`);
  }

  /** Whether anything is weighed at all. */
  get weighs(): boolean {
    return weighs(this.#rule);
  }

  chooser(channel: Channel, which: 'due' | 'run' | 'all'): Chooser {
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

  /** Its time has come, or comes then. */
  due(channel: Channel, now: number): void {
    channel.nextRun = Math.min(channel.nextRun, now);
    this.#ready.add(channel);
  }

  /** Those of which it is known that they are due. */
  findDue(): void {
    const { channels, clock } = this.#needs;
    const now = clock.now();
    for (const channel of channels) if (channel.nextRun <= now) this.#ready.add(channel);
  }

  /** Hands a lease to the channel's run, which begins where there is room for it; false where it cannot be had. */
  offer(channel: Channel, lease: Lease, peer: Peer): boolean {
    if (!channel.running && this.#places.room && this.#needs.channels.open(channel, peer.sessions)) this.#begin(channel);
    return this.#choosers.get(channel)?.offer(lease) ?? false;
  }

  /** Begins as many as there is room for. */
  beginDue(): void {
    const { channels, clock, peer } = this.#needs;
    const now = clock.now();
    // One that has all its sessions already stays ready until one of them ends.
    const mayBegin = (channel: Channel): boolean => channels.open(channel, peer(channel.destination).sessions);
    while (this.#places.room) {
      const channel = this.#ready.take((one) => one.running || one.nextRun > now, mayBegin);
      if (!channel) return;
      this.#begin(channel);
    }
  }

  forget(): void {
    this.#ready.clear();
  }

  #begin(channel: Channel): void {
    const { channels, clock } = this.#needs;
    this.#ready.delete(channel);
    const chooser = this.chooser(channel, channel.all ? 'all' : 'run');
    channel.running = true;
    this.#choosers.set(channel, chooser);
    channel.all = false;
    channel.nextRun = Number.POSITIVE_INFINITY;
    channel.gathers = false;
    const place = this.#places.enter();
    channels.enter(channel);
    const work = async (): Promise<void> => {
      try {
        // Whatever is due comes to the run first, so that it begins with the right one.
        await this.#foreman.filled();
        await this.#probe(channel, chooser, place);
        await reconsider(channel, this.#needs);
      } catch (thrown) {
        channel.nextRun = clock.now() + afterDefectMs;
        throw thrown;
      } finally {
        this.#places.leave(place);
        channel.running = false;
        this.#choosers.delete(channel);
        this.#nextRun(channel, chooser);
        if (channel.all || channel.nextRun <= clock.now()) this.due(channel, clock.now());
        const rest = chooser.rest();
        await Promise.all(rest.map((lease) => this.#giveBack(channel, lease)));
        channels.tidy(channel);
      }
    };
    this.#foreman.inTurn(work());
  }

  /** After a run. */
  #nextRun(channel: Channel, { earliest, exhausted }: Chooser): void {
    const { down } = channel;
    const now = this.#needs.clock.now();
    if (down && down.until > now) channel.nextRun = down.until;
    // New mail has taken the last session it may have: the rest of the run follows when that is over.
    else if (!exhausted && channel.nextRun === Number.POSITIVE_INFINITY) channel.nextRun = now;
    else channel.nextRun = Math.min(channel.nextRun, earliest);
    // Given up or deleted meanwhile: with nobody left to find out, a host that was down would be looked at for ever.
    if (down && channel.nextRun === Number.POSITIVE_INFINITY) channel.down = undefined;
  }

  /** What a run was offered and did not come to. */
  async #giveBack(channel: Channel, lease: Lease): Promise<void> {
    const { books, clock, queue, signal } = this.#needs;
    if (channel.down && !signal().aborted)
      await books.settle(lease, all(lease.recipients, channel.down.fate), { at: channel.down.until, asleep: true, tried: false });
    else await queue.release(lease).catch((thrown: unknown) => books.defect(lease, thrown));
    this.due(channel, Math.max(clock.now(), channel.down?.until ?? 0));
  }

  /** The first message of a channel; where the host takes it up the others follow, over as many sessions as are agreed. */
  async #probe(channel: Channel, chooser: Chooser, place: Place): Promise<void> {
    const { channels, peer } = this.#needs;
    const helpers: Promise<void>[] = [];
    const answered = (): void => {
      place.progress();
      for (let n = channel.sessions; n < peer(channel.destination).sessions && helpers.length < n + 1; n += 1)
        helpers.push(this.#follow(channel, chooser));
      this.#foreman.wake();
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
      this.#foreman.wake();
      await this.#foreman.filled();
    }
  }
}
