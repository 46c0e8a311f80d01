/** The host table: good lines, bad lines, and a file that changes. */

import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createHostTable, readTable } from '../../src/smtpc/host-table.ts';
import { tempDir } from '../support/temp.ts';

let dir: Awaited<ReturnType<typeof tempDir>>;
beforeAll(async () => {
  dir = await tempDir();
});
afterAll(() => dir.remove());

const read = (text: string): { names: Record<string, readonly string[]>; said: string[] } => {
  const said: string[] = [];
  return { names: Object.fromEntries(readTable(text, (line) => said.push(line))), said };
};

test('a hosts file as systems have it', () => {
  const { names, said } = read(
    '\ufeff# The following lines are desirable\r\n127.0.0.1\tlocalhost\r\n::1   localhost ip6-localhost # loopback\n\n  192.0.2.1 Mail.Example.Org. mail abc.net\n192.0.2.2 mail.example.org\n192.0.2.1 mail.example.org',
  );
  expect(said).toEqual([]);
  expect(names).toEqual({
    localhost: ['127.0.0.1', '::1'],
    'ip6-localhost': ['::1'],
    'mail.example.org': ['192.0.2.1', '192.0.2.2'],
    mail: ['192.0.2.1'],
    'abc.net': ['192.0.2.1'],
  });
});

test('names that are not ASCII are found by their A-labels', () => {
  expect(read('192.0.2.1 BÜCHER.example 例え.テスト').names).toEqual({
    'xn--bcher-kva.example': ['192.0.2.1'],
    'xn--r8jz45g.xn--zckzah': ['192.0.2.1'],
  });
});

test.each([
  ['abc.net 192.0.2.1', 'line 1 is not used: it does not begin with an IP address'],
  ['192.0.2.256 x', 'line 1 is not used: it does not begin with an IP address'],
  ['fe80::1%lo0 localhost', 'line 1 is not used: it does not begin with an IP address'],
  ['\n192.0.2.1 # nobody', 'line 2 is not used: there is no name behind the address'],
  ['192.0.2.1 a..b', 'line 1 is not used: "a..b" is not a host name'],
  ['192.0.2.1 -x.example', 'line 1 is not used: "-x.example" is not a host name'],
  [`192.0.2.1 ${'a'.repeat(64)}.example`, 'is not a host name'],
  [`192.0.2.1 ${'a '.repeat(9_000)}`, 'line 1 is not used: it has more than 8192 characters'],
  ['\u0000\u0001 x', 'does not begin with an IP address'],
  ['192.0.2.1 user@example.org', 'is not a host name'],
])('a bad line is told with its number', (text, said) => {
  const result = read(`${text}\n192.0.2.9 good.example\n`);
  expect(result.said).toHaveLength(1);
  expect(result.said[0]).toContain(said);
  expect(result.names['good.example']).toEqual(['192.0.2.9']);
});

test('what is told and what is kept has bounds', () => {
  const { said } = read('rubbish\n'.repeat(1_000));
  expect(said).toHaveLength(21);
  expect(said[20]).toBe('980 further lines or names are not used');
  const many = read(Array.from({ length: 40 }, (_, n) => `192.0.2.${n} busy.example`).join('\n'));
  expect(many.names['busy.example']).toHaveLength(16);
  expect(many.said.length).toBeGreaterThan(0);
});

test('a changed file holds from the next question on, a file that cannot be read leaves the one before', async () => {
  const path = `${dir.path}/hosts`;
  const said: string[] = [];
  const log = { warning: (line: string) => said.push(line), error: (line: string) => said.push(line), info: () => {} };
  const table = createHostTable(() => path, log);
  expect(await table.addresses('a.example')).toMatchObject({ outcome: 'unreadable', why: expect.stringContaining(path) });
  expect(said).toHaveLength(1);
  await table.addresses('a.example');
  expect(said).toHaveLength(1);
  await writeFile(path, '192.0.2.1 a.example\n');
  expect(await table.addresses('A.example.')).toEqual({ outcome: 'found', addresses: ['192.0.2.1'] });
  expect(await table.addresses('b.example')).toEqual({ outcome: 'none' });
  await writeFile(`${path}.new`, '192.0.2.2 a.example\nrubbish\n');
  await rename(`${path}.new`, path);
  const [first, second] = await Promise.all([table.addresses('a.example'), table.addresses('a.example')]);
  expect([first, second]).toEqual(Array(2).fill({ outcome: 'found', addresses: ['192.0.2.2'] }));
  expect(said.at(-1)).toBe(`host table ${path}: line 2 is not used: it does not begin with an IP address`);
  await rm(path);
  expect(await table.addresses('a.example')).toEqual({ outcome: 'found', addresses: ['192.0.2.2'] });
  expect(said.at(-1)).toMatch(/cannot be read.*; the one read before is used/);
  await mkdir(path);
  expect(await table.addresses('a.example')).toEqual({ outcome: 'found', addresses: ['192.0.2.2'] });
});

test('that the file has changed is said once', async () => {
  const path = `${dir.path}/changing`;
  await writeFile(path, '192.0.2.1 a.example\n');
  const table = createHostTable(() => path, { warning: () => {}, error: () => {}, info: () => {} });
  await table.addresses('a.example');
  expect(await table.changed()).toBe(false);
  await writeFile(path, '192.0.2.22 a.example\n');
  await table.addresses('a.example');
  expect(await table.changed()).toBe(true);
  expect(await table.changed()).toBe(false);
  await rm(path);
  expect(await table.changed()).toBe(false);
});

test('another file in the setting is another table', async () => {
  await writeFile(`${dir.path}/one`, '192.0.2.1 a.example\n');
  let path = `${dir.path}/one`;
  const table = createHostTable(() => path, { warning: () => {}, error: () => {}, info: () => {} });
  expect((await table.addresses('a.example')).outcome).toBe('found');
  path = `${dir.path}/two`;
  expect((await table.addresses('a.example')).outcome).toBe('unreadable');
  path = '/dev/zero';
  expect(await table.addresses('a.example')).toMatchObject({ outcome: 'unreadable', why: expect.stringContaining('not a file') });
});
