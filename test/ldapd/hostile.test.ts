/** What strangers send. After every case another client is served. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { encodeRequest, noticeOfDisconnection } from '../../src/ldap-wire/index.ts';
import { type Door, openDoor, type RawLdap, searchFor, simpleBind } from '../support/ldap-door.ts';

let it: Door;
beforeEach(async () => {
  it = await openDoor();
});
afterEach(async () => {
  // Whatever happened: somebody else is served.
  const other = await it.client();
  other.send(1, searchFor('(mail=user1@jade.net)'));
  expect((await other.next())?.body.op).toBe('entry');
  expect((await other.next())?.body).toMatchObject({ op: 'search', result: { code: 0 } });
  await it.end();
});

const notice = (code: number) => ({ id: 0, body: { op: 'extended', oid: noticeOfDisconnection, result: { code } } });

async function isThrownOut(client: RawLdap, code = 2): Promise<void> {
  expect(await client.next()).toMatchObject(notice(code));
  await client.closed;
}

test.each([
  ['a length of four gigabytes', '30 84 ff ff ff ff'],
  ['a length of two gigabytes', '30 84 7f ff ff ff'],
  ['an indefinite length', '30 80 02 01 01'],
  ['a length of eight octets', '30 88 00 00 00 00 00 00 00 05'],
  ['HTTP', '47 45 54 20 2f 20 48 54 54 50 2f 31 2e 31 0d 0a 0d 0a'],
  ['a TLS hello', '16 03 01 02 00 01 00 01 fc 03 03'],
  ['message id 0', '30 05 02 01 00 42 00'],
  ['a message id of five octets', '30 09 02 05 01 00 00 00 00 42 00'],
  ['an empty sequence', '30 00'],
  ['an unknown operation', '30 05 02 01 01 5f 00'],
  ['a response', '30 0c 02 01 01 65 07 0a 01 00 04 00 04 00'],
  ['an inner length beyond the message', '30 05 02 01 01 4a 7f'],
  ['an indefinite length inside', '30 09 02 01 01 63 80 04 00 00 00'],
  ['a search whose filter length is cut off', '30 18 02 01 01 63 13 04 00 0a 01 00 0a 01 00 02 01 00 02 01 00 01 01 00 a3 84 ff'],
])('%s is answered with a notice of disconnection', async (_, octets) => {
  const client = await it.client();
  client.write(octets);
  await isThrownOut(client);
});

test('a message over the limit before login is refused from its header alone', async () => {
  const client = await it.client();
  client.write('30 83 01 00 01');
  await isThrownOut(client);
});

test('a request that cannot be understood gets its own answer, and the connection lives', async () => {
  const client = await it.client();
  client.write('30 0a 02 01 09 63 05 04 00 0a 01 07');
  expect(await client.next()).toMatchObject({ id: 9, body: { op: 'search', result: { code: 2 } } });
  client.write('30 06 02 01 0a 4a 01 ff');
  expect(await client.next()).toMatchObject({ id: 10, body: { op: 'delete', result: { code: 2 } } });
  expect(await client.ask(11, { op: 'delete', dn: 'no name' })).toMatchObject({ id: 11, body: { result: { code: 34 } } });
  expect(await client.ask(12, searchFor('(a=b)', { base: 'cn=none,dc=jade,dc=net' }))).toMatchObject({
    body: { op: 'search', result: { code: 32, matched: 'dc=jade,dc=net' } },
  });
});

test('a filter nested thousands deep gets protocolError', async () => {
  const client = await it.client();
  let filter: Buffer = Buffer.from('870161', 'hex');
  for (let n = 0; n < 8_000; n++) {
    const header =
      filter.length < 0x80 ? [0xa2, filter.length] : [0xa2, 0x83, filter.length >> 16, (filter.length >> 8) & 255, filter.length & 255];
    filter = Buffer.concat([Buffer.from(header), filter]);
  }
  const body = Buffer.concat([Buffer.from('04000a01020a0100020100020100010100', 'hex'), filter, Buffer.from('3000', 'hex')]);
  const long = (tag: number, content: Buffer): Buffer =>
    Buffer.concat([Buffer.from([tag, 0x83, content.length >> 16, (content.length >> 8) & 255, content.length & 255]), content]);
  client.write(long(0x30, Buffer.concat([Buffer.from('020101', 'hex'), long(0x63, body)])));
  expect(await client.next()).toMatchObject({ id: 1, body: { op: 'search', result: { code: 2 } } });
});

test('64 KB of pipelined abandons are swallowed', async () => {
  const client = await it.client();
  const abandon = encodeRequest(2, { op: 'abandon', target: 1 });
  client.write(Buffer.concat(Array(Math.ceil(65_536 / abandon.length)).fill(abandon)));
  expect(await client.ask(3, searchFor('(mail=none)'))).toMatchObject({ id: 3, body: { op: 'search', result: { code: 0 } } });
});

test('a message id in use may not be used again', async () => {
  const release = it.directory.hold();
  const client = await it.client();
  client.send(1, searchFor('(mail=*)'));
  client.send(1, searchFor('(mail=*)'));
  await isThrownOut(client);
  release();
});

test('one octet at a time makes a request all the same', async () => {
  const client = await it.client();
  client.socket.setNoDelay(true);
  for (const octet of encodeRequest(4, searchFor('(mail=none)'))) {
    client.write(Uint8Array.of(octet));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await client.next()).toMatchObject({ id: 4, body: { op: 'search', result: { code: 0 } } });
});

test('a request that is never completed ends with its time', async () => {
  const client = await it.client();
  client.write(Buffer.concat([encodeRequest(1, searchFor('(mail=none)')), Buffer.from('302002', 'hex')]));
  expect((await client.next())?.id).toBe(1);
  it.clock.advance(121_000);
  await isThrownOut(client);
});

test('an idle connection is told so and closed', async () => {
  const client = await it.client();
  await client.ask(1, searchFor('(mail=none)'));
  it.clock.advance(931_000);
  await isThrownOut(client, 52);
});

test('a surplus connection is told that the server is busy; a raised limit holds at once', async () => {
  it.settings.set({ ...it.settings.value, maxConnections: 1 });
  const first = await it.client();
  await first.ask(1, searchFor('(mail=none)'));
  const second = await it.client();
  await isThrownOut(second, 51);
  it.settings.set({ ...it.settings.value, maxConnections: 10 });
  const third = await it.client();
  expect(await third.ask(1, searchFor('(mail=none)'))).toMatchObject({ body: { result: { code: 0 } } });
});

test.each([
  ['nothing', ''],
  ['half a message', '30 0c 02'],
  ['StartTLS and nothing more', '30 1d 02 01 01 77 18 80 16 31 2e 33 2e 36 2e 31 2e 34 2e 31 2e 31 34 36 36 2e 32 30 30 33 37'],
])('where all connections are taken, the oldest of those that say %s makes room', async (_, octets) => {
  it.settings.set({ ...it.settings.value, maxConnections: 3 });
  const user = await it.client();
  expect(await user.ask(1, simpleBind('mail=user1@jade.net,dc=jade,dc=net', 'secret1'))).toMatchObject({ body: { result: { code: 0 } } });
  const silent: RawLdap[] = [];
  for (let n = 0; n < 6; n++) {
    const client = await it.client();
    if (octets !== '') client.write(octets);
    silent.push(client);
  }
  for (const client of silent.slice(0, 4)) await client.closed;
  const other = await it.client();
  expect(await other.ask(1, searchFor('(mail=none)'))).toMatchObject({ body: { result: { code: 0 } } });
  expect(await user.ask(2, searchFor('(mail=none)'))).toMatchObject({ body: { result: { code: 0 } } });
  await silent[4]!.closed;
  expect(it.door.connections).toBeLessThanOrEqual(3);
});

test('of those that have said something, strangers make room that have not for half a minute, and who reads nothing', async () => {
  it.settings.set({ ...it.settings.value, maxConnections: 2 });
  const [user, stranger] = [await it.client(), await it.client()];
  await user.ask(1, simpleBind('mail=user1@jade.net,dc=jade,dc=net', 'secret1'));
  await stranger.ask(1, searchFor('(mail=none)'));
  await isThrownOut(await it.client(), 51);
  it.clock.advance(31_000);
  const third = await it.client();
  await isThrownOut(stranger, 51);
  expect(await third.ask(1, searchFor('(mail=none)'))).toMatchObject({ body: { result: { code: 0 } } });
  expect(await user.ask(2, searchFor('(mail=none)'))).toMatchObject({ body: { result: { code: 0 } } });
  // Somebody logged in who takes no answers.
  const photo = new Uint8Array(1_000_000);
  it.directory.put('cn=large,dc=jade,dc=net', { objectClass: ['top'], cn: ['large'], jpegPhoto: [photo] });
  user.socket.pause();
  for (let n = 10; n < 40; n++) user.send(n, searchFor('(cn=large)'));
  await third.ask(2, searchFor('(mail=none)'));
  it.clock.advance(15_000);
  await third.ask(3, searchFor('(mail=none)'));
  const fourth = await it.client();
  expect(await fourth.ask(1, searchFor('(mail=none)'))).toMatchObject({ body: { result: { code: 0 } } });
  user.socket.resume();
  await user.closed;
  it.settings.set({ ...it.settings.value, maxConnections: 10 });
});

test('a bind waits for what is in work, and what follows waits for the bind', async () => {
  const client = await it.client();
  const name = 'mail=user1@jade.net,dc=jade,dc=net';
  const who = (id: number) => encodeRequest(id, { op: 'extended', oid: '1.3.6.1.4.1.4203.1.11.3', value: undefined });
  const release = it.directory.hold();
  client.write(
    Buffer.concat([
      encodeRequest(1, searchFor('(mail=none)')),
      encodeRequest(2, simpleBind(name, 'secret1')),
      who(3),
      encodeRequest(4, simpleBind('', '')),
      who(5),
    ]),
  );
  release();
  const answers = [await client.next(), await client.next(), await client.next(), await client.next(), await client.next()];
  expect(answers.map((answer) => answer?.id)).toEqual([1, 2, 3, 4, 5]);
  expect(answers[2]).toMatchObject({ body: { value: Uint8Array.from(Buffer.from(`dn:${name}`)) } });
  expect(answers[4]).toMatchObject({ body: { value: new Uint8Array(0) } });
});

test('more requests than may be in work at one time wait and are answered', async () => {
  it.settings.set({ ...it.settings.value, maxOperations: 2 });
  const release = it.directory.hold();
  const client = await it.client();
  client.write(Buffer.concat(Array.from({ length: 500 }, (_, n) => encodeRequest(n + 1, searchFor('(mail=none)')))));
  await new Promise((resolve) => setImmediate(resolve));
  release();
  const ids = new Set<number>();
  for (let n = 0; n < 500; n++) ids.add((await client.next())?.id ?? 0);
  expect(ids.size).toBe(500);
  expect(it.directory.actors.length).toBeGreaterThanOrEqual(500);
});

test('a client that does not read stops the search, not the server', async () => {
  it.directory.put('cn=big,dc=jade,dc=net', { objectClass: ['top'], cn: ['big'], description: ['x'.repeat(1_000_000)] });
  const client = await it.client();
  client.socket.pause();
  for (let n = 1; n <= 60; n++) client.send(n, searchFor('(cn=big)'));
  const other = await it.client();
  expect(await other.ask(1, searchFor('(mail=none)'))).toMatchObject({ body: { result: { code: 0 } } });
  expect(await other.ask(2, searchFor('(mail=none)'))).toMatchObject({ body: { result: { code: 0 } } });
  client.socket.resume();
  let done = 0;
  while (done < 60) if ((await client.next())?.body.op === 'search') done++;
});

test('a client that never reads its answers is cut off in time', async () => {
  it.directory.put('cn=big,dc=jade,dc=net', { objectClass: ['top'], cn: ['big'], description: ['x'.repeat(1_000_000)] });
  const client = await it.client();
  client.socket.pause();
  for (let n = 1; n <= 60; n++) client.send(n, searchFor('(cn=big)'));
  // Until nothing moves any more: the buffers on the way are full.
  for (let before = -1; before < it.directory.actors.length || before === 0; ) {
    before = it.directory.actors.length;
    for (let n = 0; n < 200; n++) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(it.directory.actors.length).toBeLessThan(60);
  it.clock.advance(160_000);
  client.socket.resume();
  await client.closed;
});

test('a client that goes away in the middle takes its searches with it', async () => {
  const release = it.directory.hold();
  const client = await it.client();
  client.send(1, searchFor('(mail=*)'));
  client.send(2, { op: 'compare', dn: 'dc=jade,dc=net', attribute: 'dc', value: Buffer.from('jade') });
  await client.next();
  client.socket.resetAndDestroy();
  while (it.directory.aborted === 0) await new Promise((resolve) => setImmediate(resolve));
  release();
});

test('a client that closes its half is answered first', async () => {
  const client = await it.client();
  client.socket.end(encodeRequest(1, searchFor('(mail=none)')));
  expect(await client.next()).toMatchObject({ id: 1, body: { op: 'search' } });
  await client.closed;
});

test('unbind closes the connection without a word', async () => {
  const client = await it.client();
  client.send(1, { op: 'unbind' });
  expect(await client.next()).toBeUndefined();
});

test('a bind that makes no sense leaves nobody logged in', async () => {
  const client = await it.client();
  await client.ask(1, simpleBind('mail=user1@jade.net,dc=jade,dc=net', 'secret1'));
  const whoAmI = { op: 'extended', oid: '1.3.6.1.4.1.4203.1.11.3', value: undefined } as const;
  const name = Buffer.from('dn:mail=user1@jade.net,dc=jade,dc=net');
  expect((await client.ask(2, whoAmI))?.body).toMatchObject({ value: name });
  client.write('300a 020103 6005 020103 0400');
  expect(await client.next()).toMatchObject({ id: 3, body: { op: 'bind', result: { code: 2 } } });
  expect((await client.ask(4, whoAmI))?.body).toMatchObject({ result: { code: 0 }, value: Buffer.alloc(0) });
});
