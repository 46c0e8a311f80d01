import { expect, test } from '@jest/globals';
import { idText } from '../../src/directory/records/keys.ts';
import { decodeIds, decodeRoot, editList, pieceKey } from '../../src/directory/records/postings.ts';
import { randomFrom } from '../support/load.ts';

/** Every id of a list in order, and no piece that nothing leads to. */
function read(records: ReadonlyMap<string, Uint8Array>): readonly number[] {
  const root = decodeRoot(records.get('list'));
  const pieces = (root?.pieces ?? []).map((first) => pieceKey('list', idText(first)));
  expect([...records.keys()].filter((key) => key !== 'list').sort()).toEqual([...pieces].sort());
  const ids = root?.ids ?? pieces.flatMap((key) => decodeIds(records.get(key)));
  expect(root?.count ?? 0).toBe(ids.length);
  return ids;
}

test('whatever is added and removed, in whatever order, a list has what it should', () => {
  const random = randomFrom(20_26);
  for (let list = 0; list < 150; list++) {
    const records = new Map<string, Uint8Array>();
    const model = new Set<number>();
    for (let step = 0; step < 12; step++) {
      const from = Math.floor(random() * 2_000);
      const range = Array.from({ length: 1 + Math.floor(random() * 1_500) }, (_, n) => from + n);
      const part = random();
      const add = random() < 0.6 ? range.filter(() => random() < part) : [];
      const all = random() < 0.3 ? [...model].sort((a, b) => a - b) : range;
      const remove = random() < 0.6 ? all.filter((id) => random() < 0.8 && !add.includes(id)) : [];
      const put = (key: string, value: Uint8Array | undefined): unknown => (value ? records.set(key, value) : records.delete(key));
      editList({ get: (key) => records.get(key), put }, 'list', idText, add, remove);
      for (const id of add) model.add(id);
      for (const id of remove) model.delete(id);
      expect(read(records)).toEqual([...model].sort((a, b) => a - b));
    }
  }
});
