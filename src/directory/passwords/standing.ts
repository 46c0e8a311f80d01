/**
 * Which log-ins still stand.
 *
 * Promise: a log-in falls with its entry, with the name of its entry, with the account's status and with the password it was made
 * by. It outlives a new password that was set by means of itself, and a better form of the same password.
 * Source: checklist DIR-05, DIR-13
 */

import type { Dn } from '../../ldap-wire/index.ts';
import { isActive } from '../access/subject.ts';
import type { Entry } from '../entry.ts';
import type { Actor } from '../port.ts';
import { passwordText } from './scheme.ts';

interface Granted {
  /** As it was last looked at: the same object has not changed. */
  entry: Entry;
  state: string;
  /** What the actor's own change in work will make of it. */
  next: string | undefined;
}

const mostForms = 20_000;

export class Standings {
  readonly #find: (dn: Dn) => Entry | undefined;
  readonly #granted = new WeakMap<Actor, Granted>();
  /** Stored forms by those that took their place, the password being the same. */
  readonly #former = new Map<string, string>();

  constructor(find: (dn: Dn) => Entry | undefined) {
    this.#find = find;
  }

  /** The actor was logged in by what the entry says here. */
  grant(actor: Actor, entry: Entry): void {
    this.#granted.set(actor, { entry, state: this.#state(entry), next: undefined });
  }

  /** True for whoever did not log in here: there is nothing that could fall. */
  holds(actor: Actor): boolean {
    const granted = this.#granted.get(actor);
    if (!granted || !actor.dn) return true;
    const entry = this.#find(actor.dn);
    if (entry === granted.entry) return true;
    const state = entry && this.#state(entry);
    if (!entry || (state !== granted.state && state !== granted.next)) return false;
    granted.entry = entry;
    return true;
  }

  /**
   * Runs what may change the actor's own entry; it is handed a function to tell what the entry becomes. A change is heard of before
   * it is answered, so until then both hold.
   */
  async during<T>(actor: Actor, dn: Dn, run: (changing: (after: Entry) => void) => Promise<T>): Promise<T> {
    const granted = actor.dn?.key === dn.key ? this.#granted.get(actor) : undefined;
    if (!granted) return run(() => {});
    try {
      const result = await run((after) => {
        granted.next = isActive(after) ? this.#state(after) : undefined;
      });
      granted.state = granted.next ?? granted.state;
      return result;
    } finally {
      granted.next = undefined;
    }
  }

  /** `fresh` is the form of the same password that took the place of `old`. */
  upgraded(old: string, fresh: string): void {
    if (this.#former.size >= mostForms) this.#former.clear();
    this.#former.set(fresh, old);
  }

  #state(entry: Entry): string {
    const forms = entry.values('userPassword').map((value) => {
      const text = passwordText(value);
      return this.#former.get(text) ?? text;
    });
    return JSON.stringify([entry.text('entryUUID'), entry.dn.key, isActive(entry), forms.sort()]);
  }
}
