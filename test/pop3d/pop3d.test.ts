import { afterEach, expect, test } from '@jest/globals';
import forge from 'node-forge';
import { type Bench, openBench } from './support.ts';

let bench: Bench;
afterEach(() => bench.close());

const one = 'Subject: one\r\n\r\nfirst\r\n.second\r\n..third\r\n';
const two = 'Subject: zwei\r\n\r\nkurz\r\n';
const plain = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
const settle = async (check: () => boolean): Promise<void> => {
  for (let turns = 0; !check(); turns++) {
    if (turns > 100_000) throw new Error('waited in vain');
    await new Promise((resolve) => setImmediate(resolve));
  }
};

function certificate(): { key: string; cert: string } {
  const keys = forge.pki.rsa.generateKeyPair(2048);
  const cert = forge.pki.createCertificate();
  cert.publicKey = keys.publicKey;
  cert.serialNumber = '01';
  cert.validity.notAfter = new Date(Date.now() + 86_400_000);
  cert.setSubject([{ name: 'commonName', value: 'localhost' }]);
  cert.setIssuer([{ name: 'commonName', value: 'localhost' }]);
  cert.sign(keys.privateKey, forge.md.sha256.create());
  return { key: forge.pki.privateKeyToPem(keys.privateKey), cert: forge.pki.certificateToPem(cert) };
}

test('rubbish is refused, and after too much of it the connection ends', async () => {
  bench = await openBench([], { settings: { maxErrors: 4 } });
  const client = await bench.client();
  expect(await client.ask('\0\x01\xff')).toMatch(/^-ERR/);
  expect(await client.ask('')).toMatch(/^-ERR/);
  expect(await client.ask('__proto__')).toMatch(/^-ERR unknown command/);
  expect(await client.ask('STAT')).toMatch(/^-ERR log in first/);
  expect(await client.line()).toBe('closed');
});

test('an endless line is answered once, whatever its length, and the next command is read', async () => {
  bench = await openBench();
  const client = await bench.client();
  client.send(`USER ${'x'.repeat(5_000_000)}\r\n`);
  expect(await client.line()).toBe('-ERR line too long');
  expect(await client.ask('CAPA')).toMatch(/^\+OK/);
});

test('wrong passwords, unknown users and a directory that is away are told apart by code alone', async () => {
  bench = await openBench([], { settings: { maxLoginAttempts: 100 } });
  const client = await bench.client();
  const attempt = async (name: string, password: string): Promise<string> => {
    await client.ask(`USER ${name}`);
    return client.ask(`PASS ${password}`);
  };
  expect(await attempt('user1@jade.net', 'wrong')).toBe('-ERR [AUTH] wrong user name or password');
  expect(await attempt('nobody@jade.net', 'secret')).toBe('-ERR [AUTH] wrong user name or password');
  expect(await attempt('away@jade.net', 'secret')).toBe('-ERR [SYS/TEMP] the directory is away');
  expect(await attempt('broken@jade.net', 'secret')).toBe('-ERR [SYS/TEMP] internal error, please try again later');
  expect(await client.ask('PASS secret')).toBe('-ERR say USER first');
});

test('the connection ends after too many failed log-ins', async () => {
  bench = await openBench([], { settings: { maxLoginAttempts: 2 } });
  const client = await bench.client();
  client.send('USER a\r\nPASS b\r\nUSER a\r\nPASS b\r\nUSER user1@jade.net\r\nPASS secret\r\n');
  expect(await client.line()).toMatch(/^\+OK/);
  expect(await client.line()).toMatch(/^-ERR \[AUTH\]/);
  expect(await client.line()).toMatch(/^\+OK/);
  expect(await client.line()).toMatch(/^-ERR \[AUTH\]/);
  expect(await client.line()).toBe('closed');
});

test('one session holds a mailbox, and gives it back however it ends', async () => {
  bench = await openBench([one]);
  const first = await bench.user();
  const second = await bench.client();
  await second.ask('USER user1@jade.net');
  expect(await second.ask('PASS secret')).toMatch(/^-ERR \[IN-USE\]/);
  first.socket.destroy();
  await settle(() => bench.pop3d.sessions === 1);
  await second.ask('USER user1@jade.net');
  expect(await second.ask('PASS secret')).toBe(`+OK 1 messages, ${one.length} octets`);
});

test('a log-in after the log-in is refused and changes nothing', async () => {
  bench = await openBench([one]);
  const client = await bench.user();
  expect(await client.ask('PASS secret')).toMatch(/^-ERR/);
  expect(await client.ask('STAT')).toMatch(/^\+OK 1/);
  await client.ask('QUIT');
  expect(await (await bench.user()).ask('STAT')).toMatch(/^\+OK 1/);
});

test('listings number messages from one and say their octets', async () => {
  bench = await openBench([one, two]);
  const client = await bench.user();
  expect(await client.ask('STAT')).toBe(`+OK 2 ${one.length + two.length}`);
  expect(await client.multi('LIST')).toEqual([`1 ${one.length}`, `2 ${two.length}`]);
  expect(await client.multi('UIDL')).toEqual(['1 7.11', '2 7.12']);
  expect(await client.ask('LIST 2')).toBe(`+OK 2 ${two.length}`);
  expect(await client.ask('UIDL 1')).toBe('+OK 1 7.11');
  for (const bad of ['0', '3', '999999999']) expect(await client.ask(`LIST ${bad}`)).toBe('-ERR no such message');
  for (const bad of ['-1', '1 2', 'x', '1e1', '99999999999']) expect(await client.ask(`LIST ${bad}`)).toMatch(/^-ERR a message number/);
});

test('a message comes whole, with dots on the wire only', async () => {
  bench = await openBench([one, '', 'no line end', '.', '.\r\n']);
  const client = await bench.user();
  expect(await client.ask('RETR 1')).toBe(`+OK ${one.length} octets`);
  const raw: string[] = [];
  for (let line = await client.line(); line !== '.'; line = await client.line()) raw.push(line);
  expect(raw).toEqual(['Subject: one', '', 'first', '..second', '...third']);
  expect(await client.multi('RETR 2')).toEqual([]);
  expect(await client.multi('RETR 3')).toEqual(['no line end']);
  expect(await client.multi('RETR 4')).toEqual(['.']);
  expect(await client.multi('RETR 5')).toEqual(['.']);
  expect(await client.ask('RETR')).toMatch(/^-ERR/);
});

test('TOP gives the header and so many lines', async () => {
  bench = await openBench([one, 'Subject: no body\r\n', `Subject: long\r\n\r\n${'line\r\n'.repeat(10_000)}`]);
  const client = await bench.user();
  expect(await client.multi('TOP 1 0')).toEqual(['Subject: one', '']);
  expect(await client.multi('TOP 1 2')).toEqual(['Subject: one', '', 'first', '.second']);
  expect(await client.multi('TOP 1 100')).toEqual(['Subject: one', '', 'first', '.second', '..third']);
  expect(await client.multi('TOP 2 5')).toEqual(['Subject: no body']);
  expect(await client.multi('TOP 3 9000')).toHaveLength(9002);
  expect(await client.ask('TOP 1')).toMatch(/^-ERR/);
  expect(await client.ask('TOP 1 -1')).toMatch(/^-ERR/);
});

test('a large message arrives unchanged at a slow reader', async () => {
  const large = `Subject: large\r\n\r\n${'.x'.repeat(30)}\r\n`.concat(`${'y'.repeat(70)}\r\n.\r\n`.repeat(60_000));
  bench = await openBench([large]);
  const client = await bench.user();
  client.send('RETR 1\r\n');
  client.socket.pause();
  await new Promise((resolve) => setImmediate(resolve));
  client.socket.resume();
  expect(await client.line()).toBe(`+OK ${large.length} octets`);
  expect(`${(await client.body()).join('\r\n')}\r\n`).toBe(large);
});

test('marked messages are hidden, taken back by RSET, and removed by QUIT in one commit', async () => {
  bench = await openBench([one, two, two]);
  const client = await bench.user();
  expect(await client.ask('DELE 1')).toMatch(/^\+OK/);
  expect(await client.ask('DELE 1')).toBe('-ERR no such message');
  expect(await client.ask('RETR 1')).toBe('-ERR no such message');
  expect(await client.ask('STAT')).toBe(`+OK 2 ${2 * two.length}`);
  expect(await client.multi('UIDL')).toEqual(['2 7.12', '3 7.13']);
  expect(await client.ask('RSET')).toBe(`+OK 3 messages (${one.length + 2 * two.length} octets)`);
  await client.ask('DELE 3');
  await client.ask('DELE 1');
  expect(bench.store.removals).toEqual([]);
  expect(await client.ask('QUIT')).toBe('+OK bye, 2 messages removed');
  expect(await client.line()).toBe('closed');
  expect(bench.store.removals).toEqual([[11, 13]]);
});

test('a lost connection removes nothing', async () => {
  bench = await openBench([one]);
  const client = await bench.user();
  await client.ask('DELE 1');
  client.socket.destroy();
  await settle(() => bench.pop3d.sessions === 0);
  expect(bench.store.removals).toEqual([]);
});

test('half a QUIT is no QUIT', async () => {
  bench = await openBench([one]);
  const client = await bench.user();
  await client.ask('DELE 1');
  client.socket.end('QUIT');
  expect(await client.line()).toBe('closed');
  expect(bench.store.removals).toEqual([]);
});

test('a removal that fails is told', async () => {
  bench = await openBench([one]);
  const client = await bench.user();
  await client.ask('DELE 1');
  bench.store.failRemove = true;
  expect(await client.ask('QUIT')).toBe('-ERR [SYS/TEMP] the marked messages are not removed');
});

test('a message removed by somebody else is gone, and the numbers stand still', async () => {
  bench = await openBench([one, two]);
  const client = await bench.user();
  bench.store.messages.delete(11);
  expect(await client.ask('RETR 1')).toMatch(/^-ERR the message was removed/);
  expect(await client.multi('RETR 2')).toEqual(['Subject: zwei', '', 'kurz']);
});

test('pipelined commands are answered in order, also to a client that has closed its half', async () => {
  bench = await openBench([two]);
  const client = await bench.client();
  client.socket.end('USER user1@jade.net\r\nPASS secret\r\nSTAT\r\nUIDL 1\r\nNOOP\r\nQUIT\r\n');
  const lines: string[] = [];
  for (let line = await client.line(); line !== 'closed'; line = await client.line()) lines.push(line);
  expect(lines).toEqual([
    '+OK and the password',
    `+OK 1 messages, ${two.length} octets`,
    `+OK 1 ${two.length}`,
    '+OK 1 7.11',
    '+OK still here',
    '+OK bye',
  ]);
});

test('AUTH PLAIN takes a response at once or when asked', async () => {
  bench = await openBench([], { settings: { maxLoginAttempts: 100 } });
  const client = await bench.client();
  expect(await client.multi('AUTH')).toEqual(['PLAIN']);
  expect(await client.ask('AUTH CRAM-MD5')).toBe('-ERR mechanism not supported');
  expect(await client.ask('AUTH PLAIN')).toBe('+ ');
  expect(await client.ask('*')).toBe('-ERR cancelled');
  for (const bad of ['=', '!!!!', plain('a'), plain('\0\0\0\0')])
    expect(await client.ask(`AUTH PLAIN ${bad}`)).toBe('-ERR not a PLAIN response');
  expect(await client.ask(`AUTH PLAIN ${plain('\0user1@jade.net\0wrong')}`)).toMatch(/^-ERR \[AUTH\]/);
  expect(await client.ask(`AUTH PLAIN ${plain('other@jade.net\0user1@jade.net\0secret')}`)).toMatch(/^-ERR \[AUTH\]/);
  expect(await client.ask('AUTH plain')).toBe('+ ');
  expect(await client.ask(plain('jörg@jade.net\0jörg@jade.net\0secret'))).toMatch(/^\+OK/);
  expect(await client.ask('AUTH PLAIN')).toMatch(/^-ERR/);
});

test('names and passwords may be UTF-8, and a password may have blanks', async () => {
  bench = await openBench();
  const client = await bench.client();
  expect(await client.ask('UTF8')).toMatch(/^\+OK/);
  await client.ask('USER jörg@jade.net');
  expect(await client.ask('PASS secret ')).toMatch(/^-ERR \[AUTH\]/);
  await client.ask('USER jörg@jade.net');
  expect(await client.ask('PASS secret')).toMatch(/^\+OK/);
});

test('without encryption no password is taken where the setting forbids it', async () => {
  bench = await openBench([], { settings: { plaintextLogin: 'never' }, tls: certificate() });
  const client = await bench.client();
  expect(await client.ask('USER user1@jade.net')).toMatch(/^-ERR a password is taken over an encrypted connection only/);
  expect(await client.ask(`AUTH PLAIN ${plain('\0user1@jade.net\0secret')}`)).toMatch(/^-ERR a password/);
  const plainly = await client.multi('CAPA');
  expect(plainly).toContain('STLS');
  expect(plainly).not.toContain('USER');
  // What is pipelined behind STLS must not be read.
  client.send('STLS\r\nUSER user1@jade.net\r\nPASS secret\r\n');
  expect(await client.line()).toMatch(/^\+OK/);
  client.socket.destroy();
});

test('STLS goes on encrypted, with nothing remembered from before', async () => {
  bench = await openBench([two], { tls: certificate() });
  const client = await bench.client();
  await client.ask('USER user1@jade.net');
  expect(await client.ask('STLS')).toMatch(/^\+OK/);
  await client.startTls();
  expect(await client.ask('PASS secret')).toBe('-ERR say USER first');
  expect(await client.ask('STLS')).toBe('-ERR TLS is active already');
  const capabilities = await client.multi('CAPA');
  expect(capabilities).not.toContain('STLS');
  expect(capabilities).toEqual(
    expect.arrayContaining(['TOP', 'UIDL', 'USER', 'SASL PLAIN', 'RESP-CODES', 'AUTH-RESP-CODE', 'PIPELINING', 'EXPIRE NEVER']),
  );
  await client.ask('USER user1@jade.net');
  expect(await client.ask('PASS secret')).toMatch(/^\+OK 1 messages/);
  expect(await client.multi('RETR 1')).toEqual(['Subject: zwei', '', 'kurz']);
  const direct = await bench.secureClient();
  expect(await direct.ask(`AUTH PLAIN ${plain('\0user1@jade.net\0secret')}`)).toMatch(/^-ERR \[IN-USE\]/);
});

test('STLS without a certificate is refused', async () => {
  bench = await openBench();
  expect(await (await bench.client()).ask('STLS')).toMatch(/^-ERR \[SYS\/TEMP\]/);
});

test('an idle client is let go, before and after its log-in, without a removal', async () => {
  bench = await openBench([one]);
  const stranger = await bench.client();
  bench.clock.advance(121_000);
  expect(await stranger.line()).toBe('closed');
  const client = await bench.user();
  await client.ask('DELE 1');
  bench.clock.advance(9 * 60_000);
  expect(await client.ask('NOOP')).toBe('+OK still here');
  bench.clock.advance(9 * 60_000);
  expect(await client.ask('NOOP')).toBe('+OK still here');
  bench.clock.advance(11 * 60_000);
  expect(await client.line()).toBe('closed');
  expect(bench.store.removals).toEqual([]);
});

test('a stranger who dribbles, or asks for the capabilities for ever, is let go all the same', async () => {
  bench = await openBench([one]);
  const [dribbling, talking] = [await bench.client(), await bench.client()];
  for (let n = 0; n < 4; n++) {
    dribbling.send('U');
    expect(await talking.multi('CAPA')).toContain('UIDL');
    bench.clock.advance(31_000);
  }
  for (const client of [dribbling, talking]) expect(await client.line()).toBe('closed');
});

test('stop ends idle sessions and frees the port, and it can be started again', async () => {
  bench = await openBench([one]);
  const client = await bench.user();
  await bench.pop3d.stop();
  expect(await client.line()).toBe('closed');
  await bench.pop3d.start(() => {});
  expect(await (await bench.user()).ask('STAT')).toMatch(/^\+OK 1/);
});
