/** A snapshot where a whole KeyValue is asked for: for work that only reads. */

import { Fault } from '../base/index.ts';
import type { Key, KeyValue, PartReader, Snapshot } from './port.ts';

/** Parts run against the snapshot; one that wants to change something is refused. Closing it closes the snapshot. */
export function frozen(snapshot: Snapshot): KeyValue {
  const reader: PartReader = {
    get: async (key) => snapshot.getNow(key),
    getNow: (key) => snapshot.getNow(key),
    scan: async (range, limit) => {
      const found: [Key, Uint8Array][] = [];
      const most = limit === undefined || !Number.isFinite(limit) ? {} : { limit };
      for await (const pair of snapshot.scan(range, most)) found.push(pair);
      return found;
    },
  };
  return {
    transact: async (part) => {
      const { puts = [], deletes = [], result } = await part(reader);
      if (puts.length + deletes.length > 0) throw new Fault('unsupported', 'a snapshot takes no changes');
      return result;
    },
    get: async (key) => snapshot.getNow(key),
    getNow: (key) => snapshot.getNow(key),
    getMany: async (keys) => keys.map((key) => snapshot.getNow(key)),
    scan: (range, options) => snapshot.scan(range, options),
    snapshot: () => snapshot,
    subscribe: () => () => {},
    healthy: true,
    flush: async () => {},
    close: () => snapshot.close(),
  };
}
