/** A server that means harm: whatever it sends, a call ends, memory has a bound, and there is one clear fault. */

import { afterEach, expect, test } from '@jest/globals';
import { ManualClock } from '../../src/base/index.ts';
import { DirectoryFault } from '../../src/directory/index.ts';
import { LdapClient, LdapConnection } from '../../src/directory-remote/index.ts';
import { encodeResponse, type LdapResult, parseDn, parseFilter, type Request } from '../../src/ldap-wire/index.ts';
import { type Asked, done, type ScriptedLdap, scriptedLdap } from '../support/scripted-ldap.ts';
import { eventually } from '../support/server.ts';

let server: ScriptedLdap;
let connection: LdapConnection;
afterEach(async () => {
  connection?.destroy(undefined);
  await server.close();
});

const clock = new ManualClock();
async function connected(script: (asked: Asked) => void, bound?: LdapResult): Promise<void> {
  server = await scriptedLdap(script, bound);
  connection = await LdapConnection.connect({ host: '127.0.0.1', port: server.port }, { answerLimit: 10_000, clock });
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
const remove: Request = { op: 'delete', dn: 'dc=test' };

async function refusal(call: Promise<unknown>): Promise<DirectoryFault> {
  const thrown = await call.then(
    () => undefined,
    (fault: unknown) => fault,
  );
  expect(thrown).toBeInstanceOf(DirectoryFault);
  return thrown as DirectoryFault;
}

test('octets that dribble in do not count as an answer: the time runs on', async () => {
  const answer = encodeResponse(1, { op: 'delete', result: done });
  await connected(({ socket }) => void socket.write(answer.subarray(0, 1)));
  const fault = refusal(connection.ask(remove, { timeoutMs: 10_000 }));
  await eventually(async () => server.sockets.size === 1 && server.asked.length === 1);
  for (let at = 1; at < 10; at++) {
    for (const socket of server.sockets) socket.write(answer.subarray(at, at + 1));
    clock.advance(1_000);
  }
  clock.advance(1_000);
  expect((await fault).say).toMatch(/in time|was lost/);
  expect(connection.outstanding).toBe(0);
});

test('answers of another kind than the question, and with ids nobody uses, do not end a question as a success', async () => {
  await connected(({ message, socket, answer }) => {
    for (const id of [message.id + 1, 0, 0x7fffffff]) socket.write(encodeResponse(id, { op: 'delete', result: done }));
    answer({ op: 'search', result: done });
  });
  expect((await refusal(connection.ask(remove))).result).toBe('unavailable');
});

test('answers behind an abandon are thrown away, and the next question has its own', async () => {
  await connected(({ message, answer }) => {
    if (message.body.op === 'abandon')
      for (const socket of server.sockets) socket.write(encodeResponse(message.body.target, { op: 'search', result: done }));
    if (message.body.op === 'delete') answer({ op: 'delete', result: { code: 32, matched: '', diagnostic: 'not here' } });
  });
  const abort = new AbortController();
  const given = refusal(connection.ask(search, { signal: abort.signal }));
  abort.abort();
  expect((await given).result).toBe('canceled');
  expect((await refusal(new LdapClient(connection).delete(parseDn('dc=test')))).result).toBe('noSuchObject');
});

test.each([1, 2, 80, 53])('a refusal of StartTLS (%d) is a fault, and nothing else goes over the connection', async (code) => {
  await connected(({ answer }) => answer({ op: 'extended', result: { code, matched: '', diagnostic: 'no TLS' } }));
  expect((await refusal(connection.startTls({}))).say).toContain('no TLS');
  expect((await refusal(connection.ask(remove))).result).toBe('unavailable');
  expect(server.asked).toHaveLength(1);
});

test('a bind that is answered with a referral names where it refers to, and not the password', async () => {
  const referral = Array.from({ length: 50 }, () => `ldap://${'x'.repeat(100)}.test`);
  await connected(() => {}, { code: 10, matched: '', diagnostic: '', referral });
  const fault = await refusal(new LdapClient(connection).bind('cn=we,dc=test', 'secret-word'));
  expect(fault.result).toBe('referral');
  expect(fault.say.length).toBeLessThan(1_000);
  expect(JSON.stringify([fault.say, String(fault.cause)])).not.toContain('secret-word');
});

test('entries without an end, or references, are given up at a bound', async () => {
  const entry = { op: 'entry', dn: 'dc=test', attributes: [{ name: 'description', values: ['x'.repeat(5_000)] }] } as const;
  const reference = { op: 'reference', urls: [`ldap://${'x'.repeat(5_000)}.test`] } as const;
  await connected(({ message, answer }) => {
    if (message.body.op === 'search') for (let n = 0; n < 100; n++) answer(n % 2 === 0 ? entry : reference);
  });
  const fault = await refusal(connection.ask(search, { mostOctets: 100_000 }));
  expect([fault.result, fault.say]).toEqual(['adminLimitExceeded', 'the directory sends more than can be taken at once']);
  await eventually(async () => server.asked.some(({ body }) => body.op === 'abandon'));
});
