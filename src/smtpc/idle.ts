/**
 * Connections without mail, kept for a short time for the next message.
 *
 * Promise: a connection is had again only by mail that would go to the same address of the same host on the same terms as they are now. One
 * that the peer closes, or over which it says anything meanwhile, is gone, and nobody hears of it. Those that nobody has taken end with QUIT:
 * when their time is over, when somebody else needs their room, when a setting of SMTPC changes, when we are stopped.
 * Which mail that is, is reach.ts's business; that the messages of a session have a bound is errand.ts's.
 * Spec: RFC 5321 §3.3 (a new transaction after the last), §4.5.3.2.7 (peers wait five minutes). docs/decisions/0027
 */

import type { SecureContext } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { type Cancel, type Clock, counter, type Live } from '../base/index.ts';
import type { Target } from './destination.ts';
import type { Login } from './log-in.ts';
import type { PeerSession } from './peer-session.ts';
import type { SmtpcSettings } from './settings/index.ts';
import type { HostDemand } from './tls/policy.ts';

/** What a connection was made for. */
export interface Terms {
  readonly target: Target;
  /** The address of ours. */
  readonly source: string | undefined;
  /** What we call ourselves. */
  readonly name: string;
  readonly login: Login | undefined;
  /** The encryption that was asked for, whatever came of it. */
  readonly demand: HostDemand;
  /** Whose certificates are believed, and ours; undefined where encryption is off. */
  readonly context: SecureContext | undefined;
  /** Whether SIZE is used. */
  readonly size: boolean;
  /** What is said over it is in the log. */
  readonly told: boolean;
}

/** A connection and its past. */
export interface Line {
  readonly session: PeerSession;
  readonly terms: Terms;
  /** Messages that were sent over it. */
  readonly used: number;
}

/** Connections that may be kept beside those in use. */
export interface Room {
  /** For one destination, and for all. */
  readonly here: number;
  readonly all: number;
}

interface Kept extends Line {
  readonly destination: string;
  readonly cancel: Cancel;
}

export interface IdleNeeds {
  readonly settings: Live<Pick<SmtpcSettings, 'idleTime'>>;
  readonly clock: Clock;
}

/** Whatever the settings allow: some 25 KB each. */
const keptAtMost = 500;

const reused = counter(
  'mailtree_smtpc_sessions_reused_total',
  'Connections to other servers that were kept, and used again for a message that came later.',
);

export class Idle {
  readonly #needs: IdleNeeds;
  /** The one that was kept first comes first. */
  readonly #kept = new Set<Kept>();
  #open = false;
  #unfollow: Cancel = () => {};

  constructor(needs: IdleNeeds) {
    this.#needs = needs;
  }

  start(): void {
    this.#open = true;
    this.#unfollow = this.#needs.settings.onChange(() => this.#endAll());
  }

  /** Takes none any more. */
  stop(): void {
    this.#open = false;
    this.#unfollow();
    this.#endAll();
  }

  get size(): number {
    return this.#kept.size;
  }

  /** Whether there is one to that address. */
  has({ address, port }: Target): boolean {
    for (const { terms } of this.#kept) if (terms.target.address === address && terms.target.port === port) return true;
    return false;
  }

  /** The connection is somebody else's business no more: kept, or ended. */
  keep(line: Line, destination: string): void {
    const { clock, settings } = this.#needs;
    const { session } = line;
    const seconds = settings.value.idleTime;
    let kept: Kept | undefined;
    const gone = (): void => {
      if (kept) this.#forget(kept);
    };
    if (!this.#open || seconds === 0 || this.#kept.size >= keptAtMost || !session.pause(gone)) {
      session.quit();
      return;
    }
    const over = (): void => {
      if (kept) this.#end(kept);
    };
    kept = { ...line, destination, cancel: clock.after(seconds * 1_000, over) };
    this.#kept.add(kept);
  }

  /** The one that was kept last, on these terms and with less than `most` messages behind it. */
  take(wanted: Terms, most: number): Line | undefined {
    for (const one of [...this.#kept].reverse()) {
      if (one.used >= most || !isSame(one.terms, wanted)) continue;
      this.#forget(one);
      if (one.session.resume()) {
        reused.count();
        return one;
      }
      one.session.destroy();
    }
    return undefined;
  }

  /** Another connection is to be made for a destination: the oldest give way where there would be too many. */
  giveWay(destination: string, { here, all }: Room): void {
    const own = [...this.#kept].filter((one) => one.destination === destination);
    for (const one of own.slice(0, Math.max(0, own.length - Math.max(0, here)))) this.#end(one);
    for (const one of this.#kept) {
      if (this.#kept.size <= Math.max(0, all)) return;
      this.#end(one);
    }
  }

  #end(one: Kept): void {
    this.#forget(one);
    one.session.quit();
  }

  #endAll(): void {
    for (const one of this.#kept) this.#end(one);
  }

  #forget(one: Kept): void {
    one.cancel();
    this.#kept.delete(one);
  }
}

function isSame(terms: Terms, wanted: Terms): boolean {
  const { context, target, ...rest } = terms;
  const { context: other, target: aim, ...asked } = wanted;
  const there = target.address === aim.address && target.port === aim.port && target.host === aim.host;
  return there && context === other && isDeepStrictEqual(rest, asked);
}
