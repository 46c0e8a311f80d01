/**
 * The four writes, inside a transaction: checks, rights, rules, records, indexes and the change log together.
 *
 * Promise: all of it or nothing. Nothing here waits for anything but the transaction's reads, so a write may be run again.
 * Values that must be made once (times, UUIDs, password hashes) come in with the request.
 * Spec: RFC 4511 §4.6–§4.9
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Dn, makeDn, type Rdn, rdnKey } from '../../ldap-wire/index.ts';
import type { Judge, Subject } from '../access/judge.ts';
import { deniedChange } from '../access/self-write.ts';
import { type Attribute, Entry } from '../entry.ts';
import { csn } from '../history/csn.ts';
import { recordChange, stampOf } from '../history/record.ts';
import { notePassword } from '../passwords/record.ts';
import { type Actor, DirectoryFault, type Modification, type NewName } from '../port.ts';
import { attributesText, encodeEntry, encodeNumber, encodeText } from '../records/codec.ts';
import { type Indexes, idWithUuid } from '../records/indexes.ts';
import { keys, rootId } from '../records/keys.ts';
import type { Transaction } from '../records/transaction.ts';
import { dnInside, idInside, placeOf, storedInside } from '../records/view.ts';
import type { AttributeType, Schema } from '../schema/schema.ts';
import { generalizedTime } from '../schema/time.ts';
import type { DirectorySettings } from '../settings.ts';
import type { Around } from './around.ts';
import { checkAttributes, checkNaming, checkRelativeName, completeClasses } from './check-entry.ts';
import { Draft } from './draft.ts';
import type { ReferenceWriter } from './references.ts';
import { namesList, type RuleReader, type WriteAttempt, type WriteRule } from './rules.ts';
import { entriesBelow, type Found, idsBelow } from './subtree.ts';

export interface WriterParts {
  readonly schema: Schema;
  readonly indexes: Indexes;
  readonly judge: Judge;
  readonly rules: readonly WriteRule[];
  /** Entries that are renamed or moved with one above them, at most. */
  readonly subtreeLimit: () => number;
  /** Entries that may stand without a parent, whatever is above them in their name; beside `dc=`. */
  readonly suffixes: readonly Dn[];
  readonly settings: () => DirectorySettings;
}

/** What one write needs that is made once. */
export interface Stamp {
  readonly actor: Actor;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The n-th new UUID of this write. */
  uuid(n: number): string;
  /** False writes no change records: one summary stands for them all (import). */
  readonly history: boolean;
  /** Number of the change that is undone: operational attributes may then be set, for they are those the entry had. */
  readonly undoes?: number;
  /** The server's own doing, because of what the actor does: no rights are asked. */
  readonly consequence?: true;
  /** The server notes something by itself: neither the password's age nor who changed the entry last is touched. */
  readonly note?: boolean;
  /** What is asked for around this write. */
  readonly around?: Around | undefined;
}

const largestEntry = 8 * 1024 * 1024;
const mostFound = 100;
/** Entries of a subtree that are deleted before others have a turn. */
const perTurn = 20;

export class Writer implements ReferenceWriter {
  readonly #parts: WriterParts;

  constructor(parts: WriterParts) {
    this.#parts = parts;
  }

  async add(tx: Transaction, stamp: Stamp, dn: Dn, attributes: readonly Attribute[]): Promise<void> {
    const { schema } = this.#parts;
    const subject = this.#subject(stamp);
    const [rdn] = dn.rdns;
    if (!rdn) throw new DirectoryFault('entryAlreadyExists', 'the root cannot be added');
    const draft = new Draft(schema);
    for (const attribute of attributes) {
      this.#checkModifiable(subject, stamp, attribute);
      draft.add(attribute, { merge: attribute.name.toLowerCase() === 'objectclass' });
    }
    const { classes, structural } = completeClasses(schema, draft);
    if (structural.kind !== 'structural')
      throw new DirectoryFault('objectClassViolation', 'attribute objectClass: no structural object class given');
    checkNaming(schema, draft, dn, { complete: true });
    checkAttributes(draft, classes);
    const parent = await this.#parentFor(tx, stamp, subject, dn);
    if (tx.get(placeOf(parent, dn)))
      throw new DirectoryFault('entryAlreadyExists', `an entry with this name exists already: ${dn.toString()}`);
    const { id, after } = await this.#insert(tx, stamp, { subject, dn, parent, draft, structural: structural.name, uuid: stamp.uuid(0) });
    if (!stamp.around) return;
    const stored = storedInside(tx, id, parent, after);
    stamp.around.assert(stored);
    stamp.around.end(stored);
  }

  async #insert(
    tx: Transaction,
    stamp: Stamp,
    what: { subject: Subject; dn: Dn; parent: number; draft: Draft; structural: string; uuid: string },
  ): Promise<{ id: number; after: Entry }> {
    const { judge, schema, indexes } = this.#parts;
    const { subject, dn, draft } = what;
    const counters = tx.counters();
    const id = counters.nextId++;
    const asGiven = new Entry(dn, draft.attributes());
    if (!judge.mayEntry(subject, asGiven, 'add')) throw notAllowed('add this entry');
    this.#checkWrites(
      subject,
      asGiven,
      [...asGiven.attributes.values()].map((attribute) => attribute.name),
    );
    const time = generalizedTime(stamp.at);
    const defaults: [string, string][] = [
      ['structuralObjectClass', what.structural],
      ['entryUUID', what.uuid],
      ['createTimestamp', time],
      ['creatorsName', nameOf(stamp.actor)],
      ['modifyTimestamp', time],
      ['modifiersName', nameOf(stamp.actor)],
      ['entryCSN', csn(stampOf(stamp, counters), counters.change + 1)],
    ];
    // The CSN says since when the entry is as it is (sync/refresh.ts relies on it): only an import, which is noted, brings its own.
    const own = (name: string): boolean => name === 'structuralObjectClass' || (name === 'entryCSN' && stamp.history);
    for (const [name, value] of defaults) if (own(name) || !draft.has(name)) draft.set(name, [value]);
    for (const name of ['entryDN', 'hasSubordinates', 'subschemaSubentry']) draft.set(name, []);
    if (draft.has('userPassword')) this.#notePassword(stamp, subject, draft, undefined);
    const after = new Entry(dn, draft.attributes());
    const uuid = after.text('entryUUID') ?? what.uuid;
    // One that was made just now is nobody else's.
    if (uuid !== what.uuid && idWithUuid(tx, uuid) !== undefined) {
      throw new DirectoryFault('constraintViolation', 'attribute entryUUID: belongs to another entry');
    }
    await this.#askRules(tx, { kind: 'add', before: undefined, after, actor: stamp.actor });
    const [rdn = []] = dn.rdns;
    putEntry(tx, id, what.parent, rdn, after);
    place(tx, id, what.parent, dn);
    if (what.parent !== rootId) tx.addToChildCount(what.parent, 1);
    indexes.update(tx, id, undefined, after, counters.change + 1);
    recordChange(tx, stamp, schema, { kind: 'add', id, uuid, before: undefined, after });
    return { id, after };
  }

  /** Id of the parent; makes missing upper `dc` levels for those who may (directory tree: RFC 2247). */
  async #parentFor(tx: Transaction, stamp: Stamp, subject: Subject, dn: Dn): Promise<number> {
    const { judge, suffixes } = this.#parts;
    const above = dn.parent ?? makeDn([]);
    const found = above.rdns.length === 0 ? undefined : tx.idOf(above);
    if (found !== undefined) {
      const stored = tx.stored(found);
      if (stored && judge.knows(subject, stored.entry)) return found;
      throw this.#noParent(tx, subject, above);
    }
    const dcOnly = dn.rdns.every(isDc);
    const context = above.rdns.length === 0 ? dcOnly || isSuffix(suffixes, dn) : !dcOnly && isSuffix(suffixes, dn);
    if (context) return await this.#context(tx, subject, dn);
    if (above.rdns.length === 0)
      throw new DirectoryFault('noSuchObject', 'no such naming context: an entry without a parent is a dc entry or a configured suffix');
    if (!subject.root || !dcOnly) throw this.#noParent(tx, subject, above);
    const missing: Dn[] = [];
    let parent: number = rootId;
    for (let at: Dn | undefined = above; at && at.rdns.length > 0; at = at.parent) {
      const id = idInside(tx, at);
      if (id !== undefined) {
        parent = id;
        break;
      }
      missing.unshift(at);
    }
    for (const [n, level] of missing.entries()) {
      const draft = new Draft(this.#parts.schema, [
        { name: 'objectClass', values: ['top', 'domain'] },
        { name: 'dc', values: [level.rdns[0]?.[0]?.value ?? ''] },
      ]);
      const what = { subject, dn: level, parent, draft, structural: 'domain', uuid: stamp.uuid(n + 1) };
      parent = (await this.#insert(tx, stamp, what)).id;
    }
    return parent;
  }

  /** A naming context has the root for its parent; none may come to stand above another. */
  async #context(tx: Transaction, subject: Subject, dn: Dn): Promise<number> {
    if (!subject.root) throw notAllowed('add a naming context');
    for (const id of await tx.ids(keys.aboves, mostFound)) {
      const other = dnInside(tx, id);
      if (other.isWithin(dn) && other.key !== dn.key)
        throw new DirectoryFault('unwillingToPerform', `the naming context ${other.toString()} is there already and would stand below`);
    }
    return rootId;
  }

  #noParent(tx: Transaction, subject: Subject, parent: Dn, say = 'the parent entry does not exist'): DirectoryFault {
    for (let at = parent.parent; at && at.rdns.length > 0; at = at.parent) {
      const id = idInside(tx, at);
      const record = id === undefined ? undefined : tx.entry(id);
      if (record && this.#parts.judge.knows(subject, new Entry(at, record.attributes))) {
        return new DirectoryFault('noSuchObject', say, { matched: at });
      }
    }
    return new DirectoryFault('noSuchObject', say);
  }

  /** What has become of the entry. */
  async modify(tx: Transaction, stamp: Stamp, dn: Dn, modifications: readonly Modification[]): Promise<Entry> {
    const { schema } = this.#parts;
    const subject = this.#subject(stamp);
    const { id, parent, before } = this.#target(tx, stamp, subject, dn);
    for (const { attribute } of modifications) this.#checkModifiable(subject, stamp, attribute);
    this.#checkChanges(subject, before, modifications);
    const draft = new Draft(schema, before.attributes.values());
    for (const modification of modifications) {
      // Nobody has rights to what no schema describes: that is for super administrators to clear away.
      if (!subject.root || !draft.deleteForeign(modification)) draft.apply(modification);
    }
    if (!stamp.note) this.#notePassword(stamp, subject, draft, before);
    this.#complete(draft, before, dn);
    const after = this.#finish(tx, stamp, draft, before.dn);
    // Judged as what it becomes, too: nobody turns an entry into one that he may not touch.
    this.#checkChanges(subject, after, modifications);
    await this.#askRules(tx, { kind: 'modify', before, after, actor: stamp.actor });
    const [rdn = []] = before.dn.rdns;
    tx.fresh.set(id, { parent, entry: after, octets: putEntry(tx, id, parent, rdn, after) });
    this.#reindex(tx, id, before, after);
    recordChange(tx, stamp, schema, { kind: 'modify', id, uuid: after.text('entryUUID') ?? '', before, after });
    stamp.around?.end(storedInside(tx, id, parent, after));
    return after;
  }

  async rename(tx: Transaction, stamp: Stamp, dn: Dn, to: NewName): Promise<void> {
    const { schema, judge } = this.#parts;
    const subject = this.#subject(stamp);
    const { id, parent, before } = this.#target(tx, stamp, subject, dn);
    const superior = to.newSuperior ?? before.dn.parent ?? makeDn([]);
    const target = superior.child(to.rdn);
    const moved = to.newSuperior !== undefined && to.newSuperior.key !== before.dn.parent?.key;
    if (target.isWithin(before.dn) && target.key !== before.dn.key)
      throw new DirectoryFault('unwillingToPerform', 'an entry cannot be moved below itself');
    const [oldRdn = []] = before.dn.rdns;
    // Rights come first: who may not rename is not told either what names are taken.
    this.#checkWrites(
      subject,
      before,
      [...oldRdn, ...to.rdn].map((ava) => ava.type),
    );
    if (moved && !judge.mayEntry(subject, before, 'delete')) throw notAllowed('move this entry');
    if (moved && !judge.mayEntry(subject, new Entry(target, before.attributes.values()), 'add')) throw notAllowed('move an entry there');
    if (parent === rootId && before.dn.rdns.length > 1 && target.key !== before.dn.key)
      throw new DirectoryFault('unwillingToPerform', `${before.dn.toString()} is a configured suffix: its name cannot change`);
    const newParent = moved ? await this.#parentFor(tx, stamp, subject, target) : parent;
    if (target.key !== before.dn.key && tx.get(placeOf(newParent, target))) {
      throw new DirectoryFault('entryAlreadyExists', `an entry with this name exists already: ${target.toString()}`);
    }
    checkRelativeName(schema, to.rdn);
    const draft = new Draft(schema, before.attributes.values());
    if (to.deleteOldRdn) {
      for (const ava of oldRdn) if (draft.hasValue(ava.type, ava.value)) draft.delete({ name: ava.type, values: [ava.value] });
    }
    for (const ava of to.rdn) if (!draft.hasValue(ava.type, ava.value)) draft.add({ name: ava.type, values: [ava.value] });
    this.#complete(draft, before, target);
    const after = this.#finish(tx, stamp, draft, target);
    this.#checkWrites(
      subject,
      after,
      to.rdn.map((ava) => ava.type),
    );
    if ((moved || judge.isPromoted(before.dn, target)) && !judge.mayEntry(subject, after, 'add'))
      throw notAllowed(moved ? 'move an entry there' : 'make it an administrator of the domain');
    // What stands below it would become its own, or another's, without a word of it.
    if (namesList(oldRdn) !== namesList(to.rdn) && tx.childCount(id) > 0)
      throw new DirectoryFault(
        'unwillingToPerform',
        'entries below one named by mail are members of a list: with such below it, that cannot change',
      );
    await this.#askRules(tx, { kind: 'rename', before, after, actor: stamp.actor });
    tx.delete(placeOf(parent, before.dn));
    place(tx, id, newParent, target);
    if (parent === rootId) tx.contexts = true;
    if (moved) {
      if (parent !== rootId) tx.addToChildCount(parent, -1);
      if (newParent !== rootId) tx.addToChildCount(newParent, 1);
    }
    putEntry(tx, id, newParent, to.rdn, after);
    tx.gone.push(before.dn);
    if (tx.childCount(id) > 0) tx.renamed = true;
    this.#reindex(tx, id, before, after);
    recordChange(tx, stamp, schema, { kind: 'rename', id, uuid: after.text('entryUUID') ?? '', before, after });
    stamp.around?.end(storedInside(tx, id, newParent, after));
  }

  async delete(tx: Transaction, stamp: Stamp, dn: Dn): Promise<void> {
    const subject = this.#subject(stamp);
    await this.#remove(tx, stamp, subject, this.#target(tx, stamp, subject, dn));
  }

  /** The entry and everything below it, at most `most` entries, each as if it were deleted by itself: lowest first. */
  async deleteTree(tx: Transaction, stamp: Stamp, dn: Dn, most: number): Promise<void> {
    const { judge } = this.#parts;
    const subject = this.#subject(stamp);
    const top = this.#target(tx, stamp, subject, dn);
    // Before anything is read for somebody who may not.
    if (!judge.mayEntry(subject, top.before, 'delete')) throw notAllowed('delete this entry');
    const all = await entriesBelow(tx, top, most);
    for (const [n, found] of [...all.reverse(), top].entries()) {
      // Writes wait for this one, but nobody else does.
      if (n % perTurn === perTurn - 1) await nextTurn();
      try {
        await this.#remove(tx, stamp, subject, found);
      } catch (thrown) {
        if (!(thrown instanceof DirectoryFault) || found === top) throw thrown;
        const named = judge.knows(subject, found.before) ? found.before.dn.toString() : 'an entry below it';
        throw new DirectoryFault(thrown.result, `${named}: ${thrown.say}`, { cause: thrown });
      }
    }
  }

  async #remove(tx: Transaction, stamp: Stamp, subject: Subject, { id, parent, before }: Found): Promise<void> {
    const { schema, judge, indexes } = this.#parts;
    if (!judge.mayEntry(subject, before, 'delete')) throw notAllowed('delete this entry');
    if (tx.childCount(id) > 0) throw new DirectoryFault('notAllowedOnNonLeaf', 'the entry has entries below it');
    await this.#askRules(tx, { kind: 'delete', before, after: undefined, actor: stamp.actor });
    tx.delete(keys.entry(id));
    tx.delete(placeOf(parent, before.dn));
    if (parent !== rootId) tx.addToChildCount(parent, -1);
    else {
      tx.contexts = true;
      if (before.dn.rdns.length > 1) tx.delete(keys.above(id));
    }
    tx.touched.add(id);
    tx.fresh.delete(id);
    tx.gone.push(before.dn);
    indexes.update(tx, id, before, undefined, tx.counters().change + 1);
    recordChange(tx, stamp, schema, { kind: 'delete', id, uuid: before.text('entryUUID') ?? '', before, after: undefined });
  }

  /** The entry that is to be changed, if the subject may know it. */
  #target(tx: Transaction, stamp: Stamp, subject: Subject, dn: Dn): Found {
    const id = tx.idOf(dn);
    const stored = id === undefined || id === rootId ? undefined : tx.stored(id);
    if (id === undefined || !stored) throw this.#noParent(tx, subject, dn, 'there is no such entry');
    const { entry: before, parent } = stored;
    if (!this.#parts.judge.knows(subject, before)) throw this.#noParent(tx, subject, dn, 'there is no such entry');
    if (stamp.around) stamp.around.begin(storedInside(tx, id, parent, before));
    return { id, parent, before };
  }

  #complete(draft: Draft, before: Entry, dn: Dn): void {
    const { schema } = this.#parts;
    const { classes, structural } = completeClasses(schema, draft);
    const was = before.text('structuralObjectClass') ?? structural.name;
    if (was.toLowerCase() !== structural.lower) {
      throw new DirectoryFault(
        'objectClassModsProhibited',
        `attribute objectClass: the structural class cannot change from ${was} to ${structural.name}`,
      );
    }
    checkNaming(schema, draft, dn, { complete: false });
    checkAttributes(draft, classes);
  }

  #subject(stamp: Stamp): Subject {
    return this.#parts.judge.subject(stamp.consequence ? { ...stamp.actor, as: 'system' } : stamp.actor);
  }

  find(tx: Transaction, attribute: string, form: string, most: number): Promise<number[]> {
    return this.#parts.indexes.idsWith(tx, attribute, form, most);
  }

  async amend(tx: Transaction, stamp: Stamp, id: number, attributes: readonly Attribute[]): Promise<void> {
    const stored = tx.stored(id);
    if (!stored) return;
    const { entry: before, parent } = stored;
    const [rdn = []] = before.dn.rdns;
    const all = new Map([...before.attributes, ...attributes.map((attribute) => [attribute.name.toLowerCase(), attribute] as const)]);
    const set = (name: string, value: string): unknown => all.set(name.toLowerCase(), { name, values: [value] });
    const counters = tx.counters();
    set('modifyTimestamp', generalizedTime(stamp.at));
    set('modifiersName', nameOf(stamp.actor));
    set('entryCSN', csn(stampOf(stamp, counters), counters.change + 1));
    const after = new Entry(
      before.dn,
      [...all.values()].filter(({ values }) => values.length > 0),
    );
    putEntry(tx, id, parent, rdn, after);
    this.#reindex(tx, id, before, after);
    recordChange(tx, stamp, this.#parts.schema, { kind: 'modify', id, uuid: after.text('entryUUID') ?? '', before, after });
  }

  #finish(tx: Transaction, stamp: Stamp, draft: Draft, dn: Dn): Entry {
    const counters = tx.counters();
    if (!stamp.note) {
      draft.set('modifyTimestamp', [generalizedTime(stamp.at)]);
      draft.set('modifiersName', [nameOf(stamp.actor)]);
    }
    draft.set('entryCSN', [csn(stampOf(stamp, counters), counters.change + 1)]);
    return new Entry(dn, draft.attributes());
  }

  #reindex(tx: Transaction, id: number, before: Entry, after: Entry): void {
    this.#parts.indexes.update(tx, id, before, after, tx.counters().change + 1);
  }

  #checkModifiable(subject: Subject, stamp: Stamp, attribute: Attribute): void {
    const type = this.#parts.schema.describe(attribute.name)?.type;
    if (type && !type.userModifiable && !subject.system && stamp.undoes === undefined) {
      throw new DirectoryFault('constraintViolation', `attribute ${type.name}: maintained by the server, no user modification allowed`);
    }
  }

  #notePassword(stamp: Stamp, subject: Subject, draft: Draft, before: Entry | undefined): void {
    const own = before !== undefined && subject.dn?.key === before.dn.key;
    const by = own ? 'owner' : !before && subject.system ? 'import' : 'somebody';
    notePassword(draft, before, { at: stamp.at, by, settings: this.#parts.settings() });
  }

  #checkChanges(subject: Subject, entry: Entry, modifications: readonly Modification[]): void {
    if (subject.root) return;
    const { judge, schema } = this.#parts;
    const denied = deniedChange(schema, judge.verdict(subject, entry), subject, modifications);
    if (denied) throw mayNotChange(denied);
  }

  #checkWrites(subject: Subject, entry: Entry, names: readonly string[]): void {
    if (subject.root) return;
    const { judge, schema } = this.#parts;
    const verdict = judge.verdict(subject, entry);
    const types = names.map((name) => schema.describe(name)?.type).filter((type): type is AttributeType => type !== undefined);
    const denied = types.find((type) => !verdict.allows(type, 'write'));
    if (denied) throw mayNotChange(denied);
  }

  async #askRules(tx: Transaction, attempt: WriteAttempt): Promise<void> {
    if (this.#parts.rules.length === 0) return;
    const reader: RuleReader = {
      find: async (attribute, value, most = mostFound) => {
        const type = this.#parts.schema.attribute(attribute);
        if (!type || !this.#parts.indexes.kinds.get(type.lower)?.equality) return [];
        const normal = this.#parts.indexes.form(type, value);
        if (normal === undefined) return [];
        const found: Entry[] = [];
        for (const id of await this.#parts.indexes.idsWith(tx, type.lower, normal, most)) {
          const stored = tx.stored(id);
          if (stored) found.push(stored.entry);
        }
        return found;
      },
      read: async (dn) => {
        const id = tx.idOf(dn);
        return id === undefined ? undefined : tx.stored(id)?.entry;
      },
      below: async (dn) => {
        const id = idInside(tx, dn);
        const ids = id === undefined ? [] : await idsBelow(tx, id, this.#parts.subtreeLimit(), 'renamed');
        return ids.flatMap((each) => new Entry(dnInside(tx, each), tx.entry(each)?.attributes ?? []));
      },
    };
    for (const rule of this.#parts.rules) await rule(attempt, reader);
  }
}

/** Returns the octets of the record. */
function putEntry(tx: Transaction, id: number, parent: number, rdn: Rdn, entry: Entry): number {
  const attributes = [...entry.attributes.values()];
  const text = attributesText(attributes);
  tx.text = { entry, text };
  const octets = encodeEntry({ parent, rdn, attributes }, text);
  if (octets.length > largestEntry) throw new DirectoryFault('adminLimitExceeded', 'the entry is larger than 8 MiB');
  tx.put(keys.entry(id), octets);
  tx.touched.add(id);
  // Whoever writes it again here says what it is then.
  tx.fresh.delete(id);
  return octets.length;
}

/** The entry's id under its name; for a naming context of several levels also what is above it. */
function place(tx: Transaction, id: number, parent: number, dn: Dn): void {
  tx.put(placeOf(parent, dn), encodeNumber(id));
  if (parent !== rootId) return;
  tx.contexts = true;
  if (dn.rdns.length > 1) tx.put(keys.above(id), encodeText(dn.parent?.toString() ?? ''));
}

const isSuffix = (suffixes: readonly Dn[], dn: Dn): boolean => suffixes.some((suffix) => suffix.key === dn.key);
const isDc = (rdn: Rdn | undefined): boolean => rdn?.length === 1 && rdnKey(rdn).startsWith('dc=');
const mayNotChange = (type: AttributeType): DirectoryFault =>
  new DirectoryFault('insufficientAccessRights', `attribute ${type.name}: you may not change it`);
const notAllowed = (what: string): DirectoryFault => new DirectoryFault('insufficientAccessRights', `you may not ${what}`);
const nameOf = (actor: Actor): string => actor.dn?.toString() ?? (actor.as === 'system' ? 'cn=server' : '');
