import { expect, test } from '@jest/globals';
import { checkDirectory } from '../../src/directory/index.ts';
import { attributes, dn, fill, openTemporary, root, testSchema } from './support.ts';

test('an entry that leaves a shared value before the lists are brought up to date is not found by it any more', async () => {
  const opened = await openTemporary();
  const { directory, keyValue } = opened;
  try {
    await fill(directory);
    const name = (n: number) => dn(`cn=d${n},dc=jade,dc=net`);
    const device = (n: number, owner: string) => directory.add(root, name(n), attributes({ objectClass: 'device', cn: `d${n}`, owner }));
    const own = (owner: string) =>
      directory.modify(root, name(0), [{ operation: 'replace', attribute: { name: 'owner', values: [owner] } }]);
    await device(0, 'cn=first');
    await own('cn=second');
    for (let n = 1; n < 40; n++) await device(n, 'cn=first');
    await directory.settle();
    expect((await checkDirectory(keyValue, testSchema())).faults).toEqual([]);
  } finally {
    await opened.close();
  }
});
