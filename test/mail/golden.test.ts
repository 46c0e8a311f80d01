import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { indexMessage } from '../../src/mail/index.ts';

const folder = join('test', 'golden', 'mime');
const names = readdirSync(folder).filter((name) => name.endsWith('.eml'));

test.each(names)('%s has the structure written beside it', async (name) => {
  // Kept with CRLF line ends, whatever a checkout made of them.
  const bytes = Buffer.from(readFileSync(join(folder, name), 'utf8').replace(/\r?\n/g, '\r\n'));
  const expected = JSON.parse(readFileSync(join(folder, name.replace(/eml$/, 'json')), 'utf8'));
  expect(JSON.parse(JSON.stringify(await indexMessage(bytes)))).toEqual(expected);
});
