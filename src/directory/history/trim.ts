/** Forgetting old changes: the log keeps what the settings say, and remembers how far it was cut. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { KeyValue } from '../../storage/index.ts';
import { decodeNumber, encodeNumber } from '../records/codec.ts';
import { keys } from '../records/keys.ts';
import type { View } from '../records/view.ts';
import { decodeChange } from './change-record.ts';

/** Decoded in one turn of the event loop. */
const batch = 100;

/** Removes the changes made before `until` (milliseconds since 1970). Returns how many. */
export async function trimHistory(keyValue: KeyValue, view: View, until: number): Promise<number> {
  let removed = 0;
  for (;;) {
    const from = view.trimmed() + 1;
    const last = view.change();
    let to = from;
    for (; to <= last && to < from + batch; to++) {
      const octets = keyValue.getNow(keys.log(to));
      if (octets && decodeChange(to, octets).change.at >= until) break;
    }
    if (to === from) return removed;
    const numbers = Array.from({ length: to - from }, (_, n) => from + n);
    await keyValue.transact(
      async (read) => ({
        puts: [[keys.trimmed, encodeNumber(Math.max(to - 1, decodeNumber(await read.get(keys.trimmed))))]],
        deletes: numbers.map(keys.log),
        result: undefined,
      }),
      'durable',
    );
    removed += numbers.length;
    await nextTurn();
  }
}
