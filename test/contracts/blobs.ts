/**
 * What every Blobs engine must do. An engine's test calls this with a way to open an empty store.
 */

import { afterEach, expect, test } from '@jest/globals';
import type { ManualClock } from '../../src/base/index.ts';
import { type BlobId, type Blobs, UnreadableBlob } from '../../src/storage/index.ts';

export interface OpenedBlobs {
  readonly blobs: Blobs;
  /** The clock the store reads. */
  readonly clock: ManualClock;
  /** Closes it and opens the same data again. */
  reopen(): Promise<Blobs>;
  remove(): Promise<void>;
}

/** Octets that differ everywhere, the same for the same arguments. */
export function octets(size: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(size);
  let state = seed * 2654435761;
  for (let n = 0; n < size; n++) {
    state = (state * 1103515245 + 12345) % 0x80000000;
    bytes[n] = state >> 16;
  }
  return bytes;
}

export async function all(ids: AsyncIterable<BlobId>): Promise<BlobId[]> {
  const found: BlobId[] = [];
  for await (const id of ids) found.push(id);
  return found.sort();
}

/** The store as it is, then opened again. */
async function* asIsAndAgain({ blobs, reopen }: OpenedBlobs): AsyncGenerator<Blobs> {
  yield blobs;
  yield await reopen();
}

/** Sizes around every edge an engine may have. */
const sizes = [0, 1, 7, 8, 9, 4096, 16_383, 16_384, 65_535, 65_536, 65_537, 262_144, 262_145, 700_001];

const strangeIds = [
  '',
  'x',
  '../../../etc/passwd',
  '00000001/0000001',
  '0'.repeat(24),
  'f'.repeat(24),
  'a'.repeat(100_000),
  '\u0000',
  '00000001x00000000000000',
];

export function blobsContract(name: string, open: () => Promise<OpenedBlobs>): void {
  const opened: OpenedBlobs[] = [];
  const fresh = async (): Promise<OpenedBlobs> => {
    const one = await open();
    opened.push(one);
    return one;
  };
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.remove();
  });
  const it = (sentence: string, run: () => Promise<void>): void => test(`${name}: ${sentence}`, run);

  it('what is not the id of a blob is not found, in a full store as in an empty one', async () => {
    const { blobs } = await fresh();
    for (let round = 0; round < 2; round++) {
      for (const id of strangeIds) {
        await expect(blobs.read(id)).rejects.toMatchObject({ kind: 'not-found' });
        await expect(blobs.verify(id)).rejects.toMatchObject({ kind: 'not-found' });
        await expect(blobs.stream(id)[Symbol.asyncIterator]().next()).rejects.toMatchObject({ kind: 'not-found' });
        expect(await blobs.info(id)).toBeUndefined();
        await blobs.remove([id]);
      }
      await blobs.put(octets(100));
    }
    expect(await all(blobs.list())).toHaveLength(2);
  });

  it('an id that differs in one digit is not found', async () => {
    const { blobs } = await fresh();
    const { id } = await blobs.put(octets(100));
    for await (const store of asIsAndAgain(opened.at(-1)!)) {
      for (let n = 0; n < id.length; n++) {
        const other = `${id.slice(0, n)}${id[n] === '0' ? '1' : '0'}${id.slice(n + 1)}`;
        await expect(store.read(other)).rejects.toMatchObject({ kind: 'not-found' });
        await store.remove([other]);
      }
      expect(await store.read(id)).toEqual(octets(100));
    }
  });

  it('gives back what was put, at once and after opening again, whatever its size', async () => {
    const { blobs } = await fresh();
    const ids: BlobId[] = [];
    for (const size of sizes) {
      const info = await blobs.put(octets(size, size), { size, from: 'grüße@example.com', to: ['a', 'b'] });
      expect(info.size).toBe(size);
      ids.push(info.id);
    }
    expect(new Set(ids).size).toBe(sizes.length);
    for await (const store of asIsAndAgain(opened.at(-1)!)) {
      for (const [n, size] of sizes.entries()) {
        const id = ids[n]!;
        expect(Buffer.compare(await store.read(id), octets(size, size))).toBe(0);
        expect(await store.verify(id)).toBe(true);
        expect(await store.info(id)).toMatchObject({ id, size, description: { size, from: 'grüße@example.com', to: ['a', 'b'] } });
      }
      expect(await all(store.list())).toEqual([...ids].sort());
    }
  });

  it('gives any range, cut to what there is', async () => {
    const { blobs } = await fresh();
    const stored: [BlobId, Buffer][] = [];
    for (const size of [0, 10, 40_000, 300_000]) stored.push([(await blobs.put(octets(size))).id, octets(size)]);
    for await (const store of asIsAndAgain(opened.at(-1)!)) {
      for (const [id, bytes] of stored) {
        for (const start of [0, 1, 5, 16_000, 20_000, 39_999, 1e12, -5]) {
          for (const end of [0, 1, 10, 16_384, 16_390, 300_000, 1e15, -1]) {
            const expected = bytes.subarray(Math.max(0, start), Math.max(0, start, end));
            expect(Buffer.compare(await store.read(id, start, end), expected)).toBe(0);
          }
        }
        expect(Buffer.compare(await store.read(id, 3), bytes.subarray(3))).toBe(0);
      }
    }
  });

  it('streams in chunks of at most 64 KiB', async () => {
    const { blobs } = await fresh();
    const small = await blobs.put(octets(200_000));
    const large = await blobs.put(octets(500_000));
    for await (const store of asIsAndAgain(opened.at(-1)!)) {
      for (const { id, size } of [small, large]) {
        const chunks: Uint8Array[] = [];
        for await (const chunk of store.stream(id, 1000, size - 1)) chunks.push(chunk);
        expect(Math.max(...chunks.map((chunk) => chunk.byteLength))).toBeLessThanOrEqual(65_536);
        expect(Buffer.compare(Buffer.concat(chunks), octets(size).subarray(1000, size - 1))).toBe(0);
        for await (const _ of store.stream(id)) break;
      }
    }
  });

  it('gives all of a blob, piece by piece', async () => {
    const { blobs } = await fresh();
    for (const size of [0, 1, 70_000, 400_000]) {
      const { id } = await blobs.put(octets(size, size));
      const pieces: Uint8Array[] = [];
      for await (const piece of blobs.whole(id)) pieces.push(piece);
      expect(Buffer.compare(Buffer.concat(pieces), octets(size, size))).toBe(0);
    }
    const unknown = (await blobs.put(octets(3))).id.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
    await expect(blobs.whole(unknown)[Symbol.asyncIterator]().next()).rejects.toBeInstanceOf(UnreadableBlob);
  });

  it('a writer takes chunks of any size and does not keep the buffer of its caller', async () => {
    const { blobs, reopen } = await fresh();
    for (const total of [0, 5000, 262_144, 262_145, 900_000]) {
      const source = octets(total, 3);
      const writer = blobs.create();
      const buffer = Buffer.alloc(7777);
      for (let at = 0; at < total; at += 7777) {
        const count = source.copy(buffer, 0, at, at + 7777);
        await writer.write(buffer.subarray(0, count));
        buffer.fill(0);
      }
      expect(writer.size).toBe(total);
      const { id, size } = await writer.commit({ total });
      expect(size).toBe(total);
      expect(Buffer.compare(await blobs.read(id), source)).toBe(0);
    }
    expect(await all((await reopen()).list())).toHaveLength(5);
  });

  it('a writer may be written to without waiting', async () => {
    const { blobs } = await fresh();
    const writer = blobs.create();
    const chunks = Array.from({ length: 50 }, (_, n) => octets(20_000, n));
    const writes = chunks.map((chunk) => writer.write(chunk));
    const { id } = await writer.commit();
    await Promise.all(writes);
    expect(Buffer.compare(await blobs.read(id), Buffer.concat(chunks))).toBe(0);
  });

  it('after abort nothing is left, at any time', async () => {
    const { blobs, reopen } = await fresh();
    for (const size of [0, 100, 1_000_000]) {
      const writer = blobs.create();
      await writer.write(octets(size));
      await writer.abort();
      await writer.abort();
      await expect(writer.write(octets(1))).rejects.toThrow();
      await expect(writer.commit()).rejects.toThrow();
    }
    const kept = blobs.create();
    await kept.write(octets(10));
    const { id } = await kept.commit();
    await kept.abort();
    expect(await all(blobs.list())).toEqual([id]);
    expect(await all((await reopen()).list())).toEqual([id]);
  });

  it('refuses a description that is too long', async () => {
    const { blobs } = await fresh();
    const long = { text: 'x'.repeat(70_000) };
    await expect(blobs.put(octets(10), long)).rejects.toMatchObject({ kind: 'too-large' });
    const writer = blobs.create();
    await writer.write(octets(400_000));
    await expect(writer.commit(long)).rejects.toMatchObject({ kind: 'too-large' });
    expect(await all(blobs.list())).toEqual([]);
  });

  it('many at once are all kept, under ids that sort by time', async () => {
    const { blobs, reopen } = await fresh();
    const rounds: BlobId[][] = [];
    for (let round = 0; round < 4; round++) {
      const infos = await Promise.all(Array.from({ length: 200 }, (_, n) => blobs.put(octets(50 + n * 7, n))));
      rounds.push(infos.map((info) => info.id));
    }
    const ids = rounds.flat();
    expect(new Set(ids).size).toBe(800);
    for (let round = 1; round < 4; round++) expect(rounds[round]!.sort()[0]! > rounds[round - 1]!.sort().at(-1)!).toBe(true);
    const again = await reopen();
    for (const [n, id] of ids.entries()) expect((await again.read(id)).byteLength).toBe(50 + (n % 200) * 7);
  });

  it('what is removed is gone for good, and nothing else', async () => {
    const { blobs } = await fresh();
    const ids: BlobId[] = [];
    for (let n = 0; n < 300; n++) ids.push((await blobs.put(octets(n % 50 === 0 ? 300_000 : 3000, n))).id);
    const gone = ids.filter((_, n) => n % 5 !== 0 || n === 100);
    const kept = ids.filter((id) => !gone.includes(id));
    await Promise.all([blobs.remove(gone.slice(0, 100)), blobs.remove(gone.slice(50)), blobs.remove([])]);
    await blobs.remove(gone);
    for await (const store of asIsAndAgain(opened.at(-1)!)) {
      expect(await all(store.list())).toEqual([...kept].sort());
      for (const id of gone) await expect(store.read(id)).rejects.toMatchObject({ kind: 'not-found' });
      for (const id of kept)
        expect(Buffer.compare(await store.read(id), octets(ids.indexOf(id) % 50 === 0 ? 300_000 : 3000, ids.indexOf(id)))).toBe(0);
    }
  });

  it('no id is ever given again', async () => {
    const { blobs, reopen } = await fresh();
    let store: Blobs = blobs;
    const seen = new Set<BlobId>();
    for (let round = 0; round < 4; round++) {
      const infos = await Promise.all(Array.from({ length: 60 }, () => store.put(octets(3000))));
      await store.remove(infos.map((info) => info.id));
      for (const { id } of infos) seen.add(id);
      store = await reopen();
    }
    expect(seen.size).toBe(240);
    expect(await all(store.list())).toEqual([]);
  });

  it('knows when a blob was written and lists those from before', async () => {
    const { blobs, clock } = await fresh();
    const old = [await blobs.put(octets(10)), await blobs.put(octets(400_000))].map((info) => info.id);
    const then = clock.now();
    clock.advance(5000);
    const fresh2 = await blobs.put(octets(10));
    expect((await blobs.info(old[0]!))?.writtenAt).toBe(then);
    expect((await blobs.info(fresh2.id))?.writtenAt).toBe(then + 5000);
    expect(await all(blobs.list({ writtenBefore: then + 1 }))).toEqual(old.sort());
    expect(await all(blobs.list({ writtenBefore: then }))).toEqual([]);
  });

  it('is closed after closing', async () => {
    const { blobs } = await fresh();
    const { id } = await blobs.put(octets(10));
    const large = blobs.create();
    await large.write(octets(400_000));
    await blobs.close();
    await blobs.close();
    await expect(blobs.put(octets(10))).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(blobs.remove([id])).rejects.toMatchObject({ kind: 'unavailable' });
    await large.abort();
  });
}
