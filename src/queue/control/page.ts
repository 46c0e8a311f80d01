/** The first so many of a long list in some order, behind a given place: memory for one page only. */

import { Fault } from '../../base/index.ts';
import type { QueueOrder } from '../control-port.ts';
import { isQueueId } from '../ids.ts';
import type { QueueId } from '../port.ts';

/** Where a message stands in an order. */
export interface Standing {
  readonly value: number | string;
  readonly id: QueueId;
}

export class Page {
  readonly #limit: number;
  readonly #after: Standing | undefined;
  readonly #sign: 1 | -1;
  #kept: Standing[] = [];

  constructor(limit: number, descending: boolean, after: Standing | undefined) {
    this.#limit = limit;
    this.#sign = descending ? -1 : 1;
    this.#after = after;
  }

  add(one: Standing): void {
    if (this.#after && this.#compare(one, this.#after) <= 0) return;
    this.#kept.push(one);
    // Sorted once for many: a page costs little more than looking.
    if (this.#kept.length >= 4 * this.#limit + 64) this.#cut();
  }

  /** In order; one more than the page where there is more. */
  end(): readonly Standing[] {
    this.#cut();
    return this.#kept;
  }

  #cut(): void {
    const sorted = this.#kept.sort((a, b) => this.#compare(a, b));
    // A message may be met once for each of its slips.
    this.#kept = sorted.filter(({ id }, n) => n === 0 || id !== sorted[n - 1]?.id).slice(0, this.#limit + 1);
  }

  #compare(a: Standing, b: Standing): number {
    if (a.value !== b.value) return this.#sign * (a.value < b.value ? -1 : 1);
    return a.id === b.id ? 0 : this.#sign * (a.id < b.id ? -1 : 1);
  }
}

/** A place in a list, as text that only we need to understand. */
export function cursorText(order: QueueOrder, descending: boolean, { value, id }: Standing): string {
  return Buffer.from(JSON.stringify([order, descending, value, id])).toString('base64url');
}

export function readCursor(order: QueueOrder, descending: boolean, text: string): Standing {
  let read: unknown;
  try {
    read = JSON.parse(Buffer.from(text.slice(0, 4_000), 'base64url').toString());
  } catch {
    read = undefined;
  }
  const [ofOrder, down, value, id] = Array.isArray(read) ? (read as unknown[]) : [];
  const fits = order === 'sender' ? typeof value === 'string' : typeof value === 'number';
  if (ofOrder !== order || down !== descending || !fits || typeof id !== 'string' || !isQueueId(id))
    throw new Fault('malformed', 'this is not where a page of this search ended');
  return { value: value as number | string, id };
}
