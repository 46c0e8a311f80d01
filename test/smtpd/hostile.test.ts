import { afterEach, expect, test } from '@jest/globals';
import { ManualClock } from '../../src/base/index.ts';
import { type Client, greeted, plain, startWorld, testCertificate, Client as Wire, type World, type WorldOptions } from './helpers.ts';

let world: World;
let clients: Client[] = [];
const begin = async (options?: WorldOptions): Promise<void> => {
  world = await startWorld(options);
};
const client = async (kind?: 'smtp' | 'submission' | 'smtps'): Promise<Client> => {
  const made = await greeted(world, kind);
  clients.push(made);
  return made;
};
const raw = async (tls = false): Promise<Client> => {
  const made = await Wire.open(world.smtpd.port(tls ? 'smtps' : 'smtp'), tls);
  clients.push(made);
  await made.reply();
  return made;
};
afterEach(async () => {
  for (const one of clients) one.close();
  clients = [];
  await world.stop();
});

const smuggled = 'MAIL FROM:<evil@x.example>\r\nRCPT TO:<ann@jade.example>\r\nDATA\r\nsmuggled\r\n.\r\n';

test.each([
  ['\n.\n'],
  ['\n.\r\n'],
  ['\r.\r'],
  ['\r.\r\n'],
  ['\r\n.\n'],
  ['\r\n.\r'],
  ['\n.\r'],
  ['\r.\n'],
  ['\r\n.\r\r\n'],
  ['\r\r\n.\r\r\n'],
  ['\r\n\x00.\r\n'],
  ['\r\n.\x00\r\n'],
  ['\n\n.\r\n'],
  ['\r\n..\r\n'],
])('%j does not end a message, in one piece or octet by octet', async (fake) => {
  await begin();
  for (const slowly of [false, true]) {
    const c = await client();
    for (const line of ['MAIL FROM:<a@x.example>', 'RCPT TO:<bob@jade.example>', 'DATA']) await c.say(line);
    const bytes = `before${fake}${smuggled}`;
    if (slowly) {
      for (const octet of bytes) {
        c.write(Buffer.from(octet, 'latin1'));
        await new Promise((resolve) => setImmediate(resolve));
      }
    } else c.write(Buffer.from(bytes, 'latin1'));
    expect(await c.reply()).toMatch(/^250 2\.0\.0 /);
    expect(await c.say('NOOP')).toMatch(/^250 /);
    const stored = world.bytes(world.accepted.length - 1);
    expect(stored).toContain('smuggled\r\n');
    // What is kept has no line end but CRLF.
    expect(stored.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
  }
  expect(world.accepted.map((one) => one.sender)).toEqual(['a@x.example', 'a@x.example']);
});

test.each([' , Boss <boss@jade.example>', '\t<boss@jade.example>', ' ', 'Good morning', 'all of you: read'])(
  'a first line %j does not go on with a field that we put in front',
  async (line) => {
    await begin();
    for (const [kind, bytes] of [
      ['smtp', `${line}\r\nSubject: x\r\n\r\nx\r\n`],
      ['submission', `${line}\r\nMessage-ID: <1@x>\r\nDate: x\r\nMIME-Version: 1.0\r\n\r\nx\r\n`],
    ] as const) {
      const c = await client(kind);
      if (kind === 'submission') await c.say(`AUTH PLAIN ${plain('ann', 'secret')}`);
      for (const said of [`MAIL FROM:<ann@jade.example>`, 'RCPT TO:<bob@jade.example>']) await c.say(said);
      c.write(`BDAT 1\r\n${bytes[0]}BDAT ${bytes.length - 1} LAST\r\n${bytes.slice(1)}`);
      for (let n = 0; n < 2; n += 1) expect(await c.reply()).toMatch(/^250 /);
      const last = world.accepted.length - 1;
      expect(world.bytes(last)).toBe(`\r\n${bytes}`);
      if (kind === 'submission') expect(world.accepted[last]?.prefix).toMatch(/^From: ann@jade\.example\r\n$/m);
    }
  },
);

test('dots are taken out where they were put in and nowhere else', async () => {
  await begin();
  const c = await client();
  for (const line of ['MAIL FROM:<>', 'RCPT TO:<bob@jade.example>', 'DATA']) await c.say(line);
  await c.say('\r\n..\r\n...\r\n.x\r\nx.\r\nx\r\n\r\n..\r\n.');
  expect(world.bytes()).toBe('\r\n.\r\n..\r\nx\r\nx.\r\nx\r\n\r\n.\r\n');
  for (const line of ['MAIL FROM:<>', 'RCPT TO:<bob@jade.example>', 'DATA']) await c.say(line);
  expect(await c.say('.')).toMatch(/^250 /);
  expect(world.bytes(1)).toBe('');
});

// Exim does so: whoever is not answered sends the message again.
test.each(['plaintext', 'STARTTLS', 'TLS'] as const)('who says everything, closes its half and listens is answered (%s)', async (kind) => {
  for (const ending of ['QUIT\r\n', '']) {
    await begin({ tls: testCertificate() });
    const c = await client(kind === 'TLS' ? 'smtps' : 'smtp');
    if (kind === 'STARTTLS') {
      await c.say('STARTTLS');
      await c.secure();
      await c.say('EHLO client.example');
    }
    const log = kind === 'TLS' ? `AUTH PLAIN ${plain('ann', 'secret')}\r\n` : '';
    const message = 'MAIL FROM:<>\r\nRCPT TO:<ann@jade.example>\r\nDATA\r\n';
    c.write(`${log}${kind === 'TLS' ? message.replace('<>', '<ann@jade.example>') : message}`);
    let queued: (() => void) | undefined;
    world.mood.queue = () =>
      new Promise((resolve) => {
        queued = resolve;
      });
    for (const code of [...(kind === 'TLS' ? ['235'] : []), '250', '250', '354']) expect(await c.reply()).toMatch(new RegExp(`^${code}`));
    c.socket.end(`all of it\r\n.\r\nMAIL FROM:<second@x.example>\r\nRSET\r\n${ending}`);
    while (!queued || !c.socket.writableFinished) await new Promise((resolve) => setTimeout(resolve, 2));
    queued();
    const codes = (await c.rest()).map((reply) => reply.slice(0, 3));
    expect(codes).toEqual(['250', kind === 'TLS' ? '553' : '250', '250', ...(ending ? ['221'] : [])]);
    await world.stop();
  }
  await begin();
});

test('who closes its half in the middle of a handshake is gone', async () => {
  await begin({ tls: testCertificate() });
  const c = await client();
  expect(await c.say('STARTTLS')).toMatch(/^220 /);
  c.socket.end(Buffer.from([0x16, 0x03, 0x01]));
  expect(await c.rest()).toEqual([]);
});

test('what is pipelined in plaintext behind STARTTLS is never done', async () => {
  await begin({ tls: testCertificate() });
  const c = await client();
  c.write('STARTTLS\r\nMAIL FROM:<evil@x.example>\r\nRCPT TO:<ann@jade.example>\r\n');
  expect(await c.reply()).toMatch(/^220 /);
  await c.secure().catch(() => {});
  if (!c.ended) {
    expect(await c.say('MAIL FROM:<>')).toMatch(/^(503 5\.5\.1|\(closed\))/);
  }
  expect(world.accepted).toEqual([]);
});

test('after STARTTLS nothing said before counts', async () => {
  await begin({ tls: testCertificate() });
  const c = await client();
  await c.say('MAIL FROM:<>');
  expect(await c.say('STARTTLS now')).toMatch(/^501 /);
  expect(await c.say('STARTTLS')).toMatch(/^220 /);
  await c.secure();
  expect(await c.say('RCPT TO:<ann@jade.example>')).toMatch(/^503 /);
  const hello = await c.say('EHLO client.example');
  expect(hello).toMatch(/AUTH PLAIN LOGIN/);
  expect(hello).not.toMatch(/STARTTLS/);
  expect(await c.say('STARTTLS')).toMatch(/^503 /);
  for (const line of ['MAIL FROM:<>', 'RCPT TO:<ann@jade.example>', 'DATA']) await c.say(line);
  await c.say('x\r\n.');
  expect(world.accepted[0]?.origin).toMatchObject({ tls: true, protocol: 'ESMTPS' });
});

test('a password sent on after AUTH was refused is not in the log', async () => {
  const conversations: string[] = [];
  await begin({ settings: { loginWithoutTls: 'never' }, conversations });
  const c = await raw();
  await c.say('EHLO me');
  const secret = Buffer.from('secret').toString('base64');
  for (const line of ['AUTH LOGIN', Buffer.from('ann').toString('base64'), secret, plain('ann', 'secret'), 'BOGUS']) await c.say(line);
  const text = conversations.join('\n');
  expect(text).toContain('< EHLO me');
  expect(text).toContain('< AUTH LOGIN');
  expect(text).not.toContain(secret);
  expect(text).not.toContain(plain('ann', 'secret'));
});

test('addresses that differ in the case of the local part are two recipients', async () => {
  await begin({ settings: { rejectRemoteRecipients: false } });
  const c = await client();
  for (const line of ['MAIL FROM:<a@b.example>', 'RCPT TO:<Bob@far.example>', 'RCPT TO:<bob@FAR.example>', 'RCPT TO:<bob@far.example>'])
    await c.say(line);
  await c.say('DATA');
  await c.say('x\r\n.');
  expect(world.accepted[0]?.recipients.map(({ address }) => address)).toEqual(['Bob@far.example', 'bob@far.example']);
});

test('passwords are not asked for without encryption, nor taken', async () => {
  await begin({ tls: testCertificate(), settings: { loginWithoutTls: 'never' } });
  const c = await raw();
  expect(await c.say('EHLO x')).not.toMatch(/AUTH/);
  expect(await c.say(`AUTH PLAIN ${plain('ann', 'secret')}`)).toMatch(/^538 5\.7\.11 /);
  const d = await raw(true);
  expect(await d.say('EHLO x')).toMatch(/AUTH PLAIN LOGIN/);
  expect(await d.say('MAIL FROM:<>')).toMatch(/^530 /);
  expect(await d.say(`AUTH PLAIN ${plain('ann', 'secret')}`)).toMatch(/^235 /);
});

test('rubbish in a login is refused and guessing ends', async () => {
  await begin();
  const c = await client();
  expect(await c.say('AUTH')).toMatch(/^501 5\.5\.4 /);
  expect(await c.say('AUTH CRAM-MD5')).toMatch(/^504 5\.5\.4 /);
  expect(await c.say('AUTH PLAIN')).toMatch(/^334 ?$/);
  expect(await c.say('*')).toMatch(/^501 /);
  expect(await c.say(`AUTH PLAIN ${Buffer.from('bob\0ann\0secret').toString('base64')}`)).toMatch(/^535 /);
  for (let n = 0; n < 2; n += 1) expect(await c.say(`AUTH PLAIN ${plain('ann', 'guess')}`)).toMatch(/^535 /);
  expect(await c.say(`AUTH PLAIN ${plain('ann', 'guess')}`)).toMatch(/^535 /);
  expect(await c.reply()).toMatch(/^421 4\.7\.0 /);
  expect(await c.reply()).toBe('(closed)');
});

test('what is not base64 is refused as such, in every mechanism and at every step', async () => {
  await begin();
  const c = await client();
  const name = Buffer.from('ann').toString('base64');
  // A blank, a URL's alphabet, no padding: a lenient reader would make the right password of it.
  const secret = plain('ann', 'secret');
  for (const mechanism of ['PLAIN', 'LOGIN', 'SCRAM-SHA-256'])
    for (const bad of ['!!!!', `${secret.slice(0, -1)}-`, `${secret}A`])
      expect(await c.say(`AUTH ${mechanism} ${bad}`)).toMatch(mechanism.startsWith('SCRAM') ? /^50[14] / : /^501 5\.5\.2 /);
  for (const [lines, again] of [
    [['AUTH PLAIN'], '!!!!'],
    [['AUTH PLAIN'], `\u00e9${secret}`],
    [['AUTH LOGIN'], 'ann'],
    [['AUTH LOGIN', name], 'pass word'],
  ] as const) {
    for (const line of lines) expect(await c.say(line)).toMatch(/^334/);
    expect(await c.say(again)).toMatch(/^501 5\.5\.2 /);
    expect(await c.say('NOOP')).toMatch(/^250 /);
  }
  expect(await c.say(`AUTH PLAIN ${secret}`)).toMatch(/^235 /);
});

test('with ESMTP switched off there is no STARTTLS, AUTH, ETRN and BDAT either', async () => {
  await begin({ tls: testCertificate(), settings: { esmtp: false } });
  const c = await raw();
  expect(await c.say('EHLO x')).toMatch(/^502 5\.5\.1 /);
  expect(await c.say('STARTTLS')).toMatch(/^502 5\.5\.1 /);
  expect(await c.say('HELO x')).toMatch(/^250 /);
  for (const line of ['STARTTLS', 'AUTH PLAIN', 'ETRN x.example']) expect(await c.say(line)).toMatch(/^502 5\.5\.1 /);
  expect(await c.say('MAIL FROM:<a@x.example> SIZE=1')).toMatch(/^555 /);
  expect(await c.say('MAIL FROM:<a@x.example>')).toMatch(/^250 /);
});

test('a failed login is answered late, each one later', async () => {
  const clock = new ManualClock();
  await begin({ clock, settings: { loginFailureDelay: 2 } });
  const c = await client();
  let answered = '';
  const asked = c.say(`AUTH PLAIN ${plain('ann', 'guess')}`).then((said) => {
    answered = said;
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  clock.advance(1_999);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(answered).toBe('');
  clock.advance(1);
  await asked;
  expect(answered).toMatch(/^535 /);
});

test('a line without end is cut off', async () => {
  await begin();
  const c = await client();
  for (let n = 0; n < 160 && !c.ended; n += 1) {
    c.write('x'.repeat(65_536));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect((await c.reply()).slice(0, 9)).toMatch(/^500 5\.5\.2|^\(closed\)/);
  await c.rest();
});

test('lines too long, NUL, bare CR and octets that are not UTF-8 in commands are refused one by one', async () => {
  await begin();
  const c = await client();
  expect(await c.say(`MAIL FROM:<${'x'.repeat(3_000)}@x.example>`)).toMatch(/^500 5\.5\.2 /);
  expect(await c.say(`MAIL FROM:<${'x'.repeat(65)}@x.example>`)).toMatch(/^553 5\.1\.7 /);
  expect(await c.say('MAIL FROM:<a\x00b@x.example>')).toMatch(/^501 5\.5\.2 /);
  expect(await c.say('MAIL FROM:<a@x.example>\rRCPT TO:<ann@jade.example>')).toMatch(/^501 5\.5\.2 /);
  c.write(Buffer.concat([Buffer.from('MAIL FROM:<'), Buffer.from([0xff, 0xfe]), Buffer.from('@x.example> SMTPUTF8\r\n')]));
  expect(await c.reply()).toMatch(/^501 5\.5\.2 /);
  expect(await c.say('EHLO a b')).toMatch(/^501 /);
  for (const odd of ['x(by evil)', '[192.0.2.1', '192.0.2.1]', '[a][b]', '[]', `${'a'.repeat(256)}`])
    expect(await c.say(`EHLO ${odd}`)).toMatch(/^501 /);
  for (const usual of ['[192.0.2.1]', '[IPv6:2001:db8::1]', '192.0.2.1', 'my_pc', 'x.example.'])
    expect(await c.say(`EHLO ${usual}`)).toMatch(/^250/);
  expect(await c.say('')).toMatch(/^500 /);
  expect(await c.say('MAIL FROM:<a@x.example> ENVID=a+0D+0Ab')).toMatch(/^501 5\.5\.4 /);
  expect(await c.say('MAIL FROM:<a@x.example> SIZE=1 SIZE=2')).toMatch(/^501 5\.5\.4 /);
  expect(await c.say('MAIL FROM:<a@x.example>')).toMatch(/^250 /);
});

test('a client that only makes errors is sent away', async () => {
  await begin({ settings: { maxErrors: 5 } });
  const c = await raw();
  c.write('RUBBISH\r\n'.repeat(50));
  const replies = await c.rest();
  expect(replies.slice(0, 5).every((one) => one.startsWith('500 5.5.2'))).toBe(true);
  expect(replies[5]).toMatch(/^421 4\.7\.0 /);
  expect(replies.length).toBe(6);
});

test('a web page that talks to us is sent away', async () => {
  await begin();
  const c = await raw();
  c.write('POST /x HTTP/1.1\r\nHost: mail\r\n\r\nMAIL FROM:<evil@x.example>\r\n');
  expect((await c.rest())[0]).toMatch(/^421 /);
});

test('who leaves in the middle of a message leaves nothing behind', async () => {
  await begin();
  const c = await client();
  for (const line of ['MAIL FROM:<>', 'RCPT TO:<ann@jade.example>', 'DATA']) await c.say(line);
  c.write('half a mess');
  while (world.blobs.open === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  c.close();
  while (world.blobs.open > 0) await new Promise((resolve) => setTimeout(resolve, 2));
  const d = await client();
  for (const line of ['MAIL FROM:<>', 'RCPT TO:<ann@jade.example>']) await d.say(line);
  d.socket.end('DATA\r\nall of it, but for the last line\r\n.');
  expect(await d.rest()).toEqual([expect.stringMatching(/^354/)]);
  expect([world.accepted.length, world.blobs.open, world.blobs.stored.size]).toEqual([0, 0, 0]);
});

test('who says nothing is sent away after the idle time', async () => {
  const clock = new ManualClock();
  await begin({ clock });
  const c = await client();
  clock.advance(299_000);
  expect(await c.say('NOOP')).toMatch(/^250/);
  clock.advance(299_000);
  expect(await c.say('NOOP')).toMatch(/^250/);
  clock.advance(301_000);
  expect(await c.reply()).toMatch(/^421 4\.4\.2 /);
});

test('connections over the limits are told to come back', async () => {
  await begin({ settings: { maxSessions: 3, maxSessionsPerAddress: 2 } });
  await client();
  await client('submission');
  const c = await client();
  c.close();
  world.settings.set({ ...world.settings.value, maxSessions: 2 });
  const d = await Wire.open(world.smtpd.port('smtp'));
  clients.push(d);
  expect(await d.reply()).toMatch(/^(421 4\.3\.2 |220 )/);
});

test('a listener moves without dropping anybody, and new settings hold for new connections', async () => {
  await begin();
  const c = await client();
  const before = world.smtpd.port('smtp');
  world.settings.set({ ...world.settings.value, greeting: 'New', maxMessageSize: 5_000 });
  expect(await c.say('MAIL FROM:<> SIZE=6000')).toMatch(/^250/);
  world.places.smtp.set({ host: '127.0.0.1', port: (before ?? 0) === 42_525 ? 42_526 : 42_525 });
  while (world.smtpd.port('smtp') === before) await new Promise((resolve) => setTimeout(resolve, 2));
  expect(await c.say('NOOP')).toMatch(/^250/);
  const d = await Wire.open(world.smtpd.port('smtp'));
  clients.push(d);
  expect(await d.reply()).toBe('220 mx.jade.example ESMTP New');
  await d.say('EHLO x');
  expect(await d.say('MAIL FROM:<> SIZE=6000')).toMatch(/^552/);
});

test('a certificate that arrives later opens smtps and STARTTLS, one that is no good changes nothing', async () => {
  await begin();
  expect(world.smtpd.port('smtps')).toBeUndefined();
  const c = await client();
  expect(await c.say('STARTTLS')).toMatch(/^454 4\.7\.0 /);
  world.tls.set(testCertificate());
  while (world.smtpd.port('smtps') === undefined) await new Promise((resolve) => setTimeout(resolve, 2));
  expect(await c.say('EHLO x')).toMatch(/STARTTLS/);
  world.tls.set({ key: 'rubbish', cert: 'rubbish' });
  expect(world.logged.some((line) => line.startsWith('[Error] the certificate cannot be used'))).toBe(true);
  const d = await client('smtps');
  expect(await d.say('NOOP')).toMatch(/^250/);
});

test('whatever a client says, in whatever order, the next one is served', async () => {
  await begin({ tls: testCertificate(), settings: { maxSessions: 0, maxSessionsPerAddress: 0 } });
  let state = 20_300_101;
  const roll = (sides: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
  const pieces = [
    'EHLO x\r\n',
    'HELO x\r\n',
    'MAIL FROM:<a@x.example>\r\n',
    'RCPT TO:<ann@jade.example>\r\n',
    'DATA\r\n',
    '.\r\n',
    '\r\n.\r\n',
    'RSET\r\n',
    'AUTH PLAIN\r\n',
    'AUTH LOGIN eA==\r\n',
    '*\r\n',
    'STARTTLS\r\n',
    'QUIT\r\n',
    'NOOP\r\n',
    '\n',
    '\r',
    '\0',
    '\xff',
    'MAIL',
    ' FROM:<>\r\n',
    'x'.repeat(5_000),
    'VRFY ann\r\n',
    'EXPN ann\r\n',
    'HELP\r\n',
  ];
  for (let round = 0; round < 150; round += 1) {
    const c = await Wire.open(world.smtpd.port('smtp'));
    for (let n = roll(25); n >= 0; n -= 1) {
      c.write(Buffer.from(pieces[roll(pieces.length)] ?? '', 'latin1'));
      if (roll(3) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    if (roll(2) === 0) c.socket.end();
    else await new Promise((resolve) => setTimeout(resolve, 2));
    c.close();
  }
  while (world.smtpd.connections > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(world.blobs.open).toBe(0);
  const d = await client();
  expect(await d.say('NOOP')).toMatch(/^250/);
});

test('stopping says goodbye, lets a message that is in be filed, and can be undone', async () => {
  await begin();
  const c = await client();
  const idle = await client();
  for (const line of ['MAIL FROM:<>', 'RCPT TO:<ann@jade.example>', 'DATA']) await c.say(line);
  let go: () => void = () => {};
  let filing = false;
  world.mood.queue = () =>
    new Promise<void>((resolve) => {
      filing = true;
      go = resolve;
    });
  c.write('x\r\n.\r\n');
  while (!filing) await new Promise((resolve) => setTimeout(resolve, 2));
  const stopped = world.smtpd.stop();
  expect(await idle.reply()).toMatch(/^421 /);
  go();
  expect(await c.reply()).toMatch(/^250 2\.0\.0 /);
  expect(await c.reply()).toMatch(/^421 |\(closed\)/);
  await stopped;
  await world.smtpd.start(() => {});
  const d = await client();
  expect(await d.say('NOOP')).toMatch(/^250/);
});

test('a flood on the port for strangers leaves users their share of the sessions', async () => {
  await begin({ settings: { maxSessions: 20, maxSessionsPerAddress: 0 } });
  const knocking = async (kind: 'smtp' | 'submission'): Promise<string> => {
    const c = await Wire.open(world.smtpd.port(kind));
    clients.push(c);
    return await c.reply();
  };
  const replies: string[] = [];
  for (let n = 0; n < 25; n++) replies.push((await knocking('smtp')).slice(0, 3));
  expect(replies.filter((code) => code === '220')).toHaveLength(18);
  expect(await knocking('submission')).toMatch(/^220 /);
  expect(await knocking('submission')).toMatch(/^220 /);
  expect(await knocking('submission')).toMatch(/^421 /);
});
