/** Counting anew what stands below every entry, and comparing it with what was kept. */

import { parseDn, rootDn } from '../../ldap-wire/index.ts';
import type { KeyValue } from '../../storage/index.ts';
import { Entry } from '../entry.ts';
import { decodeEntry, decodeText, encodeText } from '../records/codec.ts';
import { idText, keys, lastId, rootId } from '../records/keys.ts';
import { clear } from '../records/rebuild.ts';
import { decodeUsage, encodeUsage, isNothing, sum, type Usage, usageKinds, usageOf } from './usage.ts';

/** Raised when something is counted otherwise: a start that finds another one counts anew. */
const version = `1 ${usageKinds.join(' ')}`;
const batch = 1000;

type Entries = Pick<KeyValue, 'get' | 'scan'>;

/** Sums by entry, from the entries alone. */
async function counted(keyValue: Entries): Promise<Map<number, Usage>> {
  const direct = new Map<number, Usage>();
  const names = new Map<number, Awaited<ReturnType<typeof parentRecord>>>();
  const parentRecord = async (id: number) => {
    const octets = await keyValue.get(keys.entry(id));
    return octets && decodeEntry(octets);
  };
  for await (const [, octets] of keyValue.scan(keys.entries)) {
    const { parent, rdn, attributes } = decodeEntry(octets);
    if (parent === rootId) continue;
    if (!attributes.some(({ name, values }) => name.toLowerCase() === 'objectclass' && values.some((value) => countable(String(value)))))
      continue;
    if (!names.has(parent)) names.set(parent, await parentRecord(parent));
    const above = names.get(parent);
    const usage = usageOf(new Entry((above ? rootDn.child(above.rdn) : parseDn('')).child(rdn), attributes));
    if (!isNothing(usage)) direct.set(parent, add(direct.get(parent), usage));
  }
  const all = new Map<number, Usage>();
  for (const [parent, usage] of direct) {
    for (let id = parent; id !== rootId; id = (await parentRecord(id))?.parent ?? rootId) all.set(id, add(all.get(id), usage));
  }
  return all;
}

const add = (a: Usage | undefined, b: Usage): Usage => (a ? sum(a, b) : b);
const countable = (name: string): boolean => ['mtmailuser', 'nismailalias', 'mtdistributionlist'].includes(name.toLowerCase());

/** Counts anew where it was counted otherwise, or never. */
export async function ensureUsage(keyValue: KeyValue): Promise<void> {
  const octets = keyValue.getNow(keys.usageMeta);
  if (!octets || decodeText(octets) !== version) await rebuildUsage(keyValue);
}

export async function rebuildUsage(keyValue: KeyValue): Promise<void> {
  await keyValue.transact(async () => ({ deletes: [keys.usageMeta], result: undefined }), 'durable');
  await clear(keyValue, keys.usages);
  const puts = Array.from(await counted(keyValue), ([id, usage]): [string, Uint8Array] => [keys.usage(id), encodeUsage(usage)]);
  for (let from = 0; from < puts.length; from += batch) {
    const these = puts.slice(from, from + batch);
    await keyValue.transact(async () => ({ puts: these, result: undefined }), 'soon');
  }
  await keyValue.transact(async () => ({ puts: [[keys.usageMeta, encodeText(version)]], result: undefined }), 'durable');
}

/** Says what of the kept sums is not so. */
export async function checkUsage(keyValue: Entries, blame: (text: string) => void): Promise<void> {
  const right = await counted(keyValue);
  const told = (usage: Usage): string =>
    usageKinds
      .filter((kind) => usage[kind] !== 0n)
      .map((kind) => `${usage[kind]} ${kind}`)
      .join(', ') || 'nothing';
  for await (const [key, octets] of keyValue.scan(keys.usages)) {
    const id = lastId(key);
    const [kept, is] = [decodeUsage(octets), right.get(id)];
    right.delete(id);
    if (!is || !isNothing(sum(kept, is, -1n))) blame(`entry ${id}: below it ${told(is ?? sum(kept, kept, -1n))}, counted as ${told(kept)}`);
  }
  for (const [id, usage] of right) blame(`entry ${id}: below it ${told(usage)}, counted nowhere (${idText(id)})`);
}
