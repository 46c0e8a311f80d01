/** What every implementation of the Store port must do. */

import { expect, test } from '@jest/globals';
import { Fault } from '../../src/base/index.ts';
import { CheckFailed, referencesTo } from '../../src/storage/index.ts';
import type { NewStoredMessage } from '../../src/store/index.ts';
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
      expect(await store.source(account, mailbox, uid)).toEqual({ blob: stored!.blob, prefix });
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

  async function fill(bench: Bench, mailbox: string, count: number, more: Partial<NewStoredMessage> = {}): Promise<void> {
    const one = await message(bench, `in ${mailbox}`, more);
    for (let n = 0; n < count; n += 500) {
      await bench.store.append(account, mailbox, Array(Math.min(500, count - n)).fill(one));
    }
  }
  const idOf = async (bench: Bench, name: string): Promise<number> => (await bench.store.mailbox(account, name))!.id;
  const namesOf = async (bench: Bench): Promise<string[]> => (await bench.store.mailboxes(account)).map(({ name }) => name);
  const usual = ['INBOX', 'Archive', 'Drafts', 'Junk', 'Sent', 'Trash'];

  test('names that no mailbox can have are refused, whatever is asked of them', () =>
    withStore(async (bench) => {
      const hostile = [
        '',
        '/',
        '//',
        '/a',
        'a//b',
        'a/../b',
        '.',
        '..',
        'a\u0000b',
        'a\r\nb',
        'a\u0085b',
        'a\u2028b',
        'a\ufffeb',
        'half \ud83d',
        'a%b',
        'a*',
        '#news',
        'x'.repeat(251),
        'ü'.repeat(126),
        Array(33).fill('d').join('/'),
        Array(10).fill('x'.repeat(120)).join('/'),
        'x'.repeat(5_000_000),
      ];
      for (const name of hostile) {
        await expect(bench.store.createMailbox(account, name)).rejects.toMatchObject({ kind: 'refused' });
        await expect(bench.store.renameMailbox(account, 'Sent', name)).rejects.toMatchObject({ kind: 'refused' });
        await expect(bench.store.subscribe(account, name, true)).rejects.toMatchObject({ kind: 'refused' });
        await expect(bench.store.deleteMailbox(account, name)).rejects.toMatchObject({ kind: 'not-found' });
        await expect(bench.store.append(account, name, [await message(bench, 'x')])).rejects.toMatchObject({ kind: 'not-found' });
        expect(await bench.store.mailbox(account, name)).toBeUndefined();
      }
      expect(await namesOf(bench)).toEqual(usual);
    }));

  test('odd but lawful names are kept as they are, in NFC, and do not reach into each other', () =>
    withStore(async (bench) => {
      const odd = ['Entwürfe/ältere', '_2f', ' a ', '日本語', '😀/😀', '~root', '"\\', 'name', 'subscribed', '1', '&-', 'é'];
      for (const name of odd) await bench.store.createMailbox(account, name);
      for (const name of odd) expect((await bench.store.mailbox(account, name))?.name).toBe(name);
      expect((await bench.store.mailbox(account, 'e\u0301'))?.name).toBe('é');
      await expect(bench.store.createMailbox(account, 'e\u0301')).rejects.toMatchObject({ kind: 'exists' });
    }));

  test('INBOX is known in any case, as is the top of its children, and cannot be made or deleted', () =>
    withStore(async (bench) => {
      expect((await bench.store.mailbox(account, 'iNbOx'))?.name).toBe('INBOX');
      expect((await bench.store.createMailbox(account, 'inbox/lists')).name).toBe('INBOX/lists');
      expect((await bench.store.createMailbox(account, 'a/inbox')).name).toBe('a/inbox');
      await expect(bench.store.createMailbox(account, 'Inbox')).rejects.toMatchObject({ kind: 'exists' });
      await expect(bench.store.deleteMailbox(account, 'InBox')).rejects.toMatchObject({ kind: 'refused' });
      await expect(bench.store.renameMailbox(account, 'Sent', 'inbox')).rejects.toMatchObject({ kind: 'exists' });
    }));

  test('creating makes missing parents, takes a trailing separator, and refuses what is there', () =>
    withStore(async (bench) => {
      await bench.store.createMailbox(account, 'a/b/c/');
      expect(await namesOf(bench)).toEqual(['INBOX', 'Archive', 'Drafts', 'Junk', 'Sent', 'Trash', 'a', 'a/b', 'a/b/c']);
      await expect(bench.store.createMailbox(account, 'a/b')).rejects.toMatchObject({ kind: 'exists' });
      expect((await bench.store.createMailbox(account, 'Abfall', ['\\Trash'])).specialUse).toEqual(['\\Trash']);
      await expect(bench.store.createMailbox(account, 'all', ['\\All'])).rejects.toMatchObject({ kind: 'refused' });
    }));

  test('deleting a mailbox with children keeps its name and loses its messages; creating it again makes another mailbox', () =>
    withStore(async (bench) => {
      const { store } = bench;
      const before = await store.createMailbox(account, 'a');
      await store.createMailbox(account, 'a/b');
      await fill(bench, 'a', 3);
      await store.deleteMailbox(account, 'a');
      expect(await store.mailbox(account, 'a')).toMatchObject({ selectable: false, messages: 0, specialUse: [] });
      expect(await store.changes(account, before.id, 1)).toMatchObject({ gone: true });
      expect(await store.usage(account)).toEqual({ octets: 0, messages: 0 });
      await expect(store.index(account, before.id)).rejects.toMatchObject({ kind: 'not-found' });
      await expect(store.append(account, 'a', [await message(bench, 'x')])).rejects.toMatchObject({ kind: 'not-found' });
      await expect(store.deleteMailbox(account, 'a')).rejects.toMatchObject({ kind: 'refused' });
      const again = await store.createMailbox(account, 'a');
      expect(again.selectable).toBe(true);
      expect(again.id).not.toBe(before.id);
      expect(again.uidValidity).toBeGreaterThan(before.uidValidity);
      await store.deleteMailbox(account, 'a/b');
      await store.deleteMailbox(account, 'a');
      expect(await namesOf(bench)).toEqual(usual);
    }));

  test('a name never comes back with a UIDVALIDITY it had before, nor a smaller one', () =>
    withStore(async (bench) => {
      const { store } = bench;
      await store.createMailbox(account, 'old');
      let last = (await store.createMailbox(account, 'name')).uidValidity;
      for (let n = 0; n < 5; n++) {
        await store.deleteMailbox(account, 'name');
        const { uidValidity } = await store.createMailbox(account, 'name');
        expect(uidValidity).toBeGreaterThan(last);
        last = uidValidity;
      }
      await store.deleteMailbox(account, 'name');
      await store.renameMailbox(account, 'old', 'name');
      expect((await store.mailbox(account, 'name'))!.uidValidity).toBeGreaterThan(last);
      const greatest = Math.max(...(await store.mailboxes(account)).map(({ uidValidity }) => uidValidity));
      await store.deleteAccount(account);
      await store.ensureAccount(account);
      for (const { uidValidity } of await store.mailboxes(account)) expect(uidValidity).toBeGreaterThan(greatest);
    }));

  test('renaming takes children and messages along and leaves subscriptions as they are', () =>
    withStore(async (bench) => {
      const { store } = bench;
      await store.createMailbox(account, 'work/2029/q1');
      await store.createMailbox(account, 'work-not');
      await store.subscribe(account, 'work/2029', true);
      await fill(bench, 'work/2029', 2);
      const before = (await store.mailbox(account, 'work/2029'))!;
      await store.renameMailbox(account, 'work', 'Archive/work');
      expect(await namesOf(bench)).toEqual([
        'INBOX',
        'Archive',
        'Archive/work',
        'Archive/work/2029',
        'Archive/work/2029/q1',
        'Drafts',
        'Junk',
        'Sent',
        'Trash',
        'work-not',
      ]);
      expect(await store.mailbox(account, 'Archive/work/2029')).toEqual({ ...before, name: 'Archive/work/2029', subscribed: false });
      expect(await store.subscriptions(account)).toContain('work/2029');
      await expect(store.renameMailbox(account, 'Archive', 'Archive/work/x')).rejects.toMatchObject({ kind: 'refused' });
      await expect(store.renameMailbox(account, 'Archive', 'Archive')).rejects.toMatchObject({ kind: 'exists' });
      await expect(store.renameMailbox(account, 'nowhere', 'x')).rejects.toMatchObject({ kind: 'not-found' });
      await expect(store.renameMailbox(account, 'Archive', 'x'.repeat(250) + '/y'.repeat(31))).rejects.toMatchObject({ kind: 'refused' });
    }));

  test('renaming INBOX moves its messages out and leaves it and its children in place', () =>
    withStore(async (bench) => {
      const { store } = bench;
      await store.createMailbox(account, 'INBOX/lists');
      await fill(bench, 'INBOX', 450, { flags: ['\\Seen', 'todo'] });
      const before = (await store.mailbox(account, 'INBOX'))!;
      await store.renameMailbox(account, 'inbox', 'saved/mail');
      expect(await store.mailbox(account, 'INBOX')).toMatchObject({
        id: before.id,
        uidValidity: before.uidValidity,
        messages: 0,
        uidNext: 451,
      });
      const saved = (await store.mailbox(account, 'saved/mail'))!;
      expect(saved).toMatchObject({ messages: 450, unseen: 0 });
      expect((await store.index(account, saved.id))[449]).toMatchObject({ uid: 450, flags: ['\\Seen', 'todo'] });
      expect(await namesOf(bench)).toContain('INBOX/lists');
      expect((await store.changes(account, before.id, before.highestModSeq)).expunged.length).toBe(450);
    }));

  test('subscriptions are names: they need no mailbox and outlive one', () =>
    withStore(async (bench) => {
      const { store } = bench;
      await store.subscribe(account, 'not/yet', true);
      await store.subscribe(account, 'not/yet', true);
      await store.subscribe(account, 'inbox', false);
      await store.deleteMailbox(account, 'Sent');
      expect(await store.subscriptions(account)).toEqual(['Archive', 'Drafts', 'Junk', 'Sent', 'Trash', 'not/yet']);
      expect((await store.mailbox(account, 'INBOX'))!.subscribed).toBe(false);
      await store.subscribe(account, 'not/yet', false);
      expect(await store.subscriptions(account)).not.toContain('not/yet');
    }));

  test('ensureAccount brings back what is missing and leaves a renamed special folder alone', () =>
    withStore(async (bench) => {
      await bench.store.renameMailbox(account, 'Sent', 'Gesendet');
      await bench.store.deleteMailbox(account, 'Junk');
      await bench.reopen();
      await Promise.all(Array.from({ length: 20 }, () => bench.store.ensureAccount(account)));
      expect(await namesOf(bench)).toEqual(['INBOX', 'Archive', 'Drafts', 'Gesendet', 'Junk', 'Trash']);
    }));

  test('an account that was never made or was removed takes no mail', () =>
    withStore(async (bench) => {
      const { store, keyValue } = bench;
      const one = await message(bench, 'x');
      await expect(keyValue.transact(store.deliverPart('nobody', one, {}), 'durable')).rejects.toMatchObject({ kind: 'not-found' });
      await expect(store.createMailbox('nobody', 'x')).rejects.toMatchObject({ kind: 'not-found' });
      await expect(store.ensureAccount('')).rejects.toMatchObject({ kind: 'malformed' });
      expect(await store.mailboxes('nobody')).toEqual([]);
      await fill(bench, 'INBOX', 700);
      await store.ensureAccount('b/../%2f');
      expect((await collect(store.accounts())).sort()).toEqual([account, 'b/../%2f']);
      await store.deleteAccount(account);
      await store.deleteAccount(account);
      await expect(keyValue.transact(store.deliverPart(account, one, {}), 'durable')).rejects.toMatchObject({ kind: 'not-found' });
      expect(await collect(store.accounts())).toEqual(['b/../%2f']);
      expect((await collect(keyValue.scan(referencesTo(one.blob.id)))).length).toBe(0);
      await store.ensureAccount(account);
      expect(await store.mailbox(account, 'INBOX')).toMatchObject({ messages: 0, uidNext: 1 });
    }));

  test('copies and moves keep prefix, flags, date and size, in the order of the source', () =>
    withStore(async (bench) => {
      const { store } = bench;
      const date = Date.UTC(1965, 3, 1, 12, 30, 1);
      const prefix = 'Delivered-To: jörg@jade.net\r\n';
      await store.append(account, 'INBOX', [
        await message(bench, 'first', { prefix, flags: ['\\Answered', '$Buro'], internalDate: date }),
        await message(bench, 'second'),
      ]);
      const copied = await store.copy(account, inbox, [2, 1, 1, 77], 'Archive');
      expect(copied.uids).toEqual([
        [1, 1],
        [2, 2],
      ]);
      const moved = await store.move(account, inbox, [1], 'Trash');
      expect(moved).toEqual({ uidValidity: (await store.mailbox(account, 'Trash'))!.uidValidity, uids: [[1, 1]] });
      for (const name of ['Archive', 'Trash']) {
        const stored = (await store.message(account, await idOf(bench, name), 1))!;
        expect(stored).toMatchObject({
          prefix,
          flags: ['$Buro', '\\Answered'],
          internalDate: date,
          size: Buffer.byteLength(`${prefix}first`),
        });
        expect(Buffer.from(await store.read(stored)).toString()).toBe(`${prefix}first`);
      }
      expect((await store.index(account, inbox)).map(({ uid }) => uid)).toEqual([2]);
      const again = await store.move(account, inbox, [2], 'INBOX');
      expect(again.uids).toEqual([[2, 3]]);
      await expect(store.copy(account, inbox, [3], 'nowhere')).rejects.toMatchObject({ kind: 'not-found' });
      await expect(store.move(account, 99, [3], 'Trash')).rejects.toMatchObject({ kind: 'not-found' });
    }));

  test('a STORE with UNCHANGEDSINCE leaves alone what changed later, and one that changes nothing raises nothing', () =>
    withStore(async (bench) => {
      const { store } = bench;
      await fill(bench, 'INBOX', 3);
      const { highestModSeq } = (await store.mailbox(account, 'INBOX'))!;
      const first = await store.changeFlags(account, inbox, [2], { operation: 'add', flags: ['\\seen'] });
      expect(first.changed).toMatchObject([{ uid: 2, flags: ['\\Seen'], modSeq: highestModSeq + 1 }]);
      const second = await store.changeFlags(account, inbox, [3, 2, 1], { operation: 'replace', flags: ['\\Flagged'] }, highestModSeq);
      expect(second.failed).toEqual([2]);
      expect(second.changed.map(({ uid, flags }) => [uid, flags])).toEqual([
        [1, ['\\Flagged']],
        [3, ['\\Flagged']],
      ]);
      const nothing = await store.changeFlags(account, inbox, [1, 3], { operation: 'add', flags: ['\\Flagged'] });
      expect(nothing).toEqual({ changed: second.changed, failed: [] });
      expect((await store.mailbox(account, 'INBOX'))!.highestModSeq).toBe(highestModSeq + 2);
    }));

  test('flags are checked, keywords keep their first spelling, equal sets are the same array', () =>
    withStore(async (bench) => {
      const { store } = bench;
      await fill(bench, 'INBOX', 2);
      const set = (uids: number[], flags: string[]) => store.changeFlags(account, inbox, uids, { operation: 'add', flags });
      for (const bad of ['\\Recent', '\\Wrong', '', 'two words', 'a)b', 'a]b', 'größe', 'x'.repeat(101), 'a\u0000b', '\\']) {
        await expect(set([1], [bad])).rejects.toMatchObject({ kind: 'malformed' });
      }
      await set([1], ['$Forwarded', '\\FLAGGED']);
      await set([2], ['$FORWARDED', '\\flagged']);
      const [one, two] = await store.index(account, inbox);
      expect(one!.flags).toEqual(['$Forwarded', '\\Flagged']);
      expect(two!.flags).toBe(one!.flags);
      const { changed } = await store.changeFlags(account, inbox, [1], { operation: 'remove', flags: ['$forwarded', 'unknown'] });
      expect(changed[0]!.flags).toEqual(['\\Flagged']);
    }));

  test('a mailbox has room for 250 keywords in use; those nobody uses any more make room', () =>
    withStore(async (bench) => {
      const { store } = bench;
      await fill(bench, 'INBOX', 300);
      const set = (uid: number, word: string, operation: 'add' | 'replace' = 'add') =>
        store.changeFlags(account, inbox, [uid], { operation, flags: [word] });
      for (let n = 1; n <= 250; n++) await set(n, `word${n}`);
      await expect(set(251, 'one-more')).rejects.toMatchObject({ kind: 'too-many' });
      await set(1, 'word2', 'replace');
      await set(251, 'one-more');
      await expect(set(252, 'another')).rejects.toMatchObject({ kind: 'too-many' });
      const index = await store.index(account, inbox);
      expect(index[0]!.flags).toEqual(['word2']);
      expect(index[1]!.flags).toEqual(['word2']);
      expect(index[249]!.flags).toEqual(['word250']);
      expect(index[250]!.flags).toEqual(['one-more']);
      const tagged = await message(bench, 'tagged', { flags: ['no-room', '\\Flagged'] });
      const { uid } = await bench.keyValue.transact(store.deliverPart(account, tagged, {}), 'durable');
      expect((await store.message(account, inbox, uid))!.flags).toEqual(['\\Flagged']);
      const many = Array.from({ length: 65 }, (_, n) => `k${n}`);
      await expect(store.append(account, 'Sent', [await message(bench, 'x', { flags: many })])).rejects.toMatchObject({ kind: 'too-many' });
    }));

  test('expunge takes what is marked, only among the given UIDs, and remove takes anything', () =>
    withStore(async (bench) => {
      const { store } = bench;
      await fill(bench, 'INBOX', 600);
      const marked = [1, 2, 3, 255, 256, 257, 600];
      await store.changeFlags(account, inbox, marked, { operation: 'add', flags: ['\\Deleted'] });
      expect(await store.expunge(account, inbox, [2, 4, 256])).toEqual([2, 256]);
      expect(await store.expunge(account, inbox)).toEqual([1, 3, 255, 257, 600]);
      expect(await store.expunge(account, inbox)).toEqual([]);
      expect(await store.source(account, inbox, 2)).toBeUndefined();
      await store.remove(account, inbox, [4, 4, 1, 9999]);
      expect((await store.mailbox(account, 'INBOX'))!).toMatchObject({ messages: 592, deleted: 0, uidNext: 601 });
      await expect(store.expunge(account, 99)).rejects.toMatchObject({ kind: 'not-found' });
    }));

  test('messages are recent for one session only', () =>
    withStore(async (bench) => {
      const { store } = bench;
      await fill(bench, 'INBOX', 3);
      expect(await store.claimRecent(account, inbox)).toBe(1);
      expect(await store.claimRecent(account, inbox)).toBe(4);
      await fill(bench, 'INBOX', 1);
      expect((await store.mailbox(account, 'INBOX'))!.recentFrom).toBe(4);
      expect(await store.claimRecent(account, inbox)).toBe(4);
      expect(await store.claimRecent(account, inbox)).toBe(5);
    }));

  test('a session that slept through thousands of operations is told exactly what it missed', () =>
    withStore(async (bench) => {
      const { store } = bench;
      await fill(bench, 'INBOX', 3000);
      const before = (await store.mailbox(account, 'INBOX'))!.highestModSeq;
      const known = new Map((await store.index(account, inbox)).map((entry) => [entry.uid, entry]));
      for (let n = 0; n < 2000; n++) {
        const uid = 1 + ((n * 7919) % 3000);
        if (n % 3) await store.changeFlags(account, inbox, [uid], { operation: n % 2 ? 'add' : 'remove', flags: ['\\Seen'] });
        else await store.remove(account, inbox, [uid]);
      }
      await fill(bench, 'INBOX', 10);
      const index = await store.index(account, inbox);
      const delta = await store.changes(account, inbox, before);
      const left = new Set(index.map(({ uid }) => uid));
      expect(delta.expunged).toEqual([...known.keys()].filter((uid) => !left.has(uid)));
      expect(delta.changed).toEqual(index.filter(({ uid, modSeq }) => modSeq > before && (known.get(uid)?.modSeq ?? 0) < modSeq));
      for (const uid of delta.expunged) known.delete(uid);
      for (const entry of delta.changed) known.set(entry.uid, entry);
      expect([...known.values()]).toEqual(index);
    }));

  test('changes all over a large mailbox reach the session that follows and the one that slept', () =>
    withStore(async (bench) => {
      const { store } = bench;
      await fill(bench, 'INBOX', 10_000);
      const before = (await store.mailbox(account, 'INBOX'))!.highestModSeq;
      await fill(bench, 'INBOX', 5);
      let following = before + 1;
      const touched: number[] = [];
      for (let uid = 50; uid <= 9900; uid += 199) {
        await store.changeFlags(account, inbox, [uid], { operation: 'add', flags: ['\\Flagged'] });
        touched.push(uid);
        const delta = await store.changes(account, inbox, following);
        expect(delta.changed.map((entry) => entry.uid)).toEqual([uid]);
        following = delta.highestModSeq;
      }
      for (const late of [0, 1, 20, 26, 40]) {
        const { changed } = await store.changes(account, inbox, before + 1 + late);
        expect(changed.map(({ uid }) => uid)).toEqual(touched.slice(late));
      }
      const { changed } = await store.changes(account, inbox, before);
      expect(changed.map(({ uid }) => uid)).toEqual([...touched, 10_001, 10_002, 10_003, 10_004, 10_005]);
    }));

  test('watchers hear, once a commit, of changes of their mailbox and of no other, until they stop', () =>
    withStore(async (bench) => {
      const { store } = bench;
      const heard: string[] = [];
      const archive = await idOf(bench, 'Archive');
      const stops = [
        store.watch(account, inbox, () => heard.push('inbox')),
        store.watch(account, inbox, () => {
          throw new Error('a listener that fails');
        }),
        store.watch(account, inbox, () => heard.push('inbox too')),
        store.watch(account, archive, () => heard.push('archive')),
      ];
      await deliver(bench, 'x');
      await bench.keyValue.flush();
      expect(heard.splice(0)).toEqual(['inbox', 'inbox too']);
      await store.copy(account, inbox, [1], 'Archive');
      await store.claimRecent(account, inbox);
      await store.changeFlags(account, inbox, [77], { operation: 'add', flags: ['\\Seen'] });
      await bench.keyValue.flush();
      expect(heard.splice(0)).toEqual(['archive']);
      await store.deleteMailbox(account, 'Archive');
      await bench.keyValue.flush();
      expect(heard.splice(0)).toEqual(['archive']);
      for (const stop of stops) stop();
      await deliver(bench, 'y');
      await bench.keyValue.flush();
      expect(heard).toEqual([]);
    }));

  test('several messages are appended all or none', () =>
    withStore(async (bench) => {
      const good = await message(bench, 'good');
      const bad = [
        { ...good, internalDate: Number.NaN },
        { ...good, flags: ['not good'] },
        { ...good, prefix: 'x'.repeat(65_537) },
      ];
      for (const one of bad) await expect(bench.store.append(account, 'INBOX', [good, one])).rejects.toBeInstanceOf(Fault);
      expect(await bench.store.usage(account)).toEqual({ octets: 0, messages: 0 });
      const { uids } = await bench.store.append(account, 'INBOX', [good, good]);
      expect(uids).toEqual([1, 2]);
    }));
}
