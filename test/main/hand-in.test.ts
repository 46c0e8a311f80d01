import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { type Log, silentLog } from '../../src/base/index.ts';
import { createHandIn, type HandedIn, type HandIn, type HandInOptions } from '../../src/main/hand-in.ts';
import { openBlobs } from '../../src/storage/index.ts';
import { FakeDit } from '../support/fake-dit.ts';
import { testQueue } from '../support/queue.ts';
import { tempDir } from '../support/temp.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function open(over: Partial<HandInOptions> = {}) {
  const folder = await tempDir();
  const base = await testQueue({ folder });
  const blobs = await openBlobs({ path: join(folder.path, 'blobs'), clock: base.clock });
  const lines: string[] = [];
  const log: Log = { ...silentLog, enabled: () => true, message: (line) => lines.push(line) };
  const handIn: HandIn = createHandIn({
    queue: base.queue,
    blobs,
    mta: new FakeDit().mta,
    maxSize: () => 1_000,
    minFree: () => 100,
    freeSpace: async () => 100,
    clock: base.clock,
    log,
    ...over,
  });
  cleanups.push(async () => {
    await blobs.close();
    await base.close();
  });
  const hand = async (text: string, recipients = ['bart'], sender = 'anna', more: Partial<HandedIn> = {}): Promise<string> => {
    async function* message(): AsyncIterable<Uint8Array> {
      yield Buffer.from(text);
    }
    const id = await handIn({ sender, recipients, message: message(), ...more });
    const listing = await base.queue.get(id);
    if (!listing) throw new Error('not queued');
    return listing.message.prefix + Buffer.from(await blobs.read(listing.message.blob.id)).toString();
  };
  return { ...base, hand, lines };
}

test('what is not an address, too large or has no room is refused, and nothing is queued', async () => {
  const one = await open();
  await expect(one.hand('x', ['a b'])).rejects.toMatchObject({ kind: 'malformed' });
  await expect(one.hand('x', ['bart'], 'a\r\nX: y@z')).rejects.toMatchObject({ kind: 'malformed' });
  await expect(one.hand('x', [])).rejects.toMatchObject({ kind: 'malformed' });
  await expect(one.hand('x'.repeat(1_001))).rejects.toMatchObject({ kind: 'too-large' });
  const full = await open({ freeSpace: async () => 99 });
  await expect(full.hand('x')).rejects.toMatchObject({ kind: 'busy' });
  for (const { queue } of [one, full]) expect((await queue.summary()).every(({ pending }) => pending === 0)).toBe(true);
});

test('a first line that begins with a blank is text, and goes on with no field of ours', async () => {
  const one = await open();
  expect(await one.hand(' <boss@x.example>\nSubject: x\n\nx\n')).toMatch(/\r\nFrom: \S+\r\n\r\n <boss@x\.example>\r\nSubject: x\r\n/);
});

test('fields that are missing are added, those that are there stay, and lines end in CRLF', async () => {
  const one = await open();
  const text = await one.hand('Subject: a\ndate: today\n\nbody\n');
  expect(text).toMatch(/^Received: [\s\S]*\r\nMessage-ID: <[^>]+>\r\nFrom: anna@[^\r]+\r\nSubject: a\r\ndate: today\r\n\r\nbody\r\n$/);
  expect(one.lines).toEqual([
    expect.stringMatching(/^Received \S+ size: \d+ bytes from: <anna@\S+> to \S+ channel=SMTPD msgid=<\S+@\S+> protocol=local$/),
  ]);
});

test('a name goes into the From that is added, whatever is in it, and what the sender wants to hear is kept', async () => {
  const one = await open();
  expect(await one.hand('x', ['bart'], 'anna', { fullName: 'Cron "the" Daemon' })).toMatch(/^From: "Cron \\"the\\" Daemon" <anna@/m);
  expect(await one.hand('x', ['bart'], 'anna', { fullName: 'Größe\r\nX: y' })).toMatch(/^From: =\?UTF-8\?Q\?\S+ <anna@\S+>\r\n(?!X:)/m);
  expect(await one.hand('From: b@c.example\n\nx', ['bart'], 'anna', { fullName: 'N' })).not.toContain('From: "N"');
  await one.hand('x', ['bart'], 'anna', { notify: ['success'], ret: 'hdrs', envelopeId: 'QQ1' });
  const listings = [];
  for await (const listing of one.queue.list()) listings.push(listing);
  expect(listings.at(-1)).toMatchObject({ message: { ret: 'hdrs', envelopeId: 'QQ1' }, recipients: [{ dsn: { notify: ['success'] } }] });
});
