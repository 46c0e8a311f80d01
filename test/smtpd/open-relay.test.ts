/** The forms by which relays were tried for thirty years: each is refused, or means somebody here. Spec: RFC 5321 §4.1.2, §4.1.3, appendix C */

import { afterEach, expect, test } from '@jest/globals';
import { greeted, startWorld, type World } from './helpers.ts';

let world: World;
afterEach(() => world.stop());

const senders = ['', 'spam@remote.example', 'spam@jade.example', 'spam@[127.0.0.1]', 'spam@mx.jade.example', 'postmaster@jade.example'];
const recipients: readonly (readonly [path: string, answer: RegExp])[] = [
  ['<victim@remote.example>', /^550 5\.7\.1/],
  ['<"victim@remote.example">', /^553/],
  ['<"victim"@remote.example>', /^550 5\.7\.1/],
  ['<victim%remote.example@jade.example>', /^550 5\.1\.1/],
  ['<victim%remote.example@[127.0.0.1]>', /^550 5\.7\.1/],
  ['<victim%remote.example>', /^553/],
  ['<"victim%remote.example"@jade.example>', /^550 5\.1\.1/],
  ['<"victim@remote.example"@jade.example>', /^550 5\.1\.1/],
  ['<"victim@remote.example"@[127.0.0.1]>', /^550 5\.7\.1/],
  ['<victim@remote.example@jade.example>', /^553/],
  ['<victim@jade.example@remote.example>', /^553/],
  ['<@jade.example:victim@remote.example>', /^550 5\.7\.1/],
  ['<@[127.0.0.1]:victim@remote.example>', /^550 5\.7\.1/],
  ['<@jade.example,@mx.jade.example:victim@remote.example>', /^550 5\.7\.1/],
  ['<@remote.example:bob@jade.example>', /^250/],
  ['<remote.example!victim>', /^553/],
  ['<remote.example!victim@jade.example>', /^550 5\.1\.1/],
  ['<remote.example!victim@[127.0.0.1]>', /^550 5\.7\.1/],
  ['<victim@[192.0.2.1]>', /^550 5\.7\.1/],
  ['<victim@[IPv6:2001:db8::1]>', /^550 5\.7\.1/],
  ['<victim@192.0.2.1>', /^550 5\.7\.1/],
  ['<victim@localhost>', /^550 5\.7\.1/],
  ['<victim@remote.example.>', /^55[03]/],
  ['<victim@jade.example.remote.example>', /^550 5\.7\.1/],
  ['<victim@jade.example%remote.example>', /^553/],
  ['<victim@REMOTE.example>', /^550 5\.7\.1/],
  ['<victim@xn--remote-.example>', /^55[03]/],
  ['<victim@remote.example\u0000@jade.example>', /^501/],
  ['<victim@remote.example >', /^55[03]|^501/],
  ['victim@remote.example', /^501/],
  ['<bob@jade.example>, <victim@remote.example>', /^501/],
  ['<bob@jade.example> <victim@remote.example>', /^501|^555/],
];

test.each(recipients)('%j', async (path, answer) => {
  world = await startWorld();
  const c = await greeted(world);
  for (const sender of senders) {
    await c.say('RSET');
    expect(await c.say(`MAIL FROM:<${sender}>`)).toMatch(/^250/);
    expect(await c.say(`RCPT TO:${path}`)).toMatch(answer);
    if (!answer.test('250')) expect(await c.say('DATA')).toMatch(/^554 /);
    if (sender === senders[2]) {
      await c.say('RSET');
      await c.say('EHLO jade.example');
    }
  }
  c.close();
  expect(world.accepted).toEqual([]);
});
