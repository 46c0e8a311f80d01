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
import { decodeText, encodeText, type PlainAttributes, plainAttributes, richAttributes } from '../records/codec.ts';
import type { Schema } from '../schema/schema.ts';

type PlainEntry = readonly [dn: string, attributes: PlainAttributes];
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

function withoutSecrets(schema: Schema, entry: Entry): Attribute[] {
  return [...entry.attributes.values()].filter((attribute) => !isSecret(schema, attribute));
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

export function encodeChange(schema: Schema, draft: ChangeDraft): Uint8Array {
  const plain = (entry: Entry | undefined): PlainEntry | null =>
    entry ? [entry.dn.toString(), plainAttributes(withoutSecrets(schema, entry))] : null;
  const secrets = changedSecrets(schema, draft.before, draft.after);
  const record: PlainChange = {
    k: draft.kind,
    i: draft.id,
    u: draft.uuid,
    t: draft.at,
    a: plainActor(draft.actor),
    b: plain(draft.before),
    n: plain(draft.after),
    ...(draft.operation === undefined ? {} : { o: draft.operation }),
    ...(draft.undoes === undefined ? {} : { z: draft.undoes }),
    ...(secrets.length === 0 ? {} : { s: secrets }),
    ...(draft.stamped === draft.at ? {} : { c: draft.stamped }),
    ...(draft.tree ? { d: 1 } : {}),
  };
  return encodeText(JSON.stringify(record));
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
  const rich = (plain: PlainEntry | null): Entry | undefined =>
    plain ? new Entry(parseDn(plain[0]), richAttributes(plain[1])) : undefined;
  return {
    kind: 'change',
    id: record.i,
    change: { position, kind: record.k, uuid: record.u, before: rich(record.b), after: rich(record.n), at: record.t, actor },
    operation: record.o ?? position,
    undoes: record.z,
    secrets: record.s ?? [],
    stamped: record.c ?? record.t,
    tree: record.d === 1,
    size: octets.length,
  };
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
