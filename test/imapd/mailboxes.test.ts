import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { accounts, type ImapBench, type LineClient, openImapBench } from '../support/imapd.ts';

let bench: ImapBench;
let client: LineClient;
beforeAll(async () => {
  bench = await openImapBench();
});
afterAll(() => bench.close());
beforeEach(async () => {
  client?.close();
  await bench.store.deleteAccount(accounts[0].uuid);
  await bench.store.drained();
  client = await bench.user();
});
afterAll(() => client.close());

const names = (lines: string[]): string[] => lines.map((line) => /"\/" "(.*?)"/.exec(line)?.[1] ?? line);

test('a new account has INBOX and the usual mailboxes with their uses', async () => {
  expect(await client.ok('LIST "" *')).toEqual([
    '* LIST (\\HasNoChildren) "/" "INBOX"',
    '* LIST (\\HasNoChildren \\Archive) "/" "Archive"',
    '* LIST (\\HasNoChildren \\Drafts) "/" "Drafts"',
    '* LIST (\\HasNoChildren \\Junk) "/" "Junk"',
    '* LIST (\\HasNoChildren \\Sent) "/" "Sent"',
    '* LIST (\\HasNoChildren \\Trash) "/" "Trash"',
  ]);
});

test('LIST with an empty pattern tells the separator', async () => {
  expect(await client.ok('LIST "" ""')).toEqual(['* LIST (\\Noselect) "/" ""']);
  expect(await client.ok('LIST "Archive/" ""')).toEqual(['* LIST (\\Noselect) "/" ""']);
});

test('mailboxes are made with their parents, listed by level, renamed with their children, and deleted', async () => {
  await client.ok('CREATE a/b/c');
  await client.ok('CREATE "d/"');
  expect(await client.ok('LIST "" a*')).toEqual([
    '* LIST (\\HasChildren) "/" "a"',
    '* LIST (\\HasChildren) "/" "a/b"',
    '* LIST (\\HasNoChildren) "/" "a/b/c"',
  ]);
  expect(names(await client.ok('LIST "a/" %'))).toEqual(['a/b']);
  expect(names(await client.ok('LIST "" d'))).toEqual(['d']);
  await client.ok('RENAME a x');
  expect(names(await client.ok('LIST "" (x x/* a*)'))).toEqual(['x', 'x/b', 'x/b/c']);
  await client.ok('DELETE x/b/c');
  expect(names(await client.ok('LIST "" x*'))).toEqual(['x', 'x/b']);
  expect(await client.reply('DELETE nowhere')).toMatch(/^NO \[NONEXISTENT\]/);
  expect(await client.reply('CREATE x')).toMatch(/^NO \[ALREADYEXISTS\]/);
  expect(await client.reply('CREATE inbox')).toMatch(/^NO \[ALREADYEXISTS\]/);
  expect(await client.reply('DELETE INBOX')).toMatch(/^NO \[CANNOT\]/);
  expect(await client.reply('RENAME nowhere there')).toMatch(/^NO \[NONEXISTENT\]/);
  expect(await client.reply('RENAME x Drafts')).toMatch(/^NO \[ALREADYEXISTS\]/);
});

test('renaming INBOX moves its messages and leaves it', async () => {
  await client.append('INBOX', 'Subject: x\r\n\r\n');
  await client.ok('RENAME INBOX old');
  expect(await client.ok('STATUS old (MESSAGES)')).toEqual(['* STATUS "old" (MESSAGES 1)']);
  expect(await client.ok('STATUS inbox (MESSAGES)')).toEqual(['* STATUS "INBOX" (MESSAGES 0)']);
});

test('names travel in modified UTF-7', async () => {
  await client.ok('CREATE "Entw&APw-rfe &- mehr"');
  expect((await bench.store.mailboxes(accounts[0].uuid)).map(({ name }) => name)).toContain('Entwürfe & mehr');
  expect(names(await client.ok('LIST "" Entw*'))).toEqual(['Entw&APw-rfe &- mehr']);
  expect(names(await client.ok('LIST "" "%&APw-%"'))).toEqual(['Entw&APw-rfe &- mehr']);
});

test('a special use is given at creation and listed', async () => {
  await client.ok('DELETE Sent');
  await client.ok('CREATE Gesendet (USE (\\Sent))');
  expect(await client.ok('LIST (SPECIAL-USE) "" * RETURN (SPECIAL-USE)')).toContain('* LIST (\\HasNoChildren \\Sent) "/" "Gesendet"');
  expect(await client.reply('CREATE x (USE (\\Nonsense))')).toMatch(/^NO \[USEATTR\]/);
});

test('subscriptions are names and outlive their mailbox', async () => {
  for (const name of ['INBOX', 'Archive', 'Drafts', 'Junk', 'Sent', 'Trash']) await client.ok(`UNSUBSCRIBE ${name}`);
  await client.ok('CREATE a/b');
  for (const name of ['a/b', 'Trash']) await client.ok(`SUBSCRIBE ${name}`);
  await client.ok('UNSUBSCRIBE a');
  expect((await client.ok('LSUB "" *')).sort()).toEqual(['* LSUB () "/" "Trash"', '* LSUB () "/" "a/b"']);
  expect((await client.ok('LSUB "" %')).sort()).toEqual(['* LSUB () "/" "Trash"', '* LSUB (\\Noselect) "/" "a"']);
  expect(await client.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" a')).toEqual(['* LIST (\\HasChildren) "/" "a" ("CHILDINFO" ("SUBSCRIBED"))']);
  await client.ok('DELETE a/b');
  await client.ok('SUBSCRIBE a/b');
  expect(await client.ok('LIST (SUBSCRIBED) "" a/*')).toEqual(['* LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" "a/b"']);
  expect(await client.ok('LIST "" Tr* RETURN (SUBSCRIBED CHILDREN)')).toEqual([
    '* LIST (\\HasNoChildren \\Subscribed \\Trash) "/" "Trash"',
  ]);
});

test('STATUS counts, also within LIST', async () => {
  await client.append('Junk', 'Subject: one\r\n\r\n');
  await client.append('Junk', 'Subject: two\r\n\r\n', '(\\Seen \\Deleted) ');
  const items = 'MESSAGES UIDNEXT UNSEEN RECENT DELETED SIZE';
  expect(await client.ok(`STATUS Junk (${items})`)).toEqual(['* STATUS "Junk" (MESSAGES 2 UIDNEXT 3 UNSEEN 1 RECENT 2 DELETED 1 SIZE 32)']);
  expect(await client.ok('LIST "" Ju% RETURN (STATUS (MESSAGES UNSEEN))')).toEqual([
    '* LIST (\\HasNoChildren \\Junk) "/" "Junk"',
    '* STATUS "Junk" (MESSAGES 2 UNSEEN 1)',
  ]);
  expect(await client.reply('STATUS nowhere (MESSAGES)')).toMatch(/^NO \[NONEXISTENT\]/);
});

test('SELECT tells all there is to know, EXAMINE changes nothing', async () => {
  await client.append('INBOX', 'Subject: one\r\n\r\n', '(\\Seen $Label1) ');
  await client.append('INBOX', 'Subject: two\r\n\r\n');
  const examined = await client.run('EXAMINE INBOX');
  expect(examined).toEqual([
    '* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Label1)',
    '* OK [PERMANENTFLAGS ()] flags that can be changed',
    '* 2 EXISTS',
    '* 2 RECENT',
    '* OK [UNSEEN 2] first unseen',
    expect.stringMatching(/^\* OK \[UIDVALIDITY [1-9]\d*\]/),
    '* OK [UIDNEXT 3] next UID',
    expect.stringMatching(/^\* OK \[HIGHESTMODSEQ [1-9]\d*\]/),
    'OK [READ-ONLY] EXAMINE completed',
  ]);
  for (const command of ['STORE 1 +FLAGS (\\Flagged)', 'EXPUNGE', 'UID EXPUNGE 1', 'MOVE 1 Trash'])
    expect(await client.reply(command)).toMatch(/^NO /);
  expect(await client.ok('FETCH 1 BODY[TEXT]')).toEqual(['* 1 FETCH (BODY[TEXT] {0}\r\n)']);
  const selected = await client.run('SELECT INBOX');
  expect(selected).toContain('* 2 RECENT');
  expect(selected).toContain('* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Label1 \\*)] flags that can be changed');
  expect(selected.at(-1)).toBe('OK [READ-WRITE] SELECT completed');
  await client.ok('UNSELECT');
  expect(await client.ok('SELECT INBOX')).toContain('* 0 RECENT');
  expect(await client.reply('SELECT nowhere')).toMatch(/^NO \[NONEXISTENT\]/);
  expect(await client.reply('FETCH 1 FLAGS')).toMatch(/^BAD/);
});

test('CLOSE removes what is deleted without a word, UNSELECT does not', async () => {
  await client.append('INBOX', 'Subject: one\r\n\r\n', '(\\Deleted) ');
  await client.ok('SELECT INBOX');
  expect(await client.run('UNSELECT')).toEqual(['OK UNSELECT completed']);
  await client.ok('EXAMINE INBOX');
  expect(await client.run('CLOSE')).toEqual(['OK CLOSE completed']);
  expect(await client.ok('STATUS INBOX (MESSAGES)')).toEqual(['* STATUS "INBOX" (MESSAGES 1)']);
  await client.ok('SELECT INBOX');
  expect(await client.run('CLOSE')).toEqual(['OK CLOSE completed']);
  expect(await client.ok('STATUS INBOX (MESSAGES)')).toEqual(['* STATUS "INBOX" (MESSAGES 0)']);
});

test('APPEND keeps octets, flags and date, and tells the UID', async () => {
  const message = Buffer.concat([Buffer.from('Subject: bytes\r\n\r\n'), Buffer.from([0, 1, 255, 10, 13, 10, 13, 0])]);
  expect(await client.append('INBOX', message, '(\\Flagged $X) "17-Jul-1996 02:44:25 -0700" ')).toMatch(/^OK \[APPENDUID \d+ 1\] /);
  await client.ok('SELECT INBOX');
  const [line] = await client.ok('FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])');
  expect(line).toBe(
    `* 1 FETCH (FLAGS ($X \\Flagged \\Recent) INTERNALDATE "17-Jul-1996 09:44:25 +0000" RFC822.SIZE ${message.length} BODY[] {${message.length}}\r\n${message.toString('latin1')})`,
  );
});

test('APPEND is refused before the message is sent', async () => {
  expect(await client.reply('APPEND nowhere {10}')).toMatch(/^NO \[TRYCREATE\]/);
  expect(await client.reply('APPEND INBOX {60000000}')).toMatch(/^NO \[TOOBIG\]/);
  expect(await client.reply('APPEND INBOX {0}')).toMatch(/^NO /);
  expect(await client.append('nowhere', 'Subject: x\r\n\r\n')).toMatch(/^NO \[TRYCREATE\]/);
  expect(await client.reply('NOOP')).toBe('OK NOOP completed');
});

test('a message sent unasked that is too large is thrown away and told', async () => {
  bench.settings.set({ ...bench.settings.value, appendLimit: 65_536 });
  expect(await client.append('INBOX', 'x'.repeat(70_000))).toMatch(/^NO \[TOOBIG\]/);
  expect(await client.reply('NOOP')).toBe('OK NOOP completed');
  client.send('x APPEND INBOX {1000000+}\r\n');
  expect(await client.line()).toBe('* BYE literal too large');
  bench.settings.set({ ...bench.settings.value, appendLimit: 52_428_800 });
});

test('several messages are appended by one command, all or none', async () => {
  const [one, two] = ['Subject: one\r\n\r\n1', 'Subject: two\r\n\r\n22'];
  const several = `APPEND INBOX (\\Seen) {${one.length}+}\r\n${one} {${two.length}+}\r\n${two}`;
  expect(await client.reply(several)).toMatch(/^OK \[APPENDUID \d+ 1,2\]/);
  expect(await client.reply(`${several} nonsense`)).toMatch(/^BAD/);
  await client.ok('SELECT INBOX');
  expect(await client.ok('FETCH 1:* (FLAGS BODY.PEEK[TEXT])')).toEqual([
    '* 1 FETCH (FLAGS (\\Seen \\Recent) BODY[TEXT] {1}\r\n1)',
    '* 2 FETCH (FLAGS (\\Recent) BODY[TEXT] {2}\r\n22)',
  ]);
});

test('a mailbox name may be a literal in APPEND too', async () => {
  const message = 'Subject: x\r\n\r\n';
  expect(await client.reply(`APPEND {5+}\r\nDraft {${message.length}+}\r\n${message}`)).toMatch(/^NO \[TRYCREATE\]/);
  expect(await client.reply(`APPEND {6+}\r\nDrafts {${message.length}+}\r\n${message}`)).toMatch(/^OK \[APPENDUID/);
});

test('COPY and MOVE tell source and destination UIDs, and TRYCREATE where there is no destination', async () => {
  for (const n of [1, 2, 3, 4]) await client.append('INBOX', `Subject: ${n}\r\n\r\n`);
  await client.ok('SELECT INBOX');
  expect(await client.reply('COPY 1:2 nowhere')).toMatch(/^NO \[TRYCREATE\]/);
  expect(await client.reply('COPY 9 Trash')).toMatch(/^BAD/);
  expect(await client.reply('UID COPY 99 Trash')).toBe('OK UID COPY completed');
  expect(await client.reply('COPY 2:3 Trash')).toMatch(/^OK \[COPYUID \d+ 2:3 1:2\] COPY completed/);
  expect(await client.run('MOVE 1,3 Trash')).toEqual([
    expect.stringMatching(/^\* OK \[COPYUID \d+ 1,3 3:4\]/),
    '* 3 EXPUNGE',
    '* 1 EXPUNGE',
    'OK MOVE completed',
  ]);
  expect(await client.run('UID MOVE 4 Trash')).toEqual([
    expect.stringMatching(/^\* OK \[COPYUID \d+ 4 5\]/),
    '* 2 EXPUNGE',
    'OK UID MOVE completed',
  ]);
  expect(await client.ok('STATUS Trash (MESSAGES)')).toEqual(['* STATUS "Trash" (MESSAGES 5)']);
});
