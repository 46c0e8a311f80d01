import { afterEach, describe, expect, test } from '@jest/globals';
import { Fault } from '../../src/base/index.ts';
import { Client, greeted, plain, startWorld, testCertificate, type World, type WorldOptions } from './helpers.ts';

let world: World;
let clients: Client[] = [];
const begin = async (options?: WorldOptions): Promise<World> => {
  world = await startWorld(options);
  return world;
};
const client = async (kind?: 'smtp' | 'submission' | 'smtps'): Promise<Client> => {
  const made = await greeted(world, kind);
  clients.push(made);
  return made;
};
afterEach(async () => {
  for (const one of clients) one.close();
  clients = [];
  await world.stop();
});

test('a message for somebody here is queued with its trace before 250 is said', async () => {
  await begin();
  const c = await client();
  expect(await c.say('MAIL FROM:<bill@elsewhere.example> SIZE=30 BODY=8BITMIME RET=HDRS ENVID=a+2Bb')).toMatch(/^250 2\.1\.0 /);
  expect(await c.say('RCPT TO:<Ann@JADE.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;ann+40jade.example')).toMatch(/^250 2\.1\.5 /);
  expect(await c.say('DATA')).toMatch(/^354 /);
  expect(await c.say('Subject: hi\r\n\r\n..dot\r\n.')).toMatch(/^250 2\.0\.0 Ok: queued as q1$/);
  expect(world.bytes()).toBe('Subject: hi\r\n\r\n.dot\r\n');
  expect(world.accepted[0]).toMatchObject({
    sender: 'bill@elsewhere.example',
    recipients: [{ address: 'Ann@jade.example', dsn: { notify: ['success', 'failure'], originalRecipient: 'rfc822;ann@jade.example' } }],
    inputChannel: 'SMTPD',
    smtputf8: false,
    eightBit: false,
    ret: 'hdrs',
    envelopeId: 'a+b',
    origin: { address: '127.0.0.1', helo: 'client.example', protocol: 'ESMTP', tls: false },
  });
  expect(world.accepted[0]?.prefix.replace(/\r\n\t/g, ' ')).toMatch(
    /^Received: from client\.example \(\[127\.0\.0\.1\]\) by mx\.jade\.example with ESMTP id q1 for <Ann@jade\.example>; \w{3}, \d+ \w{3} \d{4} [\d:]{8} \+0000\r\n$/,
  );
  expect(world.logged.at(-1)).toMatch(/^Received q1 size: 21 bytes from: <bill@elsewhere\.example> to Ann@jade\.example channel=SMTPD /);
});

test.each([
  ['utf-8;j\\x{FC}rgen\\x{2B}x@far.example', 'utf-8;jürgen+x@far.example'],
  ['utf-8;jürgen@far.example', 'utf-8;jürgen@far.example'],
  ['UTF-8;plain@far.example', 'utf-8;plain@far.example'],
  ['utf-8;+C3+BC@far.example', 'utf-8;ü@far.example'],
])('an original recipient of the international form, ORCPT=%s, is understood', async (given, meant) => {
  await begin();
  const c = await client();
  await c.say('MAIL FROM:<bill@elsewhere.example> SMTPUTF8');
  expect(await c.say(`RCPT TO:<ann@jade.example> ORCPT=${given}`)).toMatch(/^250 /);
  await c.say('DATA');
  await c.say('x\r\n.');
  expect(world.accepted[0]?.recipients).toEqual([{ address: 'ann@jade.example', dsn: { originalRecipient: meant } }]);
});

test.each(['rfc822;jürgen@far.example', 'utf-8;', 'utf-8;a\\x{D800}@x', 'utf-8;a\\x{0}@x', 'nothing'])(
  'ORCPT=%s is refused as malformed',
  async (given) => {
    await begin();
    const c = await client();
    await c.say('MAIL FROM:<bill@elsewhere.example> SMTPUTF8');
    expect(await c.say(`RCPT TO:<ann@jade.example> ORCPT=${given}`)).toMatch(/^501 5\.5\.4 /);
  },
);

test('several messages go over one connection, pipelined in one piece', async () => {
  await begin();
  const c = await client();
  const one = 'MAIL FROM:<>\r\nRCPT TO:<bob@jade.example>\r\nDATA\r\nSubject: first\r\n.\r\n';
  c.write(`${one}${one.replace('first', 'second')}QUIT\r\n`);
  expect((await c.rest()).map((line) => line.slice(0, 9))).toEqual([
    '250 2.1.0',
    '250 2.1.5',
    '354 End d',
    '250 2.0.0',
    '250 2.1.0',
    '250 2.1.5',
    '354 End d',
    '250 2.0.0',
    '221 2.0.0',
  ]);
  expect([world.bytes(0), world.bytes(1)]).toEqual(['Subject: first\r\n', 'Subject: second\r\n']);
});

test('a stranger reaches nobody but local recipients, however the address is dressed up', async () => {
  await begin();
  const c = await client();
  await c.say('MAIL FROM:<bill@elsewhere.example>');
  const verdicts: Record<string, string> = {
    '<x@remote.example>': '550 5.7.1',
    '<@jade.example:x@remote.example>': '550 5.7.1',
    '<x%remote.example@jade.example>': '550 5.1.1',
    '<remote.example!x@jade.example>': '550 5.1.1',
    '<"x@remote.example"@jade.example>': '550 5.1.1',
    '<"x@remote.example">': '553 5.1.3',
    '<x@remote.example@jade.example>': '553 5.1.3',
    '<x@jade.example@remote.example>': '553 5.1.3',
    '<x@[127.0.0.1]>': '550 5.7.1',
    '<nobody@jade.example>': '550 5.1.1',
    '<>': '501 5.1.3',
    'ann@jade.example': '501 5.5.2',
    '<ann@jade.example> FOO=bar': '555 5.5.4',
    '<ann@jade.example> NOTIFY=NEVER,DELAY': '501 5.5.4',
    '<jürgen@jade.example>': '553 5.6.7',
    '<ann@-jade.example>': '553 5.1.3',
    '<a..nn@jade.example>': '553 5.1.3',
  };
  const said: Record<string, string> = {};
  for (const path of Object.keys(verdicts)) said[path] = (await c.say(`RCPT TO:${path}`)).slice(0, 9);
  expect(said).toEqual(verdicts);
  expect(await c.say('DATA')).toMatch(/^554 5\.5\.1 /);
  expect(world.logged.filter((line) => line.startsWith('Rejected')).length).toBeGreaterThan(5);
});

test('a name without a domain is refused from a stranger; where it may be completed it gets our domain; the bare postmaster always does', async () => {
  await begin();
  const stranger = await client();
  expect(await stranger.say('MAIL FROM:<bob>')).toMatch(/^553 5\.1\.7 /);
  await stranger.say('MAIL FROM:<bob@x.example>');
  expect(await stranger.say('RCPT TO:<ann>')).toMatch(/^553 5\.1\.3 /);
  expect(await stranger.say('RCPT TO:<Postmaster>')).toMatch(/^250 /);
  world.settings.set({ ...world.settings.value, rejectUnqualified: 'never' });
  const c = await client();
  await c.say('MAIL FROM:<bob>');
  expect(await c.say('RCPT TO:<ann>')).toMatch(/^250 /);
  expect(await c.say('RCPT TO:<"ann"@jade.example>')).toMatch(/^250 /);
  world.settings.set({ ...world.settings.value, rejectUnqualified: 'always' });
  const d = await client();
  expect(await d.say('MAIL FROM:<bob>')).toMatch(/^553 5\.1\.7 /);
  await d.say('MAIL FROM:<bob@x.example>');
  expect(await d.say('RCPT TO:<ann>')).toMatch(/^553 5\.1\.3 /);
  expect(await d.say('RCPT TO:<Postmaster>')).toMatch(/^250 /);
  await c.say('DATA');
  await c.say('x\r\n.');
  expect(world.accepted[0]).toMatchObject({ sender: 'bob@jade.example', recipients: [{ address: 'ann@jade.example' }] });
});

test('UTF-8 addresses are taken with SMTPUTF8 and the domain becomes an A-label', async () => {
  await begin();
  const c = await client();
  // The domain alone is reason enough: in ASCII it has another form.
  for (const sender of ['jürgen@müller.example', 'bob@müller.example'])
    expect(await c.say(`MAIL FROM:<${sender}>`)).toMatch(/^553 5\.6\.7 /);
  expect(await c.say('MAIL FROM:<jürgen@MÜLLER.example> SMTPUTF8')).toMatch(/^250 /);
  expect(await c.say('RCPT TO:<jürgen@jade.example>')).toMatch(/^250 /);
  await c.say('DATA');
  await c.say('Subject: grüße\r\n\r\nx\r\n.');
  expect(world.accepted[0]).toMatchObject({
    sender: 'jürgen@xn--mller-kva.example',
    smtputf8: true,
    eightBit: true,
    origin: { protocol: 'UTF8SMTP' },
  });
});

test('SMTPUTF8 that was declared and not needed does not stick to the message', async () => {
  await begin();
  const c = await client();
  for (const line of ['MAIL FROM:<a@x.example> SMTPUTF8', 'RCPT TO:<ann@jade.example>', 'DATA']) await c.say(line);
  await c.say('Subject: plain\r\n\r\nx\r\n.');
  expect(world.accepted[0]).toMatchObject({ smtputf8: false, eightBit: false });
});

test('too many recipients are put off, the ones before stay', async () => {
  await begin({ settings: { maxRecipients: 2, rejectUnknownRecipients: false } });
  const c = await client();
  await c.say('MAIL FROM:<>');
  for (const name of ['a', 'b', 'b']) expect(await c.say(`RCPT TO:<${name}@jade.example>`)).toMatch(/^250 /);
  expect(await c.say('RCPT TO:<c@jade.example>')).toMatch(/^452 4\.5\.3 /);
  await c.say('DATA');
  await c.say('x\r\n.');
  expect(world.accepted[0]?.recipients.map((one) => one.address)).toEqual(['a@jade.example', 'b@jade.example']);
});

test('what is announced too large is refused at once, what turns out too large at its end', async () => {
  await begin({ settings: { maxMessageSize: 1_000 } });
  const c = await client();
  expect(await c.say('MAIL FROM:<> SIZE=1001')).toMatch(/^552 5\.3\.4 /);
  expect(await c.say('MAIL FROM:<> SIZE=99999999999999999999')).toMatch(/^552 5\.3\.4 /);
  expect(await c.say('MAIL FROM:<> SIZE=1e3')).toMatch(/^501 5\.5\.4 /);
  await c.say('MAIL FROM:<> SIZE=10');
  await c.say('RCPT TO:<ann@jade.example>');
  await c.say('DATA');
  expect(await c.say(`${'x'.repeat(2_000)}\r\n.`)).toMatch(/^552 5\.3\.4 /);
  expect(await c.say('NOOP')).toMatch(/^250 /);
  expect([world.accepted.length, world.blobs.open]).toEqual([0, 0]);
});

test('a defect of ours, a directory that is away and a full disk are temporary', async () => {
  await begin();
  const c = await client();
  world.mood.judge = () => Promise.reject(new Fault('unavailable', 'the directory is away'));
  await c.say('MAIL FROM:<>');
  expect(await c.say('RCPT TO:<ann@jade.example>')).toMatch(/^451 4\.3\.0 the directory is away/);
  world.mood.judge = () => Promise.reject(new TypeError('x is not a function'));
  expect(await c.say('RCPT TO:<ann@jade.example>')).toBe('451 4.3.0 internal error, please try again later');
  world.mood.judge = async () => 'yes';
  await c.say('RCPT TO:<ann@jade.example>');
  world.mood.queue = () => Promise.reject(new Error('flush failed'));
  await c.say('DATA');
  expect(await c.say('x\r\n.')).toMatch(/^451 4\.3\.0 /);
  world.mood.queue = () => Promise.reject(new Fault('not-permitted', 'permanent by mistake'));
  for (const line of ['MAIL FROM:<>', 'RCPT TO:<ann@jade.example>', 'DATA']) await c.say(line);
  expect(await c.say('x\r\n.')).toMatch(/^451 4\.3\.0 /);
  world.blobs.failing = true;
  for (const line of ['MAIL FROM:<>', 'RCPT TO:<ann@jade.example>', 'DATA']) await c.say(line);
  expect(await c.say('x\r\n.')).toMatch(/^451 4\.3\.0 /);
  world.blobs.failing = false;
  world.mood.free = 1_000_000;
  const d = await client();
  // The answer about free space is kept for two seconds.
  expect(await d.say('NOOP')).toMatch(/^250/);
  expect([world.accepted.length, world.blobs.open]).toEqual([0, 0]);
});

test('with too little room mail is put off', async () => {
  await begin();
  world.mood.free = 49 * 1_048_576;
  const c = await client();
  expect(await c.say('MAIL FROM:<>')).toMatch(/^452 4\.3\.1 /);
  world.mood.free = 51 * 1_048_576;
});

test('submission asks for a login first, and checks the sender', async () => {
  await begin({ tls: testCertificate() });
  const c = await client('submission');
  expect(await c.say('MAIL FROM:<ann@jade.example>')).toMatch(/^530 5\.7\.0 /);
  expect(await c.say(`AUTH PLAIN ${plain('ann', 'wrong')}`)).toMatch(/^535 5\.7\.8 /);
  expect(await c.say(`AUTH PLAIN ${plain('down', 'x')}`)).toMatch(/^454 4\.7\.0 /);
  expect(await c.say(`AUTH PLAIN ${plain('ann', 'secret')}`)).toMatch(/^235 2\.7\.0 /);
  expect(await c.say(`AUTH PLAIN ${plain('ann', 'secret')}`)).toMatch(/^503 /);
  expect(await c.say('MAIL FROM:<bob@jade.example>')).toMatch(/^553 5\.7\.1 /);
  expect(await c.say('MAIL FROM:<A.J@jade.example>')).toMatch(/^250 /);
  expect(await c.say('RCPT TO:<x@remote.example>')).toMatch(/^250 /);
  expect(await c.say('RCPT TO:<nobody@jade.example>')).toMatch(/^550 5\.1\.1 /);
  await c.say('DATA');
  await c.say('Subject: without id\r\n\r\nDate: in the body\r\n.');
  expect(world.accepted[0]).toMatchObject({ origin: { user: 'mail=ann@jade.example,dc=jade,dc=example', protocol: 'ESMTPA' } });
  expect(world.accepted[0]?.prefix).toMatch(/\r\nMessage-ID: <q1@mx\.jade\.example>\r\nDate: \w{3}, .*\r\nFrom: A\.J@jade\.example\r\n$/);
});

test('what a user gave is not given again', async () => {
  await begin();
  const c = await client('submission');
  await c.say('AUTH LOGIN');
  await c.say(Buffer.from('ann').toString('base64'));
  expect(await c.say(Buffer.from('secret').toString('base64'))).toMatch(/^235 /);
  for (const line of ['MAIL FROM:<ann@jade.example>', 'RCPT TO:<bob@jade.example>', 'DATA']) await c.say(line);
  await c.say('message-ID: <1@x>\r\nDATE: Thu, 1 Jan 1970 00:00:00 +0000\r\nFROM: ann@jade.example\r\n\r\nx\r\n.');
  expect(world.accepted[0]?.prefix.split('\r\n').filter((line) => !line.startsWith('\t'))).toEqual([
    expect.stringMatching(/^Received/),
    '',
  ]);
});

test('HELO speaks plain SMTP without extensions, and commands out of turn are told so', async () => {
  await begin();
  const c = await Client.open(world.smtpd.port('smtp'));
  clients.push(c);
  expect(await c.reply()).toBe('220 mx.jade.example ESMTP Mailtree');
  expect(await c.say('MAIL FROM:<>')).toMatch(/^503 5\.5\.1 /);
  expect(await c.say('HELO')).toMatch(/^501 /);
  expect(await c.say('HELO client.example')).toBe('250 mx.jade.example greets client.example');
  expect(await c.say('RCPT TO:<ann@jade.example>')).toMatch(/^503 /);
  expect(await c.say('DATA')).toMatch(/^503 /);
  expect(await c.say('MAIL FROM:<> SIZE=10')).toMatch(/^555 /);
  expect(await c.say('MAIL FROM:<>')).toMatch(/^250 /);
  expect(await c.say('MAIL FROM:<>')).toMatch(/^503 5\.5\.1 /);
  expect(await c.say('RSET')).toMatch(/^250 /);
  expect(await c.say('VRFY ann')).toMatch(/^252 /);
  expect(await c.say('EXPN ann')).toMatch(/^550 /);
  expect(await c.say('NOOP whatever')).toMatch(/^250 /);
  expect(await c.say('HELP')).toMatch(/^214-/);
  expect(await c.say('WIZ please')).toMatch(/^500 /);
  expect(await c.say('XCLIENT ADDR=10.0.0.1')).toMatch(/^500 /);
  expect(await c.say('QUIT')).toMatch(/^221 /);
  expect(await c.reply()).toBe('(closed)');
});

describe('the authors of a message that a user hands in', () => {
  const handedIn = async (header: string, kind: 'smtp' | 'submission' = 'submission'): Promise<string> => {
    const c = await client(kind);
    await c.say(`AUTH PLAIN ${plain('ann', 'secret')}`);
    for (const line of ['MAIL FROM:<ann@jade.example>', 'RCPT TO:<bob@jade.example>', 'DATA']) await c.say(line);
    return await c.say(`${header}\r\n\r\nbody\r\n.`);
  };
  const own = [
    'From: ann@jade.example',
    'From: "Ann, of Jade" <A.J@Jade.example>',
    'From: ann',
    'FROM : (note) Ann <ann@jade.example>',
    'From:\r\n  =?utf-8?q?Ann_J=C3=A4ger?=\r\n  <ann@jade.example>',
    'From: ann@jade.example, a.j@jade.example',
    'From: Ann <Ann+news@jade.example>, a.j+x+y@jade.example',
    'Subject: nobody is named',
  ];
  test.each(own)('%j is taken', async (header) => {
    await begin({ settings: { loginWithoutTls: 'always' } });
    expect(await handedIn(header)).toMatch(/^250 /);
  });

  const foreign = [
    'From: boss@jade.example',
    'From: ann@jade.example <boss@jade.example>',
    'From: "ann@jade.example" <boss@jade.example>',
    'From: ann@jade.example, boss@jade.example',
    'From: ann@jade.example\r\nFrom: boss@jade.example',
    'From: ann@jade.example\r\nthis is no field\r\nfrom\t: boss@jade.example',
    'Resent-From: ann@jade.example\r\nFrom: boss@jade.example',
    'From: Team: ann@jade.example, boss@jade.example;',
    'From:\r\n\tboss@jade.example',
    'From: bøss@jade.example',
    'From: boss+ann@jade.example',
    'From: "+ann"@jade.example',
    'From: ann+boss@elsewhere.example',
    `From: ann@jade.example${', ann@jade.example'.repeat(60)}`,
  ];
  test.each(foreign)('%.60j is refused', async (header) => {
    await begin({ settings: { loginWithoutTls: 'always' } });
    expect(await handedIn(header)).toMatch(/^550 5\.7\.1 /);
    expect(world.accepted).toEqual([]);
    expect(world.blobs.open).toBe(0);
  });

  test('cannot hide behind a header that is too long', async () => {
    await begin({ settings: { loginWithoutTls: 'always' } });
    expect(await handedIn(`${'X-Long: x\r\n'.repeat(30_000)}From: boss@jade.example`)).toMatch(/^552 5\.3\.4 /);
    expect(await handedIn(`From: ann@jade.example\r\n\r\n${'body\r\n'.repeat(60_000)}`)).toMatch(/^250 /);
    // A message without a header at all: none of its lines is one.
    expect(await handedIn(`\r\n${'From: boss@jade.example\r\n'.repeat(20_000)}`)).toMatch(/^250 /);
  });

  test('are asked about where the setting says', async () => {
    await begin({ settings: { loginWithoutTls: 'always' } });
    const boss = 'From: boss@jade.example';
    expect(await handedIn(boss, 'smtp')).toMatch(/^550 5\.7\.1 you may not send as boss@jade\.example/);
    world.settings.set({ ...world.settings.value, ...{ authorCheck: 'submission' } });
    expect(await handedIn(boss, 'smtp')).toMatch(/^250 /);
    world.settings.set({ ...world.settings.value, ...{ authorCheck: 'never' } });
    expect(await handedIn(boss)).toMatch(/^250 /);
  });
});
