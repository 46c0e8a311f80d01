/**
 * One committed change as it stands in the change log. Secrets are left out when it is written, so nothing that reads the
 * log can give them away.
 */

import { parseDn } from '../../ldap-wire/index.ts';
import { type Attribute, Entry } from '../entry.ts';
import type { Actor, Change } from '../port.ts';
import { decodeText, encodeText, type PlainAttributes, plainAttributes, richAttributes } from '../records/codec.ts';
import type { Schema } from '../schema/schema.ts';

type PlainEntry = readonly [dn: string, attributes: PlainAttributes];

interface PlainChange {
  readonly k: Change['kind'];
  /** Record number of the entry. */
  readonly i: number;
  readonly u: string;
  readonly t: number;
  readonly a: readonly [dn: string | null, as: Actor['as'], door: string, address: string | null];
  readonly b: PlainEntry | null;
  readonly n: PlainEntry | null;
}

export interface ChangeDraft {
  readonly kind: Change['kind'];
  readonly id: number;
  readonly uuid: string;
  readonly at: number;
  readonly actor: Actor;
  readonly before: Entry | undefined;
  readonly after: Entry | undefined;
}

function withoutSecrets(schema: Schema, entry: Entry): Attribute[] {
  return [...entry.attributes.values()].filter((attribute) => !(schema.describe(attribute.name)?.type.secret ?? true));
}

export function encodeChange(schema: Schema, draft: ChangeDraft): Uint8Array {
  const plain = (entry: Entry | undefined): PlainEntry | null =>
    entry ? [entry.dn.toString(), plainAttributes(withoutSecrets(schema, entry))] : null;
  const { actor } = draft;
  const record: PlainChange = {
    k: draft.kind,
    i: draft.id,
    u: draft.uuid,
    t: draft.at,
    a: [actor.dn?.toString() ?? null, actor.as, actor.door, actor.address ?? null],
    b: plain(draft.before),
    n: plain(draft.after),
  };
  return encodeText(JSON.stringify(record));
}

/** The change, and the number of the entry's record. */
export function decodeChange(position: number, octets: Uint8Array): { change: Change; id: number } {
  const record = JSON.parse(decodeText(octets)) as PlainChange;
  const rich = (plain: PlainEntry | null): Entry | undefined =>
    plain ? new Entry(parseDn(plain[0]), richAttributes(plain[1])) : undefined;
  const [dn, as, door, address] = record.a;
  const actor: Actor = { dn: dn === null ? undefined : parseDn(dn), as, door, ...(address === null ? {} : { address }) };
  return {
    id: record.i,
    change: { position, kind: record.k, uuid: record.u, before: rich(record.b), after: rich(record.n), at: record.t, actor },
  };
}
