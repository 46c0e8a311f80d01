/**
 * Who makes room where all connections are taken: those that have never asked for anything, the oldest first; then strangers who have
 * not asked for long, and whoever does not take answers.
 *
 * Promise: however many connections say nothing, a client that says something right away is served. Who has logged in and behaves
 * stays. Looking for somebody costs a bounded amount of work.
 */

import type { Clock } from '../base/index.ts';

/** A connection: a session. */
export interface Guest {
  /** Its `clientNetwork`. */
  readonly client: string;
  readonly spare: boolean;
  /** When it came, by `performance.now()`. */
  readonly since: number;
  makeRoom(): void;
}

/** Guests looked at before it is given up. */
const mostLooks = 1_000;
/** Who came less than so many milliseconds ago has hardly had time to ask for anything: others go first, if any can be spared. */
const firstWordMs = 250;
/** When nobody was found, the next long look comes so much later, in milliseconds. */
const lookAgainMs = 1_000;

export class Crowd {
  readonly #clock: Clock;
  /** In the order in which they came. */
  readonly #silent = new Set<Guest>();
  readonly #others = new Set<Guest>();
  #nextLook = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  came(guest: Guest): void {
    this.#silent.add(guest);
  }

  /** It has asked for something. */
  spoken(guest: Guest): void {
    if (this.#silent.delete(guest)) this.#others.add(guest);
  }

  left(guest: Guest): void {
    this.#silent.delete(guest);
    this.#others.delete(guest);
  }

  /**
   * Ends one connection, of this client where one is given. False where none can be spared. `endHandshake` ends the oldest connection
   * that has not got as far as being a guest, if it came before a moment.
   */
  makeRoom(client: string | undefined, endHandshake: (before: number) => boolean): boolean {
    const silent = first(this.#silent, (guest) => client === undefined || guest.client === client);
    if (endHandshake(silent?.since ?? Number.POSITIVE_INFINITY)) return true;
    if (silent && performance.now() - silent.since >= firstWordMs) return end(silent);
    return this.#endSpare(client) || (silent !== undefined && end(silent));
  }

  #endSpare(client: string | undefined): boolean {
    const now = this.#clock.now();
    if (now < this.#nextLook) return false;
    const spare = first(this.#others, (guest) => guest.spare && (client === undefined || guest.client === client));
    if (spare) return end(spare);
    this.#nextLook = now + lookAgainMs;
    return false;
  }
}

function first(guests: Iterable<Guest>, fits: (guest: Guest) => boolean): Guest | undefined {
  let looks = 0;
  for (const guest of guests) {
    if (++looks > mostLooks) return undefined;
    if (fits(guest)) return guest;
  }
  return undefined;
}

function end(guest: Guest): true {
  guest.makeRoom();
  return true;
}
