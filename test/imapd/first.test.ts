import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type ImapBench, openImapBench } from '../support/imapd.ts';

let bench: ImapBench;
beforeAll(async () => {
  bench = await openImapBench();
});
afterAll(() => bench.close());

test('hello', async () => {
  const client = await bench.user();
  expect(await client.append('INBOX', 'From: a@b\r\nSubject: x\r\n\r\nhello\r\n')).toMatch(/^OK/);
  console.log((await client.run('SELECT INBOX')).join('\n'));
  console.log((await client.run('FETCH 1 (FULL)')).join('\n'));
  console.log((await client.run('FETCH 1 FULL')).join('\n'));
  console.log((await client.run('UID FETCH 1:* (FLAGS BODY[] BODYSTRUCTURE)')).join('\n'));
  console.log((await client.run('SEARCH TEXT hello')).join('\n'));
  console.log((await client.run('STORE 1 +FLAGS (\\Deleted foo)')).join('\n'));
  console.log((await client.run('EXPUNGE')).join('\n'));
  console.log((await client.run('LIST "" *')).join('\n'));
  console.log((await client.run('LOGOUT')).join('\n'));
});
