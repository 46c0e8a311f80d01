/**
 * The inverse of one change: what must be so for it to be undone, and the write that does it.
 *
 * An attribute with one value is undone where it still has the one that the change gave it. Of one with many values only those that
 * the change added or removed are touched, so members that came later stay.
 */

import { type Rdn, rdnKey } from '../../ldap-wire/index.ts';
import { type Attribute, Entry } from '../entry.ts';
import { decodeRecord, type Recorded } from '../history/change-record.ts';
import { changeOf } from '../history/csn.ts';
import { comparable, type Difference, differences, differencesOf, valuesWithout } from '../history/differences.ts';
import { whoDid } from '../history/history.ts';
import type { Change, Modification } from '../port.ts';
import { decodeText, type PlainAttributes, richAttributes } from '../records/codec.ts';
import { idWithUuid } from '../records/indexes.ts';
import { keys } from '../records/keys.ts';
import type { Transaction } from '../records/transaction.ts';
import { dnInside } from '../records/view.ts';
import type { Schema } from '../schema/schema.ts';
import type { Undoable, UndoStep } from './undo.ts';
import type { Stamp, Writer } from './writer.ts';

export interface StepContext {
  readonly tx: Transaction;
  readonly stamp: Stamp;
  readonly schema: Schema;
  readonly writer: Writer;
  readonly undoable: Undoable;
  /** Takes what is done. */
  readonly steps: UndoStep[];
  readonly notes: string[];
  /** Whether what can be undone is done where something cannot. */
  readonly gather: boolean;
}

/** Made anew when an entry comes back. */
const renewed = new Set(['structuralobjectclass', 'modifytimestamp', 'modifiersname', 'entrycsn']);

/** Undoes one change. What cannot be is returned as sentences; a refusal of the write itself is thrown. */
export function undoStep(context: StepContext, record: Recorded): Promise<string[]> {
  switch (record.change.kind) {
    case 'add':
      return undoAdd(context, record);
    case 'delete':
      return undoDelete(context, record);
    case 'rename':
      return undoRename(context, record);
    case 'modify':
      return undoModify(context, record);
  }
}

async function undoAdd(context: StepContext, record: Recorded): Promise<string[]> {
  const { tx, stamp, schema, writer, steps } = context;
  const now = current(tx, record.change.uuid);
  if (!now) return [`${nameOf(record)} is not there any more`];
  const open = new Entry(now.entry.dn, withoutSecrets(schema, now.entry));
  const [changed] = differencesOf(schema, record.change.after, open);
  if (changed) return [changedSince(context, now.entry, record, changed.attribute)];
  if (tx.childCount(now.id) > 0) return [`${now.entry.dn.toString()} has entries below it by now`];
  await writer.delete(tx, stamp, now.entry.dn);
  steps.push({ change: record.change.position, does: 'delete', dn: now.entry.dn, differences: differencesOf(schema, open, undefined) });
  return [];
}

async function undoDelete(context: StepContext, record: Recorded): Promise<string[]> {
  const { tx, stamp, schema, writer, undoable, steps, notes } = context;
  const { before, uuid, position } = record.change;
  const [rdn] = before?.dn.rdns ?? [];
  if (!before || !rdn) return [];
  if (current(tx, uuid)) return [`${nameOf(record)} is there again`];
  const dn = before.dn.parent ? undoable.nameNow(before.dn.parent).child(rdn) : before.dn;
  const sealed = tx.get(keys.sealed(position));
  const secrets = sealed ? richAttributes(JSON.parse(decodeText(sealed)) as PlainAttributes) : [];
  const kept = [...before.attributes].filter(([lower]) => !renewed.has(lower)).map(([, attribute]) => attribute);
  await writer.add(tx, stamp, dn, [...kept, ...secrets]);
  steps.push({
    change: position,
    does: 'add',
    dn,
    differences: differences(schema, { change: { ...record.change, before: undefined, after: before }, secrets: record.secrets }),
  });
  for (const name of record.secrets) {
    if (!secrets.some((attribute) => attribute.name === name)) notes.push(`${dn.toString()}: ${name} must be set anew`);
  }
  return [];
}

async function undoRename(context: StepContext, record: Recorded): Promise<string[]> {
  const { tx, stamp, schema, writer, undoable, steps } = context;
  const { before, after, uuid, position } = record.change;
  const now = current(tx, uuid);
  const [was, became] = [before?.dn.rdns[0], after?.dn.rdns[0]];
  if (!before || !after || !was || !became) return [];
  if (!now) return [`${nameOf(record)} is not there any more`];
  const { dn } = now.entry;
  const moved = before.dn.parent?.key !== after.dn.parent?.key;
  const above = after.dn.parent && undoable.nameNow(after.dn.parent);
  if (rdnKey(dn.rdns[0] ?? []) !== rdnKey(became) || (moved && dn.parent?.key !== above?.key))
    return [changedSince(context, now.entry, record, undefined)];
  const superior = moved && before.dn.parent ? undoable.nameNow(before.dn.parent) : undefined;
  const deleteOldRdn = became.some((ava) => !hasValue(schema, before, ava));
  await writer.rename(tx, stamp, dn, { rdn: was, deleteOldRdn, ...(superior ? { newSuperior: superior } : {}) });
  const to = (superior ?? dn.parent)?.child(was);
  steps.push({ change: position, does: 'rename', dn, ...(to ? { to } : {}), differences: differencesOf(schema, after, before) });
  return [];
}

async function undoModify(context: StepContext, record: Recorded): Promise<string[]> {
  const { tx, stamp, schema, writer, steps } = context;
  const now = current(tx, record.change.uuid);
  if (!now) return [`${nameOf(record)} is not there any more`];
  const conflicts: string[] = [];
  const done: Difference[] = [];
  for (const difference of differences(schema, record)) {
    if (difference.secret) {
      // A password that was replaced may have been found out: it does not come back by itself.
      conflicts.push(`attribute ${difference.attribute} of ${now.entry.dn.toString()}: a secret cannot be set back; set a new one`);
      continue;
    }
    const inverse = inverseOf(schema, difference, now.entry, record.change);
    if (inverse === 'conflict') conflicts.push(changedSince(context, now.entry, record, difference.attribute));
    else if (inverse.removed.length + inverse.added.length > 0) done.push(inverse);
  }
  if (done.length === 0) return conflicts;
  const modifications = done.flatMap(({ attribute, removed, added }): Modification[] => [
    ...(removed.length > 0 ? [{ operation: 'delete' as const, attribute: { name: attribute, values: removed } }] : []),
    ...(added.length > 0 ? [{ operation: 'add' as const, attribute: { name: attribute, values: added } }] : []),
  ]);
  if (conflicts.length > 0 && !context.gather) return conflicts;
  await writer.modify(tx, stamp, now.entry.dn, modifications);
  steps.push({ change: record.change.position, does: 'modify', dn: now.entry.dn, differences: done });
  return conflicts;
}

/** What to remove and add so that the attribute loses what the change brought and has what it took. */
function inverseOf(
  schema: Schema,
  { attribute, removed, added }: Difference,
  now: Entry,
  { before, after }: Change,
): Difference | 'conflict' {
  const there = now.values(attribute);
  const still = valuesOf(schema, attribute, added, there);
  const taken = valuesWithout(schema, attribute, removed, added);
  const respelled = removed.filter((value) => !taken.includes(value));
  const missing = valuesWithout(schema, attribute, taken, there);
  const isAs = (then: Attribute['values']): boolean =>
    there.length === then.length && valuesWithout(schema, attribute, there, then).length === 0;
  if (isAs(before?.values(attribute) ?? []) && respelled.length === 0) return { attribute, removed: [], added: [], secret: false };
  const single = schema.describe(attribute)?.type.single ?? false;
  const replaced = removed.length > 0 && added.length > 0;
  if ((single && !isAs(after?.values(attribute) ?? [])) || (replaced && still.length < added.length)) return 'conflict';
  if (still.length + missing.length + respelled.length === 0) return 'conflict';
  return { attribute, removed: still, added: [...missing, ...respelled], secret: false };
}

function valuesOf(schema: Schema, name: string, wanted: Attribute['values'], there: Attribute['values']): Attribute['values'] {
  const known = new Set(there.map((value) => comparable(schema, name, value)));
  return wanted.filter((value) => known.has(comparable(schema, name, value)));
}

function hasValue(schema: Schema, entry: Entry, ava: Rdn[number]): boolean {
  const wanted = comparable(schema, ava.type, ava.value);
  const name = schema.attribute(ava.type)?.name ?? ava.type;
  return entry.values(name).some((value) => comparable(schema, name, value) === wanted);
}

const withoutSecrets = (schema: Schema, entry: Entry): Attribute[] =>
  [...entry.attributes.values()].filter(({ name }) => !(schema.describe(name)?.type.secret ?? true));

const nameOf = ({ change }: Recorded): string => (change.after ?? change.before)?.dn.toString() ?? change.uuid;

function current(tx: Transaction, uuid: string): { id: number; entry: Entry } | undefined {
  const id = idWithUuid(tx, uuid);
  const record = id === undefined ? undefined : tx.entry(id);
  return id === undefined || !record ? undefined : { id, entry: new Entry(dnInside(tx, id), record.attributes) };
}

/** Names the attribute (or the name) and the change that touched it last. */
function changedSince({ tx, schema }: StepContext, now: Entry, record: Recorded, attribute: string | undefined): string {
  const what = `${attribute === undefined ? 'the name' : `attribute ${attribute}`} of ${now.dn.toString()}`;
  let at = changeOf(now.text('entryCSN'), tx.counters().change);
  while (at !== undefined && at > record.change.position) {
    const octets = tx.get(keys.log(at));
    const later = octets && decodeRecord(at, octets);
    if (!later || later.kind === 'import' || later.change.uuid !== record.change.uuid) break;
    const touched =
      attribute === undefined ? later.change.kind === 'rename' : differences(schema, later).some((each) => each.attribute === attribute);
    if (touched) return `${what} was changed again by change ${at} (${new Date(later.change.at).toISOString()}, ${whoDid(later)})`;
    at = changeOf(later.change.before?.text('entryCSN'), at - 1);
  }
  return `${what} was changed again since`;
}
