/** Adding what must not be: result code of RFC 4511 appendix A, and a text that names attribute and rule. */

import { afterAll, beforeAll, test } from '@jest/globals';
import { add, type Case, expectRefusal, jade, openPlace, type Place, person, user } from '../support/refusals.ts';

let place: Place;
beforeAll(async () => {
  place = await openPlace();
});
afterAll(() => place.end());

const adds: readonly Case[] = [
  [
    'an attribute nobody knows',
    add(user('x'), person('x', { favouritePizza: 'x' })),
    'undefinedAttributeType',
    'attribute favouritePizza: not defined in the schema',
  ],
  [
    'an attribute by an OID nobody knows',
    add(user('x'), person('x', { '1.2.3.4.5': 'x' })),
    'undefinedAttributeType',
    'attribute 1.2.3.4.5: not defined',
  ],
  ['an option that is none', add(user('x'), person('x', { 'cn;lang_de': 'x' })), 'undefinedAttributeType', 'attribute cn;lang_de'],
  ['an empty option', add(user('x'), person('x', { 'cn;': 'x' })), 'undefinedAttributeType', 'attribute cn;'],
  [
    'a class nobody knows',
    add(user('x'), { ...person('x'), objectClass: ['inetOrgPerson', 'wizard'] }),
    'invalidAttributeSyntax',
    'attribute objectClass: "wizard" is not defined',
  ],
  ['no class', add(`cn=x,${jade}`, { cn: 'x' }), 'objectClassViolation', 'attribute objectClass: required and missing'],
  [
    'only an abstract class',
    add(`cn=x,${jade}`, { cn: 'x', objectClass: 'top' }),
    'objectClassViolation',
    'attribute objectClass: no structural',
  ],
  [
    'only an auxiliary class',
    add(`dc=x,${jade}`, { dc: 'x', objectClass: 'dcObject' }),
    'objectClassViolation',
    'attribute objectClass: no structural',
  ],
  [
    'two unrelated structural classes',
    add(`cn=x,${jade}`, { cn: 'x', sn: 'x', objectClass: ['person', 'device'] }),
    'objectClassViolation',
    'person and device are both structural',
  ],
  [
    'a required attribute missing',
    add(`cn=x,${jade}`, { cn: 'x', objectClass: 'person' }),
    'objectClassViolation',
    'attribute sn: required by object class person',
  ],
  [
    'an attribute no class allows',
    add(`cn=x,${jade}`, { cn: 'x', objectClass: 'device', mail: 'x@jade.net' }),
    'objectClassViolation',
    'attribute mail: not allowed',
  ],
  [
    'two values of a single-valued attribute',
    add(user('x'), person('x', { displayName: ['a', 'b'] })),
    'constraintViolation',
    'attribute displayName: takes one value',
  ],
  [
    'one attribute twice in its name',
    add(`cn=x+cn=y,${jade}`, { sn: 'x', objectClass: 'person' }),
    'namingViolation',
    'attribute cn: stands',
  ],
  ['the same value twice', add(user('x'), person('x', { title: ['Dr', 'DR'] })), 'attributeOrValueExists', 'attribute title'],
  ['the same attribute by two names', add(user('x'), person('x', { surname: 'S' })), 'attributeOrValueExists', 'attribute sn'],
  ['an attribute without values', add(user('x'), person('x', { title: [] })), 'protocolError', 'title'],
  ['an empty text', add(user('x'), person('x', { title: '' })), 'invalidAttributeSyntax', 'attribute title'],
  [
    'a letter beyond ASCII in an IA5 string',
    add(user('x'), person('x', { mailLocalAddress: 'ü@jade.net' })),
    'invalidAttributeSyntax',
    'attribute mailLocalAddress',
  ],
  [
    'a name that is no DN',
    add(user('x'), person('x', { manager: 'nobody' })),
    'invalidAttributeSyntax',
    'attribute manager: "nobody" is not a valid',
  ],
  [
    'a telephone number with a hash',
    add(user('x'), person('x', { telephoneNumber: '12#4' })),
    'invalidAttributeSyntax',
    'attribute telephoneNumber',
  ],
  ['a country of three letters', add(`c=ger,${jade}`, { c: 'ger', objectClass: 'country' }), 'invalidAttributeSyntax', 'attribute c'],
  [
    'an address with an empty line',
    add(user('x'), person('x', { postalAddress: '1 Main Street$$Anytown' })),
    'invalidAttributeSyntax',
    'attribute postalAddress',
  ],
  [
    'a password that is too short',
    add(user('x'), person('x', { userPassword: '12345' })),
    'constraintViolation',
    'attribute userPassword: a password has at least 6',
  ],
  [
    'eleven passwords',
    add(user('x'), person('x', { userPassword: Array.from({ length: 11 }, (_, n) => `password ${n}`) })),
    'constraintViolation',
    'attribute userPassword: more than 10',
  ],
  ['a parent that does not exist', add(`mail=x@jade.net,ou=none,${jade}`, person('x')), 'noSuchObject', 'the parent entry does not exist'],
  [
    'a naming context nobody configured',
    add('o=elsewhere', { o: 'elsewhere', objectClass: 'organization' }),
    'noSuchObject',
    'no such naming context',
  ],
  ['a name that is taken', add(user('user1'), person('user1')), 'entryAlreadyExists', 'an entry with this name exists already'],
  [
    'a name that is taken, otherwise spelt',
    add(`MAIL = User1@JADE.net , DC=Jade, dc=NET`, person('user1')),
    'entryAlreadyExists',
    'exists already',
  ],
  [
    'a naming attribute nobody knows',
    add(`pizza=x,${jade}`, { objectClass: 'device', cn: 'x' }),
    'undefinedAttributeType',
    'attribute pizza',
  ],
  [
    'an operational attribute in the name',
    add(`entryUUID=x,${jade}`, { objectClass: 'device', cn: 'x' }),
    'namingViolation',
    'attribute entryUUID: cannot be used to name',
  ],
  [
    'a secret in the name',
    add(`userPassword=secret1+cn=x,${jade}`, { objectClass: 'person', cn: 'x', sn: 'x' }),
    'namingViolation',
    'attribute userPassword: cannot be used to name',
  ],
  ['a single value that is not the name', add(`dc=b,${jade}`, { objectClass: 'domain', dc: 'a' }), 'namingViolation', 'attribute dc'],
  [
    'a name of two parts, one of them not allowed',
    add(`cn=x+uid=y,${jade}`, { objectClass: 'device', cn: 'x' }),
    'objectClassViolation',
    'attribute uid: not allowed',
  ],
  ['a name that is no DN at all', add('this is no name', person('x')), 'invalidDNSyntax', ''],
  ['a name with an empty part', add(`mail=x@jade.net,,${jade}`, person('x')), 'invalidDNSyntax', ''],
  ['the root', add('', { objectClass: 'device', cn: 'x' }), 'entryAlreadyExists', 'root'],
  [
    'an operational attribute',
    add(user('x'), person('x', { entryUUID: '00000000-0000-0000-0000-000000000000' })),
    'constraintViolation',
    'attribute entryUUID: maintained by the server',
  ],
  [
    'an address that is taken',
    add(user('x'), person('x', { mail: ['x@jade.net', 'User2@Jade.net'] })),
    'constraintViolation',
    'attribute mail',
  ],
  [
    'an alias that is somebody’s address',
    add(user('x'), person('x', { mailLocalAddress: 'user2@jade.net' })),
    'constraintViolation',
    'attribute mailLocalAddress: the address "user2@jade.net"',
  ],
  [
    'an address that is somebody’s alias',
    add(user('second'), person('second')),
    'constraintViolation',
    'attribute mail: the address "second@jade.net"',
  ],
  [
    'an address of another domain',
    add(`mail=x@onyx.net,${jade}`, { ...person('x'), mail: 'x@onyx.net' }),
    'constraintViolation',
    'attribute mail: "x@onyx.net" belongs below dc=onyx,dc=net',
  ],
  [
    'an address of no domain here',
    add(`mail=x@far.example,${jade}`, { ...person('x'), mail: 'x@far.example' }),
    'constraintViolation',
    'attribute mail: "x@far.example" is in a domain that is not a local one',
  ],
  ['an address that is none', add(`mail=x,${jade}`, { ...person('x'), mail: 'x' }), 'constraintViolation', 'attribute mail'],
  [
    'an address with options',
    add(user('x'), person('x', { 'mail;lang-de': 'x2@jade.net' })),
    'constraintViolation',
    'takes no attribute options',
  ],
  [
    'a channel that does not exist',
    add(`cn=fax,${user('user1')}`, { objectClass: 'mtConnector', cn: 'fax', mtChannel: 'FAX' }),
    'constraintViolation',
    'attribute mtChannel: "FAX" is none of',
  ],
  [
    'a permission that does not exist',
    add(`cn=x,${user('user1')}`, { objectClass: 'mtConnector', cn: 'x', mtChannel: 'LOCAL', mtPermission: 'maybe' }),
    'constraintViolation',
    'attribute mtPermission: "maybe" is none of',
  ],
  [
    'a rule about nobody',
    add('cn=x,cn=access,cn=mailtree', {
      objectClass: 'mtAccess',
      cn: 'x',
      mtAccessOrder: '1',
      mtAccessWho: 'them',
      mtAccessRight: 'read',
      mtAccessEffect: 'deny',
    }),
    'constraintViolation',
    'attribute mtAccessWho: "them" is none of',
  ],
  ['a stranger', add(user('x'), person('x'), 'anonymous'), 'insufficientAccessRights', 'you may not add this entry'],
  ['a user', add(user('x'), person('x'), 'user'), 'insufficientAccessRights', 'you may not add this entry'],
  [
    'an administrator of another domain',
    add('mail=x@onyx.net,dc=onyx,dc=net', { ...person('x'), mail: 'x@onyx.net' }, 'domain'),
    'insufficientAccessRights',
    'you may not add',
  ],
  [
    'a domain administrator who adds a domain',
    add(`dc=sub,${jade}`, { objectClass: ['domain', 'mtMailDomain'], dc: 'sub' }, 'domain'),
    'insufficientAccessRights',
    'you may not add',
  ],
  [
    'a stranger where he sees nothing',
    add('cn=x,cn=mta,cn=mailtree', { objectClass: 'mtContainer', cn: 'x' }, 'anonymous'),
    'noSuchObject',
    'there is no such entry',
  ],
  [
    'the schema',
    add('cn=subschema', { objectClass: 'mtContainer', cn: 'subschema' }),
    'unwillingToPerform',
    'cn=subschema is made by the server',
  ],
];

test.each(adds)('adding %s is refused', async (...one) => expectRefusal(place, one));
