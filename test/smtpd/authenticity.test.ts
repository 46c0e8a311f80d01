/** Mail authentication at the SMTP door: who is asked about, what the message carries on, how a refusal sounds. */

import { afterEach, expect, test } from '@jest/globals';
import { constant, systemClock } from '../../src/base/index.ts';
import { createMailAuthentication, type MailAuthSettings, mailAuthSettings } from '../../src/mail-auth/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import { dnsOf, type Zone } from '../mail-auth/support.ts';
import { type Client, greeted, plain, startWorld, testCertificate, type World, type WorldOptions } from './helpers.ts';

let world: World;
const clients: Client[] = [];

const zone: Zone = {
  'TXT strict.example': ['v=spf1 -all'],
  'TXT _dmarc.strict.example': ['v=DMARC1; p=reject'],
  'TXT soft.example': ['v=spf1 -all'],
  'TXT _dmarc.soft.example': ['v=DMARC1; p=quarantine'],
  'TXT open.example': ['v=spf1 ip4:127.0.0.1 -all'],
  'TXT sick.example': 'away',
};

async function begin(settings: Partial<MailAuthSettings> = {}, options: WorldOptions = {}): Promise<void> {
  const authentication = createMailAuthentication({
    lookup: dnsOf(zone),
    clock: systemClock,
    random: () => 0,
    host: () => 'mx.jade.example',
    settings: constant({ ...defaultsOf(mailAuthSettings), exempt: [], ...settings }),
    ruleOf: () => undefined,
  });
  world = await startWorld({ authentication, tls: testCertificate(), ...options });
}

afterEach(async () => {
  for (const one of clients.splice(0)) one.close();
  await world.stop();
});

async function open(kind?: 'submission'): Promise<Client> {
  const made = await greeted(world, kind);
  clients.push(made);
  return made;
}

async function send(client: Client, sender: string, text = `From: ${sender}\r\n\r\nHello\r\n`): Promise<string> {
  for (const line of [`MAIL FROM:<${sender}>`, 'RCPT TO:<ann@jade.example>', 'DATA']) await client.say(line);
  return client.say(`${text}.`);
}

test('a message that is refused leaves nothing behind, and the next one over the same connection is judged by itself', async () => {
  await begin();
  const c = await open();
  expect(await send(c, 'joe@strict.example')).toBe('550 5.7.26 neither SPF nor DKIM vouches for strict.example in From (policy reject)');
  expect(world.blobs.open).toBe(0);
  expect(world.logged.at(-1)).toMatch(
    /^Rejected from: <joe@strict\.example> to ann@jade\.example rule=mtMailAuthDmarcFail .*\(rule: mtMailAuthDmarcFail of the settings for mail authentication\)$/,
  );
  expect(await send(c, 'joe@open.example')).toMatch(/^250 /);
  expect(world.accepted).toHaveLength(1);
  expect(world.accepted[0]).toMatchObject({ authentication: 'pass' });
  expect(world.accepted[0]?.prefix.replace(/\r\n[ \t]+/g, ' ')).toMatch(
    /^Authentication-Results: mx\.jade\.example; spf=pass smtp\.mailfrom=joe@open\.example;.*\r\nReceived: from /,
  );
});

test('what was set aside is taken, and says why', async () => {
  await begin();
  expect(await send(await open(), 'joe@soft.example')).toMatch(/^250 /);
  expect(world.accepted[0]).toMatchObject({
    authentication: 'fail',
    quarantine: 'neither SPF nor DKIM vouches for soft.example in From (policy quarantine)',
  });
  expect(world.accepted[0]?.prefix).toMatch(/\r\nX-Mailtree-Authentication: quarantine;\r\n reason=/);
});

test('with BDAT as with DATA', async () => {
  await begin();
  const c = await open();
  await c.say('MAIL FROM:<joe@strict.example>');
  await c.say('RCPT TO:<ann@jade.example>');
  c.write('BDAT 10\r\nFrom: joe@');
  expect(await c.reply()).toMatch(/^250 /);
  c.write('BDAT 19 LAST\r\nstrict.example\r\n\r\nx');
  expect(await c.reply()).toMatch(/^550 5\.7\.26 /);
});

test('users and hosts that may relay are believed, but not what they pretend to have found', async () => {
  await begin({}, { settings: { relayAllow: ['127.0.0.0/8'] } });
  const forged =
    'Authentication-Results: mx.jade.example; dkim=pass\r\nX-Mailtree-DNSBL: none\r\nFrom: joe@strict.example\r\n\r\nHello\r\n';
  expect(await send(await open(), 'joe@strict.example', forged)).toMatch(/^250 /);
  expect(world.accepted[0]).toMatchObject({ authentication: 'trusted' });
  expect(world.accepted[0]?.prefix).toMatch(/^Received/);
  expect(world.bytes()).toBe('From: joe@strict.example\r\n\r\nHello\r\n');
  const c = await open('submission');
  await c.say(`AUTH PLAIN ${plain('ann', 'secret')}`);
  expect(await send(c, 'ann@jade.example', forged.replace('joe@strict', 'ann@jade'))).toMatch(/^250 /);
  expect(world.accepted[1]).toMatchObject({ authentication: 'trusted' });
});

test('an open relay believes nobody', async () => {
  await begin({}, { settings: { relayDefault: 'allow' } });
  expect(await send(await open(), 'joe@strict.example')).toMatch(/^550 5\.7\.26 /);
});

test('a header without an end is refused, and costs no more than its limit', async () => {
  await begin();
  const c = await open();
  expect(await send(c, 'joe@open.example', `${'X-Filler: 1234567890\r\n'.repeat(60_000)}From: a@b.example\r\n\r\nx\r\n`)).toBe(
    '552 5.3.4 the header of the message is too long',
  );
  expect(world.blobs.open).toBe(0);
});

test('while the DNS is away mail waits where that is wanted', async () => {
  await begin({ temporary: 'defer', spfFail: 'reject' });
  expect(await send(await open(), 'joe@sick.example')).toMatch(/^451 4\.4\.3 /);
  expect(world.accepted).toHaveLength(0);
});

test('with everything switched off a message is stored as it came', async () => {
  await begin({ verify: false, removeForged: false });
  const text = 'Authentication-Results: mx.jade.example; x=pass\r\nFrom: joe@strict.example\r\n\r\nHello\r\n';
  expect(await send(await open(), 'joe@strict.example', text)).toMatch(/^250 /);
  expect(world.bytes()).toBe(text);
  expect(world.accepted[0]?.authentication).toBeUndefined();
});
