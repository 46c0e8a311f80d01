/** What a crash leaves of the directory's database at any moment of writing and merging: copies of its files, made meanwhile and opened. */

import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { type BundledDirectory, checkDirectory, inlineHasher, openDirectory } from '../../src/directory/index.ts';
import { parseFilter } from '../../src/ldap-wire/index.ts';
import { type KeyValue, openKeyValue } from '../../src/storage/index.ts';
import { copyAsCrashed, tempDir } from '../support/temp.ts';
import { dn, fill, mails, person, root, settings, testSchema } from './support.ts';

const schema = testSchema();

async function open(path: string): Promise<{ directory: BundledDirectory; keyValue: KeyValue; close: () => Promise<void> }> {
  const keyValue = await openKeyValue({ path, clock: systemClock });
  const directory = await openDirectory({
    keyValue,
    schema,
    settings: settings({ sizeLimit: 0 }),
    clock: systemClock,
    log: silentLog,
    hasher: inlineHasher,
  });
  return {
    directory,
    keyValue,
    close: async () => {
      await directory.close();
      await keyValue.close();
    },
  };
}

const nameOf = (n: number) => dn(`mail=p${n}@jade.net,dc=jade,dc=net`);

test('copies made while entries are added, changed and listed are sound, find every acknowledged entry, and go on listing', async () => {
  const { path, remove } = await tempDir();
  const { directory, close } = await open(join(path, 'live'));
  await fill(directory);
  const surname = new Map<number, string>();
  let [next, writing] = [0, true];
  const writer = async (): Promise<void> => {
    while (writing && next < 4000) {
      const n = next++;
      await directory.add(root, nameOf(n), person(`p${n}@jade.net`, { sn: `Shared ${n % 5}`, cn: `Person ${n} of many` }));
      surname.set(n, `shared ${n % 5}`);
      if (n % 3 !== 0) continue;
      surname.delete(n);
      await directory.modify(root, nameOf(n), [{ operation: 'replace', attribute: { name: 'sn', values: [`Changed ${n % 2}`] } }]);
      surname.set(n, `changed ${n % 2}`);
    }
  };
  const writers = Promise.all(Array.from({ length: 16 }, writer));
  const copies: { at: string; acknowledged: Map<number, string> }[] = [];
  for (let n = 0; n < 3; n++) {
    const enough = (n + 1) * 900;
    while (surname.size < enough) await new Promise((resolve) => setImmediate(resolve));
    const acknowledged = new Map(surname);
    const at = join(path, `copy${n}`);
    await copyAsCrashed(join(path, 'live'), at);
    copies.push({ at, acknowledged });
  }
  writing = false;
  await writers;
  await close();
  for (const { at, acknowledged } of copies) {
    const copy = await open(at);
    const sound = async (): Promise<void> => expect((await checkDirectory(copy.keyValue, schema)).faults).toEqual([]);
    await sound();
    for (const name of ['changed 0', 'changed 1', 'shared 1']) {
      const found = new Set(
        await mails(copy.directory.search(root, { base: dn('dc=jade,dc=net'), scope: 'sub', filter: parseFilter(`(sn=*${name}*)`) })),
      );
      // An entry may have been changed on between the note and the copy.
      for (const [n, sn] of acknowledged) if (sn === name && n % 3 === 0) expect([n, found.has(`p${n}@jade.net`)]).toEqual([n, true]);
    }
    for (const n of acknowledged.keys()) expect(await copy.directory.read(root, nameOf(n), ['1.1'])).toBeDefined();
    await copy.directory.settle();
    await sound();
    await copy.close();
  }
  await remove();
}, 240_000);
