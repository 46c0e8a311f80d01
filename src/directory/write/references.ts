/**
 * Referential integrity: what refers to an entry follows it when it is renamed or moved, and lets go of it when it is deleted, in
 * the same transaction and with a change record of its own.
 *
 * Names of entries (the table below, and names in access rules) follow to wherever the entry or one above it goes. Addresses of an
 * account follow where its primary address is replaced; those of one that is deleted leave lists and aliases of addresses, but stay in
 * forwarding, where a bounce tells of what would else be silence.
 * Promise: bounded work, else adminLimitExceeded; nothing is left without an attribute it must have: that is refused.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { asFault } from '../../base/index.ts';
import { type Dn, dnLimits, parseDn, rebased } from '../../ldap-wire/index.ts';
import type { Judge } from '../access/judge.ts';
import { type Attribute, type AttributeValue, Entry } from '../entry.ts';
import { DirectoryFault } from '../port.ts';
import type { Transaction } from '../records/transaction.ts';
import { dnInside, idInside } from '../records/view.ts';
import type { AttributeType, Schema } from '../schema/schema.ts';
import { isListMember } from './rules.ts';
import { idsBelow } from './subtree.ts';
import type { Stamp } from './writer.ts';

/** Attributes that name entries; each is indexed. What the schema does not have is left out. */
const nameAttributes = ['member', 'uniqueMember', 'owner', 'manager', 'secretary', 'seeAlso', 'roleOccupant'] as const;
/** Words before a name in these attributes of access rules. */
const ruleAttributes = ['mtAccessWho', 'mtAccessTarget'] as const;
const ownAddresses = ['mail', 'mailLocalAddress', 'mtMailAddress'] as const;
const addressAttributes = { lists: 'rfc822MailMember', forwarding: 'mailForwardingAddress' } as const;

/** Names that are looked up before others have a turn. */
const perTurn = 50;
const mostReferring = 10_000;
const mostRules = 1_000;

/** What the writer offers for it. */
export interface ReferenceWriter {
  /** Entries with this comparable value in an equality index. */
  find(tx: Transaction, attribute: string, form: string, most: number): Promise<number[]>;
  /** Sets attributes of an entry as a consequence of something else; an attribute without values goes. */
  amend(tx: Transaction, stamp: Stamp, id: number, attributes: readonly Attribute[]): Promise<void>;
  rename(tx: Transaction, stamp: Stamp, dn: Dn, to: { readonly rdn: Dn['rdns'][number]; readonly deleteOldRdn: boolean }): Promise<void>;
  delete(tx: Transaction, stamp: Stamp, dn: Dn): Promise<void>;
}

export interface ReferenceParts {
  readonly schema: Schema;
  readonly writer: ReferenceWriter;
  readonly judge: Judge;
  /** Entries that may stand below one that is renamed. */
  readonly most: () => number;
}

/** Where names lead after the transaction. */
interface Moves {
  /** Names that something may refer to and that are another one now, or gone. */
  readonly old: readonly Dn[];
  /** The name now; undefined where there is no such entry any more; itself where nothing has happened to it. */
  now(dn: Dn): Dn | undefined;
}

export class References {
  readonly #parts: ReferenceParts;
  readonly #names: readonly AttributeType[];

  constructor(parts: ReferenceParts) {
    this.#parts = parts;
    this.#names = nameAttributes.flatMap((name) => parts.schema.attribute(name) ?? []);
  }

  /** Brings everything that refers to what this transaction has renamed or deleted up to date. */
  async follow(tx: Transaction, stamp: Stamp): Promise<void> {
    // What is done here is noted too: a member of a list that is renamed may be referred to itself.
    for (let at = 0; at < tx.made.length; ) {
      const made = tx.made.slice(at);
      at = tx.made.length;
      const moves = await this.#movesOf(tx, made);
      if (moves.old.length > 0) await this.#followNames(tx, stamp, moves);
      for (const [n, { before, after }] of made.entries()) {
        if (n % perTurn === perTurn - 1) await nextTurn();
        if (before && !isListMember(before)) await this.#followAddresses(tx, stamp, before, after);
      }
    }
  }

  async #movesOf(tx: Transaction, made: Transaction['made']): Promise<Moves> {
    const old: Dn[] = [];
    const renames: [from: Dn, to: Dn][] = [];
    const gone = new Set<string>();
    for (const [n, { id, before, after }] of made.entries()) {
      if (n % perTurn === perTurn - 1) await nextTurn();
      if (!before || before.dn.key === after?.dn.key) continue;
      old.push(before.dn);
      if (!after) {
        if (idInside(tx, before.dn) === undefined) gone.add(before.dn.key);
        continue;
      }
      renames.push([before.dn, after.dn]);
      if (tx.childCount(id) === 0) continue;
      for (const [n, below] of (await idsBelow(tx, id, this.#parts.most(), 'renamed')).entries()) {
        if (n % perTurn === perTurn - 1) await nextTurn();
        const dn = nameOf(tx, below);
        if (dn.isWithin(after.dn)) old.push(rebased(dn, after.dn, before.dn));
      }
    }
    const now = (dn: Dn): Dn | undefined => {
      const moved = renames.reduce((name, [from, to]) => (name.isWithin(from) ? rebased(name, from, to) : name), dn);
      return gone.has(moved.key) ? undefined : moved;
    };
    return { old, now };
  }

  async #followNames(tx: Transaction, stamp: Stamp, moves: Moves): Promise<void> {
    const referring = new Set<number>();
    for (const [n, { key }] of moves.old.entries()) {
      if (n % perTurn === perTurn - 1) await nextTurn();
      for (const { lower } of this.#names) {
        for (const id of await this.#parts.writer.find(tx, lower, key, mostReferring + 1)) referring.add(id);
        if (referring.size > mostReferring)
          throw new DirectoryFault(
            'adminLimitExceeded',
            `more than ${mostReferring} entries refer to it: take it out of some of them first`,
          );
      }
    }
    const renewed = (value: string): string | undefined => renamedValue(value, moves);
    const only = moves.old.length === 1 ? moves.old[0]?.toString().toLowerCase() : undefined;
    for (const id of referring) await this.#renew(tx, stamp, id, this.#names, renewed, only);
    const types = ruleAttributes.flatMap((name) => this.#parts.schema.attribute(name) ?? []);
    for (const id of await this.#parts.writer.find(tx, 'objectclass', 'mtaccess', mostRules)) {
      if (await this.#renew(tx, stamp, id, types, (value) => renamedRule(value, moves))) tx.contexts = true;
    }
  }

  /** Puts other values in the place of those that are not what they were (`only`: a single name). Returns whether there were any. */
  async #renew(
    tx: Transaction,
    stamp: Stamp,
    id: number,
    types: readonly AttributeType[],
    renewed: (value: string) => string | undefined,
    only?: string,
  ): Promise<boolean> {
    const record = tx.entry(id);
    if (!record) return false;
    const changed: Attribute[] = [];
    for (const { name, values } of record.attributes) {
      const type = this.#parts.schema.describe(name)?.type;
      if (!type || !types.includes(type)) continue;
      // No two values of one attribute are the same name, so where one is found as it is written, the others need not be read.
      const place = only === undefined ? -1 : values.findIndex((value) => typeof value === 'string' && value.toLowerCase() === only);
      const made = values.map((value, n) => (typeof value === 'string' && (place < 0 || place === n) ? renewed(value) : value));
      if (made.every((value, n) => value === values[n])) continue;
      changed.push({ name, values: distinct(type, made) });
    }
    if (changed.length === 0) return false;
    this.#checkLeft(stamp, new Entry(dnInside(tx, id), record.attributes), changed);
    await this.#parts.writer.amend(tx, stamp, id, changed);
    return true;
  }

  /** Throws where an attribute that the entry must have, or that says less without any value, would go. */
  #checkLeft(stamp: Stamp, before: Entry, changed: readonly Attribute[]): void {
    const { schema, judge } = this.#parts;
    const classes = before.values('objectClass');
    for (const { name, values } of changed) {
      if (values.length > 0) continue;
      const lower = schema.describe(name)?.type.lower ?? '';
      const needed = classes.some((item) => typeof item === 'string' && schema.objectClass(item)?.must.has(lower));
      // Without a target a rule is about everything.
      if (!needed && lower !== 'mtaccesstarget') continue;
      const dn = judge.knows(judge.subject(stamp.actor), before) ? before.dn.toString() : 'another entry';
      throw new DirectoryFault(
        'unwillingToPerform',
        `it is the last ${name} of ${dn}, which cannot do without: give that another one, or delete it, first`,
      );
    }
  }

  async #followAddresses(tx: Transaction, stamp: Stamp, before: Entry, after: Entry | undefined): Promise<void> {
    const now = new Set(after ? addressesOf(after) : []);
    const replaced = (after ? before.texts('mail') : addressesOf(before)).filter((address) => !now.has(address.toLowerCase()));
    if (replaced.length === 0) return;
    const known = new Set(before.texts('mail').map((address) => address.toLowerCase()));
    const fresh = after && (after.texts('mail').find((address) => !known.has(address.toLowerCase())) ?? after.text('mail'));
    if (after && fresh === undefined) return;
    const attributes = after ? Object.values(addressAttributes) : [addressAttributes.lists];
    const types = attributes.flatMap((name) => this.#parts.schema.attribute(name) ?? []);
    for (const address of replaced) {
      const lower = address.toLowerCase();
      const renewed = (value: string): string | undefined => (value.toLowerCase() === lower ? fresh : value);
      for (const id of await this.#mentioning(tx, types, address)) await this.#renew(tx, stamp, id, types, renewed);
      await this.#followMembers(tx, stamp, address, fresh);
    }
  }

  async #mentioning(tx: Transaction, types: readonly AttributeType[], address: string): Promise<Set<number>> {
    const found = new Set<number>();
    for (const type of types) {
      const form = type.equality?.normalise(address);
      if (form === undefined) continue;
      for (const id of await this.#parts.writer.find(tx, type.lower, form, mostReferring + 1)) found.add(id);
    }
    if (found.size <= mostReferring) return found;
    throw new DirectoryFault(
      'adminLimitExceeded',
      `more than ${mostReferring} entries mention ${address}: take it out of some of them first`,
    );
  }

  /** Members of lists stand below the list under the member's address. */
  async #followMembers(tx: Transaction, stamp: Stamp, address: string, fresh: string | undefined): Promise<void> {
    const { schema, writer } = this.#parts;
    const mail = schema.attribute('mail');
    for (const id of mail ? await this.#mentioning(tx, [mail], address) : []) {
      const record = tx.entry(id);
      if (!record) continue;
      const dn = dnInside(tx, id);
      const entry = new Entry(dn, record.attributes);
      const [ava, more] = dn.rdns[0] ?? [];
      if (!isListMember(entry) || more || ava?.type.toLowerCase() !== 'mail' || ava.value.toLowerCase() !== address.toLowerCase()) continue;
      const rdn = fresh === undefined ? undefined : [{ type: ava.type, value: fresh }];
      const taken = rdn && dn.parent && idInside(tx, dn.parent.child(rdn)) !== undefined;
      const server = { ...stamp, consequence: true as const };
      if (rdn && !taken) await writer.rename(tx, server, dn, { rdn, deleteOldRdn: true });
      else if (tx.childCount(id) === 0) await writer.delete(tx, server, dn);
    }
  }
}

/** The name of an entry below one that was moved: too deep or too long, nobody could ever ask for it. */
function nameOf(tx: Transaction, id: number): Dn {
  try {
    const dn = dnInside(tx, id);
    if (dn.toString().length <= dnLimits.length) return dn;
  } catch (thrown) {
    if (asFault(thrown).kind !== 'malformed') throw thrown;
  }
  const { levels, length } = dnLimits;
  throw new DirectoryFault(
    'unwillingToPerform',
    `the name of an entry below it would have more than ${levels} levels or ${length} characters`,
  );
}

const addressesOf = (entry: Entry): string[] => ownAddresses.flatMap((name) => entry.texts(name)).map((address) => address.toLowerCase());

/** A value of an attribute that names entries; `#'01'B` behind the name stays (RFC 4517 §3.3.21). */
function renamedValue(value: string, moves: Moves): string | undefined {
  const uid = /#'[01]*'B$/.exec(value)?.[0] ?? '';
  const name = uid === '' ? value : value.slice(0, -uid.length);
  const dn = nameIn(name);
  const now = dn && moves.now(dn);
  if (dn === undefined || now === dn) return value;
  return now && now.toString() + uid;
}

function renamedRule(value: string, moves: Moves): string | undefined {
  const [, word = '', name = ''] = /^(dn|subtree|group|entry|children):(.+)$/is.exec(value.trim()) ?? [];
  const dn = word === '' ? undefined : nameIn(name.trim());
  const now = dn && moves.now(dn);
  if (dn === undefined || now === dn) return value;
  return now && `${word}:${now.toString()}`;
}

function nameIn(text: string): Dn | undefined {
  try {
    return parseDn(text);
  } catch {
    return undefined;
  }
}

/** Without those that are gone, and without those that have become the same. */
function distinct(type: AttributeType, values: readonly (AttributeValue | undefined)[]): AttributeValue[] {
  const found = new Map<unknown, AttributeValue>();
  for (const value of values) {
    if (value === undefined) continue;
    const form = type.equality?.normalise(value) ?? value;
    if (!found.has(form)) found.set(form, value);
  }
  return [...found.values()];
}
