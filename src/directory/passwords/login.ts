/**
 * Who is this? Checks name and password.
 *
 * Promise: the answer and the work are the same whether the name does not exist, has no password or the password is wrong. A
 * password that was right is known again for a short while without hashing, as long as password and status stay as they
 * were. An imported hash is replaced by a verifier after the first success.
 * Source: checklist DIR-13
 */

import { createHmac, randomBytes } from 'node:crypto';
import type { Clock, Live, Log } from '../../base/index.ts';
import type { Dn } from '../../ldap-wire/index.ts';
import type { Entry } from '../entry.ts';
import { type Actor, DirectoryFault } from '../port.ts';
import type { DirectorySettings } from '../settings.ts';
import { Failures } from './failures.ts';
import type { Hasher } from './hasher.ts';
import { passwordText, storedPassword } from './scheme.ts';

export interface LoginParts {
  readonly hasher: Hasher;
  readonly settings: Live<DirectorySettings>;
  readonly clock: Clock;
  readonly log: Log;
  find(dn: Dn): Entry | undefined;
  /** Stores the new form in place of the old one, if the old one is still there. */
  upgrade(dn: Dn, old: string, fresh: string): Promise<void>;
}

interface Remembered {
  readonly digest: string;
  /** Password and status as they were. */
  readonly state: string;
  readonly until: number;
}

const mostRemembered = 20_000;
const longestPassword = 1024;

export class Logins {
  readonly #parts: LoginParts;
  readonly #failures: Failures;
  readonly #remembered = new Map<string, Remembered>();
  readonly #secret = randomBytes(32);
  /** What is hashed against when there is nothing to check: the same work as a real check. */
  #decoy: Promise<string> | undefined;
  #decoyIterations = 0;

  constructor(parts: LoginParts) {
    this.#parts = parts;
    this.#failures = new Failures(parts.clock, () => parts.settings.value.failureDelay);
  }

  async authenticate(dn: Dn, password: string, from: { readonly door: string; readonly address?: string }): Promise<Actor> {
    if (password === '' || password.length > longestPassword || dn.rdns.length === 0) throw wrong();
    const { hasher } = this.#parts;
    const entry = this.#parts.find(dn);
    const stored = (entry?.values('userPassword') ?? []).map(passwordText).filter((text) => storedPassword(text) !== undefined);
    const open = entry !== undefined && (entry.text('accountStatus') ?? 'active').toLowerCase() === 'active';
    const state = `${entry?.text('entryUUID')}\n${stored.join('\n')}\n${entry?.text('accountStatus')}`;
    const digest = createHmac('sha256', this.#secret).update(password).digest('base64');
    const actor: Actor = {
      dn: entry?.dn ?? dn,
      as: 'bound',
      door: from.door,
      ...(from.address === undefined ? {} : { address: from.address }),
    };
    if (open && this.#knows(dn, digest, state)) return actor;
    const wait = this.#failures.wait(dn.key, from.address);
    if (wait > 0) throw new DirectoryFault('busy', `too many failed log-ins, please try again in ${Math.ceil(wait / 1000)} s`);
    const place = await hasher.check(password, stored.length > 0 ? stored : [await this.#decoyForm()]);
    const matching = stored[place];
    if (matching === undefined || !open) {
      this.#failures.failed(dn.key, from.address);
      throw wrong();
    }
    this.#failures.succeeded(dn.key, from.address);
    this.#remember(dn, digest, state);
    if (storedPassword(matching)?.scheme !== 'SCRAM-SHA-256') this.#upgrade(actor.dn ?? dn, matching, password);
    return actor;
  }

  #knows(dn: Dn, digest: string, state: string): boolean {
    const known = this.#remembered.get(dn.key);
    if (!known) return false;
    if (known.until > this.#parts.clock.now() && known.state === state && this.#parts.settings.value.rememberedSeconds > 0)
      return known.digest === digest;
    this.#remembered.delete(dn.key);
    return false;
  }

  #remember(dn: Dn, digest: string, state: string): void {
    const seconds = this.#parts.settings.value.rememberedSeconds;
    if (seconds === 0) return;
    this.#remembered.delete(dn.key);
    this.#remembered.set(dn.key, { digest, state, until: this.#parts.clock.now() + seconds * 1000 });
    if (this.#remembered.size > mostRemembered) {
      for (const oldest of this.#remembered.keys()) {
        this.#remembered.delete(oldest);
        break;
      }
    }
  }

  /** A verifier of nobody's password with as many rounds as new ones have. */
  #decoyForm(): Promise<string> {
    const iterations = this.#parts.settings.value.scramIterations;
    if (!this.#decoy || this.#decoyIterations !== iterations) {
      this.#decoyIterations = iterations;
      this.#decoy = this.#parts.hasher.derive(randomBytes(16).toString('base64'), iterations);
      this.#decoy.catch(() => {
        this.#decoy = undefined;
      });
    }
    return this.#decoy;
  }

  /** In the background: the log-in does not wait for it and does not fail with it. */
  #upgrade(dn: Dn, old: string, password: string): void {
    const { hasher, settings, log } = this.#parts;
    hasher
      .derive(password, settings.value.scramIterations)
      .then((fresh) => this.#parts.upgrade(dn, old, fresh))
      .catch((thrown: unknown) => log.warning(`the password of ${dn.toString()} keeps its imported form for now`, thrown));
  }
}

const wrong = (): DirectoryFault => new DirectoryFault('invalidCredentials', 'name or password is wrong');
