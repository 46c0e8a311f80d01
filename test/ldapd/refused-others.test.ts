/** Renaming, deleting, comparing, passwords: result code of RFC 4511 appendix A, and a text that names attribute and rule; what else is in an answer. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client } from 'ldapts';
import { encodeRequest, type Request } from '../../src/ldap-wire/index.ts';
import {
  admin,
  answerTo,
  type Case,
  compare,
  expectRefusal,
  jade,
  openPlace,
  type Place,
  passwd,
  remove,
  rename,
  user,
} from '../support/refusals.ts';

let place: Place;
beforeAll(async () => {
  place = await openPlace();
});
afterAll(() => place.end());

const one = user('user1');
const others: readonly Case[] = [
  ['renaming onto an entry', rename(one, 'mail=user2@jade.net'), 'entryAlreadyExists', 'exists already'],
  ['renaming to what is no name', rename(one, 'user3'), 'invalidDNSyntax', ''],
  ['renaming by an attribute nobody knows', rename(one, 'pizza=x'), 'undefinedAttributeType', 'attribute pizza'],
  ['renaming by an attribute its class does not have', rename(`cn=posix,${jade}`, 'uid=x'), 'objectClassViolation', 'attribute'],
  ['renaming away what is required', rename(`cn=posix,${jade}`, 'l=here'), 'objectClassViolation', 'attribute cn: required'],
  ['renaming by one attribute twice', rename(one, 'cn=a+commonName=A'), 'namingViolation', 'attribute cn: stands twice'],
  ['renaming by a second single value', rename(one, 'employeeNumber=78'), 'constraintViolation', 'attribute'],
  ['renaming by an operational attribute', rename(one, 'entryUUID=x'), 'namingViolation', 'attribute entryUUID: cannot be used to name'],
  ['renaming to an address that is taken', rename(one, 'mail=second@jade.net'), 'constraintViolation', 'attribute mail: the address'],
  [
    'renaming to an address of another domain',
    rename(one, 'mail=user1@onyx.net'),
    'constraintViolation',
    'attribute mail: "user1@onyx.net" belongs below',
  ],
  ['moving to where nothing is', rename(one, `mail=user1@jade.net,ou=none,${jade}`), 'noSuchObject', ''],
  ['moving below itself', rename(jade, `dc=jade,${one}`), 'unwillingToPerform', 'below itself'],
  [
    'moving to another domain',
    rename(user('user2'), 'mail=user2@jade.net,dc=onyx,dc=net'),
    'constraintViolation',
    'belongs below dc=jade,dc=net',
  ],
  ['renaming what the server needs', rename('cn=mta,cn=mailtree', 'cn=mtb'), 'unwillingToPerform', 'is needed by the server'],
  ['renaming what is not there', rename(user('nobody'), 'mail=x@jade.net'), 'noSuchObject', ''],
  [
    'a user renaming himself',
    rename(one, 'mail=boss@jade.net', 'user'),
    'insufficientAccessRights',
    'attribute mail: you may not change it',
  ],
  [
    'a domain administrator moving an entry away',
    rename(user('user2'), 'mail=user2@jade.net,dc=onyx,dc=net', 'domain'),
    'insufficientAccessRights',
    'you may not move an entry there',
  ],
  ['renaming the schema', rename('cn=subschema', 'cn=x'), 'unwillingToPerform', 'is made by the server'],
  ['deleting an entry with others below it', remove(one), 'notAllowedOnNonLeaf', 'the entry has entries below it'],
  ['deleting what is not there', remove(user('nobody')), 'noSuchObject', ''],
  ['deleting what the server needs', remove(admin), 'unwillingToPerform', 'is needed by the server'],
  ['deleting the root', remove(''), 'unwillingToPerform', 'the root DSE'],
  ['deleting the schema', remove('cn=subschema'), 'unwillingToPerform', 'cn=subschema'],
  ['a stranger deleting', remove(user('user2'), 'anonymous'), 'insufficientAccessRights', 'you may not delete this entry'],
  ['a domain administrator deleting the domain', remove(jade, 'domain'), 'insufficientAccessRights', 'you may not delete this entry'],
  ['deleting by what is no name', remove('=,='), 'invalidDNSyntax', ''],
  ['comparing an attribute nobody knows', compare(one, 'pizza', 'x'), 'undefinedAttributeType', 'attribute pizza'],
  ['comparing what the entry does not have', compare(one, 'roomNumber', 'x'), 'noSuchAttribute', 'attribute roomNumber'],
  ['comparing what has no equality rule', compare(one, 'jpegPhoto', 'x'), 'noSuchAttribute', 'attribute jpegPhoto'],
  [
    'comparing with what is no value',
    compare(`cn=staff,${jade}`, 'member', 'user1'),
    'invalidAttributeSyntax',
    'attribute member: the value is not a valid',
  ],
  [
    'comparing what one may not',
    compare(user('user2'), 'userPassword', 'x', 'user'),
    'insufficientAccessRights',
    'attribute userPassword: you may not compare it',
  ],
  ['comparing with what is not there', compare(user('nobody'), 'cn', 'x'), 'noSuchObject', ''],
  ['comparing what one does not see', compare('cn=mta,cn=mailtree', 'cn', 'mta', 'user'), 'noSuchObject', ''],
  [
    'a stranger changing a password',
    passwd(
      [
        ['user', one],
        ['fresh', 'new secret'],
      ],
      'anonymous',
    ),
    'strongerAuthRequired',
    'log in first',
  ],
  [
    'changing somebody else’s password',
    passwd(
      [
        ['user', user('user2')],
        ['fresh', 'new secret'],
      ],
      'user',
    ),
    'insufficientAccessRights',
    'attribute userPassword: you may not change it',
  ],
  [
    'changing a password by a wrong old one',
    passwd(
      [
        ['old', 'not this'],
        ['fresh', 'new secret'],
      ],
      'user',
    ),
    'invalidCredentials',
    'wrong',
  ],
  [
    'changing a password to one too short',
    passwd([['fresh', 'x']], 'user'),
    'constraintViolation',
    'attribute userPassword: a password has at least 6',
  ],
  [
    'changing the password of nobody',
    passwd(
      [
        ['user', user('nobody')],
        ['fresh', 'new secret'],
      ],
      'admin',
    ),
    'noSuchObject',
    '',
  ],
  [
    'changing the password of what has none',
    passwd(
      [
        ['user', `cn=local,${one}`],
        ['fresh', 'new secret'],
      ],
      'admin',
    ),
    'objectClassViolation',
    'attribute userPassword: not allowed',
  ],
  [
    'changing the password of what is no name',
    passwd(
      [
        ['user', 'no name'],
        ['fresh', 'new secret'],
      ],
      'admin',
    ),
    'invalidDNSyntax',
    '',
  ],
  [
    'changing a password by a request in disorder',
    passwd([
      ['fresh', 'new secret'],
      ['user', user('user2')],
    ]),
    'protocolError',
    'Password Modify',
  ],
];

test.each(others)('%s is refused', async (...one) => expectRefusal(place, one));

const matched: [request: Request, code: number, matched: string][] = [
  [{ op: 'delete', dn: `cn=a,ou=b,${jade}` }, 32, jade],
  [{ op: 'delete', dn: `cn=a,${one}` }, 32, one],
  [{ op: 'delete', dn: 'dc=elsewhere' }, 32, ''],
  [{ op: 'add', dn: `cn=a,ou=b,${jade}`, attributes: [{ name: 'objectClass', values: ['device'] }] } as Request, 32, jade],
  [{ op: 'compare', dn: `cn=a,ou=b,${jade}`, attribute: 'cn', value: Buffer.from('a') } as Request, 32, jade],
];

test('matchedDN is the deepest entry on the way that exists, for those who may know it', async () => {
  const client = place.raw;
  for (const [n, [request, code, name]] of matched.entries())
    expect((await client.ask(n + 2, request))?.body).toMatchObject({ result: { code, matched: name } });
  const stranger = await place.door.client();
  expect((await stranger.ask(1, { op: 'delete', dn: 'cn=x,cn=mta,cn=mailtree' }))?.body).toMatchObject({
    result: { code: 32, matched: '' },
  });
});

test('what is no UTF-8, and what is too large, gets its own answer, and the connection goes on', async () => {
  const client = place.raw;
  const spoilt = Buffer.from(encodeRequest(2, { op: 'delete', dn: 'cn=XX,dc=jade,dc=net' }));
  spoilt.writeUInt16BE(0xc3c3, spoilt.indexOf('XX'));
  client.write(spoilt);
  expect((await client.next())?.body).toMatchObject({ op: 'delete', result: { code: 2 } });
  const value = { operation: 'add', attribute: { name: 'title', values: [Uint8Array.of(0xc3, 0x28)] } } as const;
  expect((await client.ask(3, { op: 'modify', dn: one, modifications: [value] } as Request))?.body).toMatchObject({
    result: { code: 21, diagnostic: expect.stringContaining('attribute title: the value is not UTF-8') },
  });
  // Begins as JFIF does.
  const photo = (n: number) => Buffer.concat([Buffer.from('ffd8ffe000104a46494600', 'hex'), Buffer.alloc(1_000_000, n)]);
  const photos = (from: number): Request => ({
    op: 'modify',
    dn: user('user2'),
    modifications: [
      {
        operation: 'add',
        attribute: { name: 'jpegPhoto', values: [0, 1, 2, 3, 4].map((n) => photo(from + n)) },
      },
    ],
  });
  expect((await client.ask(4, photos(0)))?.body).toMatchObject({ result: { code: 0 } });
  expect((await client.ask(5, photos(10)))?.body).toMatchObject({
    result: { code: 11, diagnostic: expect.stringContaining('larger than 8 MiB') },
  });
  expect((await client.ask(6, { op: 'compare', dn: one, attribute: 'sn', value: Buffer.from('S') } as Request))?.body).toMatchObject({
    result: { code: 6 },
  });
});

test('a password is not taken in the clear where TLS is asked for', async () => {
  place.door.settings.set({ ...place.door.settings.value, passwordNeedsTls: true });
  const client = new Client({ url: `ldap://127.0.0.1:${place.door.port}` });
  expect(await answerTo(client.bind(one, 'user1 secret'))).toMatchObject({ code: 'confidentialityRequired' });
  expect(await passwd([['fresh', 'new secret']], 'user')(place)).toMatchObject({ code: 'confidentialityRequired' });
  await client.unbind();
  place.door.settings.set({ ...place.door.settings.value, passwordNeedsTls: false });
});
