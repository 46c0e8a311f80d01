/**
 * A Directory in a Map, for tests of what stands in front of one. No schema, no rights; passwords are compared as they are.
 * `held` makes every search wait before its first entry until it is released, or is aborted.
 */

import {
  type Actor,
  type Attribute,
  type DeleteOptions,
  type Directory,
  DirectoryFault,
  Entry,
  type Modification,
  type WriteOptions,
  type WriteResult,
} from '../../src/directory/index.ts';
import { type Dn, type Filter, makeDn, parseDn, prepareIgnoringCase } from '../../src/ldap-wire/index.ts';

const text = (value: string | Uint8Array): string => prepareIgnoringCase(typeof value === 'string' ? value : Buffer.from(value).toString());

function matches(entry: Entry, filter: Filter): boolean {
  switch (filter.type) {
    case 'and':
      return filter.filters.every((inner) => matches(entry, inner));
    case 'or':
      return filter.filters.some((inner) => matches(entry, inner));
    case 'not':
      return !matches(entry, filter.filter);
    case 'present':
      return entry.has(filter.attribute);
    case 'equal':
    case 'approx':
      return entry.values(filter.attribute).some((value) => text(value) === text(filter.value));
    case 'substring':
      return entry.values(filter.attribute).some((value) => text(value).startsWith(text(filter.initial ?? '')));
    default:
      return false;
  }
}

function selected(entry: Entry, wanted: readonly string[]): Entry {
  if (wanted.length === 0 || wanted.includes('*')) return entry;
  const names = wanted.map((name) => name.toLowerCase());
  return new Entry(
    entry.dn,
    [...entry.attributes].filter(([name]) => names.includes(name)).map(([, attribute]) => attribute),
  );
}

/** What was asked for around a write. */
function around(before: Entry | undefined, after: Entry | undefined, options: WriteOptions): WriteResult {
  return {
    ...(before && options.preRead ? { before: selected(before, options.preRead) } : {}),
    ...(after && options.postRead ? { after: selected(after, options.postRead) } : {}),
  };
}

function assert(entry: Entry, { assertion }: WriteOptions): void {
  if (assertion && !matches(entry, assertion)) throw new DirectoryFault('assertionFailed', 'the entry does not match the assertion');
}

export class FakeDirectory implements Directory {
  readonly entries = new Map<string, Entry>();
  readonly actors: Actor[] = [];
  aborted = 0;
  #held: { promise: Promise<void>; release: () => void } | undefined;

  put(dn: string, attributes: Record<string, readonly (string | Uint8Array)[]>): void {
    const name = parseDn(dn);
    this.entries.set(
      name.key,
      new Entry(
        name,
        Object.entries(attributes).map(([attribute, values]) => ({ name: attribute, values })),
      ),
    );
  }

  hold(): () => void {
    let release = (): void => {};
    const promise = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#held = { promise, release };
    return () => {
      this.#held = undefined;
      release();
    };
  }

  async *search(actor: Actor, request: Parameters<Directory['search']>[1]): AsyncIterable<Entry> {
    this.actors.push(actor);
    const { signal } = request;
    if (this.#held) {
      const stopped = new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));
      await Promise.race([this.#held.promise, stopped]);
      if (signal?.aborted) {
        this.aborted++;
        return;
      }
    }
    if (request.base.rdns.length > 0 && !this.entries.has(request.base.key)) {
      let above = request.base.parent;
      while (above && above.rdns.length > 0 && !this.entries.has(above.key)) above = above.parent;
      throw new DirectoryFault('noSuchObject', 'no such entry', { matched: above });
    }
    let count = 0;
    for (const entry of this.entries.values()) {
      const level = entry.dn.rdns.length - request.base.rdns.length;
      const inScope = entry.dn.isWithin(request.base) && (request.scope === 'sub' || (request.scope === 'one' ? level === 1 : level === 0));
      if (!inScope || !matches(entry, request.filter)) continue;
      if (request.sizeLimit && count >= request.sizeLimit) throw new DirectoryFault('sizeLimitExceeded', 'more entries than asked for');
      count++;
      yield selected(entry, request.attributes ?? []);
    }
  }

  async read(_actor: Actor, dn: Dn, attributes: readonly string[] = []): Promise<Entry | undefined> {
    const entry = this.entries.get(dn.key);
    return entry && selected(entry, attributes);
  }

  #existing(dn: Dn): Entry {
    const entry = this.entries.get(dn.key);
    if (!entry) throw new DirectoryFault('noSuchObject', 'no such entry');
    return entry;
  }

  async compare(_actor: Actor, dn: Dn, attribute: string, value: string | Uint8Array, options: WriteOptions = {}): Promise<boolean> {
    const entry = this.#existing(dn);
    assert(entry, options);
    return entry.values(attribute).some((candidate) => text(candidate) === text(value));
  }

  async add(_actor: Actor, dn: Dn, attributes: readonly Attribute[], options: WriteOptions = {}): Promise<WriteResult> {
    if (this.entries.has(dn.key)) throw new DirectoryFault('entryAlreadyExists', 'there is such an entry');
    const entry = new Entry(dn, attributes);
    assert(entry, options);
    this.entries.set(dn.key, entry);
    return around(undefined, entry, options);
  }

  async modify(_actor: Actor, dn: Dn, modifications: readonly Modification[], options: WriteOptions = {}): Promise<WriteResult> {
    const was = this.#existing(dn);
    assert(was, options);
    const all = new Map(was.attributes);
    for (const { operation, attribute } of modifications) {
      const key = attribute.name.toLowerCase();
      const before = all.get(key)?.values ?? [];
      const gone = new Set(attribute.values.map(text));
      const values =
        operation === 'add'
          ? [...before, ...attribute.values]
          : operation === 'delete'
            ? before.filter((value) => attribute.values.length > 0 && !gone.has(text(value)))
            : operation === 'replace'
              ? attribute.values
              : before.map((value) => String(Number(value) + Number(attribute.values[0])));
      if (values.length === 0) all.delete(key);
      else all.set(key, { name: attribute.name, values });
    }
    const entry = new Entry(dn, all.values());
    this.entries.set(dn.key, entry);
    return around(was, entry, options);
  }

  async rename(_actor: Actor, dn: Dn, to: Parameters<Directory['rename']>[2], options: WriteOptions = {}): Promise<WriteResult> {
    const was = this.#existing(dn);
    assert(was, options);
    const name = (to.newSuperior ?? dn.parent ?? makeDn([])).child(to.rdn);
    const entry = new Entry(name, was.attributes.values());
    this.entries.delete(dn.key);
    this.entries.set(name.key, entry);
    return around(was, entry, options);
  }

  async delete(_actor: Actor, dn: Dn, options: DeleteOptions = {}): Promise<WriteResult> {
    const was = this.#existing(dn);
    assert(was, options);
    for (const [key, entry] of this.entries) if (options.subtree ? entry.dn.isWithin(dn) : key === dn.key) this.entries.delete(key);
    return around(was, undefined, options);
  }

  async authenticate(dn: Dn, password: string, from: { door: string; address?: string }): Promise<Actor> {
    const entry = this.entries.get(dn.key);
    if (!entry?.values('userPassword').includes(password))
      throw new DirectoryFault('invalidCredentials', 'the name or the password is wrong');
    return { dn: entry.dn, as: 'bound', ...from };
  }

  async position(): Promise<number> {
    return 0;
  }

  async watch(): Promise<{ position: number; stop: () => void }> {
    return { position: 0, stop() {} };
  }
}
