/** An administrator's words for notices. */

import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { LiveValue } from '../../src/base/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import { createNoticeTexts, type SmtpcSettings, smtpcSettings } from '../../src/smtpc/index.ts';
import { tempDir } from '../support/temp.ts';

let dir: Awaited<ReturnType<typeof tempDir>>;
let settings: LiveValue<SmtpcSettings>;
let errors: string[];
let texts: ReturnType<typeof createNoticeTexts>;
beforeEach(async () => {
  dir = await tempDir();
  settings = new LiveValue<SmtpcSettings>(defaultsOf(smtpcSettings));
  errors = [];
  texts = createNoticeTexts({ settings, log: { error: (line) => errors.push(line) }, folder: dir.path });
});
afterEach(() => dir.remove());
const set = (changed: Partial<SmtpcSettings>): void => settings.set({ ...defaultsOf(smtpcSettings), ...changed });

test('without any the built-in text is used, and nothing is complained about', async () => {
  for (const action of ['failed', 'delayed', 'delivered', 'relayed', 'expanded'] as const)
    expect(await texts(action, false)).toBeUndefined();
  expect(errors).toEqual([]);
});

test('each kind has its own, and the directory’s comes before the file’s', async () => {
  await writeFile(join(dir.path, 'late.txt'), '\ufeffSpät\n');
  set({ delayNoticeFile: 'late.txt', bounceText: 'failed', bounceFile: 'late.txt', successNoticeFile: join(dir.path, 'late.txt') });
  expect(await texts('delayed', false)).toBe('Spät\n');
  expect(await texts('failed', false)).toBe('failed');
  expect(await texts('relayed', true)).toBe('Spät\n');
  expect(await texts('relayed', false)).toBeUndefined();
});

test('a file that cannot be used is an error once, until it can', async () => {
  const path = join(dir.path, 'late.txt');
  set({ delayNoticeFile: path });
  const complains = async (about: RegExp): Promise<void> => {
    errors.length = 0;
    expect(await texts('delayed', false)).toBeUndefined();
    expect(await texts('delayed', false)).toBeUndefined();
    expect(errors).toEqual([expect.stringMatching(about)]);
  };
  await complains(/late\.txt: ENOENT/);
  await writeFile(path, Buffer.from([0xff, 0xfe]));
  await complains(/not UTF-8/);
  await writeFile(path, 'x'.repeat(65_537));
  await complains(/more than 65536 octets/);
  await writeFile(path, 'secret');
  await chmod(path, 0o640);
  await complains(/chmod a\+r/);
  await chmod(path, 0o644);
  expect(await texts('delayed', false)).toBe('secret');
  await mkdir(join(dir.path, 'folder'));
  set({ delayNoticeFile: 'folder' });
  await complains(/it is no file/);
});
