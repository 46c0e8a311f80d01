/**
 * What lies aside because it cannot be read: looking at it, trying it again, deleting it.
 *
 * Promise: whatever can be read of it is shown, and what cannot hinders nothing here. Deleting the last of a message frees its bytes
 * where its record still says which they are; otherwise the log says that they stay.
 * Source: checklist MTA-10
 */

import type { Log } from '../../base/index.ts';
import { below, type Key, type KeyValue, type Part } from '../../storage/index.ts';
import type { AsideEntry } from '../control-port.ts';
import type { QueuedMessage, QueueId } from '../port.ts';
import {
  type Aside,
  asideKey,
  asidePrefix,
  decodeAside,
  decodeMessage,
  messageKey,
  placeOf,
  putDue,
  readDue,
  slipKey,
  slipsKey,
  textOf,
} from '../records.ts';
import { count, type Written } from '../settle.ts';

const shownAtMost = 2_000;
/** A slip's name, as we make them. */
const slipName = /^[0-9A-Za-z_.-]{1,120}$/;
export const isSlipName = (text: string): boolean => slipName.test(text);

export async function* aside(keyValue: KeyValue): AsyncIterable<AsideEntry> {
  for await (const [key, value] of keyValue.scan(below(asidePrefix))) {
    const [, , id = '', slip = ''] = key.split('/');
    const { due, entry, since, problem } = decodeAside(value);
    const [ofMessage, ofSlip] = await keyValue.getMany([messageKey(id), slipKey(id, slip)]);
    const message = messageOf(ofMessage);
    yield {
      id,
      slip,
      queue: placeOf(due).queue,
      recipients: readDue(entry).count || 0,
      ...(since === undefined ? {} : { since }),
      ...(problem === undefined ? {} : { problem }),
      ...(message ? { message } : {}),
      ...(ofSlip ? { record: textOf(ofSlip.subarray(0, shownAtMost)) } : {}),
    };
  }
}

function messageOf(value: Uint8Array | undefined): QueuedMessage | undefined {
  if (!value) return undefined;
  try {
    return decodeMessage(value).message;
  } catch {
    return undefined;
  }
}

/** Resolves to where it waits again; undefined where it does not lie aside. */
export function retryAsidePart(id: QueueId, slip: string): Part<{ readonly due: Key; readonly entry: Aside } | undefined> {
  return async (read) => {
    const key = asideKey(id, slip);
    const value = await read.get(key);
    if (!value) return { result: undefined };
    const entry = decodeAside(value);
    return { puts: putDue(entry.due, entry.entry), deletes: [key], result: { due: entry.due, entry } };
  };
}

/** Resolves to the message where it can be read; null where it cannot; undefined where nothing lies aside. */
export function deleteAsidePart(id: QueueId, slip: string, log: Log): Part<QueuedMessage | null | undefined> {
  return async (read) => {
    const key = asideKey(id, slip);
    if (!(await read.get(key))) return { result: undefined };
    const message = messageOf(await read.get(messageKey(id)));
    const written: Written = { puts: [], deletes: [key, slipKey(id, slip)] };
    const counter = await read.get(slipsKey(id));
    if (message) await count(read, message, false, -1, written);
    else if (counter && Number(textOf(counter)) > 1) written.puts.push([slipsKey(id), Buffer.from(`${Number(textOf(counter)) - 1}`)]);
    else {
      log.warning(`${id}: its record cannot be read; the bytes of the message stay on disk`);
      written.deletes.push(messageKey(id), slipsKey(id));
    }
    return { ...written, result: message ?? null };
  };
}
