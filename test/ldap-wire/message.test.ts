import { expect, test } from '@jest/globals';
import {
  BrokenBer,
  type Control,
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  Framer,
  parseFilter,
  type Request,
  type Response,
} from '../../src/ldap-wire/index.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');
const u8 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));

test.each([
  ['a huge length', '30 84 ff ff ff ff'],
  ['an indefinite length', '30 80 02 01 01 42 00 00 00'],
  ['a length of five octets', '30 85 00 00 00 00 05 02 01 01 42 00'],
  ['another beginning', '16 03 01 00 05'],
])('the framer refuses %s from its first octets', (_, hex) => {
  const framer = new Framer();
  framer.push(bytes(hex));
  expect(() => framer.next(65_536)).toThrow(expect.objectContaining({ name: expect.stringMatching(/BrokenBer|Fault/) }));
});

test('the framer refuses a message over the limit before its body has come', () => {
  const framer = new Framer();
  framer.push(bytes('30 83 01 00 00'));
  expect(() => framer.next(65_536)).toThrow(expect.objectContaining({ kind: 'too-large' }));
});

test('the framer waits without a word for headers that trickle in', () => {
  const framer = new Framer();
  const message = encodeRequest(5, { op: 'delete', dn: `cn=${'x'.repeat(1000)}` });
  const whole = Buffer.concat([message, message]);
  const found: Buffer[] = [];
  for (const octet of whole) {
    framer.push(Buffer.from([octet]));
    for (let frame = framer.next(65_536); frame; frame = framer.next(65_536)) found.push(frame);
  }
  expect(found).toEqual([message, message]);
  expect(framer.waiting).toBe(0);
});

test('messages already handed out stay as they are while more arrives', () => {
  const framer = new Framer();
  const one = encodeRequest(1, { op: 'delete', dn: 'cn=one' });
  const two = encodeRequest(2, { op: 'delete', dn: 'cn=two' });
  framer.push(one.subarray(0, 3));
  framer.push(Buffer.concat([one.subarray(3), two.subarray(0, 5)]));
  const first = framer.next(1_000);
  framer.push(two.subarray(5));
  expect(framer.next(1_000)).toEqual(two);
  expect(first).toEqual(one);
});

test.each([
  ['a message id that is too large', '30 07 02 05 01 00 00 00 00'],
  ['a negative message id', '30 05 02 01 ff 42 00'],
  ['message id 0', '30 05 02 01 00 42 00'],
  ['a message id of no octets', '30 04 02 00 42 00'],
  ['no operation', '30 03 02 01 01'],
  ['an unknown operation', '30 05 02 01 01 5f 00'],
  ['a response as a request', '30 0c 02 01 01 65 07 0a 01 00 04 00 04 00'],
  ['an inner length that reaches out', '30 05 02 01 01 4a 7f'],
  ['an indefinite length inside', '30 09 02 01 01 63 80 04 00 00 00'],
  ['a length cut off', '30 05 02 01 01 4a 82'],
  ['octets behind the message', '30 05 02 01 01 42 00 00'],
  ['a tag of several octets', '30 06 02 01 01 7f 01 00'],
])('a message with %s ends the session', (_, hex) => {
  expect(() => decodeRequest(bytes(hex))).toThrow(BrokenBer);
});

test.each([
  ['a bind without method', '30 0a 02 01 09 60 05 02 01 03 04 00', 'bind'],
  ['a bind with version 0', '30 0c 02 01 09 60 07 02 01 00 04 00 80 00', 'bind'],
  ['a search with an unknown scope', '30 0a 02 01 09 63 05 04 00 0a 01 07', 'search'],
  ['a delete whose name is not UTF-8', '30 06 02 01 09 4a 01 ff', 'delete'],
  ['an empty modify', '30 05 02 01 09 66 00', 'modify'],
  ['a compare with a string where a pair belongs', '30 0a 02 01 09 6e 05 04 01 61 04 00', 'compare'],
  ['a rename without RDN', '30 08 02 01 09 6c 03 04 01 61', 'rename'],
  ['controls that are none', '30 09 02 01 09 4a 00 a0 02 04 00', 'delete'],
])('%s can still be answered', (_, hex, operation) => {
  expect(() => decodeRequest(bytes(hex))).toThrow(expect.objectContaining({ name: 'BadRequest', id: 9, operation }));
});

const requests: Request[] = [
  { op: 'bind', version: 3, name: 'cn=ü', method: { type: 'simple', password: u8('p\u00e4ss') } },
  { op: 'bind', version: 3, name: '', method: { type: 'sasl', mechanism: 'EXTERNAL', credentials: undefined } },
  { op: 'bind', version: 3, name: '', method: { type: 'sasl', mechanism: 'SCRAM-SHA-256', credentials: u8('n,,') } },
  { op: 'unbind' },
  {
    op: 'search',
    base: 'dc=net',
    scope: 'one',
    derefAliases: 3,
    sizeLimit: 2_147_483_647,
    timeLimit: 128,
    typesOnly: true,
    filter: parseFilter('(&(a=b)(c=*))'),
    attributes: ['*', '+', 'cn;lang-en'],
  },
  {
    op: 'modify',
    dn: 'cn=a',
    modifications: [
      { operation: 'add', attribute: { name: 'cn', values: ['x', Uint8Array.of(255)] } },
      { operation: 'delete', attribute: { name: 'sn', values: [] } },
      { operation: 'replace', attribute: { name: 'l', values: ['x'.repeat(70_000)] } },
      { operation: 'increment', attribute: { name: 'n', values: ['1'] } },
    ],
  },
  { op: 'add', dn: 'cn=a', attributes: [{ name: 'cn', values: ['a', 'ü'] }] },
  { op: 'delete', dn: 'cn=a' },
  { op: 'rename', dn: 'cn=a', rdn: 'cn=b', deleteOldRdn: true, newSuperior: undefined },
  { op: 'rename', dn: 'cn=a', rdn: 'cn=b', deleteOldRdn: false, newSuperior: 'dc=net' },
  { op: 'compare', dn: 'cn=a', attribute: 'cn', value: u8('a') },
  { op: 'abandon', target: 40_000 },
  { op: 'extended', oid: '1.2.3', value: undefined },
  { op: 'extended', oid: '1.2.3', value: u8('v') },
];
const controls: Control[] = [
  { oid: '1.2.3', critical: true, value: undefined },
  { oid: '1.2.4', critical: false, value: u8('x'.repeat(200)) },
];

test.each(requests.map((request, n) => [request.op, n, request] as const))('a %s request (%i) survives the wire', (_, n, request) => {
  for (const id of [1, 127, 128, 255, 256, 65_536, 2_147_483_647]) {
    expect(decodeRequest(encodeRequest(id, request, n % 2 ? controls : []))).toEqual({
      id,
      body: request,
      controls: n % 2 ? controls : [],
    });
  }
});

const result = { code: 32, matched: 'dc=net', diagnostic: 'no such entry: ü' };
const responses: Response[] = [
  { op: 'bind', result },
  { op: 'bind', result, credentials: u8('v=') },
  { op: 'entry', dn: 'cn=ü', attributes: [{ name: 'cn', values: ['x'.repeat(300), Uint8Array.of(254)] }] },
  { op: 'reference', urls: ['ldap://jade.net/', 'ldap://jade.org/'] },
  { op: 'search', result: { ...result, referral: ['ldap://jade.net/'] } },
  { op: 'modify', result },
  { op: 'add', result },
  { op: 'delete', result },
  { op: 'rename', result },
  { op: 'compare', result: { code: 6, matched: '', diagnostic: '' } },
  { op: 'extended', result, oid: '1.2.3', value: u8('v') },
  { op: 'extended', result },
  { op: 'intermediate', oid: '1.2.3', value: u8('v') },
  { op: 'intermediate' },
];

test.each(responses.map((response) => [response.op, response] as const))('a %s response survives the wire', (_, response) => {
  expect(decodeResponse(encodeResponse(300, response, controls))).toEqual({ id: 300, body: response, controls });
});

test('components of a later version of the protocol are passed over', () => {
  const message = bytes('30 0b 02 01 01 6c 06 04 00 04 00 01 01 ff'.replace('30 0b', '30 0c').replace('6c 06', '6c 07'));
  expect(decodeRequest(message)).toMatchObject({ body: { op: 'rename', deleteOldRdn: true } });
  // … an unknown component behind the controls' place, well formed
  expect(decodeRequest(bytes('30 08 02 01 01 4a 00 8a 01 00'))).toMatchObject({ body: { op: 'delete' } });
});

test('lengths in the long form, as some clients write them, are understood', () => {
  expect(decodeRequest(bytes('30 84 00 00 00 09 02 01 01 4a 84 00 00 00 00'))).toMatchObject({ body: { op: 'delete', dn: '' } });
});
