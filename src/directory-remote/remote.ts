/**
 * The Directory port over any LDAP server.
 *
 * Promise: every call ends; while no server answers, at once, with `unavailable`. Everything is done as the product's own account:
 * what that account may do is the server's decision. On behalf of somebody else (an actor that is `bound`) nothing is done: the
 * server knows such people by their own connections only.
 * Spec: RFC 4511
 */

import { type Cancel, FailedLogins } from '../base/index.ts';
import {
  type Actor,
  type Attribute,
  type AttributeValue,
  type Change,
  type DeleteOptions,
  type Directory,
  DirectoryFault,
  type Entry,
  Failures,
  type LoginFrom,
  type Modification,
  type NewName,
  type Position,
  resultCodes,
  type SearchRequest,
  type Watch,
  type WriteOptions,
  type WriteResult,
} from '../directory/index.ts';
import { type Dn, parseFilter } from '../ldap-wire/index.ts';
import { bindSimple } from './client.ts';
import { succeed } from './connection.ts';
import { assertionControl } from './controls.ts';
import { Feed } from './feed.ts';
import { ForeignVerifiers } from './foreign-verifiers.ts';
import { Link, type LinkStatus } from './link.ts';
import type { RemoteOptions } from './options.ts';
import { searchOne } from './search.ts';
import { basesOf, firstEntry, type Upstream } from './upstream.ts';
import { Writer } from './writer.ts';

export interface RemoteDirectory extends Directory {
  readonly status: LinkStatus;
  /** The schema as the server publishes it; undefined where it does not. */
  readonly subschema: Entry | undefined;
  /** Calls when the directory is there again after it was away. */
  onBack(listener: () => void): Cancel;
  close(): Promise<void>;
}

const anything = parseFilter('(objectClass=*)');

/** Begins to connect; `ready` resolves when the directory is there (it waits), and rejects where waiting would not help. */
export function openRemoteDirectory(options: RemoteOptions): { readonly directory: RemoteDirectory; readonly ready: Promise<void> } {
  const directory = new Remote(options);
  return { directory, ready: directory.open() };
}

class Remote implements RemoteDirectory {
  readonly #options: RemoteOptions;
  readonly #feed: Feed;
  readonly #link: Link;
  readonly #failures: Failures;
  readonly #failedLogins: FailedLogins;
  readonly #verifiers: ForeignVerifiers;

  constructor(options: RemoteOptions) {
    this.#options = options;
    // Above every position of an earlier run, with room for a thousand changes a millisecond.
    this.#feed = new Feed(options.clock.now() * 1024, options.log);
    this.#link = new Link(options, this.#feed);
    this.#verifiers = new ForeignVerifiers(options.timeoutMs, options.log);
    this.#failedLogins = new FailedLogins(options.log, options.clock);
    this.#failures = new Failures(options.clock, options.failureDelay);
  }

  open(): Promise<void> {
    return this.#link.open();
  }

  get status(): LinkStatus {
    return this.#link.status;
  }

  async *search(actor: Actor, request: SearchRequest): AsyncGenerator<Entry> {
    const upstream = this.#for(actor);
    const { timeoutMs } = this.#options;
    // A server whose tree has no root of its own: each of its trees is searched.
    if (request.base.rdns.length > 0 || upstream.features.root) return yield* searchOne(upstream, request, timeoutMs);
    if (request.scope === 'base') return yield* searchOne(upstream, request, timeoutMs);
    let left = request.sizeLimit ?? 0;
    for (const base of basesOf(upstream.features, this.#options)) {
      const scope = request.scope === 'one' ? 'base' : request.scope;
      for await (const entry of searchOne(upstream, { ...request, base, scope, sizeLimit: left }, timeoutMs)) {
        yield entry;
        if (left > 0) left--;
      }
      if (request.sizeLimit && left === 0) return;
    }
  }

  async read(actor: Actor, dn: Dn, attributes?: readonly string[]): Promise<Entry | undefined> {
    const { shared, features } = this.#for(actor);
    const search = { base: dn, scope: 'base', filter: anything, attributes: attributes ?? [] } as const;
    return shared.run((connection) => firstEntry(connection, search, this.#options.timeoutMs, features.classes));
  }

  async compare(
    actor: Actor,
    dn: Dn,
    attribute: string,
    value: AttributeValue,
    options?: Pick<WriteOptions, 'assertion'>,
  ): Promise<boolean> {
    const { shared, features } = this.#for(actor);
    const octets = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
    const controls = options?.assertion ? [assertionControl(features.controls, options.assertion)] : [];
    const request = { op: 'compare', dn: dn.toString(), attribute, value: octets } as const;
    const answer = await shared.run((connection) => connection.ask(request, { controls, timeoutMs: this.#options.timeoutMs }));
    return succeed(answer).response.result.code === resultCodes.compareTrue;
  }

  async add(actor: Actor, dn: Dn, attributes: readonly Attribute[], options?: WriteOptions): Promise<WriteResult> {
    return this.#written(await this.#writer(actor).add(dn, attributes, options));
  }

  async modify(actor: Actor, dn: Dn, modifications: readonly Modification[], options?: WriteOptions): Promise<WriteResult> {
    return this.#written(await this.#writer(actor).modify(dn, modifications, options));
  }

  async rename(actor: Actor, dn: Dn, to: NewName, options?: WriteOptions): Promise<WriteResult> {
    return this.#written(await this.#writer(actor).rename(dn, to, options));
  }

  async delete(actor: Actor, dn: Dn, options?: DeleteOptions): Promise<WriteResult> {
    const below = (): AsyncIterable<Entry> => this.search(actor, { base: dn, scope: 'sub', filter: anything, attributes: ['1.1'] });
    return this.#written(await this.#writer(actor).delete(dn, options, below));
  }

  /** Where changes are looked for, our own count at once; so does a base that did not exist. */
  #written(result: WriteResult): WriteResult {
    this.#link.kick();
    return result;
  }

  /** By a bind on a connection of its own: the server checks, whatever its stored forms are. */
  async authenticate(dn: Dn, password: string, from: LoginFrom): Promise<Actor> {
    const wrong = (): DirectoryFault => new DirectoryFault('invalidCredentials', 'the name or the password is wrong');
    // A name without a password would be an anonymous bind, which succeeds (RFC 4513 §5.1.2).
    if (password === '' || dn.rdns.length === 0) throw wrong();
    this.#checkWait(dn, from);
    const { logins } = this.#link.upstream;
    const connection = await logins.lease();
    try {
      await bindSimple(connection, dn.toString(), password, this.#options.timeoutMs);
    } catch (thrown) {
      if (!(thrown instanceof DirectoryFault) || !refusals.has(thrown.result)) throw outage(thrown);
      const known = thrown.result === 'invalidCredentials' && (await this.#verifiers.accept(this.#link.upstream, dn, password));
      this.#checkWait(dn, from);
      if (!known) {
        this.#failures.failed(dn.key, from.address);
        this.#failedLogins.note({ name: from.name ?? dn.toString(), door: from.door, address: from.address });
        throw wrong();
      }
    } finally {
      logins.release(connection);
    }
    // Guesses sent side by side are answered as those one after another.
    this.#checkWait(dn, from);
    this.#failures.succeeded(dn.key, from.address);
    return { dn, as: 'bound', door: from.door, ...(from.address === undefined ? {} : { address: from.address }) };
  }

  #checkWait(dn: Dn, from: LoginFrom): void {
    if (this.#failures.wait(dn.key, from.address) <= 0) return;
    this.#failedLogins.note({ name: from.name ?? dn.toString(), door: from.door, address: from.address }, true);
    throw new DirectoryFault('busy', 'too many failed log-ins: try again later');
  }

  async position(): Promise<Position> {
    return this.#feed.position;
  }

  async watch(from: Position | undefined, listener: (change: Change) => void, lost: () => void): Promise<Watch> {
    return this.#feed.watch(from, listener, lost);
  }

  get subschema(): Entry | undefined {
    return this.#link.upstream.features.published;
  }

  onBack(listener: () => void): Cancel {
    return this.#link.onBack(listener);
  }

  async close(): Promise<void> {
    this.#link.close();
    this.#failedLogins.stop();
    await this.#verifiers.close();
  }

  #for(actor: Actor): Upstream {
    if (actor.as !== 'system')
      throw new DirectoryFault('insufficientAccessRights', 'on behalf of a user the external directory is asked by that user alone');
    return this.#link.upstream;
  }

  #writer(actor: Actor): Writer {
    const { shared, features } = this.#for(actor);
    return new Writer(() => shared.get(), features, this.#options.timeoutMs);
  }
}

/** What a server says when name and password do not go together, or the account may not be used. */
const refusals = new Set<string>([
  'invalidCredentials',
  'noSuchObject',
  'inappropriateAuthentication',
  'invalidDNSyntax',
  'insufficientAccessRights',
  'unwillingToPerform',
  'constraintViolation',
]);

/** Anything else says nothing about the password: temporary. */
function outage(thrown: unknown): unknown {
  if (!(thrown instanceof DirectoryFault) || thrown.kind === 'unavailable' || thrown.kind === 'busy') return thrown;
  return new DirectoryFault('unavailable', 'log-ins cannot be checked at the moment', { cause: thrown });
}
