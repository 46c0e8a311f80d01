import { afterEach, expect, test } from '@jest/globals';
import { testCertificate } from '../smtpd/helpers.ts';
import { startWorld, type World } from './helpers.ts';

let world: World;
const begin = async (...args: Parameters<typeof startWorld>): Promise<World> => {
  world = await startWorld(...args);
  return world;
};
afterEach(() => world.stop());

test('a message arrives byte for byte, dots and prefix included, and is done with', async () => {
  await begin();
  const text = 'Subject: hi\r\n\r\n.\r\n..two\r\nend without line';
  const id = await world.queued(['bob@dest.example', 'bill@dest.example'], { text });
  await world.until(2);
  expect(world.sink.messages).toEqual([
    expect.objectContaining({
      from: 'ann@jade.example',
      to: ['bob@dest.example', 'bill@dest.example'],
      data: `Received: by mx.jade.example id ${id}\r\n${text}\r\n`,
    }),
  ]);
  expect(await world.queue.get(id)).toBeUndefined();
  expect(world.logged[0]).toMatch(
    /^Sent .* to bob@dest\.example channel=SMTPC host=mx\.dest\.example encrypted=no attempts=1: 250 2\.0\.0 taken$/,
  );
});

test('a bare CR or LF never goes out', async () => {
  await begin();
  await world.queued(['bob@dest.example'], { text: 'a\n.\nb\r.\rc\r\n' });
  await world.until(1);
  expect(world.sink.messages[0]?.data.endsWith('\r\na\r\n.\r\nb\r\n.\r\nc\r\n')).toBe(true);
});

test('each recipient gets what the peer said about it', async () => {
  await begin({
    reply: (verb, line) =>
      verb !== 'RCPT'
        ? undefined
        : line.includes('<no@')
          ? '550 5.1.1 no such user'
          : line.includes('<later@')
            ? '450 4.2.1 greylisted'
            : undefined,
  });
  const id = await world.queued(['yes@dest.example', 'no@dest.example', 'later@dest.example']);
  await world.until(3);
  expect(world.sink.messages.map((one) => one.to)).toEqual([['yes@dest.example']]);
  expect((await world.queue.get(id))?.recipients).toMatchObject([
    {
      address: 'later@dest.example',
      attempts: 1,
      reason: 'mx.dest.example: 450 4.2.1 greylisted',
      nextAttempt: world.clock.now() + 15 * 60_000,
    },
  ]);
  const [notice, ...others] = await world.notices();
  expect(others).toEqual([]);
  expect(notice).toMatchObject({ to: ['ann@jade.example'], message: { sender: '' } });
  expect(notice?.text).toMatch(
    /Final-Recipient: rfc822; no@dest\.example\r\nAction: failed\r\nStatus: 5\.1\.1\r\nRemote-MTA: dns; mx\.dest\.example\r\nDiagnostic-Code: smtp; 550 5\.1\.1 no such user/,
  );
  expect(notice?.text).toContain('text/rfc822-headers');
});

test('an address that cannot be written in SMTP goes back alone', async () => {
  await begin();
  await world.queued(['bob@dest.example', '"a>b"@dest.example']);
  await world.until(2);
  expect(world.sink.messages.map((one) => one.to)).toEqual([['bob@dest.example']]);
  const [notice] = await world.notices();
  expect(notice?.text).toMatch(/Final-Recipient: rfc822; "a>b"@dest\.example\r\nAction: failed\r\nStatus: 5\.1\.3\r\n/);
});

test('without SIZE no size is said, and the limit of the other host is not minded', async () => {
  let size = true;
  await begin({ extensions: ['SIZE 10', 'PIPELINING'] }, {}, { size: () => size });
  await world.queued(['bob@dest.example']);
  await world.until(1, /^Rejected .* 5\.3\.4 /);
  size = false;
  await world.queued(['bob@dest.example']);
  await world.until(1, /^Sent /);
  expect(world.sink.messages[0]?.lines[0]).toBe('MAIL FROM:<ann@jade.example>');
});

test('a notice quotes as a diagnostic code only what the other host has replied', async () => {
  await begin({ reply: (verb) => (verb === 'MAIL' ? 'drop' : undefined) });
  world.peers['dest.example'] = { retryPeriod: 1 };
  await world.queued(['bob@dest.example']);
  await world.until(1);
  world.clock.advance(2 * 3_600_000);
  await world.until(1, /^Rejected/);
  const [notice] = await world.notices();
  expect(notice?.text).toMatch(/Action: failed\r\nStatus: 4\.4\.7\r\nRemote-MTA: dns; mx\.dest\.example\r\nLast-Attempt-Date/);
});

test.each([
  ['MAIL', 'RCPT', ['550 5.7.1 not you', '550 5.7.1 not you']],
  ['RCPT', 'DATA', ['550 5.7.1 not you', '550 5.7.1 not you']],
])('a no to %s counts, although the peer hangs up behind it', async (refused, dropped, replies) => {
  await begin({ reply: (verb) => (verb === refused ? '550 5.7.1 not you' : verb === dropped ? 'drop' : undefined) });
  await world.queued(['bob@dest.example', 'bill@dest.example']);
  await world.until(2);
  expect(world.logged).toEqual(replies.map((reply) => expect.stringMatching(new RegExp(`^Rejected .*: 5\\.7\\.1 ${reply}$`))));
});

test('what a host says instead of a greeting is quoted in the report, and said once', async () => {
  await begin({ reply: (verb) => (verb === 'connect' ? '521 5.3.2 no mail here' : undefined) });
  await world.queued(['bob@dest.example']);
  await world.until(1);
  const [notice] = await world.notices();
  expect(notice?.text).toMatch(
    /Status: 5\.3\.2\r\nRemote-MTA: dns; mx\.dest\.example\r\nDiagnostic-Code: smtp; 521 5\.3\.2 no mail here\r\n/,
  );
  expect(notice?.text.match(/no mail here/g)).toHaveLength(2);
});

test('where the notice cannot be written down, what was sent is done with and the rest waits', async () => {
  await begin({ reply: (verb, line) => (verb === 'RCPT' && line.includes('<no@') ? '550 5.1.1 no such user' : undefined) });
  const { create } = world.blobs;
  world.blobs.create = () => {
    throw new Error('no room');
  };
  const id = await world.queued(['yes@dest.example', 'no@dest.example']);
  await world.until(1, /^\[Error\]/);
  world.blobs.create = create;
  await world.smtpc.stop();
  expect(world.logged.filter((line) => /^(Sent|Rejected)/.test(line))).toEqual([]);
  expect((await world.queue.get(id))?.recipients).toMatchObject([
    { address: 'no@dest.example', attempts: 1, nextAttempt: world.clock.now() + 60_000, reason: '550 5.1.1 no such user' },
  ]);
  expect(await world.notices()).toEqual([]);
});

test('after a transaction that failed the next message goes over the same session', async () => {
  await begin({ reply: (verb, line) => (verb === 'RCPT' && line.includes('<no@') ? '550 5.1.1 no such user' : undefined) });
  await world.smtpc.stop();
  world.peers['dest.example'] = { sessions: 1 };
  await world.queued(['no@dest.example']);
  await world.queued(['yes@dest.example']);
  await world.queued(['no@dest.example']);
  await world.queued(['yes@dest.example']);
  await world.smtpc.start(() => {});
  await world.until(4);
  expect(world.sink.connections).toBe(1);
  const asked = world.sink.heard.filter((line) => line.startsWith('RCPT')).map((line) => /<(\w+)@/.exec(line)?.[1]);
  expect(asked).toEqual(['no', 'yes', 'no', 'yes']);
  // A report takes longer to write down than that a message was sent.
  expect(world.logged.map((line) => line.split(' ')[0]).sort()).toEqual(['Rejected', 'Rejected', 'Sent', 'Sent']);
});

test('a message that was not refused for good is sent when its time comes', async () => {
  let busy = true;
  await begin({ reply: (verb) => (verb === '.' && busy ? '451 4.3.0 try later' : undefined) });
  await world.queued(['bob@dest.example']);
  await world.until(1, /^Deferred/);
  busy = false;
  world.clock.advance(15 * 60_000 - 1);
  expect(world.sink.messages).toEqual([]);
  world.clock.advance(2);
  await world.until(1, /^Sent/);
  expect(world.sink.messages.length).toBe(1);
});

test('554 after the data is temporary unless the setting says otherwise', async () => {
  await begin({ reply: (verb) => (verb === '.' ? '554 transaction failed' : undefined) });
  await world.queued(['bob@dest.example']);
  await world.until(1);
  expect(world.logged[0]).toMatch(/^Deferred/);
  world.settings.set({ ...world.settings.value, treat554AsTemporary: false });
  await world.queued(['bill@dest.example']);
  await world.until(2);
  expect(world.logged[1]).toMatch(/^Rejected .* 554 transaction failed$/);
});

test('what the DNS says for good bounces, what it cannot say waits', async () => {
  await begin();
  Object.assign(world.zones, {
    'null.example': { mx: [{ preference: 0, exchange: '' }] },
    'sick.example': { mx: 'sick' },
    'loop.example': {
      mx: [
        { preference: 10, exchange: 'mx.jade.example' },
        { preference: 20, exchange: 'mx.dest.example' },
      ],
    },
    'bare.example': {},
    'direct.example': { a: ['127.0.0.1'] },
  });
  await world.queued(['a@null.example']);
  await world.queued(['a@sick.example']);
  await world.queued(['a@loop.example']);
  await world.queued(['a@bare.example']);
  await world.queued(['a@gone.example']);
  await world.queued(['a@direct.example']);
  await world.queued(['a@[127.0.0.1]']);
  await world.until(7);
  const line = (domain: string): string => world.logged.find((one) => one.includes(` to a@${domain} `)) ?? '';
  expect(line('null.example')).toMatch(/^Rejected .*: 5\.1\.10 /);
  expect(line('sick.example')).toMatch(/^Deferred .*SERVFAIL/);
  expect(line('loop.example')).toMatch(/^Rejected .*: 5\.4\.6 /);
  expect(line('bare.example')).toMatch(/^Rejected .*: 5\.1\.2 /);
  expect(line('gone.example')).toMatch(/^Rejected .*: 5\.1\.2 /);
  expect(line('direct.example')).toMatch(/^Sent /);
  expect(line('[127.0.0.1]')).toMatch(/^Sent /);
});

test('exchangers are tried in the order of their preference', async () => {
  await begin();
  world.zones['two.example'] = {
    mx: [
      { preference: 20, exchange: 'mx.dest.example' },
      { preference: 10, exchange: 'dead.example' },
    ],
  };
  // Nothing listens there.
  world.zones['dead.example'] = { a: ['127.0.0.99'] };
  await world.queued(['a@two.example']);
  await world.until(1);
  expect(world.logged[0]).toMatch(/^Sent .* host=mx\.dest\.example/);
});

test('several messages share a session, up to the limit', async () => {
  await begin();
  await world.smtpc.stop();
  world.peers['dest.example'] = { messagesPerSession: 3, sessions: 1 };
  for (let n = 0; n < 7; n += 1) await world.queued([`u${n}@dest.example`]);
  await world.smtpc.start(() => {});
  await world.until(7);
  expect(world.sink.messages.length).toBe(7);
  expect(world.sink.connections).toBe(3);
});

test('EHLO is followed by HELO where it is not understood, and then without extensions', async () => {
  await begin({ extensions: undefined });
  world.sink.script.extensions = undefined;
  await world.queued(['bob@dest.example']);
  await world.queued(['bob@dest.example'], {
    eightBit: true,
    text: 'Content-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe und mehr',
  });
  await world.until(2);
  expect(world.sink.heard.slice(0, 3)).toEqual(['EHLO mx.jade.example', 'HELO mx.jade.example', 'MAIL FROM:<ann@jade.example>']);
  expect(world.sink.messages[1]?.data).toMatch(/\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe und mehr\r\n$/);
});

test('to a host without 8BITMIME a message goes converted, with its new size, or comes back and says why', async () => {
  await begin({ extensions: ['SIZE 400'] });
  const text = (body: string): string => `Content-Type: text/plain; charset=iso-8859-1\r\n\r\n${body}`;
  await world.queued(['a@dest.example'], { eightBit: true, text: text('Gr\xfc\xdfe und mehr') });
  await world.until(1);
  const { data, lines } = world.sink.messages[0] ?? { data: '', lines: [] };
  expect(lines[0]).toBe(`MAIL FROM:<ann@jade.example> SIZE=${data.length - 2}`);
  await world.queued(['b@dest.example'], { eightBit: true, text: text('\xfc'.repeat(200)) });
  await world.until(2);
  expect(world.logged[1]).toMatch(/^Rejected .*: 5\.3\.4 the message has \d+ octets, .* at most 400/);
  await world.queued(['c@dest.example'], {
    eightBit: true,
    text: 'Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n\xfc\r\n--b--',
  });
  await world.until(3);
  expect(world.logged[2]).toMatch(/^Rejected .*: 5\.6\.3 .* takes 7-bit messages only: the message is signed/);
  expect(world.sink.messages.length).toBe(1);
});

test('a line that is too long goes out in several, to everybody', async () => {
  await begin();
  await world.queued(['a@dest.example'], { longLines: true, text: `Subject: x\r\n\r\n${'y'.repeat(1_500)}\r\n` });
  await world.until(1);
  expect(Math.max(...(world.sink.messages[0]?.data.split('\r\n') ?? []).map(({ length }) => length))).toBeLessThanOrEqual(76);
  expect(world.sink.messages[0]?.data.replace(/=\r\n/g, '')).toContain('y'.repeat(1_500));
});

test('without SMTPUTF8 a message goes where neither its header nor an address needs it, and else comes back', async () => {
  await begin({ extensions: ['8BITMIME'] });
  const needs = { smtputf8: true, eightBit: true };
  await world.queued(['only-body@dest.example', 'jürgen@dest.example'], { ...needs, text: 'Subject: x\r\n\r\n\xc3\xbc' });
  await world.queued(['header@dest.example'], { ...needs, text: 'Subject: \xc3\xbc\r\n\r\nx' });
  await world.queued(['sender@dest.example'], { ...needs, sender: 'märz@jade.example', text: 'Subject: x\r\n\r\nx' });
  await world.until(4);
  expect(world.sink.messages.map(({ lines }) => lines)).toEqual([
    ['MAIL FROM:<ann@jade.example> BODY=8BITMIME', 'RCPT TO:<only-body@dest.example>'],
  ]);
  expect(world.logged.filter((line) => line.startsWith('Rejected') && line.includes(' 5.6.7 ')).length).toBe(3);
});

test('what was noted about spam stays here, unless the peer is to have it', async () => {
  await begin();
  const about = {
    prefix: 'Received: x\r\nX-Mailtree-DNSBL: bl.example (127.0.0.2)\r\n',
    text: 'X-Mailtree-DNSBL: older\r\nSubject: x\r\n\r\nb',
  };
  await world.queued(['a@dest.example'], about);
  await world.until(1);
  world.peers['dest.example'] = { keepSpamHeaders: true };
  await world.queued(['a@dest.example'], about);
  await world.until(2);
  expect(world.sink.messages.map(({ data }) => data)).toEqual([
    'Received: x\r\nSubject: x\r\n\r\nb\r\n',
    `${about.prefix}${about.text}\r\n`,
  ]);
});

test('SIZE, BODY, SMTPUTF8 and the DSN wishes of each recipient go along', async () => {
  await begin();
  await world.queued(
    [
      { address: 'a@dest.example', dsn: { notify: ['success', 'failure'], originalRecipient: 'rfc822;x+y@jade.example' } },
      { address: 'b@dest.example', dsn: { notify: ['never'] } },
      'c@dest.example',
    ],
    { eightBit: true, smtputf8: true, ret: 'hdrs', envelopeId: 'id=1', text: 'Subject: gr\xc3\xbc\xc3\x9fe\r\n\r\nx\r\n' },
  );
  await world.until(3);
  expect(world.sink.messages[0]?.lines).toEqual([
    expect.stringMatching(/^MAIL FROM:<ann@jade\.example> BODY=8BITMIME SIZE=\d+ RET=HDRS ENVID=id\+3D1 SMTPUTF8$/),
    'RCPT TO:<a@dest.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x+2By@jade.example',
    'RCPT TO:<b@dest.example> NOTIFY=NEVER',
    'RCPT TO:<c@dest.example>',
  ]);
  expect(await world.notices()).toEqual([]);
});

test('a message over the peer’s limit is not even begun', async () => {
  await begin({ extensions: ['SIZE 20'] });
  await world.queued(['bob@dest.example']);
  await world.until(1);
  expect(world.logged[0]).toMatch(/^Rejected .*: 5\.3\.4 /);
  expect(world.sink.heard.some((line) => line.startsWith('MAIL'))).toBe(false);
});

test('STARTTLS is used where it is offered, and done without where it fails', async () => {
  await begin({ tls: testCertificate() }, { idleTime: 0 });
  await world.queued(['bob@dest.example']);
  await world.until(1);
  expect(world.sink.messages[0]?.encrypted).toBe(true);
  world.sink.script.tls = undefined;
  world.sink.script.extensions = ['STARTTLS'];
  world.sink.script.reply = (verb) => (verb === 'STARTTLS' ? '220 but it will not work\r\nrubbish' : undefined);
  await world.queued(['bill@dest.example']);
  await world.until(2, /^Sent/);
  expect(world.sink.messages[1]?.encrypted).toBe(false);
  expect(world.logged.some((line) => line.startsWith('[Warning]') && line.includes('in the clear'))).toBe(true);
});

test('with required encryption nothing goes in the clear', async () => {
  await begin({}, { tls: 'required' });
  await world.queued(['bob@dest.example']);
  await world.until(1);
  expect(world.logged[0]).toMatch(/^Deferred /);
  expect(world.sink.heard.some((line) => line.startsWith('MAIL'))).toBe(false);
});

test.each([
  ['hangs up instead of a greeting', 'connect', 'drop'],
  ['hangs up at MAIL', 'MAIL', 'drop'],
  ['hangs up before it answers the message', '.', 'drop'],
  ['talks rubbish', 'RCPT', 'hello there'],
  ['greets with rubbish', 'connect', '\x00\xff\x00'],
  ['sends more than a reply', 'connect', `220 ${'x'.repeat(200_000)}`],
  ['ends the session with 421', 'MAIL', '421 4.3.2 going down'],
])('a peer that %s only delays the mail', async (_, verb, said) => {
  await begin({ reply: (heard) => (heard === verb ? said : undefined) });
  const id = await world.queued(['bob@dest.example']);
  await world.until(1);
  expect(world.logged[0]).toMatch(/^Deferred /);
  expect((await world.queue.get(id))?.recipients).toMatchObject([{ attempts: 1 }]);
});

test.each([
  ['connect', 5],
  ['EHLO', 5],
  ['MAIL', 5],
  ['.', 10],
])('a peer that says nothing after %s is given up after its time', async (verb, minutes) => {
  await begin({ extensions: ['8BITMIME'], reply: (heard) => (heard === verb ? 'mute' : undefined) });
  await world.queued(['bob@dest.example']);
  const reached = (): boolean =>
    verb === 'connect'
      ? world.sink.connections > 0
      : verb === '.'
        ? world.sink.heard.includes('DATA')
        : world.sink.heard.some((line) => line.startsWith(verb));
  while (!reached()) await new Promise((resolve) => setTimeout(resolve, 2));
  await world.calm();
  world.clock.advance(minutes * 60_000 - 1);
  expect(world.logged).toEqual([]);
  world.clock.advance(1);
  await world.until(1);
  expect(world.logged[0]).toMatch(/^Deferred .*(in time)/);
});

test.each([
  ['MAIL', 1, 'mail'],
  ['RCPT', 2, 'rcpt'],
  ['DATA', 3, 'data'],
])('where commands are sent in a row, silence at %s has its own time', async (verb, minutes, phase) => {
  // `mute` is for good: nothing that comes behind it is answered.
  await begin(
    { reply: (heard) => (heard === verb ? 'mute' : undefined) },
    { timeoutMail: 1, timeoutRcpt: 2, timeoutData: 3, timeoutEnd: 60 },
  );
  await world.queued(['bob@dest.example']);
  while (!world.sink.heard.includes('DATA')) await new Promise((resolve) => setTimeout(resolve, 2));
  await world.calm();
  world.clock.advance(minutes * 60_000 - 1);
  expect(world.logged).toEqual([]);
  world.clock.advance(1);
  await world.until(1);
  expect(world.logged[0]).toContain(`did not answer in time (${phase})`);
});

test('while a destination is down its further mail is put off without a try, other mail goes on', async () => {
  await begin({ reply: (verb) => (verb === 'connect' ? '421 4.3.2 no' : undefined) });
  world.zones['dead.example'] = { mx: [{ preference: 1, exchange: 'mx.dest.example' }] };
  for (let n = 0; n < 20; n += 1) await world.queued([`u${n}@dead.example`]);
  await world.until(20);
  expect(world.sink.connections).toBeLessThan(5);
  world.sink.script.reply = () => undefined;
  await world.queued(['bob@dest.example']);
  await world.until(1, /^Sent/);
});

test('what was deferred goes at once when it is told to', async () => {
  let down = true;
  await begin({ reply: (verb) => (verb === 'connect' && down ? '421 4.3.2 no' : undefined) });
  await world.queued(['bob@dest.example']);
  await world.until(1);
  down = false;
  world.clock.advance(1_000);
  await world.queue.retryNow('SMTPC', 'dest.example');
  await world.until(1, /^Sent/);
});

test('stopping does not wait for the DNS', async () => {
  await begin();
  const id = await world.queued(['bob@hanging.example']);
  while (!world.hanging()) await new Promise((resolve) => setTimeout(resolve, 2));
  await world.smtpc.stop();
  expect((await world.queue.get(id))?.recipients).toMatchObject([{ attempts: 0 }]);
});

test('stopping ends within its time and leaves nothing leased', async () => {
  await begin({ reply: (verb) => (verb === 'EHLO' ? 'mute' : undefined) });
  const id = await world.queued(['bob@dest.example']);
  while (!world.sink.heard.includes('EHLO mx.jade.example')) await new Promise((resolve) => setTimeout(resolve, 2));
  await world.smtpc.stop();
  expect((await world.queue.get(id))?.recipients).toMatchObject([{ attempts: 0 }]);
  world.sink.script.reply = () => undefined;
  await world.smtpc.start(() => {});
  await world.until(1, /^Sent/);
});
