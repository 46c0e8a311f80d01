/** One connection to a server that means no good, or says nothing at all. */

import { afterEach, expect, test } from '@jest/globals';
import { ManualClock } from '../../src/base/index.ts';
import type { DirectoryFault } from '../../src/directory/index.ts';
import { LdapClient, LdapConnection } from '../../src/directory-remote/index.ts';
import { encodeResponse, noticeOfDisconnection, parseDn, parseFilter, type Request } from '../../src/ldap-wire/index.ts';
import { type Asked, done, type ScriptedLdap, scriptedLdap } from '../support/scripted-ldap.ts';
import { eventually } from '../support/server.ts';

let server: ScriptedLdap;
let connection: LdapConnection;
afterEach(async () => {
  connection?.destroy(undefined);
  await server.close();
});

async function connected(script: (asked: Asked) => void, answerLimit = 10_000): Promise<LdapConnection> {
  server = await scriptedLdap(script);
  connection = await LdapConnection.connect({ host: '127.0.0.1', port: server.port }, { answerLimit });
  return connection;
}

const search: Request = {
  op: 'search',
  base: 'dc=test',
  scope: 'sub',
  derefAliases: 0,
  sizeLimit: 0,
  timeLimit: 0,
  typesOnly: false,
  filter: parseFilter('(objectClass=*)'),
  attributes: [],
};
const faultOf = (call: Promise<unknown>): Promise<DirectoryFault> =>
  call.then(
    () => Promise.reject(new Error('it succeeded')),
    (thrown: unknown) => thrown as DirectoryFault,
  );

test.each([
  ['octets that are no LDAP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ['a message that claims to be larger than what is taken', Buffer.from([0x30, 0x84, 0x7f, 0xff, 0xff, 0xff])],
  ['an indefinite length', Buffer.from([0x30, 0x80, 0x02, 0x01, 0x01])],
  ['a message whose inside does not fit', Buffer.from([0x30, 0x07, 0x02, 0x01, 0x01, 0x65, 0x7f, 0x0a, 0x01])],
  ['an operation nobody knows', Buffer.from([0x30, 0x05, 0x02, 0x01, 0x01, 0x7f, 0x00])],
])('%s: everything under way ends as unavailable', async (_name, octets) => {
  await connected(({ socket }) => void socket.write(octets));
  const [one, two] = await Promise.all([faultOf(connection.ask(search)), faultOf(connection.ask(search))]);
  expect([one.result, two.result]).toEqual(['unavailable', 'unavailable']);
  expect(connection.lost?.result).toBe('unavailable');
});

test('a notice of disconnection ends the connection, and its text is the cause', async () => {
  const notice = { op: 'extended', oid: noticeOfDisconnection, result: { code: 52, matched: '', diagnostic: 'going down' } } as const;
  await connected(({ socket }) => void socket.write(encodeResponse(0, notice)));
  const fault = await faultOf(connection.ask(search));
  expect(fault.result).toBe('unavailable');
  expect(String((fault.cause as Error).message)).toContain('going down');
});

test('an operation that is not answered in time, or given up, is abandoned, and others go on', async () => {
  await connected(({ message, answer }) => {
    if (message.body.op === 'delete') answer({ op: 'delete', result: done });
  });
  const abort = new AbortController();
  const late = faultOf(connection.ask(search, { timeoutMs: 20 }));
  const given = faultOf(connection.ask(search, { signal: abort.signal }));
  expect((await late).say).toContain('in time');
  abort.abort();
  expect((await given).result).toBe('canceled');
  await connection.ask({ op: 'delete', dn: 'dc=test' });
  await eventually(async () => server.asked.filter(({ body }) => body.op === 'abandon').length === 2);
  const searches = server.asked.filter(({ body }) => body.op === 'search').map(({ id }) => id);
  expect(server.asked.flatMap(({ body }) => (body.op === 'abandon' ? [body.target] : []))).toEqual(searches);
});

test('an entry whose name is none is left out, answers to operations nobody asked for are passed over', async () => {
  await connected(({ message, answer, socket }) => {
    if (message.body.op !== 'search') return;
    socket.write(encodeResponse(4711, { op: 'search', result: done }));
    answer({ op: 'entry', dn: 'this is no name', attributes: [] });
    answer({ op: 'reference', urls: ['ldap://elsewhere.test'] });
    answer({ op: 'entry', dn: 'dc=good,dc=test', attributes: [{ name: 'dc', values: ['good'] }] });
    answer({ op: 'search', result: done });
  });
  const found = await new LdapClient(connection).search({ base: parseDn('dc=test'), scope: 'sub', filter: parseFilter('(objectClass=*)') });
  expect(found.map(({ dn }) => dn.toString())).toEqual(['dc=good,dc=test']);
});

test('octets behind the answer to StartTLS end the connection: somebody in between wrote them', async () => {
  await connected(({ message, socket }) => {
    const ok = encodeResponse(message.id, { op: 'extended', result: done });
    socket.write(Buffer.concat([ok, encodeResponse(2, { op: 'search', result: done })]));
  });
  expect((await faultOf(connection.startTls({}))).result).toBe('unavailable');
  expect(connection.lost).toBeDefined();
});

test('a refusal carries result, text and the servers it refers to', async () => {
  await connected(({ answer }) =>
    answer({ op: 'add', result: { code: 10, matched: '', diagnostic: 'a replica', referral: ['ldap://first.test'] } }),
  );
  const fault = await faultOf(new LdapClient(connection).add(parseDn('dc=test'), []));
  expect([fault.result, fault.say]).toEqual(['referral', 'a replica (it refers to ldap://first.test)']);
});

test('a connection over which nothing comes is given up with the answer that is due', async () => {
  const clock = new ManualClock();
  server = await scriptedLdap(() => {});
  connection = await LdapConnection.connect({ host: '127.0.0.1', port: server.port }, { clock });
  const fault = faultOf(connection.ask(search, { timeoutMs: 10_000 }));
  await eventually(async () => server.asked.length === 1);
  clock.advance(10_000);
  expect((await fault).result).toBe('unavailable');
  expect(connection.lost).toBeDefined();
});
