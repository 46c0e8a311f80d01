import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { type ImapBench, type LineClient, openImapBench } from '../support/imapd.ts';

let bench: ImapBench;
const clients: LineClient[] = [];
beforeAll(async () => {
  bench = await openImapBench({ settings: { maxBadCommands: 400 } });
});
afterAll(() => bench.close());
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

async function stranger(): Promise<LineClient> {
  const client = await bench.client();
  clients.push(client);
  await client.expectLine(/^\* OK /);
  return client;
}

async function user(): Promise<LineClient> {
  const client = await bench.user();
  clients.push(client);
  return client;
}

/** The server still serves others. */
async function alive(): Promise<void> {
  expect(await (await stranger()).reply('NOOP')).toBe('OK NOOP completed');
}

test.each([
  'GET / HTTP/1.1',
  '',
  ' ',
  'a',
  'a ',
  'a  NOOP',
  'a+ NOOP',
  '\0\0\0',
  '\xff\xfe NOOP',
  `${'x'.repeat(101)} NOOP`,
  'a NO-OP',
  '{5}',
  'a {5}',
])('the line %j is answered BAD and the next one is served', async (line) => {
  const client = await stranger();
  client.send(`${line}\r\n`);
  await client.expectLine(/^\S+ BAD /);
  expect(await client.reply('NOOP')).toBe('OK NOOP completed');
});

test.each([
  'LOGIN',
  'LOGIN user1@jade.net',
  'LOGIN "user1@jade.net secret',
  'LOGIN user1@jade.net secret x',
  'LOGIN user1@jade.net sec\0ret',
  'LOGIN user1@jade.net "s\xe9cret"',
  'LOGIN (user1@jade.net) secret',
  'AUTHENTICATE',
  'AUTHENTICATE PLAIN !!!!',
  'AUTHENTICATE PLAIN AGE=',
  'CAPABILITY x',
  'XYZZY',
  'UID NOOP',
  'SELECT INBOX',
  'FETCH 1 FLAGS',
  'APPEND INBOX {5}',
  'CLOSE',
  'IDLE',
])('%j of a stranger is BAD', async (command) => {
  expect(await (await stranger()).reply(command)).toMatch(/^BAD /);
});

test('a wrong password is NO, and the third ends the connection', async () => {
  const client = await stranger();
  expect(await client.reply('LOGIN user1@jade.net wrong')).toBe('NO [AUTHENTICATIONFAILED] wrong user name or password');
  expect(await client.reply('LOGIN nobody@jade.net secret')).toBe('NO [AUTHENTICATIONFAILED] wrong user name or password');
  expect(await client.reply('AUTHENTICATE PLAIN AHUAcA==')).toMatch(/^NO \[AUTHENTICATIONFAILED\]/);
  expect(await client.line()).toBe('* BYE too many failed log-ins');
  expect(await client.line()).toBeUndefined();
});

test('bad commands in a row end the connection', async () => {
  const client = await stranger();
  client.send('a BAD\r\n'.repeat(150));
  let line = await client.line();
  while (line?.includes(' BAD ')) line = await client.line();
  expect(line).toBe('* BYE too many bad commands');
});

test.each(['{99999999999}', '{4294967296}', '{18446744073709551616}', '{10000}'])(
  'a literal of %s is refused before log-in without being asked for',
  async (literal) => {
    const client = await stranger();
    expect(await client.reply(`LOGIN ${literal}`)).toBe('NO [LIMIT] literal too large');
    expect(await client.reply('NOOP')).toBe('OK NOOP completed');
  },
);

test('a literal sent without asking is thrown away where it is small, and ends the connection where it is not', async () => {
  const client = await stranger();
  expect(await client.reply(`LOGIN {5000+}\r\n${'x'.repeat(5000)} secret`)).toBe('NO [LIMIT] literal too large');
  expect(await client.reply('NOOP')).toBe('OK NOOP completed');
  client.send('x LOGIN {99999999999+}\r\n');
  expect(await client.line()).toBe('* BYE literal too large');
  expect(await client.line()).toBeUndefined();
});

test('ten megabytes without a line end end the connection', async () => {
  const client = await stranger();
  client.send(Buffer.alloc(10_000_000, 120));
  expect(await client.line()).toBeUndefined();
  await alive();
});

test('a command line that is too long is BAD, and the next one is served', async () => {
  const client = await user();
  expect(await client.reply(`NOOP ${'x'.repeat(100_000)}`)).toBe('BAD command line too long');
  expect(await client.reply('NOOP')).toBe('OK NOOP completed');
});

test('what is sent as a literal is never run as a command, whatever stood before it', async () => {
  const injected = 'x CREATE injected\r\n';
  const client = await user();
  client.send(`a+ b {${injected.length}+}\r\n${injected}\r\n`);
  await client.expectLine(/ BAD /);
  client.send(`b XYZZY {${injected.length}+}\r\n${injected}\r\n`);
  await client.expectLine(/^b BAD /);
  expect(await client.ok('LIST "" injected')).toEqual([]);
  client.send(`c NOOP ${'x'.repeat(100_000)} {${injected.length}+}\r\n${injected}\r\n`);
  expect(await client.line()).toBe('* BYE command line too long');
  expect(await client.line()).toBeUndefined();
  expect(await (await user()).ok('LIST "" injected')).toEqual([]);
});

test('lines and literals of one command have a bound together', async () => {
  const client = await user();
  await client.ok('SELECT INBOX');
  const literal = `{60000+}\r\n${'x'.repeat(60_000)}`;
  expect(await client.reply(`SEARCH BODY ${literal} BODY ${literal} BODY ${literal} ALL`)).toBe('NO [LIMIT] literal too large');
  expect(await client.reply('NOOP')).toBe('OK NOOP completed');
});

test.each(['a LOGIN {20}\r\nuser1', 'a LOGIN {4+}\r\nuser', 'a NOO', 'a LOGIN "x'])('after %j the peer may go away', async (text) => {
  const client = await stranger();
  client.send(text);
  client.socket.end();
  while ((await client.line()) !== undefined);
  await alive();
});

test('a message whose sender goes away in the middle leaves nothing behind', async () => {
  const client = await user();
  client.send('a APPEND INBOX {1000000+}\r\nSubject: half');
  await client.socket.end();
  expect(await client.line()).toBeUndefined();
  const other = await user();
  expect(await other.ok('STATUS INBOX (MESSAGES)')).toEqual(['* STATUS "INBOX" (MESSAGES 0)']);
});

test.each([
  `SEARCH ${'('.repeat(1000)}ALL${')'.repeat(1000)}`,
  `SEARCH ${'NOT '.repeat(5000)}ALL`,
  `SEARCH ${'OR '.repeat(5000)}ALL`,
  `SEARCH ${'ALL '.repeat(5000)}ALL`,
  'SEARCH ()',
  'SEARCH',
  'SEARCH XYZZY',
  'SEARCH SINCE yesterday',
  'SEARCH LARGER x',
  'SEARCH 4294967296',
  'SEARCH UID 0',
  'SEARCH "unclosed',
  'SEARCH RETURN (FOO) ALL',
  'SEARCH YOUNGER 0',
  `FETCH 1 (${'UID '.repeat(1000)}UID)`,
  `FETCH 1 ${'('.repeat(1000)}`,
  'FETCH 0 FLAGS',
  'FETCH 1,a FLAGS',
  'FETCH 1 ()',
  'FETCH 1 XYZZY',
  'FETCH 1 BODY[',
  'FETCH 1 BODY[0]',
  'FETCH 1 BODY[1..2]',
  'FETCH 1 BODY[.1]',
  'FETCH 1 BODY[1.]',
  'FETCH 1 BODY[MIME]',
  'FETCH 1 BODY[HEADER.FIELDS]',
  'FETCH 1 BODY[HEADER.FIELDS ()]',
  'FETCH 1 BODY[1HEADER]',
  'FETCH 1 BODY[]<0.0>',
  'FETCH 1 BODY[]<-1.5>',
  'FETCH 1 BODY[]<1>',
  `FETCH 1 BODY[${'1.'.repeat(500)}1]`,
  `FETCH 1 BODY[HEADER.FIELDS (${'x '.repeat(1000)}x)]`,
  'STORE 1 FLAGS',
  'STORE 1 FLAGS (\\Seen',
  'STORE 1 FLAGS (\\Nonsense)',
  'STORE 1 XFLAGS (\\Seen)',
  'COPY 1',
  'UID EXPUNGE',
  'UID FETCH * BODY[]x',
  'SELECT',
  'SELECT a b',
  'CREATE &Jjo',
  'STATUS INBOX ()',
  'STATUS INBOX (XYZZY)',
  'LIST "" (a',
  'LIST (FOO) "" *',
  'LIST (RECURSIVEMATCH) "" *',
  'LIST "" * RETURN (FOO)',
  'ENABLE',
  'ID',
  `ID (${'"a" '.repeat(200)}"a")`,
  'APPEND INBOX',
  'APPEND INBOX "not a literal"',
  'APPEND INBOX (\\Seen',
  'AUTHENTICATE PLAIN',
  'STARTTLS',
  'LOGIN a b',
])('%.60j is BAD for a session with a mailbox open', async (command) => {
  const client = await user();
  await client.ok('SELECT INBOX');
  expect(await client.reply(command)).toMatch(/^BAD /);
  expect(await client.reply('NOOP')).toBe('OK NOOP completed');
});

test('a flood of commands nobody waits for is answered in order', async () => {
  const client = await user();
  client.send(Array.from({ length: 5000 }, (_, n) => `n${n} NOOP\r\n`).join(''));
  for (let n = 0; n < 5000; n++) expect(await client.line()).toBe(`n${n} OK NOOP completed`);
});

test('whatever text a mailbox name holds, replies stay lines', async () => {
  const client = await user();
  expect(await client.reply('CREATE {6+}\r\na\r\nb c')).toMatch(/^(NO|BAD) [ -~]*$/);
  expect(await client.reply('DELETE "nothing \\" here"')).toMatch(/^NO \[NONEXISTENT\] [ -~]*$/);
});

test('patterns that would keep the server busy are refused, and others are answered', async () => {
  const client = await user();
  const long = `${'%a'.repeat(450)}%`;
  expect(await client.reply(`LIST "" (${Array.from({ length: 8 }, () => long).join(' ')})`)).toMatch(/^BAD /);
  expect(await client.reply(`LIST "${'x'.repeat(900)}" (${Array.from({ length: 8 }, (_, n) => `${n}*`).join(' ')})`)).toMatch(/^BAD /);
  expect((await client.ok('LIST "" (INB* "%ent" nothing)')).join('\n')).toMatch(/"INBOX"[\s\S]*"Sent"/);
  expect(await client.ok('LSUB "" INBOX')).toHaveLength(1);
});

test('a search of many keys finds what it should', async () => {
  const client = await user();
  await client.append('INBOX', 'From: fred@jade.net\r\nSubject: one\r\nX-Tag: deep\r\n\r\nbody\r\n');
  await client.append('INBOX', 'From: jane@jade.net\r\nSubject: two\r\n\r\nbody\r\n');
  await client.ok('SELECT INBOX');
  const keys = (count: number, ...some: string[]): string => Array.from({ length: count }, (_, n) => some[n % some.length]).join(' ');
  await client.ok('SEARCH RETURN (SAVE) SUBJECT one');
  expect(
    await client.ok(`SEARCH ${keys(300, '1:*', '$', '1,2', 'FROM fred', 'HEADER X-Tag deep', 'SUBJECT one', 'NOT TEXT jane')}`),
  ).toContain('* SEARCH 1');
  expect(await client.reply(`SEARCH ${keys(1001, '1:*')}`)).toMatch(/^BAD /);
});
