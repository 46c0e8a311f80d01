import { expect, jest, test } from '@jest/globals';
import { CheckFailed, join, reference, referencesTo } from '../../src/storage/index.ts';
import { openStore } from '../../src/store/index.ts';
import { type Bench, collect, message, openBench } from './support.ts';

// Thousands of commits; a busy machine takes its time.
jest.setTimeout(120_000);

const account = '7f0c1a2e-0000-4000-8000-00000000abcd';
const inbox = 1;
const day = 86_400_000;

async function withBench(settings: Parameters<typeof openBench>[0], run: (bench: Bench) => Promise<void>): Promise<void> {
  const bench = await openBench(settings);
  try {
    await bench.store.ensureAccount(account);
    await run(bench);
  } finally {
    await bench.close();
  }
}

test('an account gets no more mailboxes and subscriptions than the setting allows, however they are made', () =>
  withBench({ mailboxLimit: 20 }, async ({ store }) => {
    for (let n = 0; n < 13; n++) await store.createMailbox(account, `m${n}`);
    await expect(store.createMailbox(account, 'x/y')).rejects.toMatchObject({ kind: 'too-many' });
    await expect(store.renameMailbox(account, 'm0', 'x/y/z')).rejects.toMatchObject({ kind: 'too-many' });
    await store.renameMailbox(account, 'm0', 'x/y');
    expect((await store.mailboxes(account)).length).toBe(20);
    await expect(store.createMailbox(account, 'one more')).rejects.toMatchObject({ kind: 'too-many' });
    await store.deleteMailbox(account, 'x');
    await store.createMailbox(account, 'x');
    for (let n = 0; n < 34; n++) await store.subscribe(account, `name ${n}`, true);
    await expect(store.subscribe(account, 'one more', true)).rejects.toMatchObject({ kind: 'too-many' });
  }));

test('a full mailbox takes no more, and a copy that does not fit leaves nothing behind', () =>
  withBench({ messageLimit: 1000 }, async (bench) => {
    const { store, keyValue } = bench;
    const one = await message(bench, 'x');
    await store.append(account, 'INBOX', Array(1000).fill(one));
    await store.append(account, 'Archive', Array(500).fill(one));
    await expect(keyValue.transact(store.deliverPart(account, one, {}), 'durable')).rejects.toMatchObject({ kind: 'too-many' });
    const uids = (await store.index(account, inbox)).map(({ uid }) => uid);
    await expect(store.copy(account, inbox, uids, 'Archive')).rejects.toMatchObject({ kind: 'too-many' });
    expect((await store.mailbox(account, 'Archive'))!.messages).toBe(500);
    expect(await store.usage(account)).toEqual({ octets: 1500, messages: 1500 });
    await expect(store.move(account, inbox, uids, 'Archive')).rejects.toMatchObject({ kind: 'too-many' });
    const [from, to] = [(await store.mailbox(account, 'INBOX'))!, (await store.mailbox(account, 'Archive'))!];
    expect(from.messages + to.messages).toBe(1500);
    expect((await collect(keyValue.scan(referencesTo(one.blob.id)))).length).toBe(1500);
  }));

test('a delivery id is remembered as long as the setting says and then forgotten', () =>
  withBench({ deliveryMemoryDays: 4 }, async (bench) => {
    const deliver = async (deliveryId: string) =>
      bench.keyValue.transact(bench.store.deliverPart(account, await message(bench, 'x'), { deliveryId }), 'durable');
    await deliver('q1/0');
    bench.clock.advance(3 * day);
    await deliver('q2/0');
    await bench.store.forgetDeliveries();
    await expect(deliver('q1/0')).rejects.toBeInstanceOf(CheckFailed);
    bench.clock.advance(2 * day);
    await bench.store.forgetDeliveries();
    await deliver('q1/0');
    await expect(deliver('q2/0')).rejects.toBeInstanceOf(CheckFailed);
  }));

test('a delivery joined with something that is refused does not happen', () =>
  withBench({}, async (bench) => {
    const { store, keyValue } = bench;
    const one = await message(bench, 'x');
    const refuse = async () => ({ checks: [{ present: 'queue/not/there' }], result: undefined });
    const part = join(store.deliverPart(account, one, { deliveryId: 'q/0' }), refuse);
    await expect(keyValue.transact(part, 'durable')).rejects.toBeInstanceOf(CheckFailed);
    expect(await store.index(account, inbox)).toEqual([]);
    expect((await collect(keyValue.scan(referencesTo(one.blob.id)))).length).toBe(0);
    const twice = join(store.deliverPart(account, one, { deliveryId: 'q/0' }), store.deliverPart(account, one, { mailbox: 'Archive' }));
    const [first, second] = await keyValue.transact(twice, 'durable');
    expect([first.uid, second.uid]).toEqual([1, 1]);
    expect(await store.usage(account)).toEqual({ octets: 2, messages: 2 });
    await store.remove(account, inbox, [1]);
    expect((await store.message(account, second.mailbox, 1))!.structure.envelope.subject).toBe('x');
  }));

test('an account whose removal was interrupted is busy, and the next start finishes the removal', () =>
  withBench({}, async (bench) => {
    const one = await message(bench, 'x');
    await bench.store.append(account, 'INBOX', Array(900).fill(one));
    await bench.store.append(account, 'Archive', Array(900).fill(one));
    // The process ends in the middle: housekeeping stops before it is done.
    const removal = bench.store.deleteAccount(account);
    await bench.store.close();
    await removal;
    const other = await openStore({ keyValue: bench.keyValue, blobs: bench.blobs, clock: bench.clock });
    if ((await collect(other.accounts())).length > 0) await expect(other.ensureAccount(account)).rejects.toMatchObject({ kind: 'busy' });
    await other.drained();
    expect(await collect(other.accounts())).toEqual([]);
    expect((await collect(bench.keyValue.scan(referencesTo(one.blob.id)))).length).toBe(0);
    await other.ensureAccount(account);
    await other.close();
  }));

test('a deleted mailbox is cleared away a little later, also by the next process', () =>
  withBench({}, async (bench) => {
    const one = await message(bench, 'x');
    await bench.store.append(account, 'Archive', Array(600).fill(one));
    await bench.store.deleteMailbox(account, 'Archive');
    expect((await collect(bench.keyValue.scan(referencesTo(one.blob.id)))).length).toBe(600);
    await bench.reopen();
    bench.clock.advance(5000);
    await bench.store.drained();
    expect((await collect(bench.keyValue.scan(referencesTo(one.blob.id)))).length).toBe(0);
    expect(await bench.keyValue.get(`store/structure/${one.blob.id}`)).toBeUndefined();
  }));

test('another store on the same engines sees everything at once, and notices when an account is removed', () =>
  withBench({}, async (bench) => {
    const other = await openStore({ keyValue: bench.keyValue, blobs: bench.blobs, clock: bench.clock });
    await other.ensureAccount(account);
    const one = await message(bench, 'x');
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        bench.keyValue.transact((n % 2 ? other : bench.store).deliverPart(account, one, {}), 'durable'),
      ),
    );
    expect(new Set(all.map(({ uid }) => uid)).size).toBe(100);
    await bench.store.deleteAccount(account);
    await other.ensureAccount(account);
    expect(await other.mailbox(account, 'INBOX')).toMatchObject({ messages: 0 });
    await other.close();
  }));

test('the last message with a blob takes the structure along, but not a reference that somebody else holds', () =>
  withBench({}, async (bench) => {
    const { store, keyValue } = bench;
    const one = await message(bench, 'shared');
    await keyValue.transact(async () => ({ ...reference(one.blob.id, 'queue/1'), result: undefined }), 'durable');
    await store.ensureAccount('another');
    await store.append(account, 'INBOX', [one, one]);
    await store.append('another', 'INBOX', [one]);
    await store.remove(account, inbox, [1]);
    await store.copy('another', inbox, [1], 'Trash');
    await store.remove(account, inbox, [2]);
    expect((await store.message('another', inbox, 1))!.structure.envelope.subject).toBe('shared');
    await store.deleteAccount('another');
    expect(await keyValue.get(`store/structure/${one.blob.id}`)).toBeUndefined();
    expect((await collect(keyValue.scan(referencesTo(one.blob.id)))).map(([key]) => key)).toEqual([`ref/${one.blob.id}/queue%2f1`]);
    await store.append(account, 'INBOX', [one]);
    expect((await store.message(account, inbox, 3))!.structure.envelope.subject).toBe('shared');
  }));

test('a lost or damaged structure is made anew from the bytes and written back', () =>
  withBench({}, async (bench) => {
    const { store, keyValue } = bench;
    const one = await message(bench, 'Subject: found again\r\n\r\nhello\r\n');
    await store.append(account, 'INBOX', [one]);
    const key = `store/structure/${one.blob.id}`;
    for (const change of [{ deletes: [key] }, { puts: [[key, Buffer.from('{"envel')] as const] }]) {
      await keyValue.transact(async () => ({ ...change, result: undefined }), 'durable');
      expect((await store.message(account, inbox, 1))!.structure.envelope.subject).toBe('found again');
      expect(JSON.parse(Buffer.from((await keyValue.get(key))!).toString()).envelope.subject).toBe('found again');
    }
  }));

test('expunges are remembered exactly for 2,048 blocks; a session from before is told every UID that is missing', () =>
  withBench({}, async (bench) => {
    const { store } = bench;
    const one = await message(bench, 'x');
    for (let n = 0; n < 3; n++) await store.append(account, 'INBOX', Array(1000).fill(one));
    await store.append(account, 'INBOX', Array(100).fill(one));
    await store.remove(account, inbox, [1, 2, 3]);
    const early = (await store.mailbox(account, 'INBOX'))!.highestModSeq;
    const rounds = 2060;
    let late = 0;
    for (let round = 0; round < rounds; round++) {
      if (round === 2000) late = (await store.mailbox(account, 'INBOX'))!.highestModSeq;
      const toggles = Array.from({ length: 32 }, (_, n) =>
        store.changeFlags(account, inbox, [3100], { operation: n % 2 ? 'remove' : 'add', flags: ['\\Seen'] }),
      );
      await Promise.all([...toggles, store.remove(account, inbox, [10 + round])]);
    }
    const removed = Array.from({ length: rounds }, (_, n) => 10 + n);
    expect((await store.changes(account, inbox, late)).expunged).toEqual(removed.slice(2000));
    const { expunged } = await store.changes(account, inbox, early);
    expect(expunged).toEqual([1, 2, 3, ...removed]);
    const index = await store.index(account, inbox);
    expect(index.length + expunged.length).toBe(3100);
  }));
