/** The file engine for blobs: the contract, and what is its own: torn tails, failing disks, compaction. */

import { copyFile, cp, mkdir, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, jest, test } from '@jest/globals';
import { ManualClock } from '../../src/base/index.ts';
import { type BlobId, type BlobsOptions, type FileBlobs, openBlobs, UnreadableBlob } from '../../src/storage/index.ts';
import { all, blobsContract, octets } from '../contracts/blobs.ts';
import { tempDir } from '../support/temp.ts';
import { systemError, TestDisk } from './support.ts';

// Many of these wait for the disk hundreds of times.
jest.setTimeout(60_000);

for (const segmentSize of [64 * 1024 * 1024, 20_000]) {
  blobsContract(`files, segments of ${segmentSize}`, async () => {
    const folder = await tempDir();
    const clock = new ManualClock();
    const path = join(folder.path, 'blobs');
    let blobs = await openBlobs({ path, clock, segmentSize });
    return {
      blobs,
      clock,
      async reopen() {
        await blobs.close();
        // Nothing in memory, so that everything is read from disk.
        blobs = await openBlobs({ path, clock, segmentSize, recentSize: 0 });
        return blobs;
      },
      async remove() {
        await blobs.close();
        await folder.remove();
      },
    };
  });
}

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function folder(): Promise<string> {
  const made = await tempDir();
  cleanups.push(made.remove);
  return made.path;
}

async function openAt(path: string, options: Partial<BlobsOptions> = {}): Promise<FileBlobs> {
  const blobs = await openBlobs({ path, clock: new ManualClock(), recentSize: 0, ...options });
  cleanups.push(() => blobs.close());
  return blobs;
}

const firstSegment = (path: string): string => join(path, 'segments', '00000001.0000.seg');

test('wherever the last record is torn, it is cut off and nothing else', async () => {
  const path = await folder();
  const blobs = await openAt(join(path, 'a'));
  const kept = [await blobs.put(octets(100, 1)), await blobs.put(octets(0, 2))];
  const before = (await stat(firstSegment(join(path, 'a')))).size;
  const last = await blobs.put(octets(30, 3), { n: 3 });
  const after = (await stat(firstSegment(join(path, 'a')))).size;
  await blobs.close();
  for (let cut = before; cut <= after; cut++) {
    const copy = join(path, 'copy', `${cut}`);
    await mkdir(join(copy, 'segments'), { recursive: true });
    await copyFile(firstSegment(join(path, 'a')), firstSegment(copy));
    await truncate(firstSegment(copy), cut);
    const again = await openBlobs({ path: copy, clock: new ManualClock(), recentSize: 0 });
    const whole = cut === after;
    expect(again.recovered).toHaveLength(cut === before || whole ? 0 : 1);
    const next = await again.put(octets(10, 4));
    expect(await all(again.list())).toEqual([...kept.map((info) => info.id), ...(whole ? [last.id] : []), next.id].sort());
    for (const id of await all(again.list())) expect(await again.verify(id)).toBe(true);
    expect(next.id).not.toBe(last.id);
    await again.close();
  }
});

test('zeros and rubbish behind the last record are cut off', async () => {
  const path = await folder();
  const blobs = await openAt(path);
  const { id } = await blobs.put(octets(1000));
  await blobs.close();
  const clean = await readFile(firstSegment(path));
  for (const tail of [
    Buffer.alloc(10_000),
    octets(5000),
    Buffer.from('MTB1'.repeat(700)),
    clean.subarray(16),
    Buffer.alloc(2_500_000, 'MTB1xxxx'),
  ]) {
    await writeFile(firstSegment(path), Buffer.concat([clean, tail]));
    const again = await openBlobs({ path, clock: new ManualClock(), recentSize: 0 });
    expect(again.recovered).toEqual([`segment 1: cut off ${tail.length} octets of an unfinished write`]);
    expect(await all(again.list())).toEqual([id]);
    await again.close();
    expect((await stat(firstSegment(path))).size).toBe(clean.length);
  }
});

test('a flipped bit anywhere is noticed and never costs another record', async () => {
  const path = await folder();
  const blobs = await openAt(path);
  const ids: BlobId[] = [];
  for (let n = 0; n < 3; n++) ids.push((await blobs.put(octets(64, n), { n })).id);
  await blobs.close();
  const clean = await readFile(firstSegment(path));
  const start = Number.parseInt(ids[1]!.slice(8, 16), 16);
  const end = Number.parseInt(ids[2]!.slice(8, 16), 16);
  for (let at = start; at < end; at++) {
    const bytes = Buffer.from(clean);
    bytes[at] = bytes[at]! ^ 0x10;
    await writeFile(firstSegment(path), bytes);
    const again = await openBlobs({ path, clock: new ManualClock(), recentSize: 0 });
    expect([await again.verify(ids[0]!), await again.verify(ids[2]!)]).toEqual([true, true]);
    const intact = await again.verify(ids[1]!).catch((thrown: { kind: string }) => thrown.kind);
    const padding = at >= start + 48 + 64 + '{"n":1}'.length;
    if (padding) expect(intact).toBe(true);
    else expect([intact, again.recovered.length]).toEqual([at < start + 48 ? 'not-found' : false, 1]);
    expect((await again.info(ids[2]!))?.description).toEqual({ n: 2 });
    await again.close();
  }
});

test('a whole record at the end stays even if its checksum is wrong', async () => {
  const path = await folder();
  const blobs = await openAt(path);
  const { id } = await blobs.put(octets(500));
  await blobs.close();
  const file = await open(firstSegment(path), 'r+');
  await file.write(Buffer.from('!'), 0, 1, 16 + 48 + 200);
  await file.close();
  const again = await openAt(path);
  expect(again.recovered).toEqual(['segment 1: the record at 16 does not match its checksum']);
  expect((await again.read(id)).byteLength).toBe(500);
  expect(await again.verify(id)).toBe(false);
});

test('a message that contains records does not forge any', async () => {
  const path = await folder();
  const blobs = await openAt(path);
  await blobs.put(octets(200));
  const copy = (await readFile(firstSegment(path))).subarray(16);
  const outer = await blobs.put(Buffer.concat([copy, copy, copy]));
  await blobs.put(octets(10));
  await blobs.close();
  const file = await open(firstSegment(path), 'r+');
  await file.write(Buffer.from('broken'), 0, 6, Number.parseInt(outer.id.slice(8, 16), 16));
  await file.close();
  const again = await openAt(path);
  expect(await all(again.list())).toHaveLength(2);
});

test('everything that was answered survives the loss of all that was not flushed', async () => {
  const path = await folder();
  const disk = new TestDisk();
  const blobs = await openAt(join(path, 'a'), { disk, segmentSize: 30_000 });
  const answered: [BlobId, number][] = [];
  let round = 0;
  disk.before = () => {};
  for (round = 0; round < 6; round++) {
    const puts = Array.from({ length: 12 }, async (_, n) => {
      const size = n === 11 ? 300_000 + round : 1000 + n * 300 + round;
      answered.push([(await blobs.put(octets(size, size))).id, size]);
    });
    // Cut in the middle of things: some of these are written and not flushed, some not begun.
    await Promise.race(puts);
    const atCut = [...answered];
    await disk.copyFlushed(join(path, 'a'), join(path, `cut-${round}`));
    const again = await openBlobs({ path: join(path, `cut-${round}`), clock: new ManualClock(), recentSize: 0 });
    for (const [id, size] of atCut) expect(Buffer.compare(await again.read(id), octets(size, size))).toBe(0);
    await again.put(octets(1));
    await again.close();
    await Promise.all(puts);
  }
});

test('a full disk fails the put, leaves nothing behind and is over when there is room again', async () => {
  const path = await folder();
  const disk = new TestDisk();
  const blobs = await openAt(path, { disk });
  const first = await blobs.put(octets(1000));
  for (const call of ['write', 'sync', 'truncate'] as const) {
    for (const size of [1000, 400_000]) {
      disk.before = (now) => {
        if (now === call || (call === 'truncate' && now === 'write')) throw systemError('ENOSPC');
      };
      const failed = await Promise.allSettled([blobs.put(octets(size)), blobs.put(octets(size))]);
      for (const outcome of failed) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { kind: 'no-space', say: 'no space left to store messages' } });
      }
      disk.before = () => {};
      const { id } = await blobs.put(octets(size, 7));
      expect(Buffer.compare(await blobs.read(id), octets(size, 7))).toBe(0);
    }
  }
  const listed = await all(blobs.list());
  expect(listed).toHaveLength(7);
  expect(listed).toContain(first.id);
  expect(await readdir(join(path, 'large', 'tmp'))).toEqual([]);
  await blobs.close();
  expect(await all((await openAt(path)).list())).toEqual(listed);
});

test('a disk that fails while a new segment is made does not stop the next put', async () => {
  const path = await folder();
  for (const call of ['open', 'write', 'sync', 'syncDirectory'] as const) {
    const disk = new TestDisk();
    const blobs = await openAt(join(path, call), { disk });
    disk.before = (now) => {
      if (now === call) throw systemError('EIO');
    };
    await expect(blobs.put(octets(10))).rejects.toMatchObject({ kind: 'unavailable', say: 'message storage failed (EIO)' });
    disk.before = () => {};
    const { id } = await blobs.put(octets(10));
    await blobs.close();
    expect(await all((await openAt(join(path, call))).list())).toEqual([id]);
  }
});

test('unfinished large files of a run that was killed are deleted', async () => {
  const path = await folder();
  const blobs = await openAt(path);
  const writer = blobs.create();
  await writer.write(octets(500_000));
  expect(await readdir(join(path, 'large', 'tmp'))).toHaveLength(1);
  const copy = join(await folder(), 'copy');
  await cp(path, copy, { recursive: true });
  const again = await openAt(copy);
  expect(again.recovered).toEqual(['deleted 1 unfinished large files']);
  expect(await readdir(join(copy, 'large', 'tmp'))).toEqual([]);
  await writer.abort();
});

/** A store of some closed segments, most of it removed in a moment. */
async function fill(blobs: FileBlobs): Promise<{ keep: BlobId[]; drop: BlobId[] }> {
  const ids: BlobId[] = [];
  for (let n = 0; n < 40; n += 10) {
    const puts = Array.from({ length: 10 }, (_, m) => blobs.put(octets(1000 + n + m, n + m), { n: n + m }));
    for (const { id } of await Promise.all(puts)) ids.push(id);
  }
  return { keep: ids.filter((_, n) => n % 4 === 0 && n >= 10), drop: ids.filter((_, n) => n % 4 !== 0 || n < 10) };
}

async function expectKept(blobs: FileBlobs, keep: readonly BlobId[]): Promise<void> {
  for (const id of keep) {
    const n = (await blobs.info(id))?.description['n'] as number;
    expect(Buffer.compare(await blobs.read(id), octets(1000 + n, n))).toBe(0);
    expect(await blobs.verify(id)).toBe(true);
  }
}

async function used(path: string): Promise<number> {
  const names = await readdir(join(path, 'segments'));
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(path, 'segments', name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

test('removal gives space back, and the ids that stay are valid through any number of compactions', async () => {
  const path = await folder();
  let blobs = await openAt(path, { segmentSize: 10_000 });
  const { keep, drop } = await fill(blobs);
  const before = await used(path);
  await blobs.remove(drop);
  expect(await used(path)).toBeLessThan(before * 0.5);
  expect((await readdir(join(path, 'segments'))).some((name) => name.startsWith('00000001.'))).toBe(false);
  await expectKept(blobs, keep);
  await blobs.remove(keep.filter((_, n) => n % 4 !== 0));
  const rest = keep.filter((_, n) => n % 4 === 0);
  await expectKept(blobs, rest);
  await blobs.close();
  blobs = await openAt(path, { segmentSize: 10_000 });
  expect(blobs.recovered).toEqual([]);
  expect(await all(blobs.list())).toEqual([...rest].sort());
  await expectKept(blobs, rest);
  for (const id of drop) expect(await blobs.info(id)).toBeUndefined();
});

test('a compaction that is cut short at any step loses nothing', async () => {
  const path = await folder();
  for (let step = 1; ; step++) {
    const disk = new TestDisk();
    const at = join(path, `${step}`);
    const blobs = await openBlobs({ path: at, clock: new ManualClock(), segmentSize: 10_000, recentSize: 0, disk });
    const { keep, drop } = await fill(blobs);
    let left = step;
    disk.before = () => {
      if (--left <= 0) throw systemError('EIO');
    };
    const outcome = await blobs.remove(drop).then(
      () => 'removed',
      () => 'failed',
    );
    const finished = left > 0;
    disk.before = () => {};
    const copy = join(path, `${step}-copy`);
    await disk.copyFlushed(at, copy);
    const again = await openBlobs({ path: copy, clock: new ManualClock(), segmentSize: 10_000, recentSize: 0 });
    await expectKept(again, keep);
    const listed = await all(again.list());
    for (const id of keep) expect(listed).toContain(id);
    if (outcome === 'removed') expect(listed).toEqual([...keep].sort());
    await again.remove(drop);
    expect(await all(again.list())).toEqual([...keep].sort());
    await again.close();
    // The store that saw the error goes on as well.
    await expectKept(blobs, keep);
    await blobs.remove(drop);
    expect(await all(blobs.list())).toEqual([...keep].sort());
    await blobs.close();
    if (finished) break;
    expect(step).toBeLessThan(200);
  }
});

test('a damaged index of a compacted segment is made anew', async () => {
  const path = await folder();
  const blobs = await openAt(path, { segmentSize: 10_000 });
  const { keep, drop } = await fill(blobs);
  await blobs.remove(drop);
  await blobs.close();
  for (const name of await readdir(join(path, 'segments'))) {
    if (!/\.0001\.seg$/.test(name)) continue;
    const file = join(path, 'segments', name);
    const bytes = await readFile(file);
    bytes[bytes.length - 20] = bytes[bytes.length - 20]! ^ 1;
    await writeFile(file, bytes);
  }
  const again = await openAt(path, { segmentSize: 10_000 });
  await expectKept(again, keep);
  expect(await all(again.list())).toEqual([...keep].sort());
});

test('who is reading when a segment is compacted reads on', async () => {
  const path = await folder();
  const blobs = await openAt(path, { segmentSize: 200_000 });
  const long = await blobs.put(octets(190_000, 5));
  const filler = [await blobs.put(octets(200_000)), await blobs.put(octets(200_000))];
  const stream = blobs.stream(long.id)[Symbol.asyncIterator]();
  const listing = blobs.list()[Symbol.asyncIterator]();
  const chunks = [(await stream.next()).value as Uint8Array];
  const listed = [(await listing.next()).value as BlobId];
  const reads = Promise.all(Array.from({ length: 50 }, () => blobs.read(long.id)));
  await blobs.remove([filler[0]!.id]);
  for (let next = await stream.next(); !next.done; next = await stream.next()) chunks.push(next.value);
  for (let next = await listing.next(); !next.done; next = await listing.next()) listed.push(next.value);
  expect(Buffer.compare(Buffer.concat(chunks), octets(190_000, 5))).toBe(0);
  for (const bytes of await reads) expect(bytes.byteLength).toBe(190_000);
  expect(listed).toContain(long.id);
  expect(Buffer.compare(await blobs.read(long.id), octets(190_000, 5))).toBe(0);
});

test('what was written last is read from memory', async () => {
  const path = await folder();
  const disk = new TestDisk();
  const blobs = await openAt(path, { disk, recentSize: 10_000 });
  const first = await blobs.put(octets(4000, 1));
  await blobs.put(octets(4000, 2));
  const last = await blobs.put(octets(4000, 3));
  disk.before = () => {
    throw systemError('EIO');
  };
  expect(Buffer.compare(await blobs.read(last.id, 10, 20), octets(4000, 3).subarray(10, 20))).toBe(0);
  await expect(blobs.read(first.id)).rejects.toMatchObject({ kind: 'unavailable' });
});

test('files are for the owner alone', async () => {
  const path = join(await folder(), 'blobs');
  const blobs = await openAt(path);
  const { id } = await blobs.put(octets(10));
  await blobs.put(octets(400_000));
  await blobs.remove([id]);
  const walk = async (at: string): Promise<void> => {
    for (const item of await readdir(at, { withFileTypes: true })) {
      expect([item.name, (await stat(join(at, item.name))).mode & 0o777]).toEqual([item.name, item.isDirectory() ? 0o700 : 0o600]);
      if (item.isDirectory()) await walk(join(at, item.name));
    }
  };
  await walk(path);
});

/** Turns one bit of a file around. */
async function flip(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  await file.write(Buffer.from([(byte[0] ?? 0) ^ 4]), 0, 1, at);
  await file.close();
}

async function drain(pieces: AsyncIterable<Uint8Array>): Promise<number> {
  let octets = 0;
  for await (const piece of pieces) octets += piece.length;
  return octets;
}

test.each([70_000, 400_000])('a blob of %i octets with a wrong bit is never given as a whole, and no other is harmed', async (size) => {
  const path = await folder();
  const first = await openAt(path);
  const [bad, good] = [await first.put(octets(size, 1)), await first.put(octets(size, 2))];
  await first.close();
  const large = join(path, 'large', bad.id.slice(-2), bad.id);
  const end = 48 + size - 10;
  await (size > 262_144 ? flip(large, end) : flip(firstSegment(path), 16 + end));
  const blobs = await openAt(path);
  let given = 0;
  const reading = async (): Promise<void> => {
    for await (const piece of blobs.whole(bad.id)) given += piece.length;
  };
  await expect(reading()).rejects.toBeInstanceOf(UnreadableBlob);
  expect(given).toBeLessThan(size);
  // Whoever wants to see what is left of it may.
  expect(await drain(blobs.stream(bad.id))).toBe(size);
  expect(await drain(blobs.whole(good.id))).toBe(size);
});

test('a blob that is gone, cut short or cannot be read for good says so of itself alone; what passes does not', async () => {
  const path = await folder();
  let failing: string | undefined;
  const disk = new (class extends TestDisk {
    override async read(fd: number, buffer: Uint8Array, position: number): Promise<number> {
      if (failing !== undefined) throw systemError(failing);
      return await super.read(fd, buffer, position);
    }
  })();
  const first = await openAt(path);
  const [gone, short, good] = [await first.put(octets(300_000, 1)), await first.put(octets(300_000, 2)), await first.put(octets(1000, 3))];
  await first.close();
  await rm(join(path, 'large', gone.id.slice(-2), gone.id));
  await truncate(join(path, 'large', short.id.slice(-2), short.id), 200_000);
  const blobs = await openAt(path, { disk });
  for (const { id } of [gone, short]) {
    await expect(drain(blobs.stream(id))).rejects.toBeInstanceOf(UnreadableBlob);
    await expect(drain(blobs.whole(id))).rejects.toBeInstanceOf(UnreadableBlob);
    await expect(blobs.read(id)).rejects.toBeInstanceOf(UnreadableBlob);
  }
  expect(await drain(blobs.whole(good.id))).toBe(1000);
  for (failing of ['EIO', 'EMFILE', 'ENOMEM'])
    for (const read of [() => drain(blobs.stream(good.id)), () => blobs.read(good.id)]) {
      const thrown: unknown = await read().then(
        () => undefined,
        (error: unknown) => error,
      );
      expect([failing, thrown instanceof UnreadableBlob]).toEqual([failing, failing === 'EIO']);
      expect(thrown).toMatchObject({ kind: 'unavailable' });
    }
});

test('where no descriptor is free those kept for later are given up, and the blob is read', async () => {
  const path = await folder();
  const first = await openAt(path);
  const ids: BlobId[] = [];
  for (let n = 0; n < 20; n++) ids.push((await first.put(octets(300_000, n))).id);
  await first.close();
  let open = 0;
  const disk = new (class extends TestDisk {
    override async open(file: string, flags: 'r' | 'r+' | 'wx+'): Promise<number> {
      if (open >= 5) throw systemError('EMFILE');
      open++;
      return await super.open(file, flags);
    }
    override async close(fd: number): Promise<void> {
      open--;
      await super.close(fd);
    }
  })();
  const blobs = await openAt(path, { disk });
  for (const [n, id] of ids.entries()) expect(Buffer.compare(await blobs.read(id), octets(300_000, n))).toBe(0);
});
