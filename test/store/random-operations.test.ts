import { expect, test } from '@jest/globals';
import { type BlobInfo, referencesTo } from '../../src/storage/index.ts';
import type { IndexEntry } from '../../src/store/index.ts';
import { dice, ModelMailbox, type ModelMessage } from './model.ts';
import { type Bench, collect, openBench, structure } from './support.ts';

const account = '7f0c1a2e-0000-4000-8000-00000000abcd';
const names = ['INBOX', 'Archive', 'Trash', 'Müll/älter'];
const flags = ['\\Seen', '\\Deleted', '\\Flagged', '\\Answered', '\\Draft', '$Forwarded', '$Junk', 'todo'];

/** A session that has a mailbox open and asks from time to time what happened. */
interface Session {
  readonly name: string;
  modSeq: number;
  readonly known: Map<number, IndexEntry>;
}

class Walk {
  readonly bench: Bench;
  readonly roll: (sides: number) => number;
  readonly model = new Map(names.map((name) => [name, new ModelMailbox()]));
  readonly sessions: Session[] = [];
  readonly ids = new Map<string, number>();
  readonly blobs: { info: BlobInfo; text: string }[] = [];

  constructor(bench: Bench, seed: number) {
    this.bench = bench;
    this.roll = dice(seed);
  }

  async begin(): Promise<void> {
    const { store, blobs } = this.bench;
    await store.ensureAccount(account);
    await store.createMailbox(account, 'Müll/älter');
    for (const name of names) this.ids.set(name, (await store.mailbox(account, name))!.id);
    for (let n = 0; n < 12; n++) {
      const text = `message ${n} ${'x'.repeat(n * 17)}`;
      this.blobs.push({ info: await blobs.put(Buffer.from(text)), text });
    }
    for (const name of names) for (let n = 0; n < 2; n++) this.sessions.push({ name, modSeq: 0, known: new Map() });
  }

  one<T>(items: readonly T[]): T {
    return items[this.roll(items.length)]!;
  }
  some<T>(items: readonly T[]): T[] {
    const most = 1 + this.roll(5);
    return items.filter(() => this.roll(Math.max(1, items.length)) < most);
  }

  newMessage(): { message: ModelMessage; stored: Parameters<Bench['store']['append']>[2][number] } {
    const { info, text } = this.one(this.blobs);
    const prefix = this.roll(2) ? `X-Für: ${this.roll(1000)}\r\n` : '';
    const set = this.roll(3) ? [] : this.some(flags);
    const internalDate = this.bench.clock.now() - this.roll(2_000_000_000) * (this.roll(2) ? 1000 : 1);
    const size = Buffer.byteLength(prefix) + info.size;
    return {
      message: { flags: new Set(set), size, internalDate, text, prefix },
      stored: { blob: info, prefix, structure: structure(text, info.size), flags: set, internalDate },
    };
  }

  /** One random operation on store and model. */
  async step(): Promise<void> {
    const { store, keyValue } = this.bench;
    const name = this.one(names);
    const box = this.model.get(name)!;
    const id = this.ids.get(name)!;
    const uids = this.some([...box.messages.keys(), box.uidNext + 5, 0]);
    const there = uids.filter((uid) => box.messages.has(uid));
    switch (this.roll(9)) {
      case 0:
      case 1: {
        const { message, stored } = this.newMessage();
        const { uid } = await keyValue.transact(store.deliverPart(account, stored, { mailbox: name }), 'durable');
        return expect(uid).toBe(box.add(message));
      }
      case 2: {
        const several = Array.from({ length: 1 + this.roll(40) }, () => this.newMessage());
        const { uids: given } = await store.append(
          account,
          name,
          several.map(({ stored }) => stored),
        );
        return expect(given).toEqual(several.map(({ message }) => box.add(message)));
      }
      case 3:
      case 4: {
        const operation = this.one(['add', 'remove', 'replace'] as const);
        const set = this.some(flags);
        const { changed } = await store.changeFlags(account, id, uids, { operation, flags: set });
        for (const uid of there) {
          const message = box.messages.get(uid)!;
          if (operation === 'replace') message.flags = new Set(set);
          for (const flag of set) {
            if (operation === 'add') message.flags.add(flag);
            if (operation === 'remove') message.flags.delete(flag);
          }
        }
        return expect(changed.map((entry) => [entry.uid, entry.flags])).toEqual(
          there.map((uid) => [uid, [...box.messages.get(uid)!.flags].sort()]),
        );
      }
      case 5: {
        const only = this.roll(2) ? uids : undefined;
        const marked = [...box.messages]
          .filter(([uid, m]) => m.flags.has('\\Deleted') && (!only || only.includes(uid)))
          .map(([uid]) => uid);
        expect(await store.expunge(account, id, only)).toEqual(marked);
        for (const uid of marked) box.messages.delete(uid);
        return;
      }
      case 6:
        await store.remove(account, id, uids);
        for (const uid of there) box.messages.delete(uid);
        return;
      default:
        return this.transfer(name, uids, there);
    }
  }

  async transfer(from: string, uids: number[], there: number[]): Promise<void> {
    const to = this.one(names);
    const source = this.model.get(from)!;
    const destination = this.model.get(to)!;
    const moves = this.roll(2) === 0;
    const verb = moves ? this.bench.store.move : this.bench.store.copy;
    const result = await verb(account, this.ids.get(from)!, uids, to);
    const expected = there.map((uid) => {
      const message = source.messages.get(uid)!;
      const pair = [uid, destination.add({ ...message, flags: new Set(message.flags) })];
      if (moves) source.messages.delete(uid);
      return pair;
    });
    expect(result.uids).toEqual(expected);
  }

  async compare(): Promise<void> {
    const { store } = this.bench;
    const usage = { octets: 0, messages: 0 };
    for (const name of names) {
      const box = this.model.get(name)!;
      const { size, messages } = box.counters;
      usage.octets += size;
      usage.messages += messages;
      expect(await store.mailbox(account, name)).toMatchObject(box.counters);
      const index = await store.index(account, this.ids.get(name)!);
      expect(index.map(({ modSeq, ...rest }) => ({ ...rest, flags: [...rest.flags] }))).toEqual(box.index);
    }
    expect(await store.usage(account)).toEqual(usage);
  }

  /** What a session knows, brought up to date by the delta alone, is what the mailbox has; and the delta says nothing in vain. */
  async sync(session: Session): Promise<void> {
    const { store } = this.bench;
    const id = this.ids.get(session.name)!;
    const delta = await store.changes(account, id, session.modSeq);
    for (const uid of delta.expunged) session.known.delete(uid);
    for (const entry of delta.changed) {
      expect(entry.modSeq).toBeGreaterThan(session.modSeq);
      expect(session.known.get(entry.uid)?.modSeq ?? 0).toBeLessThan(entry.modSeq);
      session.known.set(entry.uid, entry);
    }
    session.modSeq = delta.highestModSeq;
    expect([...session.known.values()].sort((a, b) => a.uid - b.uid)).toEqual(await store.index(account, id));
    expect(await store.changes(account, id, session.modSeq)).toMatchObject({ changed: [], expunged: [], gone: false });
  }

  async readSome(): Promise<void> {
    const { store } = this.bench;
    const name = this.one(names);
    const box = this.model.get(name)!;
    const uids = [...box.messages.keys()].slice(0, 5);
    for (const [n, stored] of (await store.messages(account, this.ids.get(name)!, uids)).entries()) {
      const expected = box.messages.get(uids[n]!)!;
      expect(Buffer.from(await store.read(stored!)).toString()).toBe(expected.prefix + expected.text);
      expect(stored!.structure.envelope.subject).toBe(expected.text);
    }
  }

  /** Every blob is held exactly as often as messages have it. */
  async compareReferences(): Promise<void> {
    const texts = [...this.model.values()].flatMap((box) => [...box.messages.values()].map(({ text }) => text));
    for (const { info, text } of this.blobs) {
      const held = await collect(this.bench.keyValue.scan(referencesTo(info.id), { keysOnly: true }));
      expect(held.length).toBe(texts.filter((other) => other === text).length);
      const kept = await this.bench.keyValue.get(`store/structure/${info.id}`);
      expect(kept !== undefined).toBe(held.length > 0);
    }
  }
}

test.each([1, 2, 3, 4])(
  'after any sequence of operations index, counters, usage, deltas and references are those of a simple model (%i)',
  async (seed) => {
    const bench = await openBench();
    try {
      const walk = new Walk(bench, seed);
      await walk.begin();
      for (let n = 0; n < 150; n++) {
        await walk.step();
        await walk.compare();
        if (walk.roll(3) === 0) await walk.sync(walk.one(walk.sessions));
        if (walk.roll(10) === 0) await walk.readSome();
        if (walk.roll(50) === 0) await bench.reopen();
        bench.clock.advance(walk.roll(5000));
      }
      await bench.reopen();
      await walk.compare();
      for (const session of walk.sessions) await walk.sync(session);
      await walk.compareReferences();
      await bench.store.deleteAccount(account);
      for (const box of walk.model.values()) box.messages.clear();
      await walk.compareReferences();
      const left = await collect(bench.keyValue.scan({ from: 'store/', to: 'store0' }, { keysOnly: true }));
      expect(left.map(([key]) => key)).toEqual(['store/uidvalidity']);
    } finally {
      await bench.close();
    }
  },
  120_000,
);
