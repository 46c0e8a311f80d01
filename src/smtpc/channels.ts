/**
 * What is known of each destination: its sessions, whether its host answers, and when its deferred mail is looked at next.
 *
 * Promise: in memory alone, and bounded; what is lost at a restart is found out again, in the deferred mail's own time. A host that has been
 * down for long is asked less often, never less than its peer's interval says, and the wait never shrinks.
 * Source: manual chapter 6, "Deferred Queue"; checklist SMTPC-02
 */

import { Lru } from '../base/index.ts';
import type { Excepted } from '../queue/index.ts';
import type { Fate } from './fate.ts';

export type Deferred = Extract<Fate, { kind: 'defer' }>;

/** Its host could not be had. */
export interface Down {
  readonly since: number;
  /** Nobody asks before. */
  until: number;
  /** In a row. */
  readonly failures: number;
  readonly fate: Deferred;
}

export interface Channel {
  readonly destination: string;
  /** Those being opened included. */
  sessions: number;
  /** Messages in a row that were put off by the host, not for their recipients' sake. */
  refusals: number;
  down: Down | undefined;
  running: boolean;
  /** What waits for it is put off, in a row of its own. */
  draining: boolean;
  /** When deferred mail is looked at next, as far as known; `Infinity`: nothing is known to wait. */
  nextRun: number;
  /** New mail waits for the next run, as is agreed with its peer. */
  gathers: boolean;
  /** Everything goes at the next run, whatever its time: somebody said so. */
  all: boolean;
  /** The settings by which what sleeps was told when to wake. */
  rule: string | undefined;
}

const channelsAtMost = 100_000;
const drainingAtMost = 8;
const provedAtMost = 10_000;

export class Channels {
  readonly #channels = new Map<string, Channel>();
  /** Have greeted us since they last failed: they may have several sessions. */
  readonly #proved = new Lru<string, true>(provedAtMost);
  readonly #busy = new Set<Channel>();
  readonly #draining = new Set<Channel>();

  /** Whether more can be remembered; else mail is put off each message by itself. */
  get room(): boolean {
    return this.#channels.size < channelsAtMost;
  }

  of(destination: string): Channel {
    let channel = this.#channels.get(destination);
    if (!channel) {
      const nothing = {
        sessions: 0,
        refusals: 0,
        down: undefined,
        running: false,
        draining: false,
        nextRun: Number.POSITIVE_INFINITY,
        gathers: false,
        all: false,
      };
      channel = { destination, ...nothing, rule: undefined };
      this.#channels.set(destination, channel);
    }
    return channel;
  }

  *[Symbol.iterator](): IterableIterator<Channel> {
    yield* this.#channels.values();
  }

  enter(channel: Channel): void {
    channel.sessions += 1;
    this.#busy.add(channel);
  }

  leave(channel: Channel): void {
    channel.sessions -= 1;
    if (channel.sessions === 0) this.#busy.delete(channel);
    this.tidy(channel);
  }

  /** Forgets it where there is nothing to remember. */
  tidy(channel: Channel): void {
    const { sessions, down, running, draining, nextRun, all, destination } = channel;
    if (sessions > 0 || down || running || draining || all || nextRun !== Number.POSITIVE_INFINITY) return;
    this.#channels.delete(destination);
  }

  proved({ destination }: Channel): boolean {
    return this.#proved.get(destination) === true;
  }

  prove(channel: Channel): void {
    channel.down = undefined;
    this.#proved.set(channel.destination, true);
  }

  disprove(channel: Channel): void {
    channel.refusals = 0;
    this.#proved.delete(channel.destination);
  }

  /** Whether one more session may begin. */
  open(channel: Channel, most: number): boolean {
    return channel.sessions < (this.proved(channel) ? most : 1);
  }

  /** So many are drained at one time. */
  get mayDrain(): boolean {
    return this.#draining.size < drainingAtMost;
  }

  drain(channel: Channel, whether: boolean): void {
    channel.draining = whether;
    if (whether) this.#draining.add(channel);
    else this.#draining.delete(channel);
    this.tidy(channel);
  }

  /** Destinations that are drained, or have as many sessions as they may, as it is when somebody asks: with thousands of them a list would be dear. */
  full(most: (destination: string) => number): Excepted {
    const isFull = (channel: Channel): boolean =>
      channel.draining || (channel.sessions > 0 && (!this.proved(channel) || !this.open(channel, most(channel.destination))));
    const draining = this.#draining;
    const busy = this.#busy;
    return {
      has: (destination) => {
        const channel = this.#channels.get(destination);
        return channel !== undefined && isFull(channel);
      },
      get size() {
        if (draining.size > 0) return draining.size;
        for (const channel of busy) if (isFull(channel)) return busy.size;
        return 0;
      },
    };
  }

  /** What was known of hosts is over: we were stopped. */
  clear(): void {
    this.#channels.clear();
    this.#busy.clear();
    this.#draining.clear();
  }
}
