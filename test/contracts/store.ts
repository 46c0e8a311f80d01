/** What every implementation of the Store port must do. */

import { expect, test } from '@jest/globals';
import { CheckFailed } from '../../src/storage/index.ts';
import { type Bench, collect, message } from '../store/support.ts';

const account = '7f0c1a2e-0000-4000-8000-00000000abcd';

/** `open` gives an empty store on engines of its own. */
export function storeContract(open: () => Promise<Bench>): void {
  async function withStore(run: (bench: Bench) => Promise<void>): Promise<void> {
    const bench = await open();
    try {
      await bench.store.ensureAccount(account);
      await run(bench);
    } finally {
      await bench.close();
    }
  }
  const inbox = 1;

  async function deliver(bench: Bench, text: string, options: { deliveryId?: string; mailbox?: string } = {}) {
    return bench.keyValue.transact(bench.store.deliverPart(account, await message(bench, text), options), 'durable');
  }

  test('a new account has INBOX and the usual folders, subscribed and with their special uses', () =>
    withStore(async ({ store }) => {
      const boxes = await store.mailboxes(account);
      expect(boxes.map(({ name, specialUse, subscribed, selectable }) => ({ name, specialUse, subscribed, selectable }))).toEqual([
        { name: 'INBOX', specialUse: [], subscribed: true, selectable: true },
        { name: 'Archive', specialUse: ['\\Archive'], subscribed: true, selectable: true },
        { name: 'Drafts', specialUse: ['\\Drafts'], subscribed: true, selectable: true },
        { name: 'Junk', specialUse: ['\\Junk'], subscribed: true, selectable: true },
        { name: 'Sent', specialUse: ['\\Sent'], subscribed: true, selectable: true },
        { name: 'Trash', specialUse: ['\\Trash'], subscribed: true, selectable: true },
      ]);
      expect(new Set(boxes.map((box) => box.uidValidity)).size).toBe(6);
    }));

  test('a delivered message is read back with its prefix in front, in any slice', () =>
    withStore(async (bench) => {
      const { store } = bench;
      const prefix = 'Return-Path: <jörg@jade.net>\r\n';
      const text = 'Subject: Grüße\r\n\r\nhello';
      const part = store.deliverPart(account, await message(bench, text, { prefix, flags: ['\\Flagged', '$Work'] }), {});
      const { mailbox, uid } = await bench.keyValue.transact(part, 'durable');
      const stored = await store.message(account, mailbox, uid);
      expect(stored).toMatchObject({ uid, flags: ['$Work', '\\Flagged'], prefix, size: Buffer.byteLength(prefix + text) });
      const whole = Buffer.from(prefix + text);
      for (const [start, end] of [
        [0, whole.length],
        [5, 9],
        [10, 40],
        [whole.length - 3, 9999],
        [60, 10],
        [31, 33],
      ] as const) {
        expect(Buffer.from(await store.read(stored!, start, end))).toEqual(whole.subarray(start, end));
        expect(Buffer.concat(await collect(store.stream(stored!, start, end)))).toEqual(whole.subarray(start, end));
      }
    }));

  test('a repeated delivery id is refused and changes nothing', () =>
    withStore(async (bench) => {
      await deliver(bench, 'one', { deliveryId: 'q1/0' });
      await expect(deliver(bench, 'one', { deliveryId: 'q1/0' })).rejects.toBeInstanceOf(CheckFailed);
      await deliver(bench, 'one', { deliveryId: 'q1/1' });
      expect(await bench.store.usage(account)).toEqual({ octets: 6, messages: 2 });
      expect((await bench.store.index(account, inbox)).map((entry) => entry.uid)).toEqual([1, 2]);
    }));

  test('concurrent deliveries get distinct, ascending UIDs', () =>
    withStore(async (bench) => {
      const ready = await message(bench, 'x');
      const all = await Promise.all(
        Array.from({ length: 600 }, () => bench.keyValue.transact(bench.store.deliverPart(account, ready, {}), 'durable')),
      );
      expect(all.map(({ uid }) => uid)).toEqual(Array.from({ length: 600 }, (_, n) => n + 1));
      expect((await bench.store.index(account, inbox)).length).toBe(600);
    }));
}
