/**
 * One committed change as it stands in the change log. Secrets are left out when it is written, so nothing that reads the
 * log can give them away; that one of them changed is noted.
 *
 * Changes made by one operation (a subtree that was deleted, the groups an entry was taken out of) carry the number of the first.
 * An import has one summary in place of a record for each entry.
 */

import { parseDn } from '../../ldap-wire/index.ts';
import { type Attribute, type AttributeValue, Entry } from '../entry.ts';
import type { Actor, Change, Position } from '../port.ts';
import {
  attributesText,
  decodeText,
  encodeText,
  type PlainAttributes,
  type PlainReference,
  referenceText,
  richAttributes,
  richReference,
} from '../records/codec.ts';
import type { Schema } from '../schema/schema.ts';

type PlainEntry = readonly [dn: string, attributes: PlainAttributes];
/** The entry before a change: what is still the same stands only in the one after it. Name 0: the same. */
type PlainBefore = readonly [dn: string | 0, attributes: PlainReference];
type PlainActor = readonly [dn: string | null, as: Actor['as'], door: string, address: string | null];

interface PlainChange {
  readonly k: Change['kind'];
  /** Record number of the entry. */
  readonly i: number;
  readonly u: string;
  readonly t: number;
  readonly a: PlainActor;
  readonly b: PlainEntry | null;
  readonly n: PlainEntry | null;
  /** In place of `b`, where the entry is still there. */
  readonly m?: PlainBefore;
  /** First change of the operation, where that is another one. */
  readonly o?: Position;
  /** The change that this one undoes. */
  readonly z?: Position;
  /** Names of secret attributes that changed. */
  readonly s?: readonly string[];
  /** The time in its CSN, where it is not `t`. */
  readonly c?: number;
  /** 1 where an entry with others below it was renamed. */
  readonly d?: 1;
}

interface PlainSummary {
  readonly k: 'import';
  readonly t: number;
  readonly a: PlainActor;
  /** First number that the summary stands for; its own is the last. */
  readonly f: Position;
}

export interface ChangeDraft {
  readonly kind: Change['kind'];
  readonly id: number;
  readonly uuid: string;
  readonly at: number;
  /** The time in its CSN: never before the one of the change ahead of it. */
  readonly stamped: number;
  /** An entry with others below it was renamed. */
  readonly tree: boolean;
  readonly actor: Actor;
  readonly before: Entry | undefined;
  readonly after: Entry | undefined;
  /** `attributesText` of `after`, where it was made already. */
  readonly text?: string | undefined;
  /** First change of the operation, if this is not it. */
  readonly operation?: Position | undefined;
  readonly undoes?: Position | undefined;
}

/** A change with what belongs to the log alone. */
export interface Logged {
  readonly change: Change;
  /** Number of the entry's record. */
  readonly id: number;
  readonly stamped: number;
  readonly tree: boolean;
  /** Octets of its record. */
  readonly size: number;
}

/** And with what only the history wants to know. */
export interface Recorded extends Logged {
  readonly kind: 'change';
  readonly operation: Position;
  readonly undoes: Position | undefined;
  /** Names of secret attributes that changed. */
  readonly secrets: readonly string[];
}

/** Entries that were added at once, one change number each, without a record each. */
export interface Summary {
  readonly kind: 'import';
  readonly from: Position;
  readonly to: Position;
  readonly at: number;
  readonly actor: Actor;
}

const isSecret = (schema: Schema, attribute: Attribute): boolean => schema.describe(attribute.name)?.type.secret ?? true;

/** The entry itself, where it has no secrets. */
function withoutSecrets(schema: Schema, entry: Entry | undefined): Entry | undefined {
  if (!entry) return undefined;
  const all = [...entry.attributes.values()];
  return all.some((attribute) => isSecret(schema, attribute))
    ? new Entry(
        entry.dn,
        all.filter((attribute) => !isSecret(schema, attribute)),
      )
    : entry;
}

/** The attributes of an entry that the history must not show. */
export function secretsOf(schema: Schema, entry: Entry): Attribute[] {
  return [...entry.attributes.values()].filter((attribute) => isSecret(schema, attribute));
}

function changedSecrets(schema: Schema, before: Entry | undefined, after: Entry | undefined): string[] {
  const text = (value: AttributeValue): string => (typeof value === 'string' ? `s${value}` : `b${Buffer.from(value).toString('base64')}`);
  const of = (entry: Entry | undefined): Map<string, string> =>
    new Map(entry ? secretsOf(schema, entry).map(({ name, values }) => [name, values.map(text).sort().join('\n')]) : []);
  const [was, is] = [of(before), of(after)];
  return [...new Set([...was.keys(), ...is.keys()])].filter((name) => was.get(name) !== is.get(name));
}

const plainActor = ({ dn, as, door, address }: Actor): PlainActor => [dn?.toString() ?? null, as, door, address ?? null];
const richActor = ([dn, as, door, address]: PlainActor): Actor => ({
  dn: dn === null ? undefined : parseDn(dn),
  as,
  door,
  ...(address === null ? {} : { address }),
});

function entryText(entry: Entry | undefined, text?: string): string {
  return entry ? `[${JSON.stringify(entry.dn.toString())},${text ?? attributesText(entry.attributes.values())}]` : 'null';
}

/** What stands before and after the change, as the last members of the record. */
function sidesText(before: Entry | undefined, after: Entry | undefined, text: string | undefined): string {
  if (!before || !after) return `"b":${entryText(before)},"n":${entryText(after, text)}`;
  const [old, now] = [before.dn.toString(), after.dn.toString()];
  const attributes = referenceText([...before.attributes.values()], [...after.attributes.values()]);
  return `"b":null,"n":${entryText(after, text)},"m":[${old === now ? 0 : JSON.stringify(old)},${attributes}]`;
}

/** The record of a change, and the change as whoever reads the record will find it. */
export function encodeChange(schema: Schema, position: Position, draft: ChangeDraft): { record: Uint8Array; logged: Logged } {
  const [before, after] = [withoutSecrets(schema, draft.before), withoutSecrets(schema, draft.after)];
  const secrets = before === draft.before && after === draft.after ? [] : changedSecrets(schema, draft.before, draft.after);
  const head: Omit<PlainChange, 'b' | 'n' | 'm'> = {
    k: draft.kind,
    i: draft.id,
    u: draft.uuid,
    t: draft.at,
    a: plainActor(draft.actor),
    ...(draft.operation === undefined ? {} : { o: draft.operation }),
    ...(draft.undoes === undefined ? {} : { z: draft.undoes }),
    ...(secrets.length === 0 ? {} : { s: secrets }),
    ...(draft.stamped === draft.at ? {} : { c: draft.stamped }),
    ...(draft.tree ? { d: 1 } : {}),
  };
  const record = encodeText(
    `${JSON.stringify(head).slice(0, -1)},${sidesText(before, after, after === draft.after ? draft.text : undefined)}}`,
  );
  const { kind, uuid, at, actor, id, stamped, tree } = draft;
  const { dn, as, door, address } = actor;
  const change = { position, kind, uuid, before, after, at, actor: { dn, as, door, ...(address === undefined ? {} : { address }) } };
  return { record, logged: { change, id, stamped, tree, size: record.length } };
}

/** An import, as it stands at its last number. */
export function encodeSummary(summary: Omit<Summary, 'kind' | 'to'>): Uint8Array {
  const record: PlainSummary = { k: 'import', t: summary.at, a: plainActor(summary.actor), f: summary.from };
  return encodeText(JSON.stringify(record));
}

export function decodeRecord(position: Position, octets: Uint8Array): Recorded | Summary {
  const record = JSON.parse(decodeText(octets)) as PlainChange | PlainSummary;
  const actor = richActor(record.a);
  if (record.k === 'import') return { kind: 'import', from: record.f, to: position, at: record.t, actor };
  const after = record.n ? new Entry(parseDn(record.n[0]), richAttributes(record.n[1])) : undefined;
  const before = record.b ? new Entry(parseDn(record.b[0]), richAttributes(record.b[1])) : beforeOf(record.m, after);
  return {
    kind: 'change',
    id: record.i,
    change: { position, kind: record.k, uuid: record.u, before, after, at: record.t, actor },
    operation: record.o ?? position,
    undoes: record.z,
    secrets: record.s ?? [],
    stamped: record.c ?? record.t,
    tree: record.d === 1,
    size: octets.length,
  };
}

function beforeOf(plain: PlainBefore | undefined, after: Entry | undefined): Entry | undefined {
  if (!plain || !after) return undefined;
  const [name, attributes] = plain;
  return new Entry(name === 0 ? after.dn : parseDn(name), richReference(attributes, [...after.attributes.values()]));
}

/** One change; undefined for a summary, which tells of no single one. */
export function decodeChange(position: Position, octets: Uint8Array): Logged | undefined {
  const record = decodeRecord(position, octets);
  return record.kind === 'change' ? record : undefined;
}

const renameMark = encodeText('{"k":"rename"');

/** Whether a record is of a rename, without reading all of it. */
export function isRename(octets: Uint8Array): boolean {
  return renameMark.every((octet, n) => octets[n] === octet);
}
