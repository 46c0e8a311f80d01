/** Modifying what must not be: result code of RFC 4511 appendix A, and a text that names attribute and rule. */

import { afterAll, beforeAll, test } from '@jest/globals';
import { admin, type Case, change, expectRefusal, increment, jade, modify, openPlace, type Place, user } from '../support/refusals.ts';

let place: Place;
beforeAll(async () => {
  place = await openPlace();
});
afterAll(() => place.end());

const one = user('user1');
const rule = 'cn=general information,cn=access,cn=mailtree';
const modifies: readonly Case[] = [
  [
    'deleting an attribute that is not there',
    modify(one, [change('delete', 'roomNumber')]),
    'noSuchAttribute',
    'attribute roomNumber: the entry does not have it',
  ],
  [
    'deleting a value that is not there',
    modify(one, [change('delete', 'sn', 'Nobody')]),
    'noSuchAttribute',
    'attribute sn: the entry does not have "Nobody"',
  ],
  [
    'deleting a value twice',
    modify(one, [change('delete', 'title', 'Dr.'), change('delete', 'title', 'Dr.')]),
    'noSuchAttribute',
    'attribute title',
  ],
  ['adding a value that is there', modify(one, [change('add', 'sn', 's')]), 'attributeOrValueExists', 'attribute sn: "s" is there already'],
  ['adding a value twice', modify(one, [change('add', 'title', 'a', 'A')]), 'attributeOrValueExists', 'attribute title'],
  ['replacing by a value twice', modify(one, [change('replace', 'title', 'a', 'A')]), 'attributeOrValueExists', 'attribute title'],
  ['adding no value', modify(one, [change('add', 'title')]), 'protocolError', 'title'],
  ['removing what is required', modify(one, [change('delete', 'sn')]), 'objectClassViolation', 'attribute sn: required by object class'],
  ['replacing what is required by nothing', modify(one, [change('replace', 'cn')]), 'objectClassViolation', 'attribute cn: required'],
  [
    'removing the value in the name',
    modify(one, [change('replace', 'mail', 'other@jade.net')]),
    'notAllowedOnRDN',
    'attribute mail: the value in the entry',
  ],
  ['removing the attribute in the name', modify(`cn=posix,${jade}`, [change('delete', 'cn')]), 'notAllowedOnRDN', 'attribute cn'],
  [
    'changing the structural class',
    modify(`cn=posix,${jade}`, [change('replace', 'objectClass', 'organizationalRole')]),
    'objectClassModsProhibited',
    'attribute objectClass: the structural class cannot change from device to organizationalRole',
  ],
  [
    'adding an unrelated structural class',
    modify(`cn=posix,${jade}`, [change('add', 'objectClass', 'organizationalRole')]),
    'objectClassViolation',
    'attribute objectClass',
  ],
  [
    'a class nobody knows',
    modify(one, [change('add', 'objectClass', 'wizard')]),
    'invalidAttributeSyntax',
    'attribute objectClass: "wizard"',
  ],
  ['removing every class', modify(one, [change('delete', 'objectClass')]), 'objectClassViolation', 'attribute objectClass: required'],
  [
    'removing a class whose attributes are in use',
    modify(one, [change('add', 'mailQuotaSize', '5'), change('delete', 'objectClass', 'mtMailUser')]),
    'objectClassViolation',
    'attribute mailQuotaSize: not allowed',
  ],
  [
    'a second value of a single-valued attribute',
    modify(one, [change('add', 'employeeNumber', '78')]),
    'constraintViolation',
    'attribute employeeNumber: takes one value',
  ],
  ['incrementing text', increment(one, 'sn', '1'), 'constraintViolation', 'attribute sn: only integers can be incremented'],
  ['incrementing what is not there', increment(`cn=posix,${jade}`, 'mtAccessOrder', '1'), 'noSuchAttribute', 'attribute mtAccessOrder'],
  ['incrementing by nothing', increment(rule, 'mtAccessOrder'), 'protocolError', 'mtAccessOrder'],
  [
    'incrementing by text',
    increment(rule, 'mtAccessOrder', 'one'),
    'protocolError',
    'attribute mtAccessOrder: increment takes one integer',
  ],
  [
    'incrementing beyond what can be counted',
    increment(rule, 'mtAccessOrder', '99999999999999999'),
    'constraintViolation',
    'attribute mtAccessOrder',
  ],
  ['an attribute nobody knows', modify(one, [change('replace', 'pizza', 'x')]), 'undefinedAttributeType', 'attribute pizza'],
  ['deleting an attribute nobody knows', modify(one, [change('delete', 'pizza')]), 'undefinedAttributeType', 'attribute pizza'],
  [
    'an attribute the classes do not allow',
    modify(one, [change('add', 'mtChannel', 'LOCAL')]),
    'objectClassViolation',
    'attribute mtChannel: not allowed',
  ],
  [
    'an operational attribute',
    modify(one, [change('replace', 'modifyTimestamp', '20300101000000Z')]),
    'constraintViolation',
    'attribute modifyTimestamp: maintained by the server',
  ],
  [
    'the history of passwords',
    modify(one, [change('add', 'pwdHistory', 'x')]),
    'constraintViolation',
    'attribute pwdHistory: maintained by the server',
  ],
  [
    'an address that is taken',
    modify(one, [change('add', 'mailLocalAddress', 'SECOND@jade.net')]),
    'constraintViolation',
    'attribute mailLocalAddress: the address',
  ],
  [
    'a password that is too short',
    modify(one, [change('replace', 'userPassword', 'x')]),
    'constraintViolation',
    'attribute userPassword: a password has at least 6',
  ],
  [
    'a stored form given by a user',
    modify(one, [change('replace', 'userPassword', '{SSHA}awc/Cj0kafyFd5d8fGn07xoHBJJzYWx0c2FsdA==')], 'user'),
    'constraintViolation',
    'attribute userPassword: give the password itself',
  ],
  [
    'deleting a password that is not the one',
    modify(one, [change('delete', 'userPassword', 'not this one')]),
    'noSuchAttribute',
    'attribute userPassword: the entry does not have the value',
  ],
  [
    'the last password of the administrator',
    modify(admin, [change('delete', 'userPassword')]),
    'objectClassViolation',
    'attribute userPassword: required by object class mtAdministrator',
  ],
  ['an entry that is not there', modify(user('nobody'), [change('replace', 'sn', 'x')]), 'noSuchObject', ''],
  [
    'a stranger',
    modify(one, [change('replace', 'sn', 'x')], 'anonymous'),
    'insufficientAccessRights',
    'attribute sn: you may not change it',
  ],
  [
    'a user what is not his to change',
    modify(one, [change('replace', 'accountStatus', 'active')], 'user'),
    'insufficientAccessRights',
    'attribute accountStatus: you may not change it',
  ],
  [
    'a user somebody else’s password',
    modify(user('user2'), [change('replace', 'userPassword', 'new secret')], 'user'),
    'insufficientAccessRights',
    'attribute userPassword: you may not change it',
  ],
  [
    'a domain administrator his own domain',
    modify(jade, [change('replace', 'description', 'x')], 'domain'),
    'insufficientAccessRights',
    'attribute description: you may not change it',
  ],
  [
    'a domain administrator who makes a domain of an entry',
    modify(one, [change('add', 'objectClass', 'dcObject'), change('add', 'dc', 'x')], 'domain'),
    'insufficientAccessRights',
    'you may not change it',
  ],
  [
    'a stranger what he does not see',
    modify('cn=mta,cn=mailtree', [change('replace', 'description', 'x')], 'anonymous'),
    'noSuchObject',
    '',
  ],
  ['the root DSE', modify('', [change('replace', 'vendorName', 'x')]), 'unwillingToPerform', 'the root DSE is made by the server'],
  [
    'the schema',
    modify('cn=Subschema', [change('add', 'attributeTypes', "( 1.2.3 NAME 'x' )")]),
    'unwillingToPerform',
    'is made by the server',
  ],
  ['a name that is none', modify('no name', [change('replace', 'sn', 'x')]), 'invalidDNSyntax', ''],
  [
    'a member that is no name',
    modify(`cn=staff,${jade}`, [change('add', 'member', 'user2')]),
    'invalidAttributeSyntax',
    'attribute member: "user2" is not a valid',
  ],
  [
    'the last member of a group',
    modify(`cn=staff,${jade}`, [change('delete', 'member')]),
    'objectClassViolation',
    'attribute member: required by object class groupOfNames',
  ],
];

test.each(modifies)('modifying: %s is refused', async (...one) => expectRefusal(place, one));
