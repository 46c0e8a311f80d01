/**
 * How long a client that brings nothing is waited for.
 *
 * Promise: an octet now and then keeps no connection, a message has to come at a pace; while we are at work nobody's time runs out.
 * Spec: RFC 5321 §4.5.3.2.7; checklist SMTPD-02, SMTPD-15
 */

import type { Cancel } from '../base/index.ts';
import type { Session } from './session.ts';

/** Octets of a message a second, on an average of the idle time. */
const slowest = 50;

interface Watch {
  readonly atWork: () => boolean;
  readonly over: () => void;
}

export class Patience {
  readonly #session: Session;
  /** Since then it is the client's turn. */
  #since: number;
  /** Octets of a message since then. */
  #octets = 0;
  #usefulAt: number;
  #cancel: Cancel | undefined;

  constructor(session: Session) {
    this.#session = session;
    this.#since = this.#usefulAt = session.house.clock.now();
  }

  /** When the client last brought a message, or a good part of one; when it came, where it has not. */
  get usefulAt(): number {
    return this.#usefulAt;
  }

  /** We have said something: it is the client's turn. */
  answered(): void {
    this.#since = this.#session.house.clock.now();
    this.#octets = 0;
  }

  /** A whole message was brought. */
  useful(): void {
    this.#usefulAt = this.#session.house.clock.now();
  }

  /** Some octets of a message. */
  brought(octets: number): void {
    this.#octets += octets;
    const { house, settings } = this.#session;
    if (this.#octets < slowest * settings.idleTimeout) return;
    this.#octets = 0;
    this.#since = this.#usefulAt = house.clock.now();
  }

  begin(seconds: number, { atWork, over }: Watch): void {
    this.end();
    const { clock } = this.#session.house;
    const most = seconds * 1_000;
    const watch = (ms: number): void => {
      this.#cancel = clock.after(ms, () => {
        const left = this.#since + most - clock.now();
        if (left > 0) watch(left);
        else if (atWork()) watch(most);
        else over();
      });
    };
    watch(most);
  }

  end(): void {
    this.#cancel?.();
  }
}
