/**
 * The command line's client for an external directory: the product's own account, writes as the running server would make them
 * (passwords hashed by the server, missing levels of the domain tree made).
 */

import type { Attribute, Entry, Modification, NewName } from '../directory/index.ts';
import { type Dn, parseFilter } from '../ldap-wire/index.ts';
import { type ClientSearch, LdapClient } from './client.ts';
import type { LdapConnection } from './connection.ts';
import type { Bases, ServiceOptions } from './options.ts';
import { basesOf, connectBound, type Features, featuresOf } from './upstream.ts';
import { Writer } from './writer.ts';

const anything = parseFilter('(objectClass=*)');

/** At the first server that answers; its fault where none does. */
export async function connectService(options: ServiceOptions & Bases): Promise<LdapClient> {
  let fault: unknown;
  for (const endpoint of options.endpoints) {
    try {
      const connection = await connectBound(endpoint, options);
      return new ServiceClient(connection, await featuresOf(connection, options), options);
    } catch (thrown) {
      fault ??= thrown;
    }
  }
  throw fault;
}

class ServiceClient extends LdapClient {
  readonly #features: Features;
  readonly #bases: Bases;
  readonly #writer: Writer;

  constructor(connection: LdapConnection, features: Features, options: ServiceOptions & Bases) {
    super(connection, features.classes);
    this.#features = features;
    this.#bases = options;
    this.#writer = new Writer(async () => connection, features, options.timeoutMs);
  }

  /** From the root where the server has one, else in each of its trees. */
  override async searchEach(search: ClientSearch, onEntry: (entry: Entry) => void): Promise<void> {
    if (search.base.rdns.length > 0 || search.scope === 'base' || this.#features.root) return super.searchEach(search, onEntry);
    for (const base of basesOf(this.#features, this.#bases))
      await super.searchEach({ ...search, base, scope: search.scope === 'one' ? 'base' : 'sub' }, onEntry);
  }

  override async add(dn: Dn, attributes: readonly Attribute[]): Promise<void> {
    await this.#writer.add(dn, attributes);
  }

  override async modify(dn: Dn, modifications: readonly Modification[]): Promise<void> {
    await this.#writer.modify(dn, modifications);
  }

  override async rename(dn: Dn, to: NewName): Promise<void> {
    await this.#writer.rename(dn, to);
  }

  override async delete(dn: Dn, options: { readonly subtree?: boolean } = {}): Promise<void> {
    const search = { base: dn, scope: 'sub', filter: anything, attributes: ['1.1'] } as const;
    const below = async function* (client: ServiceClient): AsyncGenerator<Entry> {
      yield* await client.search(search);
    };
    await this.#writer.delete(dn, options, () => below(this));
  }
}
