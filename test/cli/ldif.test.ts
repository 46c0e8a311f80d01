/** What commands that read and write LDIF are made of: progress, fresh files, values from files, rejects. */

import { mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { count, Progress } from '../../src/cli/ldif/progress.ts';
import { openFresh, Rejects } from '../../src/cli/ldif/rejects.ts';
import { fileUrls, openSource } from '../../src/cli/ldif/source.ts';
import { type LdifBroken, parseLdif, readLdifTolerant } from '../../src/ldap-wire/index.ts';
import { tempDir } from '../support/temp.ts';

let dir: string;
let remove: () => Promise<void>;
beforeAll(async () => {
  ({ path: dir, remove } = await tempDir());
});
afterAll(() => remove());

test('progress is told every few seconds with entries, rate and part; on a terminal in place', () => {
  let now = 0;
  const lines: string[] = [];
  const write = (text: string): number => lines.push(text);
  const plain = new Progress({ what: 'import', part: () => 0.256, clock: () => now, output: { write } });
  for (; now <= 12_000; now += 100) plain.at(now * 10);
  plain.end();
  expect(lines).toEqual(['import: 50,000 entries, 10,000 a second, 25 %\n', 'import: 100,000 entries, 10,000 a second, 25 %\n']);
  lines.length = 0;
  const terminal = new Progress({ what: 'check', clock: () => now, output: { isTTY: true, write } });
  now += 250;
  terminal.at(5);
  terminal.at(6);
  terminal.end();
  expect(lines).toEqual(['\rcheck: 5 entries, 20 a second\u001b[K', '\r\u001b[K']);
});

test.each([
  [0, '0'],
  [999, '999'],
  [1000, '1,000'],
  [1_234_567, '1,234,567'],
])('%d is written %s', (n, text) => {
  expect(count(n)).toBe(text);
});

test('a fresh file is the first name that is free; another one is never touched', () => {
  writeFileSync(join(dir, 'ldif.0'), 'mine');
  symlinkSync(join(dir, 'nowhere'), join(dir, 'ldif.1'));
  expect(openFresh((n) => join(dir, `ldif.${n}`)).path).toBe(join(dir, 'ldif.2'));
  expect(readFileSync(join(dir, 'ldif.0'), 'utf8')).toBe('mine');
  expect(() => openFresh((n) => join(dir, 'none', String(n)))).toThrow('cannot be made: there is no such file');
});

test('rejects are LDIF again, with the reason in front; what made no sense stands there as it was', async () => {
  expect(() => new Rejects(join(dir, 'none', 'x.rejects'))).toThrow(/cannot be made: there is no such file or directory; --rejects/);
  const rejects = new Rejects(join(dir, 'x.rejects'));
  expect(rejects.path).toBeUndefined();
  const [record] = parseLdif('dn: cn=a\ncn: x\n');
  const broken: LdifBroken[] = [];
  for await (const one of readLdifTolerant([Buffer.from('dn: nonsense\ncn: a long\n  line\n')], { file: 'f' }))
    if (one.kind === 'broken') broken.push(one);
  expect(broken).toHaveLength(1);
  for (const one of broken) {
    if (record) rejects.add(record, one.fault);
    rejects.add(one, one.fault);
  }
  rejects.close();
  const text = readFileSync(join(dir, 'x.rejects'), 'utf8');
  expect(text).toMatch(/^# f:1: nonsense: invalid DN.*\ndn: cn=a\ncn: x\n\n# f:1: nonsense: .*\ndn: nonsense\ncn: a long line\n\n$/);
});

test('values come from regular files below the directory that is allowed, whatever way the URL goes', () => {
  const allowed = join(dir, 'allowed');
  mkdirSync(join(allowed, 'below'), { recursive: true });
  writeFileSync(join(allowed, 'below', 'größe x'), 'value');
  writeFileSync(join(dir, 'secret'), 'secret');
  symlinkSync(join(dir, 'secret'), join(allowed, 'link'));
  mkdirSync(join(dir, 'allowed-not'));
  writeFileSync(join(dir, 'allowed-not', 'x'), 'x');
  writeFileSync(join(allowed, 'large'), '');
  truncateSync(join(allowed, 'large'), 9 * 1024 * 1024);
  const load = fileUrls(allowed);
  expect(Buffer.from(load(`file://${allowed}/below/gr%C3%B6%C3%9Fe%20x`)).toString()).toBe('value');
  expect(Buffer.from(load(`file://localhost${allowed}/below/größe%20x`)).toString()).toBe('value');
  for (const [url, why] of [
    [`file://${allowed}/link`, /not below/],
    [`file://${allowed}/../secret`, /not below/],
    [`file://${dir}/allowed-not/x`, /not below/],
    [`file://${allowed}/%2e%2e/secret`, /not below/],
    [`file://${allowed}/below`, /not a regular file/],
    [`file://${allowed}/none`, /there is no such file/],
    [`file://${allowed}/large`, /larger than 8 MB/],
    [`file://elsewhere${allowed}/below`, /not the URL of a file on this host/],
    ['http://127.0.0.1/x', /file: URLs alone/],
    ['nonsense', /not the URL/],
    [`file://${allowed}/a%00b`, /cannot be read|not the URL/],
  ] as const)
    expect(() => load(url)).toThrow(why);
  expect(() => fileUrls(join(dir, 'missing'))).toThrow(/there is no such file/);
});

test('a file that cannot be read is said before anything is done', () => {
  expect(() => openSource(join(dir, 'missing.ldif'))).toThrow(/missing\.ldif cannot be read: there is no such file/);
  expect(() => openSource(dir)).toThrow(/it is a directory/);
});
