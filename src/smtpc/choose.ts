/**
 * Which message for a destination is next: the one of the lowest weight, of those the oldest.
 *
 * Promise: of a hundred thousand that wait two thousand are known at a time, found in one walk over the index; where nothing is weighed
 * the walk ends after two hundred. What somebody else has taken meanwhile is passed over.
 * Source: manual chapter 6, "Message Priority Handling"; checklist SMTPC-02, SMTPC-04
 */

import type { Lease, Queue, WaitingSlip } from '../queue/index.ts';

export interface Choice {
  readonly queue: Pick<Queue, 'waiting' | 'leaseWaiting'>;
  readonly destination: string;
  /** Undefined: nothing is weighed. */
  readonly weigh: () => ((message: Traits) => number) | undefined;
  readonly now: () => number;
  /**
   * `due`: what is due. `run`: that and what waits for the run. `all`: whatever waits, because somebody said so.
   */
  readonly which: 'due' | 'run' | 'all';
  /** Nothing is put off for longer than this; what is due later than that was put off by a clock that was wrong. Milliseconds. */
  readonly farthest: number;
}

/** Of a run over everything: so many are remembered, so that none is tried twice; after that the rest goes by its time. */
const rememberedAtMost = 50_000;
const known = { weighed: 2_000, plain: 200 };
/** For how long a walk is good. */
const freshMs = 60_000;

/** Leases that came by themselves and are kept for a run. */
const offeredAtMost = 100;

interface Weighed {
  readonly slip: WaitingSlip;
  readonly weight: number;
}

/** What is weighed. */
export type Traits = Pick<WaitingSlip, 'precedence' | 'size' | 'deferredSince'>;

function traitsOf({ message, recipients }: Lease): Traits {
  const since = recipients.flatMap(({ deferredSince }) => (deferredSince === undefined ? [] : [deferredSince]));
  return {
    precedence: recipients[0]?.precedence ?? message.precedence ?? 0,
    size: message.blob.size + Buffer.byteLength(message.prefix, 'utf8'),
    ...(since.length > 0 ? { deferredSince: Math.min(...since) } : {}),
  };
}

/** Of the message and its slip, whatever its time is. */
const nameOf = ({ key }: WaitingSlip): string => key.split('/').slice(-2).join('/');

type Ordered = { readonly weight: number; readonly slip: Pick<WaitingSlip, 'id'> };
const inOrder = (a: Ordered, b: Ordered): number => a.weight - b.weight || (a.slip.id < b.slip.id ? -1 : a.slip.id > b.slip.id ? 1 : 0);

export class Chooser {
  readonly #choice: Choice;
  readonly #had = new Set<string>();
  readonly #names = new WeakMap<Lease, string>();
  #batch: Weighed[] = [];
  #offered: { readonly lease: Lease; readonly slip: Pick<WaitingSlip, 'id'>; readonly weight: number }[] = [];
  #walkedAt = 0;
  #line: Promise<unknown> = Promise.resolve();
  #stopped = false;
  /** Nobody was left when somebody last asked. */
  exhausted = false;
  /** When the first of those falls due that were not for this run; `Infinity` where there are none, or before the last walk. */
  earliest = Number.POSITIVE_INFINITY;

  constructor(choice: Choice) {
    this.#choice = choice;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Nothing more is handed out. */
  stop(): void {
    this.#stopped = true;
    this.#batch = [];
  }

  /** One that fell due by itself: it goes when it is its turn. False where it cannot be kept. */
  offer(lease: Lease): boolean {
    if (this.#stopped || this.#choice.which === 'all' || this.#offered.length >= offeredAtMost) return false;
    this.#offered.push({ lease, slip: lease.message, weight: this.#choice.weigh()?.(traitsOf(lease)) ?? 0 });
    this.#offered.sort(inOrder);
    return true;
  }

  /** Those that nobody has had. */
  rest(): Lease[] {
    return this.#offered.splice(0).map(({ lease }) => lease);
  }

  /** A lease that was given back untried is handed out again. */
  back(lease: Lease): void {
    this.#had.delete(this.#names.get(lease) ?? '');
  }

  next(): Promise<Lease | undefined> {
    const result = this.#line.then(() => this.#next());
    this.#line = result.catch(() => {});
    return result;
  }

  async #next(): Promise<Lease | undefined> {
    while (!this.#stopped) {
      if (this.#batch.length === 0 || this.#choice.now() - this.#walkedAt > freshMs) await this.#walk();
      const [head] = this.#batch;
      const [offered] = this.#offered;
      if (offered && (!head || inOrder(offered, head) < 0)) return this.#offered.shift()?.lease;
      const slip = this.#batch.shift()?.slip;
      this.exhausted = slip === undefined;
      if (!slip) return undefined;
      const [lease] = await this.#choice.queue.leaseWaiting('SMTPC', [slip.key]);
      if (!lease) continue;
      this.#names.set(lease, nameOf(slip));
      if (this.#choice.which === 'all') this.#had.add(nameOf(slip));
      return lease;
    }
    return undefined;
  }

  async #walk(): Promise<void> {
    const { queue, destination, weigh, now } = this.#choice;
    const weight = weigh();
    const most = weight ? known.weighed : known.plain;
    let found: Weighed[] = [];
    this.earliest = Number.POSITIVE_INFINITY;
    this.#walkedAt = now();
    for await (const slip of queue.waiting('SMTPC', destination)) {
      if (this.#choice.which === 'due' && slip.due > this.#walkedAt) break;
      if (!this.#isFor(slip)) {
        this.earliest = Math.min(this.earliest, slip.due);
        continue;
      }
      found.push({ slip, weight: weight?.(slip) ?? 0 });
      if (!weight && found.length >= most) break;
      if (found.length >= 2 * most) found = found.sort(inOrder).slice(0, most);
    }
    this.#batch = found.sort(inOrder).slice(0, most);
  }

  #isFor(slip: WaitingSlip): boolean {
    if (this.#had.has(nameOf(slip))) return false;
    const { due, sleeps } = slip;
    const { which, farthest } = this.#choice;
    if (due <= this.#walkedAt || due > this.#walkedAt + farthest) return true;
    return which !== 'due' && (sleeps || (which === 'all' && this.#had.size < rememberedAtMost));
  }
}
