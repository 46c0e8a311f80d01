/**
 * Reading the change log back: who changed what, when, from where, and by which door. Newest first.
 *
 * Promise: an entry is followed through its renames by entryUUID, and one that is gone by the name it had. Each change of an entry
 * leads to the one before it, so the history of one entry costs what it is long, not what the log is. A walk over the whole log
 * gives the event loop back.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Dn } from '../../ldap-wire/index.ts';
import type { KeyValue } from '../../storage/index.ts';
import type { Entry } from '../entry.ts';
import type { Position } from '../port.ts';
import { keys } from '../records/keys.ts';
import type { View } from '../records/view.ts';
import type { Schema } from '../schema/schema.ts';
import { decodeRecord, type Recorded, type Summary } from './change-record.ts';
import { changeOf } from './csn.ts';
import { type Difference, differences } from './differences.ts';
import { positionOf } from './trim.ts';

export interface HistoryQuery {
  /** An entry by the name it has or had; without, all entries. */
  readonly dn?: Dn;
  /** An entry by its entryUUID. */
  readonly uuid?: string;
  /** Milliseconds since 1970: changes made from `since` on and before `until`. */
  readonly since?: number;
  readonly until?: number;
  /** Text that occurs in the name of who did it (or `server`), the door or the address; without regard to case. */
  readonly by?: string;
  /** Only changes of this attribute. */
  readonly attribute?: string;
  /** Changes at most. */
  readonly limit?: number;
}

export interface HistoryChange extends Recorded {
  readonly differences: readonly Difference[];
}
export type HistoryItem = HistoryChange | Summary;

const perTurn = 100;
/** Times are taken before a write waits for its turn, so the log is only roughly in their order. Milliseconds. */
const slack = 3_600_000;
const unlimited = Number.MAX_SAFE_INTEGER;

export class History {
  readonly #keyValue: KeyValue;
  readonly #view: View;
  readonly #schema: Schema;

  constructor(parts: { readonly keyValue: KeyValue; readonly view: View; readonly schema: Schema }) {
    this.#keyValue = parts.keyValue;
    this.#view = parts.view;
    this.#schema = parts.schema;
  }

  /** `seen` gives what of a change whoever asks may know; undefined where that is nothing. */
  async *list(
    query: HistoryQuery,
    seen: (item: Recorded | Summary) => Recorded | Summary | undefined = (item) => item,
  ): AsyncGenerator<HistoryItem> {
    let left = query.limit ?? unlimited;
    const source = query.dn || query.uuid ? this.#ofEntry(query) : this.#back(this.#view.change());
    for await (const whole of source) {
      if (left <= 0) return;
      const at = timeOf(whole);
      if (at < (query.since ?? 0) - slack) return;
      if (at < (query.since ?? 0) || at >= (query.until ?? unlimited) || !isBy(whole, query.by)) continue;
      const record = seen(whole);
      if (!record) continue;
      const item = record.kind === 'import' ? record : { ...record, differences: differences(this.#schema, record) };
      if (query.attribute !== undefined && !this.#touches(item, query.attribute)) continue;
      // Where nothing differs the server noted something for itself, as the time of a log-in.
      if (item.kind === 'change' && item.change.kind === 'modify' && item.differences.length === 0) continue;
      left -= 1;
      yield item;
    }
  }

  /** One change; undefined where the log does not hold it (any more). */
  record(position: Position): Recorded | Summary | undefined {
    const octets = this.#keyValue.getNow(keys.log(position));
    return octets === undefined ? undefined : decodeRecord(position, octets);
  }

  /** The log from `last` backwards. */
  async *#back(last: Position): AsyncGenerator<Recorded | Summary> {
    let n = 0;
    for await (const [key, octets] of this.#keyValue.scan({ from: keys.logs.from, to: `${keys.log(last)}\u0001` }, { reverse: true })) {
      yield decodeRecord(positionOf(key), octets);
      if (++n % perTurn === 0) await nextTurn();
    }
  }

  async *#ofEntry(query: HistoryQuery): AsyncGenerator<Recorded> {
    const now = query.dn && this.#view.find(query.dn)?.entry;
    const uuid = query.uuid?.toLowerCase() ?? now?.text('entryUUID') ?? (query.dn && (await this.#uuidThen(query.dn)));
    if (uuid === undefined) return;
    const last = this.#view.change();
    const entry = now ?? this.#byUuid(uuid);
    yield* this.#chain(uuid, entry ? changeOf(entry.text('entryCSN'), last) : undefined, last);
  }

  /** From one change of the entry to the one before, as entryCSN tells; where it does not, the log is searched. */
  async *#chain(uuid: string, from: Position | undefined, last: Position): AsyncGenerator<Recorded> {
    let at = from;
    let below = last;
    for (;;) {
      const found = (at === undefined ? undefined : this.#own(uuid, at)) ?? (await this.#search(uuid, at, below));
      if (!found) return;
      yield found;
      const { before, position } = found.change;
      // An entry that an undo has brought back had a life before that.
      if (!before && found.undoes === undefined) return;
      below = position - 1;
      at = changeOf(before?.text('entryCSN'), below);
    }
  }

  #own(uuid: string, position: Position): Recorded | undefined {
    const record = this.record(position);
    return record?.kind === 'change' && record.change.uuid.toLowerCase() === uuid.toLowerCase() ? record : undefined;
  }

  /** The entry's last change up to `below`. Where its own number says that the log cannot hold it, nothing is searched. */
  async #search(uuid: string, at: Position | undefined, below: Position): Promise<Recorded | undefined> {
    if (at !== undefined && !this.record(at) && (await this.#covered(at))) return undefined;
    for await (const record of this.#back(below))
      if (record.kind === 'change' && record.change.uuid.toLowerCase() === uuid.toLowerCase()) return record;
    return undefined;
  }

  /** Whether a number has no record of its own because the log was cut behind it or an import made it. */
  async #covered(position: Position): Promise<boolean> {
    for await (const [key, octets] of this.#keyValue.scan({ from: keys.log(position), to: keys.logs.to }, { limit: 1 })) {
      const record = decodeRecord(positionOf(key), octets);
      if (record.kind === 'import' && record.from <= position) return true;
    }
    for await (const [key] of this.#keyValue.scan(keys.logs, { limit: 1, keysOnly: true })) return position < positionOf(key);
    return true;
  }

  /** Whose name this was when the log last spoke of it. */
  async #uuidThen(dn: Dn): Promise<string | undefined> {
    for await (const record of this.#back(this.#view.change())) {
      if (record.kind !== 'change') continue;
      const { before, after, uuid } = record.change;
      if (before?.dn.key === dn.key || after?.dn.key === dn.key) return uuid;
    }
    return undefined;
  }

  #byUuid(uuid: string): Entry | undefined {
    const [id] = this.#view.head('entryuuid', uuid.toLowerCase()).ids;
    return id === undefined ? undefined : this.#view.load(id)?.entry;
  }

  #touches(item: HistoryItem, attribute: string): boolean {
    if (item.kind === 'import') return false;
    const wanted = this.#schema.attribute(attribute)?.lower ?? attribute.toLowerCase();
    return item.differences.some((difference) => difference.attribute.toLowerCase().split(';')[0] === wanted);
  }
}

const timeOf = (record: Recorded | Summary): number => (record.kind === 'import' ? record.at : record.change.at);

const byHand = new Set(['ldapi', 'cli', 'import']);

/** Who did it, as the history names them. */
export function whoDid(record: Recorded | Summary): string {
  const { actor } = record.kind === 'import' ? record : record.change;
  if (actor.dn) return actor.dn.toString();
  // Nobody else opens these doors: a person at this host, not the server by itself.
  if (actor.as === 'system') return byHand.has(actor.door) ? 'command line' : 'server';
  return 'anonymous';
}

function isBy(record: Recorded | Summary, by: string | undefined): boolean {
  if (by === undefined) return true;
  const { actor } = record.kind === 'import' ? record : record.change;
  return [whoDid(record), actor.door, actor.address ?? ''].some((text) => text.toLowerCase().includes(by.toLowerCase()));
}
