/**
 * Numbers whose order is the order of commits: UIDs, mod-sequences, change numbers.
 *
 * Use: inside a part, take what the part needs from the room's counter record and put the record in the same changes. As
 * everybody who takes a number writes the same record, no engine can commit two of them in another order than their numbers,
 * and a part that is refused takes none. Several counters that are used together live in one record.
 *
 *     const taken = await nextNumbers(read, 'store/counters/' + account, { changes: 1, uid: messages.length });
 *     return { puts: [taken.put, …], result: taken.first.uid };
 */

import type { Key, PartReader } from './port.ts';

export interface TakenNumbers<Name extends string> {
  /** The first number taken of each counter; the others follow it without a gap. Counters start at 1. */
  readonly first: Readonly<Record<Name, number>>;
  /** Goes into the puts of the part. */
  readonly put: readonly [Key, Uint8Array];
}

function parse(record: Uint8Array | undefined): Record<string, number> {
  if (!record) return {};
  return JSON.parse(Buffer.from(record.buffer, record.byteOffset, record.byteLength).toString('utf8')) as Record<string, number>;
}

/** The last number taken of every counter in the record. */
export async function lastNumbers(read: Pick<PartReader, 'get'>, key: Key): Promise<Readonly<Record<string, number>>> {
  return parse(await read.get(key));
}

/** Takes `take[name]` numbers (0 or more) of each counter of the record `key`. */
export async function nextNumbers<Name extends string>(
  read: Pick<PartReader, 'get'>,
  key: Key,
  take: Readonly<Record<Name, number>>,
): Promise<TakenNumbers<Name>> {
  const counters = parse(await read.get(key));
  const first = {} as Record<Name, number>;
  for (const name of Object.keys(take) as Name[]) {
    const last = counters[name] ?? 0;
    first[name] = last + 1;
    counters[name] = last + take[name];
  }
  return { first, put: [key, Buffer.from(JSON.stringify(counters))] };
}
