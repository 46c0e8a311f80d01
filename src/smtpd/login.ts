/**
 * Logging in through SMTP: asks the directory, slows down guessing.
 *
 * Promise: never tells whether the name or the password was wrong; a session has few tries, each answered later than the one
 * before; an address (IPv6: a /64 network) that failed often waits before it may try again, whatever account it tries. Memory is bounded.
 * Spec: RFC 4954 §4, §6
 */

import { asFault, type Clock, clientNetwork } from '../base/index.ts';
import type { Recipient } from '../dit/index.ts';
import type { LoginResult } from './sasl.ts';
import type { Session } from './session.ts';

const window = 10 * 60_000;
const mostFailures = 30;
const mostAddresses = 10_000;
const longestDelay = 60_000;

export class LoginGuard {
  readonly #failures = new Map<string, { count: number; since: number }>();

  #recent(address: string, now: number): number {
    const entry = this.#failures.get(clientNetwork(address));
    return entry && now - entry.since < window ? entry.count : 0;
  }

  allowed(address: string, now: number): boolean {
    return this.#recent(address, now) < mostFailures;
  }

  failed(address: string, now: number): void {
    const count = this.#recent(address, now) + 1;
    const client = clientNetwork(address);
    const since = count === 1 ? now : (this.#failures.get(client)?.since ?? now);
    this.#failures.delete(client);
    this.#failures.set(client, { count, since });
    for (const oldest of this.#failures.keys()) {
      if (this.#failures.size <= mostAddresses) break;
      this.#failures.delete(oldest);
    }
  }

  succeeded(address: string): void {
    this.#failures.delete(clientNetwork(address));
  }
}

/** Notes the user in the session on success. Never throws. */
export async function logIn(session: Session, name: string, password: string, guard: LoginGuard): Promise<LoginResult> {
  const tried = await attempt(session, guard, () => session.house.dit.login(name, password, whence(session)));
  return tried.ok ? admit(session, tried.value, guard) : tried;
}

export const whence = ({ kind, address }: Session): { door: string; address: string } => ({
  door: kind === 'smtp' ? 'smtp' : 'submission',
  address,
});

export function admit(session: Session, user: Recipient, guard: LoginGuard): LoginResult {
  session.user = user;
  guard.succeeded(session.address);
  session.house.log.info(`${user.mail} logged in from [${session.address}]`);
  return { ok: true };
}

type Attempt<T> = { readonly ok: true; readonly value: T } | Extract<LoginResult, { readonly ok: false }>;

/** Asks the directory, whatever the way of logging in: slows down, counts and logs what fails. Never throws. */
export async function attempt<T>(session: Session, guard: LoginGuard, ask: () => Promise<T>): Promise<Attempt<T>> {
  const { house, address, settings } = session;
  const now = house.clock.now();
  if (!guard.allowed(address, now)) {
    house.log.warning(`login from [${address}] put off: too many failures`);
    session.loginFailures = settings.maxLoginFailures;
    return { ok: false, code: 454, say: 'too many failed logins, try again later' };
  }
  try {
    return { ok: true, value: await ask() };
  } catch (thrown) {
    const fault = asFault(thrown);
    if (fault.kind !== 'bad-credentials' && fault.kind !== 'not-permitted' && fault.kind !== 'not-found' && fault.kind !== 'refused') {
      // Whoever guesses is slowed down by the directory, which tells the log.
      if (fault.kind === 'busy') house.log.diagnostic(`login from [${address}] put off: ${fault.say}`);
      else if (fault.told) house.log.diagnostic(`login from [${address}] could not be checked: ${fault.say}`);
      else house.log.error(`login from [${address}] could not be checked`, fault.cause ?? fault);
      return { ok: false, code: 454, say: fault.kind === 'busy' ? fault.say : 'authentication is not possible at present' };
    }
    session.loginFailures += 1;
    guard.failed(address, now);
    await pause(house.clock, Math.min(longestDelay, settings.loginFailureDelay * 1_000 * 2 ** (session.loginFailures - 1)));
    return { ok: false, code: 535, say: 'authentication failed' };
  }
}

function pause(clock: Clock, ms: number): Promise<void> {
  return ms === 0 ? Promise.resolve() : new Promise((resolve) => void clock.after(ms, resolve));
}
