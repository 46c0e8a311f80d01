/**
 * Who has the queue open and lives: the end of leases.
 *
 * Every process that has the queue open counts a number of its own up while it lives; all its leases hold as long as it does. So a lease
 * costs nothing to keep. Whoever sees another's number stand still for a minute takes back what that one had leased.
 *
 * Promise: only a number seen to stand still over the watcher's own timers counts, never a comparison of clocks: a clock that jumps, here
 * or there, takes no lease away. A process that was only asleep finds its leases void (CheckFailed) and goes on with new ones.
 */

import type { Cancel, Clock, Log } from '../base/index.ts';
import { below, type KeyValue } from '../storage/index.ts';
import { type GivenBack, leasesOf, voidLeases } from './crashes.ts';
import { bytes, epochPrefix, leasePrefix, textOf } from './records.ts';

/** Milliseconds between two beats: one small write. */
const beatEvery = 10_000;
/** Looks, one at every beat, that find the same number before its process is taken for dead. */
const silentLooks = 6;

export interface BeatNeeds {
  readonly keyValue: KeyValue;
  readonly clock: Clock;
  readonly log: Log;
  readonly epoch: string;
  /** Other processes may have the queue open now. */
  readonly shared: boolean;
  /** Work of a dead process is due again. */
  readonly onGivenBack: (given: GivenBack) => void;
}

export class Beats {
  readonly #needs: BeatNeeds;
  readonly #seen = new Map<string, { number: string; looks: number }>();
  #number = 0;
  #timer: Cancel | undefined;
  #closed = false;
  #failing = false;

  constructor(needs: BeatNeeds) {
    this.#needs = needs;
  }

  /** Takes back what is certainly nobody's any more, and begins to beat. Resolves to the number of leases given back. */
  async start(): Promise<number> {
    const { keyValue, epoch, shared } = this.#needs;
    const others = (await this.#all()).map(([name]) => name).filter((name) => name !== epoch);
    const alive = new Set(shared ? others : []);
    const { leases } = await voidLeases(this.#needs, leasePrefix, (name) => name !== epoch && !alive.has(name));
    const gone = shared ? [] : others.map((name) => `${epochPrefix}${name}`);
    await keyValue.transact(async () => ({ puts: [[`${epochPrefix}${epoch}`, bytes('0')]], deletes: gone, result: undefined }), 'soon');
    this.#arm();
    return leases;
  }

  close(): void {
    this.#closed = true;
    this.#timer?.();
  }

  #arm(): void {
    if (this.#closed) return;
    this.#timer = this.#needs.clock.after(beatEvery, () => {
      this.beat()
        .then(() => {
          this.#failing = false;
        })
        .catch((thrown: unknown) => this.#failed(thrown))
        .finally(() => this.#arm());
    });
  }

  /** Told once until it works again. */
  #failed(thrown: unknown): void {
    if (!this.#failing && !this.#closed) this.#needs.log.warning('the queue cannot be told that this process lives', thrown);
    this.#failing = true;
  }

  /** Says that this process lives, and looks who else does. */
  async beat(): Promise<void> {
    const { keyValue, epoch } = this.#needs;
    this.#number++;
    const own = `${epochPrefix}${epoch}`;
    await keyValue.transact(async () => ({ puts: [[own, bytes(`${this.#number}`)]], result: undefined }), 'soon');
    const all = await this.#all();
    for (const name of [...this.#seen.keys()]) if (!all.some(([other]) => other === name)) this.#seen.delete(name);
    for (const [name, number] of all) if (name !== epoch) await this.#look(name, number);
  }

  async #look(name: string, number: string): Promise<void> {
    const { keyValue, log, onGivenBack } = this.#needs;
    const before = this.#seen.get(name);
    if (before?.number !== number) {
      this.#seen.set(name, { number, looks: 1 });
      return;
    }
    before.looks++;
    if (before.looks <= silentLooks) return;
    const given = await voidLeases(this.#needs, leasesOf(name), () => true);
    const key = `${epochPrefix}${name}`;
    await keyValue.transact(async (read) => {
      const value = await read.get(key);
      return { deletes: value && textOf(value) === number ? [key] : [], result: undefined };
    }, 'soon');
    this.#seen.delete(name);
    if (given.leases > 0) log.warning(`${given.leases} leases of a process that is no more were taken over`);
    onGivenBack(given);
  }

  async #all(): Promise<[string, string][]> {
    const all: [string, string][] = [];
    for await (const [key, value] of this.#needs.keyValue.scan(below(epochPrefix)))
      all.push([key.slice(epochPrefix.length), textOf(value)]);
    return all;
  }
}
