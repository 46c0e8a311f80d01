/**
 * A small LDAP client on our own codec: what the command line needs, and what the remote directory is made on.
 *
 * Promise: every call ends: with its answer, with a DirectoryFault that carries the server's result code and diagnostic, or with
 * `unavailable` when the connection is lost. Operations may overlap on one connection.
 * Spec: RFC 4511 §4, RFC 4513 §5.1.3, §5.2.3
 */

import { connect as connectTcp, type NetConnectOpts, type Socket } from 'node:net';
import { type Attribute, DirectoryFault, Entry, type Modification, type ResultName, resultCodes, type Scope } from '../directory/index.ts';
import {
  type Control,
  type Dn,
  decodeResponse,
  encodeRequest,
  type Filter,
  Framer,
  type LdapResult,
  makeDn,
  parseDn,
  type Rdn,
  type Request,
  type Response,
} from '../ldap-wire/index.ts';

export type LdapPlace = { readonly path: string } | { readonly host: string; readonly port: number };

export interface ClientSearch {
  readonly base: Dn;
  readonly scope: Scope;
  readonly filter: Filter;
  readonly attributes?: readonly string[];
  readonly sizeLimit?: number;
}

interface Waiting {
  readonly entries: Entry[];
  resolve(response: Response): void;
  reject(thrown: unknown): void;
}

/** draft-armijo-ldap-treedelete */
const treeDelete = '1.2.840.113556.1.4.805';
const answerLimit = 256 * 1024 * 1024;
const names = new Map<number, ResultName>(Object.entries(resultCodes).map(([name, code]) => [code, name as ResultName]));

export class LdapClient {
  readonly #socket: Socket;
  readonly #framer = new Framer();
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #lost: DirectoryFault | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', (cause) => this.#end(cause));
    socket.on('close', () => this.#end(undefined));
  }

  /** DirectoryFault `unavailable` where nobody answers. */
  static connect(place: LdapPlace, timeoutMs = 10_000): Promise<LdapClient> {
    return new Promise((resolve, reject) => {
      const socket = connectTcp({ ...place, noDelay: true, timeout: timeoutMs } as NetConnectOpts);
      const fail = (cause?: unknown): void => {
        socket.destroy();
        const where = 'path' in place ? place.path : `${place.host} port ${place.port}`;
        reject(new DirectoryFault('unavailable', `no LDAP server answers at ${where}`, { cause }));
      };
      socket.once('error', fail);
      socket.once('timeout', fail);
      socket.once('connect', () => {
        socket.removeListener('error', fail);
        socket.removeListener('timeout', fail);
        socket.setTimeout(0);
        resolve(new LdapClient(socket));
      });
    });
  }

  async bind(dn: string, password: string): Promise<void> {
    await this.#ask({ op: 'bind', version: 3, name: dn, method: { type: 'simple', password: Buffer.from(password, 'utf8') } });
  }

  /** Who the connection itself says we are: the owner of a Unix socket. */
  async bindExternal(): Promise<void> {
    await this.#ask({ op: 'bind', version: 3, name: '', method: { type: 'sasl', mechanism: 'EXTERNAL', credentials: new Uint8Array() } });
  }

  async search(search: ClientSearch): Promise<Entry[]> {
    const { entries } = await this.#ask({
      op: 'search',
      base: search.base.toString(),
      scope: search.scope,
      derefAliases: 0,
      sizeLimit: search.sizeLimit ?? 0,
      timeLimit: 0,
      typesOnly: false,
      filter: search.filter,
      attributes: search.attributes ?? [],
    });
    return entries;
  }

  async add(dn: Dn, attributes: readonly Attribute[]): Promise<void> {
    await this.#ask({ op: 'add', dn: dn.toString(), attributes });
  }

  async modify(dn: Dn, modifications: readonly Modification[]): Promise<void> {
    await this.#ask({ op: 'modify', dn: dn.toString(), modifications });
  }

  async rename(dn: Dn, to: { readonly rdn: Rdn; readonly deleteOldRdn: boolean; readonly newSuperior?: Dn }): Promise<void> {
    const { rdn, deleteOldRdn, newSuperior } = to;
    await this.#ask({
      op: 'rename',
      dn: dn.toString(),
      rdn: makeDn([rdn]).toString(),
      deleteOldRdn,
      newSuperior: newSuperior?.toString(),
    });
  }

  /** `subtree`: with everything below it, where the server knows how (control tree delete). */
  async delete(dn: Dn, options: { readonly subtree?: boolean } = {}): Promise<void> {
    await this.#ask({ op: 'delete', dn: dn.toString() }, options.subtree ? [{ oid: treeDelete, critical: true, value: undefined }] : []);
  }

  close(): void {
    if (!this.#lost) this.#socket.end(encodeRequest(this.#nextId++, { op: 'unbind' }));
  }

  #ask(request: Request, controls: readonly Control[] = []): Promise<{ response: Response; entries: Entry[] }> {
    if (this.#lost) return Promise.reject(this.#lost);
    const id = this.#nextId++;
    const entries: Entry[] = [];
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { entries, resolve: (response) => resolve({ response, entries }), reject });
      this.#socket.write(encodeRequest(id, request, controls));
    });
  }

  #read(chunk: Buffer): void {
    try {
      this.#framer.push(chunk);
      for (let octets = this.#framer.next(answerLimit); octets; octets = this.#framer.next(answerLimit)) {
        const { id, body } = decodeResponse(octets);
        this.#answer(id, body);
      }
    } catch (cause) {
      this.#end(cause);
    }
  }

  #answer(id: number, response: Response): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    if (response.op === 'entry') waiting.entries.push(new Entry(parseDn(response.dn), response.attributes));
    else if ('result' in response) {
      this.#waiting.delete(id);
      const fault = faultOf(response.result);
      if (fault) waiting.reject(fault);
      else waiting.resolve(response);
    }
  }

  #end(cause: unknown): void {
    if (this.#lost) return;
    this.#lost = new DirectoryFault('unavailable', 'the connection to the directory was lost', { cause });
    this.#socket.destroy();
    for (const waiting of this.#waiting.values()) waiting.reject(this.#lost);
    this.#waiting.clear();
  }
}

function faultOf(result: LdapResult): DirectoryFault | undefined {
  const { success, compareFalse, compareTrue } = resultCodes;
  if (result.code === success || result.code === compareFalse || result.code === compareTrue) return undefined;
  const name = names.get(result.code) ?? 'other';
  const matched = result.matched === '' ? undefined : parseDn(result.matched);
  return new DirectoryFault(name, result.diagnostic || name, { matched });
}
