/** The view under stress over the bundled directory: storms of changes, imports that leave no records, bounds, cost. */

import { expect, test } from '@jest/globals';
import { silentLog } from '../../src/base/index.ts';
import { type Change, Entry, loadSchema, system } from '../../src/directory/index.ts';
import { openDit } from '../../src/dit/index.ts';
import { parseDn } from '../../src/ldap-wire/index.ts';
import { liveViewContract } from '../contracts/live-view.ts';
import { openTemporary } from '../directory/support.ts';
import { FakeDirectory } from '../support/fake-directory.ts';

let imported = 0;

liveViewContract(
  'the bundled directory',
  async () => {
    const opened = await openTemporary({ schema: await loadSchema(['schema']) });
    return {
      directory: opened.directory,
      trusted: true,
      // An import tells the feed nothing but that it has lost its place.
      disturb: async () => {
        imported++;
        await opened.directory.addBatch(system('import'), [
          {
            dn: parseDn(`cn=imported${imported},dc=two,dc=test`),
            attributes: [
              { name: 'objectClass', values: ['mtContainer'] },
              { name: 'cn', values: [`imported${imported}`] },
            ],
          },
        ]);
      },
      close: () => opened.close(),
    };
  },
  { rounds: 4, writes: 200 },
);

/** A directory that knows every address of one domain without holding any, and says what changed when it is told to. */
class Endless extends FakeDirectory {
  tell: (change: Change) => void = () => {};
  searches = 0;

  override async *search(...asked: Parameters<FakeDirectory['search']>): AsyncIterable<Entry> {
    const { filter } = asked[1];
    this.searches++;
    if (asked[1].scope === 'one') return;
    if (filter.type !== 'or' || filter.filters[0]?.type !== 'equal') return yield* super.search(...asked);
    yield userOf(Buffer.from(filter.filters[0].value).toString());
  }

  override async watch(_from?: number, listener?: (change: Change) => void): Promise<{ position: number; stop: () => void }> {
    this.tell = listener ?? this.tell;
    return { position: 0, stop() {} };
  }
}

const uuidOf = (address: string): string => `00000000-0000-4000-8000-${address.replace(/\D/g, '').padStart(12, '0')}`;
const parent = parseDn('dc=big,dc=test');
const constantPart = [{ name: 'objectClass', values: ['mtMailUser'] }];
const userOf = (address: string): Entry =>
  new Entry(parent.child([{ type: 'mail', value: address }]), [
    ...constantPart,
    { name: 'entryUUID', values: [uuidOf(address)] },
    { name: 'mail', values: [address] },
  ]);

test('of 200,000 addresses the view keeps what fits, and a change costs microseconds however many it keeps', async () => {
  const directory = new Endless();
  directory.put('cn=mailtree', { objectClass: ['mtContainer'], cn: ['mailtree'] });
  directory.put('dc=big,dc=test', { objectClass: ['domain', 'mtMailDomain'], dc: ['big'] });
  const dit = await openDit({ directory, systemBase: parseDn('cn=mailtree'), domainBase: parseDn(''), host: 'x', log: silentLog });
  const count = 200_000;
  for (let n = 0; n < count; n++) await dit.recipient(`user${n}@big.test`);
  expect(dit.kept).toBeLessThanOrEqual(120_000);
  expect(dit.kept).toBeGreaterThanOrEqual(100_000);
  const before = directory.searches;
  expect((await dit.recipient(`user${count - 1}@big.test`))?.mail).toBe(`user${count - 1}@big.test`);
  expect(directory.searches).toBe(before);
  const changes = 20_000;
  const made = Array.from({ length: changes }, (_, n): Change => {
    const address = `user${count - 1 - n}@big.test`;
    return {
      position: n + 1,
      kind: 'modify',
      uuid: uuidOf(address),
      before: undefined,
      after: userOf(address),
      at: 0,
      actor: system('test'),
    };
  });
  const kept = dit.kept;
  const begun = process.cpuUsage();
  for (const change of made) directory.tell(change);
  const { user, system: kernel } = process.cpuUsage(begun);
  console.info(`a change costs the view ${((user + kernel) / changes).toFixed(1)} µs of CPU`);
  expect(dit.kept).toBe(kept - changes);
  dit.close();
});
