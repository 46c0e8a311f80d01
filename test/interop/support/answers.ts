/** Two LDAP servers asked the same: what they answered, in a form in which it can be compared. */

import type { Schema } from '../../../src/directory/index.ts';
import { type Entry, Entry as MadeEntry } from '../../../src/directory/index.ts';
import { parseDn } from '../../../src/ldap-wire/index.ts';
import { RawLdap, searchFor, simpleBind } from '../../support/ldap-door.ts';
import type { Query } from './filters.ts';

export interface Answer {
  readonly code: number;
  /** Comparable form of the matched name. */
  readonly matched: string;
  /** By the comparable form of the name: attributes with their values in order. */
  readonly entries: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
}

/** Differ from server to server whatever they hold: that they are there is what can be compared. */
const ownValues = new Set(['createtimestamp', 'modifytimestamp', 'creatorsname', 'modifiersname', 'entrycsn', 'entryuuid']);
/** Names and UUIDs: slapd answers with a form of its own making. */
const rewritten = new Set(['1.3.6.1.4.1.1466.115.121.1.12', '1.3.6.1.4.1.1466.115.121.1.34', '1.3.6.1.1.16.1']);

export class Asker {
  readonly #ldap: RawLdap;
  readonly #schema: Schema;
  #id = 1;

  private constructor(ldap: RawLdap, schema: Schema) {
    this.#ldap = ldap;
    this.#schema = schema;
  }

  static async connect(port: number, dn: string, password: string, schema: Schema): Promise<Asker> {
    const ldap = await RawLdap.connect(port);
    const bound = await ldap.ask(1, simpleBind(dn, password));
    if (bound?.body.op !== 'bind' || bound.body.result.code !== 0) throw new Error(`no bind as ${dn}: ${JSON.stringify(bound)}`);
    return new Asker(ldap, schema);
  }

  async #search(
    query: Query,
  ): Promise<{ code: number; matched: string; say: string; found: { dn: string; attributes: Record<string, Uint8Array[]> }[] }> {
    const { base, scope, filter, attributes, typesOnly, sizeLimit } = query;
    this.#ldap.send(++this.#id, searchFor(filter, { base, scope, attributes, typesOnly, sizeLimit }));
    const found: { dn: string; attributes: Record<string, Uint8Array[]> }[] = [];
    for (;;) {
      const message = await this.#ldap.next();
      if (!message) throw new Error(`the connection ended at ${JSON.stringify(query)}`);
      const { body } = message;
      if (body.op === 'entry')
        found.push({
          dn: body.dn,
          attributes: Object.fromEntries(
            body.attributes.map(({ name, values }) => [name, values.map((value) => Buffer.from(value as Uint8Array))]),
          ),
        });
      else if (body.op === 'search') return { code: body.result.code, matched: body.result.matched, say: body.result.diagnostic, found };
    }
  }

  /** Everything the server holds below a name, in its order. */
  async entries(base: string): Promise<Entry[]> {
    const { found } = await this.#search({
      base,
      scope: 'sub',
      filter: '(objectClass=*)',
      attributes: ['*'],
      typesOnly: false,
      sizeLimit: 0,
    });
    return found.map(
      ({ dn, attributes }) =>
        new MadeEntry(
          parseDn(dn),
          Object.entries(attributes).map(([name, values]) => ({
            name,
            values: values.map((value) => (this.#schema.describe(name)?.type.syntax.textual ? Buffer.from(value).toString('utf8') : value)),
          })),
        ),
    );
  }

  async answer(query: Query): Promise<Answer> {
    const { code, matched, found } = await this.#search(query);
    const entries = found.map(({ dn, attributes }) => [parseDn(dn).key, this.#comparable(attributes)] as const);
    return { code, matched: parseDn(matched).key, entries: Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1))) };
  }

  #comparable(attributes: Record<string, Uint8Array[]>): Record<string, string[]> {
    const shown: [string, string[]][] = [];
    for (const [name, values] of Object.entries(attributes)) {
      const described = this.#schema.describe(name);
      const lower = described?.lower ?? name.toLowerCase();
      // Passwords are nobody's to read here; attributes of one product alone cannot be compared.
      if (lower === 'userpassword' || /^(?:mt|pwd)/.test(lower)) continue;
      shown.push([lower, this.#values(lower, values)]);
    }
    return Object.fromEntries(shown.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #values(lower: string, values: readonly Uint8Array[]): string[] {
    if (values.length === 0) return [];
    if (ownValues.has(lower)) return ['is there'];
    const type = this.#schema.describe(lower)?.type;
    const texts = values.map((value) => Buffer.from(value).toString('utf8'));
    // X.501 §13.3.2: superclasses are implied by their subclasses; one server shows them, the other does not.
    if (lower === 'objectclass')
      return [
        ...new Set(texts.flatMap((text) => this.#schema.objectClass(text)).flatMap((item) => (item ? [item, ...item.ancestors] : []))),
      ]
        .map((item) => item.lower)
        .sort();
    if (type && rewritten.has(type.syntax.oid)) return texts.map((text) => type.equality?.normalise(text) ?? text).sort();
    return values.map((value) => Buffer.from(value).toString(type?.syntax.textual ? 'utf8' : 'hex')).sort();
  }

  close(): void {
    this.#ldap.socket.destroy();
  }
}

/** What is in one answer and not in the other, in a few words; empty where they agree. */
export function differences(ours: Answer, theirs: Answer): string[] {
  const found: string[] = [];
  if (ours.code !== theirs.code) found.push(`code ${ours.code}, slapd ${theirs.code}`);
  if (ours.matched !== theirs.matched) found.push(`matched "${ours.matched}", slapd "${theirs.matched}"`);
  for (const name of new Set([...Object.keys(ours.entries), ...Object.keys(theirs.entries)])) {
    const [mine, others] = [ours.entries[name], theirs.entries[name]];
    if (!mine || !others) found.push(mine ? `only we have ${name}` : `only slapd has ${name}`);
    else
      for (const attribute of new Set([...Object.keys(mine), ...Object.keys(others)])) {
        const [a, b] = [JSON.stringify(mine[attribute]), JSON.stringify(others[attribute])];
        if (a !== b) found.push(`${name}: ${attribute} ${a}, slapd ${b}`);
      }
  }
  return found;
}
