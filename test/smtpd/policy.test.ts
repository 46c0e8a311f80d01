import { afterEach, expect, test } from '@jest/globals';
import { ManualClock } from '../../src/base/index.ts';
import type { Recipient } from '../../src/dit/index.ts';
import { type Client, greeted, MemoryKeyValue, plain, startWorld, user, Client as Wire, type World, type WorldOptions } from './helpers.ts';

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
afterEach(async () => {
  for (const one of clients) one.close();
  clients = [];
  await world.stop();
});
const set = (settings: WorldOptions['settings']): void => world.settings.set({ ...world.settings.value, ...settings });
const bob = 'RCPT TO:<bob@jade.example>';
/** What the first command that is not taken gets; the reply to the message where all are. */
const sent = async (from = 'MAIL FROM:<bill@elsewhere.example>', to = bob, kind?: 'smtp' | 'submission'): Promise<string> => {
  const c = await client(kind);
  for (const line of [from, to, 'DATA']) {
    const reply = await c.say(line);
    if (!/^[23]/.test(reply)) return reply;
  }
  return c.say('Subject: x\r\n\r\nx\r\n.');
};
const lastRule = (): string | undefined => /\(rule: (.*)\)$/.exec(world.logged.at(-1) ?? '')?.[1];

test('who may connect: everybody but a list, or nobody but a list; for good or for now', async () => {
  await begin({ settings: { connectionDeny: ['10.0.0.0/8', '127.0.0.1-127.0.0.3'] } });
  const first = async (kind: 'smtp' | 'submission' = 'smtp'): Promise<string[]> => {
    const wire = await Wire.open(world.smtpd.port(kind));
    clients.push(wire);
    return wire.rest();
  };
  const refused = async (kind: 'smtp' | 'submission' = 'smtp'): Promise<string> => {
    const wire = await Wire.open(world.smtpd.port(kind));
    clients.push(wire);
    const greeting = await wire.reply();
    // RFC 5321 §3.1: after 554 we wait for QUIT, and take nothing else.
    for (const line of ['EHLO x.example', 'HELO x.example', 'STARTTLS', 'AUTH PLAIN', 'MAIL FROM:<>', 'BDAT 1 LAST', 'NOOP'])
      expect(await wire.say(line)).toMatch(/^503 5\.5\.1 /);
    expect(await wire.say('QUIT')).toMatch(/^221 /);
    expect(await wire.reply()).toBe('(closed)');
    return greeting;
  };
  expect(await refused()).toBe('554 mx.jade.example connections from your address are not allowed');
  expect(lastRule()).toBe('mtSmtpdConnectionDeny (127.0.0.1-127.0.0.3) of cn=smtpd,cn=mailtree');
  expect(await refused('submission')).toMatch(/^554 /);
  set({ connectionCode: 'temporary' });
  expect(await first()).toEqual([expect.stringMatching(/^421 /)]);
  set({ connectionDefault: 'deny' });
  expect(await first()).toEqual([expect.stringMatching(/^421 /)]);
  expect(lastRule()).toBe('mtSmtpdConnectionDefault of cn=smtpd,cn=mailtree');
  // What is allowed by default has no say where nothing is, and the other way round.
  set({ connectionAllow: ['127.0.0.1'] });
  expect(await sent()).toMatch(/^250 /);
});

test('whoever is turned away and stays is sent off before long', async () => {
  const clock = new ManualClock();
  await begin({ clock, settings: { connectionDeny: ['127.0.0.1'] } });
  const wire = await Wire.open(world.smtpd.port('smtp'));
  clients.push(wire);
  expect(await wire.reply()).toMatch(/^554 /);
  clock.advance(5_000);
  expect(await wire.reply()).toMatch(/^421 4\.4\.2 /);
  expect(await wire.reply()).toBe('(closed)');
});

test.each([
  [{}, '550 5.7.1', 'mtSmtpdRelayDefault'],
  [{ refusalCode: 'temporary' }, '450 4.7.1', 'mtSmtpdRelayDefault'],
  [{ relayAllow: ['127.0.0.1'] }, '250 2.0.0', undefined],
  [{ relayAllow: ['127.0.0.0/30'] }, '250 2.0.0', undefined],
  [{ relayAllow: ['127.0.0.2-127.0.0.9'] }, '550 5.7.1', 'mtSmtpdRelayDefault'],
  [{ relayDefault: 'allow' }, '250 2.0.0', undefined],
  [{ relayDefault: 'allow', relayDeny: ['127.0.0.1'] }, '550 5.7.1', 'mtSmtpdRelayDeny (127.0.0.1)'],
  [{ relayDefault: 'allow', relayAllow: ['10.0.0.1'] }, '250 2.0.0', undefined],
  [{ rejectRemoteRecipients: false }, '250 2.0.0', undefined],
] as const)('a stranger relaying with %j is told %s', async (settings, answer, rule) => {
  await begin({ settings });
  expect(await sent(undefined, 'RCPT TO:<x@remote.example>')).toContain(answer);
  if (rule) expect(lastRule()).toBe(`${rule} of cn=smtpd,cn=mailtree`);
});

test('a user may relay, unless that is switched off', async () => {
  await begin({ settings: { loginWithoutTls: 'always', relayForAuthenticated: false } });
  const c = await client('submission');
  await c.say(`AUTH PLAIN ${plain('ann', 'secret')}`);
  await c.say('MAIL FROM:<ann@jade.example>');
  expect(await c.say('RCPT TO:<x@remote.example>')).toMatch(/^550 5\.7\.1 /);
  expect(world.logged.at(-1)).toMatch(/user=ann@jade\.example.*: 550 .*\(rule: mtSmtpdRelayForAuthenticated of cn=smtpd,cn=mailtree\)$/);
});

test('reverse DNS judges the greeting: no name, another name, a name that cannot be looked up', async () => {
  await begin({ settings: { rejectUnresolvable: true, rejectHeloMismatch: true } });
  const hello = async (line: string): Promise<string> => {
    const wire = await Wire.open(world.smtpd.port('smtp'));
    clients.push(wire);
    await wire.reply();
    return (await wire.say(line)).split('\n')[0] ?? '';
  };
  // The master switch is off.
  expect(await hello('EHLO who.example')).toMatch(/^250/);
  set({ reverseDns: true });
  expect(await hello('EHLO who.example')).toBe('550 your address [127.0.0.1] has no name in the DNS');
  expect(lastRule()).toBe('mtSmtpdRejectUnresolvable of cn=smtpd,cn=mailtree');
  set({ unresolvableCode: 'temporary' });
  expect(await hello('HELO who.example')).toMatch(/^450 /);
  world.dns['PTR 127.0.0.1'] = ['real.example', 'other.example'];
  world.dns['CNAME alias.example'] = ['real.example'];
  for (const line of ['EHLO real.example', 'HELO OTHER.example.', 'EHLO [127.0.0.1]']) expect(await hello(line)).toMatch(/^250/);
  for (const line of ['EHLO who.example', 'EHLO alias.example', 'EHLO real.example.org', 'EHLO [127.0.0.2]'])
    expect(await hello(line)).toMatch(/^550 /);
  expect(lastRule()).toBe('mtSmtpdRejectHeloMismatch of cn=smtpd,cn=mailtree');
  set({ heloMismatchCode: 'temporary' });
  expect(await hello('EHLO who.example')).toMatch(/^450 /);
  world.dns['PTR 127.0.0.1'] = 'sick';
  set({ heloMismatchCode: 'permanent', unresolvableCode: 'permanent' });
  expect(await hello('EHLO real.example')).toMatch(/^450 /);
  // Users come from anywhere, under any name.
  const submission = await client('submission');
  expect(await submission.say('NOOP')).toMatch(/^250 /);
  // Who was refused has not said HELO.
  const wire = await Wire.open(world.smtpd.port('smtp'));
  clients.push(wire);
  await wire.reply();
  await wire.say('EHLO who.example');
  expect(await wire.say('MAIL FROM:<a@b.example>')).toMatch(/^503 /);
});

test('spammers are refused by address and by domain, and users are not', async () => {
  await begin({ settings: { loginWithoutTls: 'always', senderCheck: 'never' } });
  const entry = { dn: 'cn=spam.example,cn=spammers,cn=mta,cn=mailtree', name: 'spam.example' };
  world.mood.spammers.set('spam.example', entry);
  expect(await sent('MAIL FROM:<a@spam.example>')).toMatch(/^553 5\.7\.1 /);
  expect(world.logged.at(-1)).toMatch(/^Rejected from: <a@spam\.example> rule=mtSmtpdRejectSpammers .*client=\[127\.0\.0\.1\].*: 553 /);
  expect(lastRule()).toBe(entry.dn);
  set({ spammerCode: 'temporary' });
  expect(await sent('MAIL FROM:<a@spam.example>')).toMatch(/^451 4\.7\.1 /);
  expect(await sent('MAIL FROM:<a@ham.example>')).toMatch(/^250 /);
  expect(await sent('MAIL FROM:<>')).toMatch(/^250 /);
  const c = await client('submission');
  await c.say(`AUTH PLAIN ${plain('ann', 'secret')}`);
  expect(await c.say('MAIL FROM:<a@spam.example>')).toMatch(/^250 /);
  set({ rejectSpammers: false });
  expect(await sent('MAIL FROM:<a@spam.example>')).toMatch(/^250 /);
});

test('a sender needs a domain that takes mail', async () => {
  await begin({ settings: { rejectSenderDomain: true } });
  Object.assign(world.dns, {
    'MX mx.example': ['mail.mx.example'],
    'A a.example': ['192.0.2.1'],
    'MX null.example': [''],
    'TXT txt.example': ['nothing else'],
    'MX sick.example': 'sick',
  });
  for (const [domain, answer] of Object.entries({
    'mx.example': '250 2.0.0',
    'a.example': '250 2.0.0',
    'null.example': '550 5.7.27',
    'txt.example': '550 5.1.8',
    'gone.example': '550 5.1.8',
    'sick.example': '450 4.4.3',
    'jade.example': '250 2.0.0',
    '[192.0.2.1]': '250 2.0.0',
  }))
    expect(`${domain} ${await sent(`MAIL FROM:<a@${domain}>`)}`).toContain(`${domain} ${answer}`);
  expect(await sent('MAIL FROM:<>')).toMatch(/^250 /);
  set({ senderDomainCode: 'temporary' });
  expect(await sent('MAIL FROM:<a@gone.example>')).toMatch(/^450 4\.1\.8 /);
  expect(lastRule()).toBe('mtSmtpdRejectSenderDomain of cn=smtpd,cn=mailtree');
  set({ rejectSenderDomain: false });
  expect(await sent('MAIL FROM:<a@gone.example>')).toMatch(/^250 /);
});

const list = (zone: string, action: 'reject' | 'pass') => ({
  dn: `cn=${zone},cn=dnsbl,cn=mta,cn=mailtree`,
  zone,
  action,
  answers: ['127.0.0.0-127.255.254.255'],
});

test('a listed client is refused, or its mail is tagged, as the list says', async () => {
  await begin({ settings: { loginWithoutTls: 'always' } });
  world.mood.blacklists.push(list('tag.example', 'pass'), list('bl.example', 'reject'));
  expect(await sent()).toMatch(/^250 /);
  expect(world.accepted[0]?.prefix).not.toMatch(/DNSBL/);
  // What no list would answer: its zone was given up, or we may not ask.
  world.dns['A 1.0.0.127.bl.example'] = ['203.0.113.9'];
  expect(await sent()).toMatch(/^250 /);
  world.dns['A 1.0.0.127.bl.example'] = ['127.255.255.254'];
  expect(await sent()).toMatch(/^250 /);
  world.dns['A 1.0.0.127.tag.example'] = ['127.0.0.4'];
  expect(await sent()).toMatch(/^250 /);
  expect(world.accepted.at(-1)?.prefix).toMatch(/\r\nX-Mailtree-DNSBL: tag\.example \(127\.0\.0\.4\)\r\n/);
  world.dns['A 1.0.0.127.bl.example'] = ['127.0.0.2'];
  expect(await sent()).toBe('554 5.7.1 your address [127.0.0.1] is listed by bl.example');
  expect(lastRule()).toBe('cn=bl.example,cn=dnsbl,cn=mta,cn=mailtree');
  set({ dnsBlCode: 'temporary' });
  expect(await sent()).toMatch(/^450 4\.7\.1 /);
  // A user may be anywhere.
  const c = await client();
  await c.say(`AUTH PLAIN ${plain('ann', 'secret')}`);
  expect(await c.say('MAIL FROM:<ann@jade.example>')).toMatch(/^250 /);
  set({ dnsBlWhitelist: ['127.0.0.1-127.0.0.2'] });
  expect(await sent()).toMatch(/^250 /);
  set({ dnsBlWhitelist: [], dnsBl: false });
  expect(await sent()).toMatch(/^250 /);
  world.dns['A 1.0.0.127.bl.example'] = 'sick';
  set({ dnsBl: true });
  expect(await sent()).toMatch(/^250 /);
});

test('connections, messages and recipients of a client have a limit a minute', async () => {
  const clock = new ManualClock(1_000_000);
  await begin({ clock, settings: { messagesPerMinute: 2, recipientsPerMinute: 3 } });
  expect(await sent()).toMatch(/^250 /);
  expect(await sent()).toMatch(/^250 /);
  expect(await sent()).toMatch(/^450 4\.7\.1 /);
  expect(lastRule()).toBe('mtSmtpdMessagesPerMinute of cn=smtpd,cn=mailtree');
  clock.advance(60_000);
  const c = await client();
  await c.say('MAIL FROM:<>');
  for (const answer of [/^250 /, /^250 /, /^250 /, /^450 4\.7\.1 /]) expect(await c.say(bob)).toMatch(answer);
  set({ connectionsPerMinute: 1 });
  clock.advance(60_000);
  expect(await sent()).toMatch(/^250 /);
  const wire = await Wire.open(world.smtpd.port('smtp'));
  clients.push(wire);
  expect(await wire.rest()).toEqual([expect.stringMatching(/^421 .*too many connections/)]);
  set({ rateExempt: ['127.0.0.0/8'] });
  for (let n = 0; n < 4; n += 1) expect(await sent()).toMatch(/^250 /);
});

test('what a user may send in a day is counted over sessions and restarts, and the next day begins anew', async () => {
  const clock = new ManualClock(new Date(2026, 10, 25, 12).getTime());
  const keyValue = new MemoryKeyValue();
  const options = { clock, keyValue, settings: { loginWithoutTls: 'always', userMessagesPerDay: 2 } } as const;
  await begin(options);
  const user = async (octets = 0): Promise<string> => {
    const c = await client('submission');
    await c.say(`AUTH PLAIN ${plain('ann', 'secret')}`);
    const mail = await c.say('MAIL FROM:<ann@jade.example>');
    if (!mail.startsWith('250')) return mail;
    await c.say(bob);
    await c.say('DATA');
    return c.say(`From: ann@jade.example\r\n\r\n${'x'.repeat(70)}\r\n${`${'y'.repeat(998)}\r\n`.repeat(octets / 1_000)}.`);
  };
  expect(await user()).toMatch(/^250 /);
  await world.stop();
  await begin(options);
  expect(await user()).toMatch(/^250 /);
  expect(await user()).toMatch(/^452 4\.7\.1 /);
  expect(lastRule()).toBe('mtSmtpdUserMessagesPerDay of cn=smtpd,cn=mailtree');
  // Another server is nobody's business.
  expect(await sent()).toMatch(/^250 /);
  clock.advance(12 * 3_600_000);
  expect(await user()).toMatch(/^250 /);
  expect([...keyValue.records.keys()].map((key) => key.slice(0, 22))).toEqual(['smtpd/daily/2026-11-26']);
  set({ userMessagesPerDay: 0, userMegabytesPerDay: 1 });
  expect(await user(600_000)).toMatch(/^250 /);
  expect(await user(600_000)).toMatch(/^452 4\.7\.1 /);
  expect(lastRule()).toBe('mtSmtpdUserMegabytesPerDay of cn=smtpd,cn=mailtree');
  expect(world.blobs.open).toBe(0);
  const c = await client('submission');
  await c.say(`AUTH PLAIN ${plain('ann', 'secret')}`);
  expect(await c.say('MAIL FROM:<ann@jade.example> SIZE=900000')).toMatch(/^452 /);
  expect(await c.say('MAIL FROM:<ann@jade.example> SIZE=9000')).toMatch(/^250 /);
});

test('a daily limit holds for messages that are sent at one time', async () => {
  await begin({ settings: { loginWithoutTls: 'always', userMessagesPerDay: 3 } });
  const answers = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const c = await client('submission');
      await c.say(`AUTH PLAIN ${plain('ann', 'secret')}`);
      for (const line of ['MAIL FROM:<ann@jade.example>', bob, 'DATA']) await c.say(line);
      return (await c.say('From: ann@jade.example\r\n\r\nx\r\n.')).slice(0, 3);
    }),
  );
  expect(answers.sort()).toEqual(['250', '250', '250', '452', '452', '452']);
  expect(world.accepted).toHaveLength(3);
});

test('ETRN starts what waits for a domain, and for what is below it', async () => {
  await begin();
  world.mood.waiting.set('dial.example', 2).set('sub.dial.example', 3);
  const c = await client();
  expect(await c.say('ETRN dial.example')).toBe('253 2.0.0 2 pending messages for dial.example started');
  expect(await c.say('ETRN DIAL.example')).toMatch(/^253 /);
  expect(await c.say('ETRN @dial.example')).toBe('253 2.0.0 5 pending messages for dial.example started');
  expect(await c.say('ETRN idle.example')).toMatch(/^251 2\.0\.0 /);
  for (const [line, answer] of Object.entries({
    ETRN: '501',
    'ETRN a b': '501',
    'ETRN [127.0.0.1]': '501',
    'ETRN #all': '459',
    'ETRN -x': '501',
  }))
    expect(`${line}: ${await c.say(line)}`).toMatch(`${line}: ${answer}`);
  // What is below `@` is an organisation; nobody starts everything.
  for (let n = 0; n < 101; n += 1) world.mood.waiting.set(`d${n}.org`, 1);
  expect(await c.say('ETRN @org')).toMatch(/^458 4\.7\.1 mail waits for more than 100 domains below org/);
  // Whoever asks, and from wherever: a domain is not tried for it as often as a stranger likes.
  const again = await client();
  for (let n = 0; n < 3; n += 1) expect(await again.say('ETRN dial.example')).toMatch(/^253 /);
  expect(await again.say('ETRN dial.example')).toBe('250 2.0.0 queuing for dial.example was started a moment ago');
  set({ etrnPerMinute: 1 });
  const d = await client();
  expect(await d.say('ETRN dial.example')).toMatch(/^458 4\.7\.1 /);
  await d.say('MAIL FROM:<>');
  expect(await d.say('ETRN dial.example')).toMatch(/^503 /);
  set({ offerEtrn: false });
  expect(await (await client()).say('ETRN dial.example')).toMatch(/^502 /);
});

test('VRFY and EXPN tell nothing unless they are asked to', async () => {
  await begin();
  const off = await client();
  expect(await off.say('VRFY bob@jade.example')).toMatch(/^252 /);
  expect(await off.say('EXPN bob@jade.example')).toMatch(/^550 /);
  set({ vrfy: true });
  const on = await client();
  expect(await on.say('VRFY <bob@jade.example>')).toBe('250 2.1.5 <bob@jade.example>');
  expect(await on.say('VRFY bob')).toMatch(/^250 /);
  expect(await on.say('VRFY nobody@jade.example')).toMatch(/^550 /);
  expect(await on.say('VRFY x@remote.example')).toMatch(/^252 /);
  expect(await on.say('EXPN bob@jade.example')).toMatch(/^550 5\.7\.1 command disabled/);
  set({ expn: true });
  const both = await client();
  expect(await both.say('EXPN nobody@jade.example')).toMatch(/^550 5\.1\.1 /);
});

test('EXPN tells where the mail of an address goes as its entry has it', async () => {
  await begin({ settings: { vrfy: true, expn: true } });
  const entry = (mail: string, more: Partial<Recipient>): void => {
    world.mood.people.set(mail, { ...user, uuid: `uuid of ${mail}`, mail, aliases: [], ...more });
  };
  entry('list@jade.example', { kind: 'alias', forwardTo: ['a@x.example', 'b@x.example'] });
  entry('too@jade.example', { forwardTo: ['a@x.example', 'too@jade.example'] });
  entry('away@jade.example', { routingAddress: 'away@x.example', forwardTo: ['c@x.example'] });
  entry('frauke@jade.example', { routingAddress: 'früh@x.example' });
  const c = await client();
  for (const [address, answer] of [
    ['list@jade.example', '250-2.1.5 <a@x.example>\n250 2.1.5 <b@x.example>'],
    ['too@jade.example', '250-2.1.5 <too@jade.example>\n250 2.1.5 <a@x.example>'],
    ['away@jade.example', '250-2.1.5 <away@x.example>\n250 2.1.5 <c@x.example>'],
    ['ann@jade.example', '250 2.1.5 <ann@jade.example>'],
    ['ann@jade.example SMTPUTF8', '250 2.1.5 <ann@jade.example>'],
    ['frauke@jade.example smtputf8', '250 2.1.5 <früh@x.example>'],
  ])
    expect(await c.say(`EXPN ${address}`)).toBe(answer);
  // RFC 6531 §3.7.4.2: without the word a client has no use for UTF-8.
  expect(await c.say('EXPN frauke@jade.example')).toMatch(/^550 5\.6\.7 /);
  expect(await c.say('VRFY jürgen@jade.example')).toMatch(/^553 5\.6\.7 /);
  expect(await c.say('VRFY jürgen@jade.example SMTPUTF8')).toBe('250 2.1.5 <jürgen@jade.example>');
});

test('a peer may be kept out, and may have a smaller size', async () => {
  await begin({ settings: { maxMessageSize: 100_000 } });
  const dn = 'cn=xyz.example,cn=peers,cn=mailtree';
  world.mood.peers.set('sales.xyz.example', { accept: false, saidBy: { accept: dn } });
  world.mood.peers.set('small.example', { inboundSize: 8_192, saidBy: { inboundSize: dn } });
  const c = await client();
  expect(await c.say('EHLO sales.xyz.example')).toBe('550 host sales.xyz.example is not authorized to connect to mx.jade.example');
  expect(lastRule()).toBe(dn);
  expect(await c.say('MAIL FROM:<>')).toMatch(/^503 /);
  expect(await c.say('HELO sales.xyz.example')).toMatch(/^550 /);
  world.mood.largestInbound = 50_000;
  expect(await c.say('EHLO small.example')).toMatch(/^250-SIZE 50000$/m);
  expect(await c.say('MAIL FROM:<> SIZE=8193')).toMatch(/^552 5\.3\.4 .* 8192 octets$/);
  expect(lastRule()).toBe(dn);
  for (const line of ['MAIL FROM:<>', bob, 'DATA']) await c.say(line);
  expect(await c.say(`${`${'x'.repeat(98)}\r\n`.repeat(82)}.`)).toMatch(/^552 5\.3\.4 /);
  expect(lastRule()).toBe(dn);
  await c.say('EHLO other.example');
  expect(await c.say('MAIL FROM:<> SIZE=8193')).toMatch(/^250 /);
  // Where some peer has no limit, the general one is all there is to promise.
  world.mood.largestInbound = 0;
  expect(await (await client()).say('EHLO other.example')).toMatch(/^250-SIZE 100000$/m);
  const submission = await client('submission');
  expect(await submission.say('EHLO sales.xyz.example')).toMatch(/^250/);
});

test.each([
  ['5.2.1', 'this account is disabled', 'accountStatus', 'mail=ann,dc=jade,dc=example'],
  ['5.4.6', 'routing loop detected', 'mailForwardingAddress', undefined],
])('a recipient that gets no mail is refused with %s, and the log names what decided it', async (status, text, rule, entry) => {
  await begin();
  world.mood.judge = async () => ({ status, text, rule, ...(entry === undefined ? {} : { entry }) });
  const c = await client();
  await c.say('MAIL FROM:<bill@elsewhere.example>');
  expect(await c.say('RCPT TO:<ann@jade.example>')).toBe(`550 ${status} ann@jade.example: ${text}`);
  expect(world.logged.at(-1)).toMatch(new RegExp(`to ann@jade\\.example rule=${rule} .*: 550 ${status.replaceAll('.', '\\.')} `));
  expect(world.logged.at(-1)).toContain(`(rule: ${entry === undefined ? rule : `${rule} of ${entry}`})`);
});

test.each<[string, NonNullable<WorldOptions['settings']>, string, string[]]>([
  ['authentication', {}, 'submission', ['MAIL FROM:<ann@jade.example>']],
  ['mtSmtpdRejectUnqualified', {}, 'smtp', ['MAIL FROM:<bill>']],
  ['mtSmtpdQualify', { rejectUnqualified: 'never', qualify: false }, 'smtp', ['MAIL FROM:<bill>']],
  ['mtSmtpdMaxRecipients', { maxRecipients: 1 }, 'smtp', ['MAIL FROM:<>', bob, 'RCPT TO:<ann@jade.example>']],
  ['mtSmtpdLoginWithoutTls', { loginWithoutTls: 'never' }, 'smtp', ['AUTH PLAIN']],
  ['mtSmtpdMaxLoginFailures', { maxLoginFailures: 1, loginWithoutTls: 'always' }, 'smtp', [`AUTH PLAIN ${plain('ann', 'guess')}`]],
  ['mtSmtpdMaxErrors', { maxErrors: 2 }, 'smtp', ['MAIL', 'MAIL']],
])('the log names %s where it refuses', async (rule, settings, kind, lines) => {
  await begin({ settings });
  const c = await client(kind as 'smtp' | 'submission');
  let said = '';
  for (const line of lines) said = await c.say(line);
  expect(said).toMatch(/^[45]/);
  expect(world.logged.at(-1)).toMatch(
    new RegExp(`^Rejected .*rule=${rule} .*client=\\[127\\.0\\.0\\.1\\].*: [45]\\d\\d .*\\(rule: .*\\)$`),
  );
});

test('who has logged in is the account on port 25, too, unless the setting says otherwise', async () => {
  await begin({ settings: { loginWithoutTls: 'always' } });
  const answer = async (): Promise<string> => {
    const c = await client();
    await c.say(`AUTH PLAIN ${plain('ann', 'secret')}`);
    return await c.say('MAIL FROM:<boss@jade.example>');
  };
  expect(await answer()).toMatch(/^553 5\.7\.1 /);
  world.settings.set({ ...world.settings.value, senderCheck: 'submission' });
  expect(await answer()).toMatch(/^250 /);
});
