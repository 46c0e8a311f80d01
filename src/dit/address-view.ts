/**
 * Who has an address and which domains are ours: looked up in the directory, kept in a bounded view, dropped when the
 * change feed says that they changed.
 */

import { Fault, type Log } from '../base/index.ts';
import { type Change, type DirectoryReader, type Entry, isListMember, system } from '../directory/index.ts';
import type { Dn, Filter } from '../ldap-wire/index.ts';
import { addressKey } from '../mail/index.ts';
import { domainName } from './domain-name.ts';
import { Answers } from './fills.ts';
import type { Domain, Recipient } from './port.ts';
import { addressesOf, recipientFrom } from './recipient.ts';

/** Answers kept: about 1 KB each, so 100 MB at the very most, and only after that many different addresses were asked for. */
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

export class AddressView {
  readonly #directory: DirectoryReader;
  readonly #base: Dn;
  readonly #log: Log;
  readonly #recipients: Answers<Recipient | undefined>;
  readonly #domains = new Answers<Domain | undefined>(maxDomains);
  /** Keys under which an entry's recipient is kept, by DN key: a connector's change finds its address by that. */
  readonly #keysOf = new Map<string, Set<string>>();
  /** Fills under way know an entry's DN only at their end, so a change of children makes all of them stale. */
  readonly #pending = new Set<string>();

  constructor(directory: DirectoryReader, base: Dn, parse: (dn: string) => Dn, log: Log) {
    this.#directory = directory;
    this.#base = base;
    this.#log = log;
    const keyOf = (recipient: Recipient): string => parse(recipient.dn).key;
    this.#recipients = new Answers(
      maxRecipients,
      (key, recipient) => {
        if (!recipient) return;
        const dnKey = keyOf(recipient);
        this.#keysOf.set(dnKey, (this.#keysOf.get(dnKey) ?? new Set()).add(key));
      },
      (key, recipient) => {
        if (!recipient) return;
        const dnKey = keyOf(recipient);
        const keys = this.#keysOf.get(dnKey);
        keys?.delete(key);
        if (keys?.size === 0) this.#keysOf.delete(dnKey);
      },
    );
  }

  recipient(address: string): Recipient | undefined | Promise<Recipient | undefined> {
    const wanted = addressKey(address);
    if (wanted === undefined) return undefined;
    const filter: Filter = { type: 'or', filters: ['mail', 'mailLocalAddress', 'mtMailAddress'].map((name) => equal(name, wanted)) };
    return this.#find(`a:${wanted}`, filter, `the address ${wanted}`, (entry) => owns(entry, wanted));
  }

  recipientByUuid(uuid: string): Recipient | undefined | Promise<Recipient | undefined> {
    return this.#find(`u:${uuid}`, equal('entryUUID', uuid), `the entry ${uuid}`);
  }

  #find(
    key: string,
    filter: Filter,
    what: string,
    fits: (entry: Entry) => boolean = () => true,
  ): Recipient | undefined | Promise<Recipient | undefined> {
    return this.#recipients.get(key, async () => {
      this.#pending.add(key);
      try {
        return await this.#read(filter, what, fits);
      } finally {
        this.#pending.delete(key);
      }
    });
  }

  async #read(filter: Filter, what: string, fits: (entry: Entry) => boolean): Promise<Recipient | undefined> {
    const found = await this.#search(this.#base, 'sub', filter, 2, fits);
    if (found.length > 1) {
      this.#log.error(
        `${what} is claimed by ${found.map((entry) => entry.dn.toString()).join(' and ')}: mail for it waits until one gives it up`,
      );
      throw new Fault('unavailable', 'address is ambiguous at the moment');
    }
    const entry = found[0];
    if (!entry) return undefined;
    return recipientFrom(entry, await this.#search(entry.dn, 'one', connectorsOnly, 1000));
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
    const labels = name.toLowerCase().split('.');
    for (let n = 0; n < labels.length && n < 32; n++) {
      const domain = await this.#domainEntry(labels.slice(n));
      if (domain) return n === 0 || domain.subdomains ? domain : undefined;
    }
    return undefined;
  }

  #domainEntry(labels: readonly string[]): Domain | undefined | Promise<Domain | undefined> {
    const name = labels.join('.');
    return this.#domains.get(name, async () => {
      const entry = await this.#directory.read(system('dit'), domainName(labels, this.#base), attributes);
      if (!entry?.isA('mtMailDomain')) return undefined;
      return {
        dn: entry.dn.toString(),
        name,
        aliasOf: entry.text('mtDomainAlias')?.toLowerCase(),
        subdomains: entry.text('mtSubdomains')?.toUpperCase() === 'TRUE',
      };
    });
  }

  apply(change: Change): void {
    const { before, after } = change;
    if ([before, after].some((entry) => entry?.isA('mtMailDomain') || entry?.isA('domain') || entry?.isA('dcObject')))
      this.#domains.forgetAll();
    // A rename takes everything below along, whose names are then all wrong.
    if (change.kind === 'rename') {
      this.clear();
      return;
    }
    for (const entry of [before, after]) {
      if (!entry) continue;
      for (const address of addressesOf(entry)) this.#recipients.forget(`a:${addressKey(address) ?? address}`);
      this.#recipients.forget(`u:${entry.text('entryUUID') ?? ''}`);
      if (entry.isA('mtConnector')) this.#forgetOwner(entry);
    }
  }

  #forgetOwner(connector: Entry): void {
    const owner = connector.dn.parent?.key;
    if (owner !== undefined) for (const key of [...(this.#keysOf.get(owner) ?? [])]) this.#recipients.forget(key);
    for (const key of this.#pending) this.#recipients.forget(key);
  }

  clear(): void {
    this.#recipients.forgetAll();
    this.#domains.forgetAll();
  }
}
