/** Making deferred mail due now, a page at a time. What is leased or gone meanwhile, or cannot be read, is left alone. */

import type { Key, KeyValue, Part } from '../storage/index.ts';
import { sortable } from '../storage/index.ts';
import type { QueueName } from './port.ts';
import {
  awake,
  decodeSlip,
  deleteDue,
  destinationPrefix,
  dueKey,
  duePrefix,
  lanes,
  placeOf,
  placeOfDestination,
  putSlip,
  readDue,
  type Slip,
  slipKey,
  textOf,
} from './records.ts';

const page = 500;
const end = '\u{10ffff}';

/** Everything deferred of a queue, or of one destination; only what waits for later than `after`. Resolves to the number of recipients. */
export async function hastenAll(
  keyValue: KeyValue,
  queue: QueueName,
  identifier: string | undefined,
  now: number,
  after = now,
): Promise<number> {
  const prefixes = identifier === undefined ? lanes.map((lane) => duePrefix(queue, lane)) : [destinationPrefix(queue, identifier)];
  let recipients = 0;
  for (const prefix of prefixes) {
    for (let from = `${prefix}${sortable(after + 1)}`; ; ) {
      const dues: Key[] = [];
      let last = '';
      for await (const [key, value] of keyValue.scan(
        { from, to: `${prefix}${end}` },
        { limit: page, keysOnly: identifier === undefined },
      )) {
        dues.push(identifier === undefined ? key : dueKey(placeOfDestination(key, value)));
        last = key;
      }
      if (dues.length > 0) recipients += await keyValue.transact(hasten(dues, now), 'soon');
      if (dues.length < page) break;
      from = `${last}\u0000`;
    }
  }
  return recipients;
}

function hasten(dues: readonly Key[], now: number): Part<number> {
  return async (read) => {
    const puts: [Key, Uint8Array][] = [];
    const deletes: Key[] = [];
    let recipients = 0;
    for (const due of dues) {
      const { id, slip: name } = placeOf(due);
      const entry = await read.get(due);
      const value = entry && (await read.get(slipKey(id, name)));
      const slip = value && readable(name, value);
      if (!entry || !slip) continue;
      const text = textOf(entry);
      const hastened = slip.recipients.map(({ runAt: _sleeps, ...recipient }) => recipient);
      const later = { ...slip, due: now, version: slip.version + 1, recipients: hastened };
      deletes.push(...deleteDue(due, text));
      puts.push(...putSlip(id, later, awake({ ...readDue(text), version: later.version, ends: 0 })));
      recipients += slip.recipients.length;
    }
    return { puts, deletes, result: recipients };
  };
}

function readable(name: string, value: Uint8Array): Slip | undefined {
  try {
    return decodeSlip(name, value);
  } catch {
    // Leasing it puts it aside with an error line.
    return undefined;
  }
}
