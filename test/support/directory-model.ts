/**
 * Clients that write to a directory while its server is killed, and know what must be there afterwards.
 *
 * Each worker has a subtree of its own and a model of it; it does one thing after the other, so what was asked and not answered when the
 * server went is done as a whole or not at all: the subtree is the model before or after it, and nothing between.
 */

import { expect } from '@jest/globals';
import { askControl } from '../../src/cli/control-client.ts';
import type { Entry } from '../../src/directory/index.ts';
import { LdapClient } from '../../src/directory-remote/index.ts';
import { type Dn, parseDn, parseFilter, parseRdn } from '../../src/ldap-wire/index.ts';
import { type HistoryLine, readConfig } from '../../src/main/index.ts';
import type { ServerFiles } from './server.ts';

const top = 'dc=example,dc=test';
const everything = parseFilter('(objectClass=*)');

/** What a worker's subtree holds: people by `cn`, which never changes, and which of them are in its group. */
interface Model {
  readonly people: ReadonlyMap<string, { readonly ou: string; readonly mail: string; readonly description: string }>;
  readonly members: ReadonlySet<string>;
}

interface Step {
  readonly does: string;
  /** The model afterwards. */
  readonly leads: Model;
  run(client: LdapClient): Promise<void>;
}

/** One line for each entry and each member. */
function told({ people, members }: Model, base: string): string[] {
  const dnOf = ({ ou, mail }: { ou: string; mail: string }): string => `mail=${mail},${ou === '' ? '' : `ou=${ou},`}${base}`;
  return [
    ...Array.from(people, ([cn, person]) => `${dnOf(person)} ${cn} ${person.description}`),
    ...Array.from(members, (cn) => `member ${dnOf(people.get(cn) ?? { ou: '', mail: 'nobody' })}`),
  ].sort();
}

function found(entries: readonly Entry[], base: string): string[] {
  const people = entries.filter((entry) => entry.isA('person')).map((e) => `${e.dn} ${e.text('cn')} ${e.text('description')}`);
  const members = entries.filter((entry) => entry.isA('groupOfNames')).flatMap((entry) => entry.texts('member'));
  return [...people, ...members.filter((dn) => dn !== base).map((dn) => `member ${dn}`)].sort();
}

export class ModelWorker {
  readonly #files: ServerFiles;
  readonly #random: () => number;
  readonly #base: string;
  readonly #name: string;
  readonly #uuids = new Map<string, string>();
  #model: Model = { people: new Map(), members: new Set() };
  #asked: Step | undefined;
  #made = 0;
  #ending = false;
  /** Writes answered for, by what they were. */
  readonly answered = new Map<string, number>();

  constructor(files: ServerFiles, random: () => number, n: number) {
    this.#files = files;
    this.#random = random;
    this.#name = `w${n}`;
    this.#base = `ou=w${n},${top}`;
  }

  async prepare(client: LdapClient): Promise<void> {
    await client.add(parseDn(this.#base), attributes({ objectClass: 'organizationalUnit', ou: this.#name }));
    for (const ou of ['a', 'b']) await client.add(this.#dn(`ou=${ou}`), attributes({ objectClass: 'organizationalUnit', ou }));
    await client.add(this.#dn('cn=group'), attributes({ objectClass: 'groupOfNames', cn: 'group', member: this.#base }));
  }

  /** Works until the server is gone; throws what is refused before `stopping`. */
  async run(): Promise<void> {
    this.#ending = false;
    const client = await LdapClient.connect({ path: this.#files.ldapi });
    await client.bindExternal();
    try {
      for (;;) {
        const step = this.#next();
        this.#asked = step;
        await step.run(client);
        this.#model = step.leads;
        this.#asked = undefined;
        this.answered.set(step.does, (this.answered.get(step.does) ?? 0) + 1);
      }
    } catch (thrown) {
      if (!this.#ending) throw thrown;
    } finally {
      client.close();
    }
  }

  stopping(): void {
    this.#ending = true;
  }

  /** Throws where the server has anything else than the model, and takes over what it made of the last thing asked. */
  async verify(client: LdapClient): Promise<void> {
    const entries = await client.search({ base: parseDn(this.#base), scope: 'sub', filter: everything, attributes: ['*', 'entryUUID'] });
    const is = found(entries, this.#base);
    const before = told(this.#model, this.#base);
    if (this.#asked && JSON.stringify(is) === JSON.stringify(told(this.#asked.leads, this.#base))) this.#model = this.#asked.leads;
    else expect({ asked: this.#asked?.does, is }).toEqual({ asked: this.#asked?.does, is: before });
    this.#asked = undefined;
    // Deleted, and not brought back any more.
    for (const ou of ['a', 'b'].filter((name) => !entries.some((entry) => entry.dn.key === this.#dn(`ou=${name}`).key)))
      await client.add(this.#dn(`ou=${ou}`), attributes({ objectClass: 'organizationalUnit', ou }));
    for (const entry of entries.filter((each) => each.isA('person'))) {
      const [cn = '', uuid = ''] = [entry.text('cn'), entry.text('entryUUID')];
      // However often it was moved, deleted and brought back, it is the same entry.
      expect(this.#uuids.get(cn) ?? uuid).toBe(uuid);
      this.#uuids.set(cn, uuid);
    }
  }

  #dn(relative: string): Dn {
    return parseDn(`${relative},${this.#base}`);
  }

  #dnOf(cn: string): Dn {
    const person = this.#model.people.get(cn);
    return this.#dn(`mail=${person?.mail}${person?.ou ? `,ou=${person.ou}` : ''}`);
  }

  #next(): Step {
    const all = [...this.#model.people.keys()];
    const cn = all[Math.floor(this.#random() * all.length)];
    const kind = this.#random();
    if (cn === undefined || kind < 0.25) return this.#add();
    if (kind < 0.45) return this.#modify(cn);
    if (kind < 0.6) return this.#rename(cn);
    if (kind < 0.7 && !this.#model.members.has(cn)) return this.#join(cn);
    if (kind < 0.78) return this.#deleteOne(cn);
    if (kind < 0.83) return this.#deleteTree(this.#random() < 0.5 ? 'a' : 'b');
    return this.#undone(this.#random() < 0.4 ? this.#modify(cn) : this.#random() < 0.5 ? this.#rename(cn) : this.#deleteOne(cn));
  }

  #change(cn: string, change: Partial<{ ou: string; mail: string; description: string }>): Model {
    const person = { ou: '', mail: '', description: '', ...this.#model.people.get(cn), ...change };
    return { ...this.#model, people: new Map(this.#model.people).set(cn, person) };
  }

  #without(gone: readonly string[]): Model {
    const stays = (cn: string): boolean => !gone.includes(cn);
    return {
      people: new Map([...this.#model.people].filter(([cn]) => stays(cn))),
      members: new Set([...this.#model.members].filter(stays)),
    };
  }

  #mail(): string {
    return `${this.#name}.${this.#made++}@example.test`;
  }

  #add(): Step {
    const mail = this.#mail();
    const cn = `${this.#name} ${this.#made}`;
    const ou = ['', 'a', 'b'][Math.floor(this.#random() * 3)] ?? '';
    const dn = this.#dn(`mail=${mail}${ou === '' ? '' : `,ou=${ou}`}`);
    const objectClass = ['inetOrgPerson', 'mtMailUser', 'inetLocalMailRecipient'];
    const values = { objectClass, cn, mail, sn: 'Model', description: 'added', mailQuotaSize: String(this.#made) };
    return {
      does: 'add',
      leads: this.#change(cn, { ou, mail, description: 'added' }),
      run: (client) => client.add(dn, attributes(values)),
    };
  }

  #modify(cn: string): Step {
    const description = `changed ${Math.floor(this.#random() * 1e9)}`;
    const dn = this.#dnOf(cn);
    const replace = { operation: 'replace' as const, attribute: { name: 'description', values: [description] } };
    return { does: 'modify', leads: this.#change(cn, { description }), run: (client) => client.modify(dn, [replace]) };
  }

  #rename(cn: string): Step {
    const dn = this.#dnOf(cn);
    const mail = this.#mail();
    const ou = ['', 'a', 'b'][Math.floor(this.#random() * 3)] ?? '';
    const to = { rdn: parseRdn(`mail=${mail}`), deleteOldRdn: true, newSuperior: ou === '' ? parseDn(this.#base) : this.#dn(`ou=${ou}`) };
    return { does: 'rename', leads: this.#change(cn, { mail, ou }), run: (client) => client.rename(dn, to) };
  }

  #join(cn: string): Step {
    const add = { operation: 'add' as const, attribute: { name: 'member', values: [this.#dnOf(cn).toString()] } };
    const leads = { ...this.#model, members: new Set(this.#model.members).add(cn) };
    return { does: 'join', leads, run: (client) => client.modify(this.#dn('cn=group'), [add]) };
  }

  #deleteOne(cn: string): Step {
    const dn = this.#dnOf(cn);
    return { does: 'delete', leads: this.#without([cn]), run: (client) => client.delete(dn) };
  }

  #deleteTree(ou: string): Step {
    const gone = [...this.#model.people].filter(([, person]) => person.ou === ou).map(([cn]) => cn);
    const keep = this.#model;
    const dn = this.#dn(`ou=${ou}`);
    // It must be there for the next: deleted and brought back by one undo, which is asked for when the deletion is answered.
    return {
      does: 'delete tree and undo',
      leads: keep,
      run: async (client) => {
        this.#asked = { does: 'delete tree', leads: this.#without(gone), run: async () => undefined };
        await client.delete(dn, { subtree: true });
        this.#model = this.#without(gone);
        this.#asked = { does: 'undo of delete tree', leads: keep, run: async () => undefined };
        await this.#undo(dn);
      },
    };
  }

  #undone(step: Step): Step {
    const before = this.#model;
    const [cn] = [...before.people.keys()].filter((each) => before.people.get(each) !== step.leads.people.get(each));
    const was = cn === undefined ? undefined : this.#dnOf(cn);
    return {
      does: `${step.does} and undo`,
      leads: before,
      run: async (client) => {
        this.#asked = step;
        await step.run(client);
        this.#model = step.leads;
        this.#asked = { does: `undo of ${step.does}`, leads: before, run: async () => undefined };
        if (was) await this.#undo(was);
      },
    };
  }

  /** Undoes the last thing done to the entry that has or had this name. */
  async #undo(dn: Dn): Promise<void> {
    const config = readConfig(this.#files.config);
    const query = { dn: dn.toString(), limit: '1' };
    const [last] = await askControl<HistoryLine[]>(config, { path: '/directory/history', query });
    await askControl(config, { method: 'POST', path: `/directory/undo/${last?.change}`, query: { dryRun: 'false', force: 'false' } });
  }
}

/** Adds entries as an import over LDAP does, many on their way at once. */
export class ImportWorker {
  readonly #files: ServerFiles;
  readonly #base: string;
  readonly #asked = new Set<string>();
  readonly #answered = new Set<string>();
  #ending = false;

  constructor(files: ServerFiles) {
    this.#files = files;
    this.#base = `ou=imported,${top}`;
  }

  get answered(): number {
    return this.#answered.size;
  }

  async prepare(client: LdapClient): Promise<void> {
    await client.add(parseDn(this.#base), attributes({ objectClass: 'organizationalUnit', ou: 'imported' }));
  }

  async run(): Promise<void> {
    this.#ending = false;
    const client = await LdapClient.connect({ path: this.#files.ldapi });
    await client.bindExternal();
    const lane = async (): Promise<void> => {
      for (;;) {
        const mail = `i${this.#asked.size}@example.test`;
        this.#asked.add(mail);
        const values = { objectClass: ['inetOrgPerson', 'mtMailUser'], cn: mail, mail, sn: 'Import' };
        await client.add(parseDn(`mail=${mail},${this.#base}`), attributes(values));
        this.#answered.add(mail);
      }
    };
    try {
      await Promise.all(Array.from({ length: 16 }, lane));
    } catch (thrown) {
      if (!this.#ending) throw thrown;
    } finally {
      client.close();
    }
  }

  stopping(): void {
    this.#ending = true;
  }

  async verify(client: LdapClient): Promise<void> {
    const there = new Set<string>();
    const search = { base: parseDn(this.#base), scope: 'one' as const, filter: everything, attributes: ['mail'] };
    await client.searchEach(search, (entry) => there.add(entry.text('mail') ?? ''));
    expect([...this.#answered].filter((mail) => !there.has(mail))).toEqual([]);
    expect([...there].filter((mail) => !this.#asked.has(mail))).toEqual([]);
  }
}

function attributes(values: Readonly<Record<string, string | readonly string[]>>) {
  return Object.entries(values).map(([name, value]) => ({ name, values: typeof value === 'string' ? [value] : value }));
}
