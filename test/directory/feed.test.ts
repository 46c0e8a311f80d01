/** What the change feed keeps in memory for those who are about to ask. */

import { expect, test } from '@jest/globals';
import { silentLog } from '../../src/base/index.ts';
import { Feed } from '../../src/directory/history/feed.ts';
import { View } from '../../src/directory/records/view.ts';
import { batches } from '../../src/directory/sync/follow.ts';
import { dn, fill, openTemporary, root } from './support.ts';

test('recent changes are remembered, but for those of large entries: many of them would fill the memory', async () => {
  const opened = await openTemporary();
  await fill(opened.directory);
  const feed = new Feed({ keyValue: opened.keyValue, view: new View(opened.keyValue), log: silentLog });
  const describe = async (description: string): Promise<number> => {
    const modification = { operation: 'replace', attribute: { name: 'description', values: [description] } } as const;
    await opened.directory.modify(root, dn('mail=user1@jade.net,dc=jade,dc=net'), [modification]);
    feed.settle();
    return opened.directory.position();
  };
  const small = await describe('small');
  expect(feed.logged(small)).toBe(feed.logged(small));
  const large = await describe('x'.repeat(6 * 1_048_576));
  expect(feed.logged(large)?.change.after?.text('description')).toHaveLength(6 * 1_048_576);
  const larger = await describe('y'.repeat(6 * 1_048_576));
  expect(feed.logged(larger)).not.toBe(feed.logged(larger));
  feed.close();
  await opened.close();
});

test('whoever follows holds few changes of large entries at a time', async () => {
  const opened = await openTemporary();
  await fill(opened.directory);
  const from = await opened.directory.position();
  for (let n = 0; n < 8; n++) {
    const modification = { operation: 'replace', attribute: { name: 'description', values: [`${n}`.repeat(1_048_576)] } } as const;
    await opened.directory.modify(root, dn('mail=user1@jade.net,dc=jade,dc=net'), [modification]);
  }
  const feed = new Feed({ keyValue: opened.keyValue, view: new View(opened.keyValue), log: silentLog });
  const sizes: number[] = [];
  const stop = new AbortController();
  const parts = { feed, accessBase: dn('cn=access,cn=mailtree'), refreshRights: async () => {} };
  for await (const batch of batches(parts, from, stop.signal)) {
    sizes.push(batch.length);
    if (batch.at(-1)?.change.position === from + 8) stop.abort();
  }
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(8);
  expect(Math.max(...sizes)).toBeLessThan(4);
  feed.close();
  await opened.close();
});
