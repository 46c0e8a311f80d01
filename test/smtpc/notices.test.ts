/** What senders are told of mail for other hosts, and what other hosts are asked to tell. */

import { afterEach, expect, test } from '@jest/globals';
import { startWorld, type World } from './helpers.ts';

let world: World;
const begin = async (...args: Parameters<typeof startWorld>): Promise<World> => {
  world = await startWorld(...args);
  return world;
};
afterEach(() => world.stop());

test('after the retry period the sender gets it back, the null sender does not', async () => {
  await begin({ reply: (verb) => (verb === 'MAIL' ? '451 4.3.2 not today' : undefined) });
  const late = world.clock.now() - 72 * 3_600_000;
  await world.queued(['bob@dest.example'], { arrivedAt: late });
  await world.queued(['bob@dest.example'], { arrivedAt: late, sender: '' });
  await world.queued(['bob@dest.example'], { arrivedAt: late + 1 });
  await world.until(3);
  expect(world.logged.map((line) => line.split(' ')[0]).sort()).toEqual(['Deferred', 'Rejected', 'Rejected']);
  const notices = await world.notices();
  expect(notices.map((one) => one.to)).toEqual([['ann@jade.example']]);
  expect(notices[0]?.text).toMatch(/Status: 4\.3\.2/);
  expect(notices[0]?.text).toContain('tried for 72 hours without success');
});

test('the sender hears once that a message is late, where the setting or NOTIFY says so', async () => {
  await begin({ reply: (verb) => (verb === 'MAIL' ? '451 4.3.2 not today' : undefined) });
  const late = world.clock.now() - 4 * 3_600_000;
  await world.queued(['quiet@dest.example'], { arrivedAt: late });
  await world.queued([{ address: 'asked@dest.example', dsn: { notify: ['delay'] } }], { arrivedAt: late });
  await world.until(2);
  world.clock.advance(16 * 60_000);
  await world.until(4);
  const notices = await world.notices();
  expect(notices.length).toBe(1);
  expect(notices[0]?.text).toMatch(/Final-Recipient: rfc822; asked@dest\.example\r\nAction: delayed/);
  world.settings.set({ ...world.settings.value, delayNotice: true });
  world.clock.advance(60 * 60_000);
  await world.until(6);
  expect((await world.notices()).length).toBe(2);
});

test('who was told of a delay hears of the success where the setting says so, and once', async () => {
  let busy = true;
  await begin(
    { reply: (verb) => (verb === 'MAIL' && busy ? '451 4.3.2 not today' : undefined) },
    { delayNotice: true, successNotice: true },
  );
  const late = world.clock.now() - 4 * 3_600_000;
  await world.queued(['plain@dest.example', { address: 'never@dest.example', dsn: { notify: ['never'] } }], { arrivedAt: late });
  await world.queued([{ address: 'delay@dest.example', dsn: { notify: ['delay'] } }], { arrivedAt: late });
  await world.queued(['fresh@dest.example']);
  await world.until(4, /^Deferred/);
  expect((await world.notices()).map(({ text }) => /Final-Recipient: rfc822; (\w+)/.exec(text)?.[1]).sort()).toEqual(['delay', 'plain']);
  busy = false;
  world.clock.advance(60 * 60_000);
  await world.until(4, /^Sent/);
  const [success, ...others] = (await world.notices()).filter(({ text }) => text.includes('Subject: Delayed mail has been sent'));
  expect(others).toEqual([]);
  expect(success?.text).toMatch(
    /has now been handed on for:[\s\S]*Final-Recipient: rfc822; plain@dest\.example\r\nAction: relayed\r\nStatus: 2\.0\.0/,
  );
});

test('a report about spam is given up after its own time', async () => {
  await begin({ reply: (verb) => (verb === 'MAIL' ? '451 4.3.2 not today' : undefined) });
  const arrivedAt = world.clock.now() - 4 * 3_600_000;
  await world.queued(['forged@dest.example'], { sender: '', spam: true, arrivedAt });
  await world.queued(['forged@dest.example'], { sender: '', spam: true, arrivedAt: arrivedAt + 1 });
  await world.queued(['honest@dest.example'], { sender: '', arrivedAt });
  await world.queued(['tagged@dest.example'], { sender: '', arrivedAt, text: 'X-Spam-Status: Yes, score=9\r\n\r\nx\r\n' });
  await world.queued(['mail@dest.example'], { arrivedAt, text: 'X-Spam-Status: Yes, score=9\r\n\r\nx\r\n' });
  await world.until(5);
  expect(world.logged.map((line) => /^(\w+) .* to (\w+)@/.exec(line)?.slice(1).join(' ')).sort()).toEqual([
    'Deferred forged',
    'Deferred honest',
    'Deferred mail',
    'Rejected forged',
    'Rejected tagged',
  ]);
});

test('an original recipient with other characters than ASCII goes on in ASCII', async () => {
  await begin();
  await world.queued([{ address: 'a@dest.example', dsn: { originalRecipient: 'utf-8;jürgen+x@jade.example' } }]);
  await world.until(1);
  expect(world.sink.messages[0]?.lines[1]).toBe('RCPT TO:<a@dest.example> ORCPT=utf-8;j\\x{FC}rgen\\x{2B}x@jade.example');
});

test('with DSN switched off nobody is asked for reports, and who wants one hears from us', async () => {
  await begin({}, {}, { dsn: () => false });
  await world.queued([{ address: 'a@dest.example', dsn: { notify: ['success'], originalRecipient: 'rfc822;b@x.example' } }], {
    ret: 'full',
    envelopeId: 'x',
  });
  await world.until(1);
  expect(world.sink.messages[0]?.lines.join(' ')).not.toMatch(/NOTIFY|ORCPT|RET|ENVID/);
  expect((await world.notices())[0]?.text).toContain('Action: relayed');
});

test('who asked to hear of success hears that the next server will not tell', async () => {
  await begin({ extensions: ['8BITMIME'] });
  await world.queued([{ address: 'a@dest.example', dsn: { notify: ['success'] } }, 'b@dest.example']);
  await world.until(2);
  const [notice] = await world.notices();
  expect(notice?.text).toMatch(/Final-Recipient: rfc822; a@dest\.example\r\nAction: relayed\r\nStatus: 2\.0\.0/);
  expect(notice?.text).not.toContain('Final-Recipient: rfc822; b@');
});

test('NOTIFY=NEVER keeps a failure quiet', async () => {
  await begin({ reply: (verb) => (verb === 'RCPT' ? '550 5.1.1 no' : undefined) });
  await world.queued([
    { address: 'a@dest.example', dsn: { notify: ['never'] } },
    { address: 'b@dest.example', dsn: { notify: ['success'] } },
  ]);
  await world.until(2);
  expect(await world.notices()).toEqual([]);
});
