/**
 * Who has an address and which domains are ours: looked up in the directory, kept in a bounded view, dropped when the
 * change feed says that they changed.
 *
 * A change is known by the entry's UUID and its names and addresses after it; what they were before helps where the feed tells it (an
 * external directory's does not), and is not needed: an answer remembers the UUIDs it was made of.
 */

import { type Clock, Fault, type Log } from '../base/index.ts';
import { type Change, type DirectoryReader, type Entry, isListMember, system } from '../directory/index.ts';
import type { Dn, Filter } from '../ldap-wire/index.ts';
import { addressKey } from '../mail/index.ts';
import { domainName, localityOf } from './domain-name.ts';
import { Answers } from './fills.ts';
import type { Domain, Recipient } from './port.ts';
import { addressesOf, problemOf, recipientFrom } from './recipient.ts';
import { Reports } from './reports.ts';

/** Answers kept: about 2 KB each, so 200 MB at the very most, and only after that many different addresses were asked for. */
const maxRecipients = 100_000;
const maxDomains = 20_000;

const attributes = ['*', '+'];
const equal = (attribute: string, value: string): Filter => ({ type: 'equal', attribute, value: Buffer.from(value, 'utf8') });
const connectorsOnly = equal('objectClass', 'mtConnector');

/**
 * Whether the address is this entry's own: not that of a list's member, which only mentions somebody, nor a value with options
 * (`mail;x-old`), which a filter finds too.
 */
const owns = (entry: Entry, wanted: string): boolean =>
  !isListMember(entry) && addressesOf(entry).some((address) => addressKey(address) === wanted);

/** Tags: an entry, the children of an entry. */
const entryTag = (uuid: string): string => `e:${uuid.toLowerCase()}`;
const childrenTag = (dnKey: string): string => `c:${dnKey}`;

/** An answer with what it was made of. */
interface Answer<V> {
  readonly value: V;
  readonly tags: readonly string[];
}

export class AddressView {
  readonly #directory: DirectoryReader;
  readonly #base: Dn;
  /** Trees whose entries mention addresses and own none. */
  readonly #elsewhere: readonly Dn[];
  /** Entries of a directory that is not ours are checked for what ours would have refused. */
  readonly #untrusted: boolean;
  readonly #reports: Reports;
  readonly #recipients = new Answers<Answer<Recipient | undefined>>(maxRecipients, ({ tags }) => tags);
  readonly #domains = new Answers<Answer<Domain | undefined>>(maxDomains, ({ tags }) => tags);

  constructor(
    directory: DirectoryReader,
    trees: { readonly base: Dn; readonly elsewhere: readonly Dn[] },
    untrusted: boolean,
    log: Log,
    clock: Clock,
  ) {
    this.#directory = directory;
    this.#base = trees.base;
    this.#elsewhere = trees.elsewhere;
    this.#untrusted = untrusted;
    this.#reports = new Reports(log, clock);
  }

  /** Answers kept now. */
  get size(): number {
    return this.#recipients.size + this.#domains.size;
  }

  async recipient(address: string): Promise<Recipient | undefined> {
    const wanted = addressKey(address);
    if (wanted === undefined) return undefined;
    return (await this.#recipients.get(`a:${wanted}`, () => this.#readAddress(wanted))).value;
  }

  #readAddress(wanted: string): Promise<Answer<Recipient | undefined>> {
    const filter: Filter = { type: 'or', filters: ['mail', 'mailLocalAddress', 'mtMailAddress'].map((name) => equal(name, wanted)) };
    return this.#read(filter, `the address ${wanted}`, (entry) => owns(entry, wanted), wanted);
  }

  async recipientByUuid(uuid: string): Promise<Recipient | undefined> {
    // Whoever delivers asks for the mailbox of an address that was just asked for.
    const known = this.#recipients.madeOf(entryTag(uuid)).find(({ value }) => value?.uuid.toLowerCase() === uuid.toLowerCase());
    if (known) return known.value;
    const filter = equal('entryUUID', uuid);
    return (await this.#recipients.get(`u:${uuid.toLowerCase()}`, () => this.#read(filter, `the entry ${uuid}`))).value;
  }

  async #read(
    filter: Filter,
    what: string,
    fits: (entry: Entry) => boolean = () => true,
    wanted?: string,
  ): Promise<Answer<Recipient | undefined>> {
    const found: Entry[] = [];
    const tags: string[] = [];
    const here = (entry: Entry): boolean => fits(entry) && !this.#elsewhere.some((dn) => entry.dn.isWithin(dn));
    for (const entry of await this.#search(this.#base, 'sub', filter, 8, here)) {
      const problem = this.#untrusted ? await problemOf(entry, wanted, (name) => this.#homeOf(name, entry, tags)) : undefined;
      if (problem) this.#reports.say(`${entry.dn.toString()} is not used: ${problem}`);
      else found.push(entry);
    }
    if (found.length > 1) {
      this.#reports.say(
        `${what} is claimed by ${found.map((entry) => entry.dn.toString()).join(' and ')}: mail for it waits until one gives it up`,
      );
      throw new Fault('unavailable', 'address is ambiguous at the moment');
    }
    const entry = found[0];
    if (!entry) return { value: undefined, tags };
    const connectors = await this.#search(entry.dn, 'one', connectorsOnly, 1000);
    const value = recipientFrom(entry, connectors);
    const made = [entry, ...connectors].flatMap((each) => each.text('entryUUID') ?? []);
    return { value, tags: [...tags, ...made.map(entryTag), childrenTag(entry.dn.key)] };
  }

  /** Where a domain is from an entry's point of view; what that depends on is added to `tags`. */
  async #homeOf(name: string, entry: Entry, tags: string[]): Promise<'within' | 'outside' | 'foreign'> {
    const found = await this.#domain(name, tags);
    if (!found) return 'foreign';
    return entry.dn.isWithin(found.entry) ? 'within' : 'outside';
  }

  async #search(
    base: Dn,
    scope: 'one' | 'sub',
    filter: Filter,
    sizeLimit: number,
    fits: (entry: Entry) => boolean = () => true,
  ): Promise<Entry[]> {
    const found: Entry[] = [];
    for await (const entry of this.#directory.search(system('dit'), { base, scope, filter, attributes })) {
      if (!fits(entry)) continue;
      found.push(entry);
      if (found.length >= sizeLimit) break;
    }
    return found;
  }

  /** The local domain a name is or falls under. */
  async domain(name: string): Promise<Domain | undefined> {
    return (await this.#domain(name))?.domain;
  }

  async #domain(name: string, made: string[] = []): Promise<{ readonly domain: Domain; readonly entry: Dn } | undefined> {
    const labels = name.toLowerCase().split('.');
    for (let n = 0; n < labels.length && n < 32; n++) {
      const level = labels.slice(n);
      const entry = domainName(level, this.#base);
      const { value, tags } = await this.#domains.get(`d:${entry.key}`, () => this.#readDomain(entry, level.join('.')));
      made.push(`d:${entry.key}`, ...tags);
      if (value && (n === 0 ? value.itself : value.subdomains)) return { domain: value, entry };
    }
    return undefined;
  }

  async #readDomain(dn: Dn, name: string): Promise<Answer<Domain | undefined>> {
    const entry = await this.#directory.read(system('dit'), dn, attributes);
    const tags = (entry?.texts('entryUUID') ?? []).map(entryTag);
    if (!entry?.isA('mtMailDomain')) return { value: undefined, tags };
    const aliasOf = entry.text('mtDomainAlias')?.toLowerCase();
    return { value: { dn: entry.dn.toString(), name, aliasOf, ...localityOf(entry) }, tags };
  }

  apply(change: Change): void {
    // A rename takes everything below along, whose names are then all wrong.
    if (change.kind === 'rename') {
      this.clear();
      return;
    }
    const sides = [change.before, change.after].filter((entry) => entry !== undefined);
    const tags = [entryTag(change.uuid), ...sides.map(({ dn }) => `d:${dn.key}`)];
    this.#domains.touch(tags);
    tags.push(`u:${change.uuid.toLowerCase()}`);
    for (const entry of sides) {
      for (const address of addressesOf(entry)) tags.push(`a:${addressKey(address) ?? address}`);
      if (entry.isA('mtConnector') && entry.dn.parent) tags.push(childrenTag(entry.dn.parent.key));
    }
    this.#recipients.touch(tags);
  }

  clear(): void {
    this.#recipients.forgetAll();
    this.#domains.forgetAll();
  }
}
