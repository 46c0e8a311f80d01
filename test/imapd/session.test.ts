import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterEach, expect, test } from '@jest/globals';
import { ManualClock } from '../../src/base/index.ts';
import { imapdSettings } from '../../src/imapd/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import { type ImapBench, type ImapBenchOptions, LineClient, openImapBench } from '../support/imapd.ts';

const benches: ImapBench[] = [];
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.close();
});

async function open(options: ImapBenchOptions = {}): Promise<ImapBench> {
  const bench = await openImapBench(options);
  benches.push(bench);
  return bench;
}

test('the greeting names host and capabilities, and log-in gives those that follow', async () => {
  const bench = await open();
  const client = await bench.client();
  const greeting = await client.expectLine(/^\* OK \[CAPABILITY IMAP4rev1 [^\]]*\] mail\.jade\.net /);
  expect(greeting).toContain('LITERAL- STARTTLS AUTH=PLAIN]');
  expect(await client.ok('CAPABILITY')).toEqual([expect.stringMatching(/^\* CAPABILITY IMAP4rev1 .*STARTTLS AUTH=PLAIN$/)]);
  const reply = await client.reply('LOGIN user1@jade.net secret');
  expect(reply).toMatch(/^OK \[CAPABILITY IMAP4rev1 .*LITERAL\+ .*APPENDLIMIT=52428800\] logged in$/);
  expect(reply).not.toMatch(/STARTTLS|AUTH=|LITERAL-/);
  client.close();
});

test('names and passwords come as atoms, quoted, as literals, and in UTF-8', async () => {
  const bench = await open();
  for (const login of [
    'LOGIN user1@jade.net secret',
    'login "USER1@jade.net" "secret"',
    'LOGIN {14+}\r\nuser1@jade.net {6+}\r\nsecret',
    `LOGIN {13+}\r\n${Buffer.from('jörg@jade.net').subarray(0, 13).toString('latin1')}t secret`.replace('{13+}', '{14+}'),
  ]) {
    const client = await bench.client();
    await client.expectLine(/^\* OK/);
    expect(await client.reply(login)).toMatch(/^OK /);
    client.close();
  }
});

test('a synchronising literal is asked for', async () => {
  const bench = await open();
  const client = await bench.client();
  await client.expectLine(/^\* OK/);
  client.send('a LOGIN {14}\r\n');
  await client.expectLine(/^\+ /);
  client.send('user1@jade.net {6}\r\n');
  await client.expectLine(/^\+ /);
  client.send('secret\r\n');
  await client.expectLine(/^a OK /);
  client.close();
});

const plain = (authorize: string, name: string, password: string): string =>
  Buffer.from(`${authorize}\0${name}\0${password}`).toString('base64');

test('AUTHENTICATE PLAIN works with and without an initial response, and can be cancelled', async () => {
  const bench = await open();
  const client = await bench.client();
  await client.expectLine(/^\* OK/);
  client.send('a AUTHENTICATE PLAIN\r\n');
  expect(await client.line()).toBe('+ ');
  client.send('*\r\n');
  await client.expectLine(/^a BAD /);
  expect(await client.reply('AUTHENTICATE CRAM-MD5')).toMatch(/^NO /);
  expect(await client.reply(`AUTHENTICATE PLAIN ${plain('admin', 'user1@jade.net', 'secret')}`)).toMatch(/^NO \[AUTHORIZATIONFAILED\]/);
  expect(await client.reply('AUTHENTICATE PLAIN =')).toMatch(/^BAD /);
  client.send('b AUTHENTICATE PLAIN\r\n');
  expect(await client.line()).toBe('+ ');
  client.send(`${plain('', 'user1@jade.net', 'secret')}\r\n`);
  await client.expectLine(/^b OK /);
  const second = await bench.client();
  await second.expectLine(/^\* OK/);
  expect(await second.reply(`AUTHENTICATE PLAIN ${plain('user1@jade.net', 'user1@jade.net', 'secret')}`)).toMatch(/^OK /);
  client.close();
  second.close();
});

test('without encryption no password is taken where the setting says so', async () => {
  const bench = await open({ settings: { plaintextLogin: 'never' } });
  const client = await bench.client();
  await client.expectLine(/LITERAL- STARTTLS LOGINDISABLED\]/);
  expect(await client.reply('LOGIN user1@jade.net secret')).toMatch(/^NO \[PRIVACYREQUIRED\]/);
  expect(await client.reply('AUTHENTICATE PLAIN')).toMatch(/^NO \[PRIVACYREQUIRED\]/);
  await client.ok('STARTTLS');
  await client.startTls();
  expect(await client.ok('CAPABILITY')).toEqual([expect.stringMatching(/LITERAL- AUTH=PLAIN$/)]);
  expect(await client.reply('LOGIN user1@jade.net secret')).toMatch(/^OK /);
  client.close();
});

test('what is pipelined in plaintext behind STARTTLS is never run', async () => {
  const bench = await open();
  const client = await bench.client();
  await client.expectLine(/^\* OK/);
  client.send('a STARTTLS\r\nb LOGIN user1@jade.net secret\r\n');
  await client.expectLine(/^a OK /);
  await client.startTls();
  expect(await client.run('NOOP')).toEqual(['OK NOOP completed']);
  expect(await client.reply('SELECT INBOX')).toBe('BAD log in first');
  expect(await client.reply('STARTTLS')).toBe('BAD TLS is active already');
  client.close();
});

test('the implicit TLS port greets over TLS', async () => {
  const bench = await open();
  const socket = connectTls({ port: bench.tlsPort, host: '127.0.0.1', rejectUnauthorized: false });
  const [data] = await once(socket, 'data');
  expect(String(data)).toMatch(/^\* OK \[CAPABILITY .*AUTH=PLAIN\]/);
  socket.destroy();
});

test('without a certificate STARTTLS is neither offered nor given', async () => {
  const bench = await open({ tls: false });
  const client = await bench.client();
  expect(await client.expectLine(/^\* OK/)).not.toContain('STARTTLS');
  expect(await client.reply('STARTTLS')).toMatch(/^NO \[UNAVAILABLE\]/);
  client.close();
});

test('sessions over the limit of an address are told so', async () => {
  const bench = await open({ settings: { maxSessionsPerAddress: 2 } });
  const [one, two] = [await bench.client(), await bench.client()];
  await one.expectLine(/^\* OK/);
  await two.expectLine(/^\* OK/);
  const three = await bench.client();
  expect(await three.line()).toMatch(/^\* BYE \[LIMIT\]/);
  for (const client of [one, two, three]) client.close();
});

test('where all connections are taken, who has been there longest without logging in makes room', async () => {
  const clock = new ManualClock();
  const bench = await open({ clock, settings: { maxSessions: 3 } });
  const user = await bench.user();
  const [first, second] = [await bench.client(), await bench.client()];
  for (const client of [first, second]) await client.expectLine(/^\* OK/);
  expect(await (await bench.client()).line()).toMatch(/^\* BYE \[LIMIT\]/);
  clock.advance(10_000);
  await (await bench.client()).expectLine(/^\* OK/);
  expect(await first.line()).toBe('* BYE too many connections, please try again later');
  await (await bench.client()).expectLine(/^\* OK/);
  expect(await second.line()).toMatch(/^\* BYE /);
  expect(await (await bench.client()).line()).toMatch(/^\* BYE \[LIMIT\]/);
  expect(await user.reply('NOOP')).toMatch(/^OK/);
});

test('a stranger who says nothing is let go after the time to log in', async () => {
  const clock = new ManualClock();
  const bench = await open({ clock });
  const client = await bench.client();
  await client.expectLine(/^\* OK/);
  clock.advance(defaultsOf(imapdSettings).loginSeconds * 1000 + 1000);
  expect(await client.line()).toBe('* BYE idle for too long');
  expect(await client.line()).toBeUndefined();
});

test('a stranger who dribbles, or says NOOP for ever, is let go after the time to log in, too', async () => {
  const clock = new ManualClock();
  const bench = await open({ clock });
  const [dribbling, talking] = [await bench.client(), await bench.client()];
  for (const client of [dribbling, talking]) await client.expectLine(/^\* OK/);
  const step = (defaultsOf(imapdSettings).loginSeconds * 1000) / 4;
  for (let n = 0; n < 4; n++) {
    dribbling.send('x');
    expect(await talking.reply('NOOP')).toMatch(/^OK/);
    clock.advance(step);
  }
  clock.advance(1_000);
  for (const client of [dribbling, talking]) expect(await client.line()).toBe('* BYE idle for too long');
});

test('a session that is logged in may be silent for half an hour, idling or not, and no longer', async () => {
  const clock = new ManualClock();
  const bench = await open({ clock });
  const [silent, idling] = [await bench.user(), await bench.user()];
  idling.send('i IDLE\r\n');
  await idling.expectLine(/^\+ /);
  for (let minute = 0; minute < 29; minute++) clock.advance(60_000);
  expect(await silent.reply('NOOP')).toMatch(/^OK/);
  clock.advance(2 * 60_000);
  expect(await idling.line()).toBe('* BYE idle for too long');
  expect(await silent.reply('NOOP')).toMatch(/^OK/);
  clock.advance(31 * 60_000);
  expect(await silent.line()).toBe('* BYE idle for too long');
});

test('a client that stops in the middle of a literal is let go too', async () => {
  const clock = new ManualClock();
  const bench = await open({ clock });
  const client = await bench.user();
  client.send('a APPEND INBOX {1000}\r\n');
  await client.expectLine(/^\+ /);
  for (let minute = 0; minute < 31; minute++) clock.advance(60_000);
  expect(await client.line()).toBeUndefined();
});

test('stop says good-bye to everybody and ends', async () => {
  const bench = await open();
  const [stranger, idling, user] = [await bench.client(), await bench.user(), await bench.user()];
  await stranger.expectLine(/^\* OK/);
  idling.send('i IDLE\r\n');
  await idling.expectLine(/^\+ /);
  const stopped = bench.imapd.stop();
  for (const client of [stranger, idling, user]) {
    expect(await client.line()).toBe('* BYE server is shutting down');
    expect(await client.line()).toBeUndefined();
    client.close();
  }
  await stopped;
  expect(bench.imapd.sessions).toBe(0);
});

test('a stopped server can be started again', async () => {
  const bench = await open();
  await bench.imapd.stop();
  await bench.imapd.start(() => {});
  const address = bench.imapd.addresses().imap;
  const client = await LineClient.open(typeof address === 'object' ? address.port : 0);
  await client.expectLine(/^\* OK/);
  client.close();
});

test('a client that closes its half after its last command still gets the answers', async () => {
  const bench = await open();
  const socket = connect({ port: bench.port, host: '127.0.0.1' });
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.end('a LOGIN user1@jade.net secret\r\nb SELECT INBOX\r\nc LOGOUT\r\n');
  await once(socket, 'close');
  expect(text).toMatch(/a OK [\s\S]*b OK [\s\S]*\* BYE logging out\r\nc OK LOGOUT completed\r\n$/);
});

test('ID is answered, ENABLE tells what it switched on, NAMESPACE is personal', async () => {
  const bench = await open();
  const client = await bench.client();
  await client.expectLine(/^\* OK/);
  expect(await client.ok('ID NIL')).toEqual(['* ID ("name" "Mailtree")']);
  expect(await client.ok('ID ("name" "x" "version" NIL)')).toEqual(['* ID ("name" "Mailtree")']);
  await client.ok('LOGIN user1@jade.net secret');
  expect(await client.ok('ENABLE CONDSTORE X-FOO')).toEqual(['* ENABLED CONDSTORE']);
  expect(await client.ok('ENABLE QRESYNC')).toEqual(['* ENABLED']);
  expect(await client.ok('NAMESPACE')).toEqual(['* NAMESPACE (("" "/")) NIL NIL']);
  client.close();
});
