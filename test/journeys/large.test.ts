/** Requests that are too large, too deep or too many of something: each is refused or answered soon, and the event loop is not held. */

import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { BerWriter, encodeRequest, type Request } from '../../src/ldap-wire/index.ts';
import { complaints } from '../fuzz/server-attack.ts';
import { RawLdap, searchFor, simpleBind } from '../support/ldap-door.ts';
import { adminDn, adminPassword, memoryOf, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';

let files: ServerFiles;
let server: RunningServer;

beforeAll(async () => {
  files = await prepareServer({ extra: 'dns: [127.0.0.1:9]' });
  // Decoding a request of 8 MB, the most that is taken, may take some time; more than a quarter of a second is not all right anywhere.
  const watch = `NODE_OPTIONS=--import=${resolve('test/fuzz/loop-watch.mjs')}`;
  server = await runServer(files, { command: ['env', watch, 'LOOP_LIMIT_MS=250'] });
}, 60_000);

afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await files.remove();
});

async function client(bound: boolean): Promise<RawLdap> {
  const made = await RawLdap.connect(files.ports.ldap);
  if (bound) expect(await made.ask(1, simpleBind(adminDn, adminPassword))).toMatchObject({ body: { result: { code: 0 } } });
  return made;
}

/** Octets of an operation, written element by element. */
function message(tag: number, fill: (writer: BerWriter) => void): Buffer {
  const writer = new BerWriter(1_048_576);
  const outer = writer.begin();
  writer.integer(2);
  const operation = writer.begin(tag);
  fill(writer);
  return writer.end(operation).end(outer).done();
}
const add = (dn: string, attributes: number, values: number): Buffer =>
  message(0x68, (writer) => {
    writer.text(dn);
    const list = writer.begin();
    for (let n = 0; n < attributes; n++) {
      const one = writer.begin();
      writer.text(n === 0 ? 'description' : `description;x-${n}`);
      const set = writer.begin(0x31);
      for (let m = 0; m < values; m++) writer.text(String(m));
      writer.end(set).end(one);
    }
    writer.end(list);
  });
const filtered = (fill: (writer: BerWriter) => void): Buffer =>
  message(0x63, (writer) => {
    writer.text('dc=jade,dc=net').integer(2, 0x0a).integer(0, 0x0a).integer(0).integer(0).boolean(false);
    fill(writer);
    writer.end(writer.begin());
  });
const deep = (depth: number): Buffer =>
  filtered((writer) => {
    const begun = Array.from({ length: depth }, () => writer.begin(0xa2));
    writer.text('cn', 0x87);
    for (const one of begun.reverse()) writer.end(one);
  });
const substrings = (parts: number): Buffer =>
  filtered((writer) => {
    const begun = writer.begin(0xa4);
    writer.text('cn');
    const list = writer.begin();
    for (let n = 0; n < parts; n++) writer.text('a', 0x81);
    writer.end(list).end(begun);
  });
const ask = (request: Request): Buffer => Buffer.from(encodeRequest(2, request));
const manyRdns = Array.from({ length: 10_000 }, (_, n) => `cn=${n}`).join(',');
const sasl: Request = {
  op: 'bind',
  version: 3,
  name: '',
  method: { type: 'sasl', mechanism: 'PLAIN', credentials: Buffer.alloc(4_000_000, 0x61) },
};
const person = (octets: number): Request => ({
  op: 'add',
  dn: 'cn=photo,dc=jade,dc=net',
  attributes: [
    { name: 'objectClass', values: ['device'] },
    { name: 'cn', values: ['photo'] },
    { name: 'description', values: ['x'.repeat(octets)] },
  ],
});

test.each([
  ['before a log-in', false],
  ['after a log-in', true],
])('a value of a gigabyte is refused by the length it claims, %s', async (_, bound) => {
  const one = await client(bound);
  const before = memoryOf(server.pid);
  one.write('30 84 40 00 00 00 02 01 02 68 84 3f ff ff f0');
  expect(await one.next()).toMatchObject({
    id: 0,
    body: { op: 'extended', result: { code: 2, diagnostic: expect.stringContaining('at most') } },
  });
  await one.closed;
  expect(memoryOf(server.pid) - before).toBeLessThan(50);
});

/** Whether a notice ends the connection, or which codes may answer. */
const cases: readonly (readonly [what: string, octets: () => Buffer, codes: readonly number[]])[] = [
  ['an entry of ten megabytes', () => ask(person(10_000_000)), [-1]],
  ['an entry of seven megabytes', () => ask(person(7_000_000)), [0, 11, 19, 53]],
  ['a million values of one attribute', () => add('cn=many,dc=jade,dc=net', 1, 1_000_000), [-1, 2]],
  ['a hundred thousand attributes', () => add('cn=wide,dc=jade,dc=net', 100_000, 1), [2]],
  ['four thousand attributes', () => add('cn=wide,dc=jade,dc=net', 4_000, 1), [2, 16, 17, 19, 21, 65]],
  ['ninety thousand values', () => add('cn=many,dc=jade,dc=net', 1, 90_000), [0, 11, 19, 21, 64, 65]],
  ['a name of ten thousand parts', () => ask(searchFor('(cn=*)', { base: manyRdns })), [32, 34]],
  ['a filter ten thousand deep', () => deep(10_000), [2]],
  ['a substring filter of ten thousand parts', () => substrings(10_000), [2]],
  ['a substring filter of two thousand parts', () => substrings(2_000), [0]],
  ['SASL credentials of four megabytes', () => ask(sasl), [2, 49]],
];

test.each(cases)('%s: answered, and the loop is not held', async (_, octets, codes) => {
  const one = await client(true);
  const before = memoryOf(server.pid);
  one.write(octets());
  const answer = await one.next();
  const code = answer?.id === 0 ? -1 : answer && 'result' in answer.body ? answer.body.result.code : undefined;
  expect(codes).toContain(code);
  one.socket.destroy();
  expect(memoryOf(server.pid) - before).toBeLessThan(200);
  expect(server.process.exitCode).toBeNull();
  expect(complaints(server)).toEqual([]);
});

test('no turn of the loop was long', () => {
  const begun = server.output().indexOf('mailtree ready');
  expect(server.output().slice(begun)).not.toMatch(/one turn of the loop/);
});
