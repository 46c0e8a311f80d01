/**
 * Who is this? Checks name and password.
 *
 * Promise: the answer and the work are the same whether the name does not exist, has no password, is locked or the password is wrong. A
 * password that was right is known again for a short while without hashing, at the same door and address alone, as long as password and
 * status stay as they were and nobody has failed from there since: what is remembered tells a guesser nothing. An imported hash is
 * replaced by a verifier after the first success. Failures of every door are logged here.
 * Source: checklist DIR-13
 */

import { createHmac, randomBytes } from 'node:crypto';
import { type Clock, FailedLogins, type Live, type Log } from '../../base/index.ts';
import type { Dn } from '../../ldap-wire/index.ts';
import { isActive } from '../access/subject.ts';
import type { Entry } from '../entry.ts';
import { DirectoryFault, type Login, type LoginFrom, type Modification, type ScramExchange } from '../port.ts';
import { generalizedTime, parseGeneralizedTime } from '../schema/time.ts';
import type { DirectorySettings } from '../settings.ts';
import { Failures } from './failures.ts';
import type { Hasher } from './hasher.ts';
import { Lockout } from './lockout.ts';
import { expiryOf, isLocked, mustChange } from './policy.ts';
import { mostIterations, parseScram, passwordText, storedPassword } from './scheme.ts';
import { checkProof, decoyVerifier } from './scram-proof.ts';
import type { Standings } from './standing.ts';

export interface LoginParts {
  readonly hasher: Hasher;
  readonly settings: Live<DirectorySettings>;
  readonly clock: Clock;
  readonly log: Log;
  readonly standings: Standings;
  find(dn: Dn): Entry | undefined;
  /** Writes down what the server itself has to note about an account. */
  note(dn: Dn, modifications: readonly Modification[]): Promise<void>;
  /** What the exchanges of those without a verifier are made of; the same after restarts. */
  readonly secret: Uint8Array;
  /** Whom failures never lock: super administrators. */
  spared(dn: Dn): boolean;
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
  readonly #lockout: Lockout;
  readonly #failedLogins: FailedLogins;
  /** Accounts whose log-in is being written down. */
  readonly #noting = new Set<string>();
  readonly #remembered = new Map<string, Remembered>();
  readonly #secret = randomBytes(32);
  /** What is hashed against when there is nothing to check: the same work as a real check. */
  #decoy: Promise<string> | undefined;
  #decoyIterations = 0;

  constructor(parts: LoginParts) {
    this.#parts = parts;
    this.#failures = new Failures(parts.clock, () => parts.settings.value.failureDelay);
    this.#failedLogins = new FailedLogins(parts.log, parts.clock);
    this.#lockout = new Lockout(parts.clock, () => parts.settings.value.lockoutFailures);
  }

  async authenticate(dn: Dn, password: string, from: LoginFrom): Promise<Login> {
    if (password === '' || password.length > longestPassword || dn.rdns.length === 0) throw wrong();
    this.#checkWait(dn, from);
    const { hasher } = this.#parts;
    const entry = this.#parts.find(dn);
    const stored = storedForms(entry);
    const open = this.#isOpen(dn, entry);
    const state = `${entry?.text('entryUUID')}\n${stored.join('\n')}\n${entry?.text('accountStatus')}`;
    const digest = createHmac('sha256', this.#secret).update(password).digest('base64');
    if (entry && open && this.#knows(dn, from, digest, state)) return this.#login(entry, entry, from);
    const place = await hasher.check(password, stored.length > 0 ? stored : [await this.#decoyForm()]);
    const matching = stored[place];
    // Guesses that are sent side by side are no more than those one after another: right or wrong is not told of any of them.
    this.#checkWait(dn, from);
    // Others may have failed, or somebody may have locked the account, while this was hashed.
    const still = this.#parts.find(dn);
    if (matching === undefined || !open || !still || !this.#isOpen(dn, still)) {
      this.#failed(dn, still, from, matching !== undefined);
      throw wrong();
    }
    this.#failures.succeeded(dn.key, from.address);
    this.#lockout.forget(dn.key);
    this.#remember(dn, from, digest, state);
    if (storedPassword(matching)?.scheme !== 'SCRAM-SHA-256') this.#upgrade(still.dn, matching, password);
    return this.#login(still, entry ?? still, from);
  }

  scram(dn: Dn, from: LoginFrom): ScramExchange {
    this.#checkWait(dn, from);
    const { settings, secret } = this.#parts;
    const stored = this.#scramForm(dn);
    const verifier =
      (stored === undefined ? undefined : parseScram(stored)) ?? decoyVerifier(secret, dn.key, settings.value.scramIterations);
    const { salt, iterations } = verifier;
    let open = true;
    const finish: ScramExchange['finish'] = (authMessage, proof) => {
      if (!open) throw wrong();
      open = false;
      this.#checkWait(dn, from);
      const signature = checkProof(verifier, authMessage, proof);
      const entry = this.#parts.find(dn);
      // The password may have been changed since the exchange began.
      if (!signature || !entry || !stored || this.#scramForm(dn) !== stored || !this.#isOpen(dn, entry)) {
        this.#failed(dn, entry, from, signature !== undefined);
        throw wrong();
      }
      this.#failures.succeeded(dn.key, from.address);
      this.#lockout.forget(dn.key);
      return { login: this.#login(entry, entry, from), signature };
    };
    return { salt, iterations, finish };
  }

  #scramForm(dn: Dn): string | undefined {
    const usable = (text: string): boolean => {
      const iterations = parseScram(text)?.iterations ?? 0;
      return iterations >= 1 && iterations <= mostIterations;
    };
    return storedForms(this.#parts.find(dn)).find(usable);
  }

  /** Place of the stored form that this password fits, or -1, which counts as a failed log-in. */
  async guess(dn: Dn, password: string, stored: readonly string[], from: LoginFrom): Promise<number> {
    this.#checkWait(dn, from);
    const place = await this.#parts.hasher.check(password, stored);
    this.#checkWait(dn, from);
    if (place < 0) this.#failed(dn, this.#parts.find(dn), from, false);
    return place;
  }

  close(): void {
    this.#failedLogins.stop();
  }

  /** An administrator has unlocked the account, or given it a new password: its owner need not wait for what went wrong before. */
  pardon(dn: Dn): void {
    this.#failures.forget(dn.key);
    this.#lockout.forget(dn.key);
  }

  /** Who has failed too often waits. DirectoryFault busy. */
  #checkWait(dn: Dn, from: LoginFrom): void {
    const wait = this.#failures.wait(dn.key, from.address);
    if (wait <= 0) return;
    this.#failedLogins.note({ name: from.name ?? dn.toString(), door: from.door, address: from.address }, true);
    throw new DirectoryFault('busy', `too many failed log-ins, please try again in ${Math.ceil(wait / 1000)} s`);
  }

  /** Whether a right password would be let in. */
  #isOpen(dn: Dn, entry: Entry | undefined): boolean {
    const { settings, clock, spared } = this.#parts;
    if (!entry || !isActive(entry) || isLocked(entry, settings.value, clock.now())) return false;
    return spared(dn) || !this.#lockout.isLocked(dn.key);
  }

  /** Why, for administrators: what is wrong with the account, and with the password. */
  #cause(dn: Dn, entry: Entry | undefined, right: boolean): string {
    const { settings, clock, spared } = this.#parts;
    if (!entry) return 'there is no such account';
    if (storedForms(entry).length === 0) return 'the account has no password';
    const locked = isLocked(entry, settings.value, clock.now()) || (!spared(dn) && this.#lockout.isLocked(dn.key));
    const account = locked ? ['the account is locked'] : isActive(entry) ? [] : ['the account is disabled'];
    return [...(right ? [] : ['wrong password']), ...account].join(', ') || 'the account was changed meanwhile';
  }

  #failed(dn: Dn, entry: Entry | undefined, from: LoginFrom, right: boolean): void {
    const { clock, log, spared } = this.#parts;
    const why = this.#cause(dn, entry, right);
    this.#failures.failed(dn.key, from.address);
    this.#failedLogins.note({ name: from.name ?? dn.toString(), door: from.door, address: from.address, why });
    const locks = this.#lockout.failed(dn.key);
    if (!locks || !entry || spared(dn) || storedForms(entry).length === 0) return;
    const values = [generalizedTime(clock.now())];
    this.#parts
      .note(entry.dn, [{ operation: 'replace', attribute: { name: 'pwdAccountLockedTime', values } }])
      .then(() => {
        this.#lockout.forget(dn.key);
        log.warning(`${entry.dn.toString()} is locked after too many failed log-ins`);
      })
      .catch((thrown: unknown) => log.warning(`that ${entry.dn.toString()} is locked could not be written down`, thrown));
  }

  /** `by`: the entry whose password was checked. */
  #login(entry: Entry, by: Entry, from: LoginFrom): Login {
    const { settings, clock } = this.#parts;
    const must = mustChange(entry, settings.value, clock.now());
    const expiry = expiryOf(entry, settings.value);
    this.#noteSuccess(entry);
    const login: Login = {
      dn: entry.dn,
      as: 'bound',
      door: from.door,
      ...(from.address === undefined ? {} : { address: from.address }),
      ...(must ? { mustChange: must } : {}),
      ...(expiry === undefined || must ? {} : { expiresIn: Math.floor((expiry - clock.now()) / 1000) }),
    };
    this.#parts.standings.grant(login, by);
    return login;
  }

  #noteSuccess(entry: Entry): void {
    const { settings, clock, log, note } = this.#parts;
    const every = settings.value.lastLoginHours * 3_600_000;
    const last = parseGeneralizedTime(entry.text('pwdLastSuccess') ?? '');
    if (every === 0 || (last !== undefined && clock.now() - last < every) || this.#noting.has(entry.dn.key)) return;
    this.#noting.add(entry.dn.key);
    const values = [generalizedTime(clock.now())];
    note(entry.dn, [{ operation: 'replace', attribute: { name: 'pwdLastSuccess', values } }])
      .catch((thrown: unknown) => log.warning(`the log-in of ${entry.dn.toString()} could not be noted`, thrown))
      .finally(() => this.#noting.delete(entry.dn.key));
  }

  #knows(dn: Dn, from: LoginFrom, digest: string, state: string): boolean {
    const known = this.#remembered.get(placeOf(dn, from));
    if (!known || this.#failures.pending(dn.key, from.address)) return false;
    if (known.until > this.#parts.clock.now() && known.state === state && this.#parts.settings.value.rememberedSeconds > 0)
      return known.digest === digest;
    this.#remembered.delete(placeOf(dn, from));
    return false;
  }

  #remember(dn: Dn, from: LoginFrom, digest: string, state: string): void {
    const seconds = this.#parts.settings.value.rememberedSeconds;
    if (seconds === 0) return;
    const place = placeOf(dn, from);
    this.#remembered.delete(place);
    this.#remembered.set(place, { digest, state, until: this.#parts.clock.now() + seconds * 1000 });
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
      .then((fresh) => {
        this.#parts.standings.upgraded(old, fresh);
        return this.#parts.note(dn, [
          { operation: 'delete', attribute: { name: 'userPassword', values: [old] } },
          { operation: 'add', attribute: { name: 'userPassword', values: [fresh] } },
        ]);
      })
      .catch((thrown: unknown) => log.warning(`the password of ${dn.toString()} keeps its imported form for now`, thrown));
  }
}

const storedForms = (entry: Entry | undefined): string[] =>
  (entry?.values('userPassword') ?? []).map(passwordText).filter((text) => storedPassword(text) !== undefined);

/** Whom, from where and by which door: a success elsewhere is no help to a guesser. */
const placeOf = (dn: Dn, { door, address }: LoginFrom): string => `${door}\n${address ?? ''}\n${dn.key}`;

const wrong = (): DirectoryFault => new DirectoryFault('invalidCredentials', 'name or password is wrong');
