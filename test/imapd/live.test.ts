import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { OpenStore } from '../../src/store/index.ts';
import { accounts, type ImapBench, type LineClient, openImapBench } from '../support/imapd.ts';

let bench: ImapBench;
let a: LineClient;
let b: LineClient;
/** Runs once inside the next call of `messages`. */
let meanwhile: (() => Promise<unknown>) | undefined;

/** UID of a message that comes without its structure. */
let damaged: number | undefined;

beforeEach(async () => {
  damaged = undefined;
  const wrap = (store: OpenStore): OpenStore => ({
    ...store,
    async messages(...args) {
      await meanwhile?.();
      meanwhile = undefined;
      const found = await store.messages(...args);
      return found.map((message) =>
        message && message.uid === damaged ? { ...message, structure: {} as typeof message.structure } : message,
      );
    },
  });
  bench = await openImapBench({ wrap });
  [a, b] = [await bench.user(), await bench.user()];
  for (const n of [1, 2, 3, 4]) await a.append('INBOX', `Subject: ${n}\r\n\r\nbody ${n}`);
  await a.ok('SELECT INBOX');
  await b.ok('SELECT INBOX');
});
afterEach(async () => {
  a.close();
  b.close();
  await bench.close();
});

test('flags, arrivals and removals of one session are told to the other at its next command', async () => {
  await a.ok('STORE 2 +FLAGS (\\Flagged)');
  expect(await b.ok('NOOP')).toEqual(['* 2 FETCH (FLAGS (\\Flagged) UID 2)']);
  await a.append('INBOX', 'Subject: 5\r\n\r\n');
  expect(await b.ok('NOOP')).toEqual(['* 5 EXISTS', expect.stringMatching(/^\* [01] RECENT$/)]);
  await a.ok('STORE 1,3 +FLAGS.SILENT (\\Deleted)');
  expect(await a.ok('EXPUNGE')).toEqual(['* 3 EXPUNGE', '* 1 EXPUNGE']);
  expect(await b.ok('NOOP')).toEqual(['* 3 EXPUNGE', '* 1 EXPUNGE']);
  expect(await b.ok('FETCH 1:* UID')).toEqual(['* 1 FETCH (UID 2)', '* 2 FETCH (UID 4)', '* 3 FETCH (UID 5)']);
});

test('message numbers stand still during FETCH, STORE and SEARCH', async () => {
  await a.ok('STORE 1 +FLAGS.SILENT (\\Deleted)');
  await a.ok('EXPUNGE');
  for (const command of ['FETCH 2 UID', 'STORE 2 +FLAGS.SILENT (\\Seen)', 'SEARCH ALL']) {
    expect((await b.ok(command)).filter((line) => line.endsWith('EXPUNGE'))).toEqual([]);
  }
  expect(await b.ok('FETCH 2 UID')).toEqual(['* 2 FETCH (UID 2)']);
  expect(await b.ok('UID FETCH 2 FLAGS')).toEqual(['* 2 FETCH (UID 2 FLAGS (\\Seen))', '* 1 EXPUNGE']);
});

test('a message removed while another session fetches is left out and told', async () => {
  meanwhile = async () => {
    await a.ok('STORE 2 +FLAGS.SILENT (\\Deleted)');
    await a.ok('EXPUNGE');
  };
  expect(await b.run('FETCH 1:4 (UID BODY.PEEK[TEXT])')).toEqual([
    '* 1 FETCH (UID 1 BODY[TEXT] {6}\r\nbody 1)',
    '* 3 FETCH (UID 3 BODY[TEXT] {6}\r\nbody 3)',
    '* 4 FETCH (UID 4 BODY[TEXT] {6}\r\nbody 4)',
    'OK [EXPUNGEISSUED] some of the messages no longer exist',
  ]);
  expect(await b.ok('NOOP')).toEqual(['* 2 EXPUNGE']);
});

test('an idling session is told at once', async () => {
  b.send('i IDLE\r\n');
  await b.expectLine(/^\+ /);
  await a.append('INBOX', 'Subject: 5\r\n\r\n');
  expect(await b.line()).toBe('* 5 EXISTS');
  await b.expectLine(/^\* [01] RECENT$/);
  await a.ok('STORE 1 +FLAGS (\\Deleted)');
  expect(await b.line()).toBe('* 1 FETCH (FLAGS (\\Deleted) UID 1)');
  await a.ok('EXPUNGE');
  expect(await b.line()).toBe('* 1 EXPUNGE');
  b.send('done\r\n');
  expect(await b.line()).toBe('i OK IDLE completed');
  b.send('j IDLE\r\n');
  await b.expectLine(/^\+ /);
  b.send('k NOOP\r\n');
  expect(await b.line()).toBe('j BAD expected DONE');
});

test('what came before IDLE is told when it begins', async () => {
  await a.append('INBOX', 'Subject: 5\r\n\r\n');
  b.send('i IDLE\r\nDONE\r\n');
  const lines = await b.until('i');
  expect(lines.filter((line) => /EXISTS/.test(line))).toEqual(['* 5 EXISTS']);
});

test('an idling session whose peer goes away ends', async () => {
  b.send('i IDLE\r\n');
  await b.expectLine(/^\+ /);
  b.socket.end();
  while ((await b.line()) !== undefined);
  expect(bench.imapd.sessions).toBe(1);
});

test('a silent change is not told, but what somebody else changed in the same message is', async () => {
  await a.ok('STORE 1 +FLAGS.SILENT (\\Flagged)');
  expect(await b.ok('STORE 1 +FLAGS.SILENT (\\Seen)')).toEqual(['* 1 FETCH (FLAGS (\\Flagged \\Seen) UID 1)']);
  expect(await a.ok('STORE 2 FLAGS.SILENT (\\Seen \\Recent)')).toEqual(['* 1 FETCH (FLAGS (\\Flagged \\Seen \\Recent) UID 1)']);
});

test('flags are replaced, added and removed, keywords are one in any case', async () => {
  expect(await a.ok('STORE 1 FLAGS (\\seen Foo)')).toEqual([
    '* 1 FETCH (FLAGS (Foo \\Seen \\Recent))',
    expect.stringMatching(/^\* FLAGS \(.*Foo\)$/),
  ]);
  expect(await a.ok('STORE 1 +FLAGS FOO \\Draft')).toEqual(['* 1 FETCH (FLAGS (Foo \\Draft \\Seen \\Recent))']);
  expect(await a.ok('UID STORE 1 -FLAGS (foo)')).toEqual(['* 1 FETCH (UID 1 FLAGS (\\Draft \\Seen \\Recent))']);
  expect(await a.ok('STORE 1 FLAGS ()')).toEqual(['* 1 FETCH (FLAGS (\\Recent))']);
});

test('a conditional change leaves alone what was changed meanwhile', async () => {
  const modSeq = async (n: number): Promise<number> => Number(/MODSEQ \((\d+)\)/.exec((await a.ok(`FETCH ${n} MODSEQ`))[0]!)![1]);
  const before = await modSeq(1);
  await b.ok('STORE 2 +FLAGS (\\Flagged)');
  const lines = await a.run(`STORE 1,2 (UNCHANGEDSINCE ${Math.max(before, await modSeq(3))}) +FLAGS.SILENT (\\Deleted)`);
  expect(lines.at(-1)).toMatch(/^OK \[MODIFIED 2\]/);
  expect(lines[0]).toMatch(/^\* 1 FETCH \(MODSEQ \(\d+\)\)$/);
  const now = await modSeq(1);
  expect(now).toBeGreaterThan(before);
  expect(await a.ok(`FETCH 1:* (FLAGS) (CHANGEDSINCE ${now - 1})`)).toEqual([`* 1 FETCH (FLAGS (\\Deleted \\Recent) MODSEQ (${now}))`]);
});

test('UID EXPUNGE removes only what is named and marked', async () => {
  await a.ok('STORE 1:3 +FLAGS.SILENT (\\Deleted)');
  expect(await a.ok('UID EXPUNGE 2:4')).toEqual(['* 3 EXPUNGE', '* 2 EXPUNGE']);
});

test('a session whose mailbox is deleted is told and goes on', async () => {
  await a.ok('CREATE x');
  await b.ok('SELECT x');
  await a.ok('DELETE x');
  expect(await b.ok('NOOP')).toEqual(['* OK [CLOSED] the mailbox was deleted']);
  expect(await b.reply('FETCH 1 FLAGS')).toMatch(/^BAD/);
  expect(await b.reply('SELECT INBOX')).toMatch(/^OK/);
});

test('a message that cannot be read is NIL and the command says so', async () => {
  const { blob } = (await bench.store.message(accounts[0].uuid, (await bench.store.mailbox(accounts[0].uuid, 'INBOX'))!.id, 2))!;
  await bench.blobs.remove([blob.id]);
  expect(await b.run('FETCH 2:3 BODY.PEEK[TEXT]')).toEqual([
    '* 2 FETCH (BODY[TEXT] NIL)',
    '* 3 FETCH (BODY[TEXT] {6}\r\nbody 3)',
    'NO [UNAVAILABLE] could not be read: UID 2',
  ]);
});

test('a message whose stored structure is broken is left out, and the others are told', async () => {
  const { store } = bench;
  damaged = 2;
  expect((await b.run('FETCH 1:3 (UID ENVELOPE)')).map((line) => line.slice(0, 24))).toEqual([
    '* 1 FETCH (UID 1 ENVELOP',
    '* 3 FETCH (UID 3 ENVELOP',
    'NO [SERVERBUG] could not',
  ]);
  expect((await b.run('FETCH 2 BODY.PEEK[1]'))[0]).toBe('* 2 FETCH (BODY[1] NIL)');
  expect(await store.mailbox(accounts[0].uuid, 'INBOX')).toMatchObject({ messages: 4 });
});

test('pipelined commands are answered in their order', async () => {
  a.send('1 STORE 1 +FLAGS (\\Deleted)\r\n2 EXPUNGE\r\n3 FETCH 1 UID\r\n4 CLOSE\r\n5 FETCH 1 UID\r\n6 SELECT INBOX\r\n');
  expect((await a.until('1')).at(-1)).toMatch(/^OK/);
  expect(await a.until('2')).toEqual(['* 1 EXPUNGE', 'OK EXPUNGE completed']);
  expect(await a.until('3')).toEqual(['* 1 FETCH (UID 2)', 'OK FETCH completed']);
  expect(await a.until('4')).toEqual(['OK CLOSE completed']);
  expect(await a.until('5')).toEqual(['BAD FETCH is not allowed in this state']);
  expect((await a.until('6')).at(-1)).toMatch(/^OK \[READ-WRITE\]/);
});
