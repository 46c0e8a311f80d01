/** An LDAP server as the target of an import, with the rights of whoever is bound. */

import { type AttributeValue, clearPassword, DirectoryFault, type Entry, isStoredForm } from '../directory/index.ts';
import type { LdapClient } from '../directory-remote/index.ts';
import { type Dn, parseFilter } from '../ldap-wire/index.ts';
import { type Addition, asRefusal, type Outcome, type Target, type Write } from './target.ts';

/** Additions under way at once: they share the server's flushes. */
const atOnce = 32;
const anything = parseFilter('(objectClass=*)');

export class LdapTarget implements Target {
  readonly takesOperational = false;
  readonly #client: LdapClient;

  constructor(client: LdapClient) {
    this.#client = client;
  }

  async read(dn: Dn): Promise<Entry | undefined> {
    try {
      const [entry] = await this.#client.search({ base: dn, scope: 'base', filter: anything, attributes: ['*', '+'] });
      return entry;
    } catch (thrown) {
      if (thrown instanceof DirectoryFault && thrown.result === 'noSuchObject') return undefined;
      throw thrown;
    }
  }

  write(write: Write): Promise<void> {
    switch (write.kind) {
      case 'add':
        return this.#client.add(write.dn, write.attributes);
      case 'modify':
        return this.#client.modify(write.dn, write.modifications);
      case 'rename':
        return this.#client.rename(write.dn, write.to);
      case 'delete':
        return this.#client.delete(write.dn, { subtree: write.subtree });
    }
  }

  /** Only as the server itself: from anybody else it would count as guessing. How many passwords there are cannot be seen. */
  async hasPasswords({ dn }: Entry, given: readonly AttributeValue[]): Promise<boolean> {
    if (!this.#client.external || given.length === 0) return false;
    for (const value of given) {
      if (isStoredForm(value) || !(await this.#client.compare(dn, 'userPassword', clearPassword(value)))) return false;
    }
    return true;
  }

  /** In waves: nothing is sent before the entry above it is there. Of a wave, what is behind a refused one may be done. */
  async addAll(additions: readonly Addition[], goOn: boolean): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    while (outcomes.length < additions.length) {
      const wave = nextWave(additions, outcomes.length);
      const done = await Promise.allSettled(wave.map((addition) => this.write(addition)));
      outcomes.push(...done.map((one) => (one.status === 'fulfilled' ? 'done' : asRefusal(one.reason))));
      if (!goOn && outcomes.some((outcome) => outcome !== 'done')) break;
    }
    return additions.map((_, n) => outcomes[n] ?? 'not tried');
  }
}

function nextWave(additions: readonly Addition[], from: number): readonly Addition[] {
  const names = new Set<string>();
  let to = from;
  while (to < additions.length && to - from < atOnce) {
    const { dn } = additions[to]!;
    if (names.has(dn.key) || (dn.parent && names.has(dn.parent.key))) break;
    names.add(dn.key);
    to += 1;
  }
  return additions.slice(from, to);
}
