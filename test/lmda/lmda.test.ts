import { readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { type PipelineOptions, sample, type TestPipeline, testPipeline } from '../support/pipeline.ts';
import { collect, keysOf } from '../support/queue.ts';
import { copyAsCrashed, tempDir } from '../support/temp.ts';

const opened: TestPipeline[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function open(options: PipelineOptions = {}): Promise<TestPipeline> {
  const made = await testPipeline(options);
  opened.push(made);
  return made;
}

const bart = 'uuid-bart@ima.com';
const anna = 'uuid-anna@ima.com';

/** What waits at SMTPC: the reports to the sender. */
async function reports(one: TestPipeline): Promise<string[]> {
  const texts: string[] = [];
  for (const { message } of await collect(one.queue.list({ queue: 'SMTPC' }))) {
    texts.push(Buffer.from(await one.blobs.read(message.blob.id)).toString());
  }
  return texts;
}

test('a message is delivered to all its recipients, with what the delivery adds in front', async () => {
  const one = await open();
  const id = await one.submit(['bart@ima.com', 'Anna@ima.com']);
  await one.settle();
  const [text] = await one.inbox(bart);
  expect(text).toBe(
    `Return-Path: <müller@example.com>\r\nDelivered-To: bart@ima.com\r\nReceived: by mail.example.com id ${id}\r\n${sample}`,
  );
  expect((await one.inbox(anna))[0]).toContain('Delivered-To: anna@ima.com\r\n');
  const size = Buffer.byteLength(sample);
  expect(one.lines).toContain(
    `Delivered ${id} size: ${size} bytes from: <müller@example.com> to bart@ima.com channel=LOCAL mailbox=bart@ima.com/INBOX client=[192.0.2.1] helo=client.example.net tls=no`,
  );
  expect(await keysOf(one.keyValue)).not.toContainEqual(expect.stringMatching(/^queue\//));
});

test('what was set aside goes into the folder for unwanted mail, whatever its name, and into INBOX where there is none', async () => {
  const one = await open();
  const names = async (): Promise<string[]> =>
    (await one.store.mailboxes(bart)).filter(({ messages }) => messages > 0).map(({ name, messages }) => `${name} ${messages}`);
  const setAside = async (): Promise<void> => {
    await one.submit(['bart@ima.com'], sample, { quarantine: 'nobody vouches for it', authentication: 'fail' });
    await one.settle();
  };
  await setAside();
  expect(await names()).toEqual(['Junk 1']);
  await one.store.renameMailbox(bart, 'Junk', 'Spam');
  await setAside();
  expect(await names()).toEqual(['Spam 2']);
  expect(one.lines.at(-1)).toMatch(/ mailbox=bart@ima\.com\/Spam/);
  await one.store.deleteMailbox(bart, 'Spam');
  await setAside();
  expect((await names()).map((name) => name.split(' ')[0])).toEqual(['INBOX']);
});

test('a line break in an envelope address cannot add a header line', async () => {
  const one = await open();
  await one.submit(['bart@ima.com'], sample, { sender: 'a@far.net>\r\nX-Evil: 1' });
  await one.settle();
  expect((await one.inbox(bart))[0]).not.toContain('\r\nX-Evil');
});

test('a message for a full mailbox is bounced with the reason, or waits, by setting', async () => {
  const one = await open();
  one.dit.change('bart@ima.com', { quota: 50 });
  await one.submit(['bart@ima.com', 'anna@ima.com']);
  await one.settle();
  expect(await one.inbox(bart)).toEqual([]);
  expect(await one.inbox(anna)).toHaveLength(1);
  expect((await reports(one))[0]).toContain('Status: 5.2.2\r\n');
  one.settings.lmda.set({ ...one.settings.lmda.value, overQuota: 'defer' });
  const id = await one.submit(['bart@ima.com']);
  await one.settle();
  expect((await one.queue.get(id))?.recipients).toMatchObject([{ queue: 'LOCAL', attempts: 1, reason: 'the mailbox is full' }]);
  one.dit.change('bart@ima.com', { quota: 1_000_000 });
  one.clock.advance(100_000);
  await one.settle();
  expect(await one.inbox(bart)).toHaveLength(1);
  expect(await reports(one)).toHaveLength(1);
});

test.each([
  ['disabled', { status: 'disabled' as const }, '5.2.1'],
  ['gone', { uuid: 'another' }, '5.1.1'],
  [
    'not allowed to receive',
    { connectors: [{ dn: 'cn=x', channel: 'LOCAL' as const, identifier: '', permission: 'send' as const }] },
    '5.2.1',
  ],
])('mail for an account that is %s since it was routed is bounced with the reason', async (_name, change, status) => {
  const one = await open();
  await one.submit(['bart@ima.com', 'anna@ima.com']);
  await one.settle([one.preprocessor]);
  one.dit.change('bart@ima.com', change);
  await one.settle();
  expect(await one.inbox(anna)).toHaveLength(1);
  const found = await reports(one);
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(`Final-Recipient: rfc822; bart@ima.com\r\nAction: failed\r\nStatus: ${status}\r\n`);
});

test('while the directory is away mail waits', async () => {
  const one = await open();
  const id = await one.submit(['bart@ima.com']);
  await one.settle([one.preprocessor]);
  one.dit.away.add(bart);
  await one.settle();
  expect((await one.queue.get(id))?.recipients).toMatchObject([{ queue: 'LOCAL', attempts: 1 }]);
  one.dit.away.clear();
  one.clock.advance(100_000);
  await one.settle();
  expect(await one.inbox(bart)).toHaveLength(1);
});

test('one recipient the directory cannot tell about does not keep the others from getting theirs', async () => {
  const one = await open();
  const id = await one.submit(['anna@ima.com', 'bart@ima.com']);
  await one.settle([one.preprocessor]);
  one.dit.away.add(bart);
  await one.settle([one.lmda]);
  expect(await one.inbox(anna)).toHaveLength(1);
  expect((await one.queue.get(id))?.recipients).toMatchObject([{ address: 'bart@ima.com', attempts: 1 }]);
});

test('a failure after days is not reported for those who have the message already', async () => {
  const one = await open();
  one.settings.lmda.set({ ...one.settings.lmda.value, disabled: 'defer' });
  await one.submit(['anna@ima.com', 'bart@ima.com'], sample, { arrivedAt: one.clock.now() - 6 * 86_400_000 });
  await one.settle([one.preprocessor]);
  one.dit.change('bart@ima.com', { status: 'disabled' });
  const { create } = one.blobs;
  let failures = 0;
  one.blobs.create = () => {
    if (failures++ === 0) throw new Error('no room for the report');
    return create.call(one.blobs);
  };
  await one.settle([one.lmda]);
  expect(await one.inbox(anna)).toHaveLength(1);
  await one.settle([one.preprocessor]);
  const found = await reports(one);
  expect(found).toHaveLength(1);
  expect(found[0]).toContain('bart@ima.com');
  expect(found[0]).not.toContain('anna@ima.com');
});

test('mail that could not be delivered for days is bounced', async () => {
  const one = await open();
  one.settings.lmda.set({ ...one.settings.lmda.value, disabled: 'defer' });
  await one.submit(['bart@ima.com'], sample, { arrivedAt: one.clock.now() });
  await one.settle([one.preprocessor]);
  one.dit.change('bart@ima.com', { status: 'disabled' });
  await one.settle();
  expect(await reports(one)).toEqual([]);
  one.clock.advance(6 * 86_400_000);
  await one.settle();
  expect((await reports(one))[0]).toContain('this account is disabled');
});

test('mail that a wrong clock had wait for a time that nobody means goes at the next start, and what waits for tomorrow does not', async () => {
  const one = await open();
  await one.submit(['bart@ima.com']);
  await one.submit(['anna@ima.com']);
  await one.settle([one.preprocessor]);
  for (const lease of await one.queue.lease('LOCAL', 9)) {
    const far = lease.recipients[0]?.address === 'bart@ima.com';
    const nextAttempt = one.clock.now() + (far ? 365 : 1) * 86_400_000;
    await one.queue.defer(
      lease,
      lease.recipients.map(({ number }) => ({ number, nextAttempt, reason: 'later' })),
    );
  }
  await one.settle();
  expect([(await one.inbox(bart)).length, (await one.inbox(anna)).length]).toEqual([1, 0]);
});

test('a sender who asks for it is told of the delivery', async () => {
  const one = await open();
  await one.submit([{ address: 'bart@ima.com', dsn: { notify: ['success'], originalRecipient: 'rfc822;Bart@ima.com' } }, 'anna@ima.com']);
  await one.settle();
  const [report] = await reports(one);
  expect(report).toContain('Original-Recipient: rfc822;Bart@ima.com\r\nFinal-Recipient: rfc822; bart@ima.com\r\nAction: delivered\r\n');
  expect(report).not.toContain('anna@ima.com');
});

test('a recipient that was delivered before is completed and not delivered again', async () => {
  const one = await open();
  await one.submit(['bart@ima.com', 'anna@ima.com']);
  await one.settle([one.preprocessor]);
  // As a queue restored from an older state would: its entry is there again after the delivery.
  const before = (await collect(one.keyValue.scan({ from: '', to: '\u{10ffff}' }))).filter(([key]) => !key.startsWith('store/'));
  await one.settle();
  await one.keyValue.transact(async () => ({ puts: before, result: undefined }), 'durable');
  one.clock.advance(60_000);
  await one.settle();
  expect(await one.inbox(bart)).toHaveLength(1);
  expect(await one.inbox(anna)).toHaveLength(1);
  expect(await one.queue.lease('LOCAL', 10)).toEqual([]);
});

test('one recipient the store refuses does not keep the others from getting theirs', async () => {
  const one = await open();
  const deliverPart = one.store.deliverPart.bind(one.store);
  one.store.deliverPart = (account, message, options) =>
    account === bart
      ? async () => {
          throw new TypeError('broken mailbox');
        }
      : deliverPart(account, message, options);
  const id = await one.submit(['bart@ima.com', 'anna@ima.com']);
  await one.settle();
  expect(await one.inbox(anna)).toHaveLength(1);
  expect((await one.queue.get(id))?.recipients).toMatchObject([{ address: 'bart@ima.com', attempts: 1 }]);
});

test('a list of a thousand members is delivered once to each', async () => {
  const one = await open();
  const members = Array.from({ length: 1000 }, (_, n) => `m${n}@ima.com`);
  for (const mail of members) one.dit.add({ mail });
  await one.submit(members);
  await one.settle();
  for (const mail of [members[0], members[500], members[999]]) expect(await one.inbox(`uuid-${mail}`)).toHaveLength(1);
  expect(await keysOf(one.keyValue)).not.toContainEqual(expect.stringMatching(/^queue\//));
});

test('a crash after any commit neither loses a delivery nor makes it twice', async () => {
  // The disk after every write, as a killed process or (for what was not flushed) a power cut leaves it.
  const states: { path: string; remove: () => Promise<void> }[] = [];
  let accepted = Number.POSITIVE_INFINITY;
  const one = await open({
    async onWrite(path) {
      const folder = await tempDir();
      await copyAsCrashed(path, folder.path);
      states.push(folder);
    },
  });
  await one.submit(['bart@ima.com', 'nobody@ima.com', 'anna@ima.com', 'x@far.net']);
  accepted = states.length;
  await one.settle();
  expect(states.length).toBeGreaterThan(accepted + 4);
  for (const [n, folder] of states.entries()) {
    const after = await open({ folder });
    await after.settle();
    const expected = n + 1 >= accepted ? 1 : 0;
    expect(await after.inbox(bart)).toHaveLength(expected);
    expect(await after.inbox(anna)).toHaveLength(expected);
    const out = (await collect(after.queue.list({ queue: 'SMTPC' }))).flatMap(({ recipients }) => recipients.map(({ address }) => address));
    expect(out.sort()).toEqual(expected === 1 ? ['müller@example.com', 'x@far.net'] : []);
    expect((await after.queue.summary()).filter(({ queue, pending }) => queue !== 'SMTPC' && pending > 0)).toEqual([]);
  }
});

test('wherever a loss of power tears the database behind the acceptance, the message is there once for everybody afterwards', async () => {
  const states: { path: string; remove: () => Promise<void> }[] = [];
  const log = async (path: string): Promise<string> => {
    const names = (await readdir(join(path, 'db'))).filter((name) => name.endsWith('.log')).sort();
    return join(path, 'db', names.at(-1) ?? '');
  };
  const copy = async (path: string): Promise<void> => {
    const folder = await tempDir();
    await copyAsCrashed(path, folder.path);
    states.push(folder);
  };
  const one = await open({ onWrite: copy });
  await one.submit(['bart@ima.com', 'anna@ima.com', 'x@far.net']);
  const accepted = states.at(-1) as (typeof states)[number];
  const { size: least } = await stat(await log(accepted.path));
  await one.settle();
  const last = states.at(-1) as (typeof states)[number];
  const { size: most } = await stat(await log(last.path));
  expect(most).toBeGreaterThan(least + 1_000);
  const cuts = Array.from({ length: 24 }, (_, n) => least + Math.floor(((most - least) * n) / 24));
  for (const cut of cuts) {
    await copy(last.path);
    const torn = states.at(-1) as (typeof states)[number];
    await truncate(await log(torn.path), cut);
    const after = await open({ folder: torn });
    await after.settle();
    expect([cut, (await after.inbox(bart)).length, (await after.inbox(anna)).length]).toEqual([cut, 1, 1]);
    const out = (await collect(after.queue.list({ queue: 'SMTPC' }))).flatMap(({ recipients }) => recipients.map(({ address }) => address));
    expect(out).toEqual(['x@far.net']);
  }
  for (const state of states) await state.remove();
});
