import { expect, test } from '@jest/globals';
import { dice } from '../store/model.ts';
import { type Bench, collect, message, openBench } from '../store/support.ts';

const account = '7f0c1a2e-0000-4000-8000-00000000abcd';
const inbox = 1;

/** Everything a reader may ask; each answer or refusal is fine, as long as there is one. */
async function askEverything({ store }: Bench): Promise<void> {
  const asks: (() => Promise<unknown>)[] = [
    () => store.mailboxes(account),
    () => store.mailbox(account, 'INBOX'),
    () => store.index(account, inbox),
    () => store.changes(account, inbox, 0),
    () => store.changes(account, inbox, 3),
    () => store.messages(account, inbox, [1, 2, 300]),
    () => store.usage(account),
    () => store.subscriptions(account),
    () => store.claimRecent(account, inbox),
    () => store.changeFlags(account, inbox, [2, 300], { operation: 'add', flags: ['\\Seen', 'word'] }),
    () => store.expunge(account, inbox),
  ];
  for (const ask of asks) await ask().catch((thrown: unknown) => expect(thrown).toBeInstanceOf(Error));
}

test.each([1, 2, 3])(
  'damaged records are answered with a fault and stall nothing (%i)',
  async (seed) => {
    const roll = dice(seed);
    const bench = await openBench();
    try {
      await bench.store.ensureAccount(account);
      await bench.store.append(account, 'INBOX', Array(400).fill(await message(bench, 'x', { flags: ['word', '\\Seen'] })));
      await bench.store.remove(account, inbox, [1, 5, 6, 399]);
      const range = { from: 'store/', to: 'store0' };
      const whole = await collect(bench.keyValue.scan(range));
      const broken = whole.filter(([key, value]) => value.length > 0 && !(key.includes('/message/') && roll(100)));
      for (const [key, value] of broken) {
        const bytes = Buffer.from(value);
        if (roll(3) === 0) await write(bench, key, bytes.subarray(0, roll(bytes.length)));
        else {
          for (let n = 1 + roll(4); n > 0; n--) bytes[roll(bytes.length)] = roll(256);
          await write(bench, key, bytes);
        }
        await askEverything(bench);
        // As it was, so that the next record is reached.
        const now = await collect(bench.keyValue.scan(range, { keysOnly: true }));
        await bench.keyValue.transact(async () => ({ deletes: now.map(([other]) => other), puts: whole, result: undefined }), 'soon');
      }
      expect((await bench.store.index(account, inbox)).length).toBe(396);
    } finally {
      await bench.close();
    }
  },
  120_000,
);

function write(bench: Bench, key: string, value: Uint8Array): Promise<void> {
  return bench.keyValue.transact(async () => ({ puts: [[key, value]], result: undefined }), 'soon');
}
