/**
 * A small LDAP client: what the command line needs.
 *
 * Promise: every call ends: with its answer, with a DirectoryFault that carries the server's result code and diagnostic, or with
 * `unavailable` when the connection is lost. Operations may overlap on one connection.
 * Spec: RFC 4511 §4, RFC 4513 §5.1.3, §5.2.3
 */

import { type Attribute, type Entry, type Modification, type NewName, resultCodes, type Scope } from '../directory/index.ts';
import { type Control, type Dn, type Filter, formatRdn, type Request } from '../ldap-wire/index.ts';
import type { ClassTree } from './class-tree.ts';
import { type ConnectionSettings, LdapConnection, type LdapPlace, succeed } from './connection.ts';
import { entryFrom } from './results.ts';

export interface ClientSearch {
  readonly base: Dn;
  readonly scope: Scope;
  readonly filter: Filter;
  readonly attributes?: readonly string[];
  readonly sizeLimit?: number;
}

/** draft-armijo-ldap-treedelete */
export const treeDelete: Control = { oid: '1.2.840.113556.1.4.805', critical: true, value: undefined };

export class LdapClient {
  readonly #connection: LdapConnection;
  readonly #classes: ClassTree | undefined;
  #external = false;

  constructor(connection: LdapConnection, classes?: ClassTree) {
    this.#connection = connection;
    this.#classes = classes;
  }

  /** DirectoryFault `unavailable` where nobody answers. */
  static async connect(place: LdapPlace, timeoutMs = 10_000, settings: ConnectionSettings = {}): Promise<LdapClient> {
    return new LdapClient(await LdapConnection.connect(place, { ...settings, timeoutMs }));
  }

  async bind(dn: string, password: string): Promise<void> {
    await bindSimple(this.#connection, dn, password);
  }

  /** Who the connection itself says we are: the owner of a Unix socket. */
  async bindExternal(): Promise<void> {
    await bindExternal(this.#connection);
    this.#external = true;
  }

  /** Whether it was the connection itself that said who we are. */
  get external(): boolean {
    return this.#external;
  }

  /** False where the entry has no such value, nor any; every other refusal is a DirectoryFault. */
  async compare(dn: Dn, attribute: string, value: string): Promise<boolean> {
    const answer = await this.#connection.ask({ op: 'compare', dn: dn.toString(), attribute, value: Buffer.from(value, 'utf8') });
    if ('result' in answer.response && answer.response.result.code === resultCodes.noSuchAttribute) return false;
    const { response } = succeed(answer);
    return response.result.code === resultCodes.compareTrue;
  }

  async search(search: ClientSearch): Promise<Entry[]> {
    const entries: Entry[] = [];
    await this.searchEach(search, (entry) => entries.push(entry));
    return entries;
  }

  /** The same, each entry as it comes: for answers of any size. */
  async searchEach(search: ClientSearch, onEntry: (entry: Entry) => void): Promise<void> {
    const classes = this.#classes;
    const answer = await this.#connection.ask(searchRequest(search), {
      onPartial(response) {
        const entry = response.op === 'entry' ? entryFrom(response.dn, response.attributes, classes) : undefined;
        if (entry) onEntry(entry);
      },
    });
    succeed(answer);
  }

  async add(dn: Dn, attributes: readonly Attribute[]): Promise<void> {
    await this.#ask({ op: 'add', dn: dn.toString(), attributes });
  }

  async modify(dn: Dn, modifications: readonly Modification[]): Promise<void> {
    await this.#ask({ op: 'modify', dn: dn.toString(), modifications });
  }

  async rename(dn: Dn, to: NewName): Promise<void> {
    await this.#ask(renameRequest(dn, to));
  }

  /** `subtree`: with everything below it, where the server knows how (control tree delete). */
  async delete(dn: Dn, options: { readonly subtree?: boolean } = {}): Promise<void> {
    await this.#ask({ op: 'delete', dn: dn.toString() }, options.subtree ? [treeDelete] : []);
  }

  close(): void {
    this.#connection.close();
  }

  async #ask(request: Request, controls: readonly Control[] = []): Promise<void> {
    succeed(await this.#connection.ask(request, { controls }));
  }
}

export async function bindSimple(connection: LdapConnection, dn: string, password: string, timeoutMs = 0): Promise<void> {
  const method = { type: 'simple', password: Buffer.from(password, 'utf8') } as const;
  succeed(await connection.ask({ op: 'bind', version: 3, name: dn, method }, { timeoutMs }));
}

export async function bindExternal(connection: LdapConnection, timeoutMs = 0): Promise<void> {
  const method = { type: 'sasl', mechanism: 'EXTERNAL', credentials: new Uint8Array() } as const;
  succeed(await connection.ask({ op: 'bind', version: 3, name: '', method }, { timeoutMs }));
}

/** A search as it goes over the wire. */
export function searchRequest(search: ClientSearch & { readonly typesOnly?: boolean; readonly timeLimit?: number }): Request {
  return {
    op: 'search',
    base: search.base.toString(),
    scope: search.scope,
    derefAliases: 0,
    sizeLimit: search.sizeLimit ?? 0,
    timeLimit: search.timeLimit ?? 0,
    typesOnly: search.typesOnly ?? false,
    filter: search.filter,
    attributes: search.attributes ?? [],
  };
}

export function renameRequest(dn: Dn, { rdn, deleteOldRdn, newSuperior }: NewName): Request {
  return { op: 'rename', dn: dn.toString(), rdn: formatRdn(rdn), deleteOldRdn, newSuperior: newSuperior?.toString() };
}
