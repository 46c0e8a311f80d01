/**
 * Every form of LDAP request that the door knows, as octets: what the directory's fuzzer mutates.
 *
 * Writes go to a ground of their own, a domain that nobody else uses: what a super administrator's mutated writes destroy there is made anew.
 */

import { BerWriter, ber, type Control, encodeRequest, parseFilter, type Request } from '../../src/ldap-wire/index.ts';
import { asserts, control, manageOid, names, pages, postReadOid, preReadOid, sorts, subtreeOid } from '../support/ldap-controls.ts';

export const ground = 'dc=ground,dc=test';
export const fuzzRoles = ['anonymous', 'user', 'domain', 'super'] as const;
export type FuzzRole = (typeof fuzzRoles)[number];

export const groundPassword = 'ground-password-1';
export const groundUser = (n: number): string => `mail=user${n}@ground.test,${ground}`;
export const groundAdmin = `cn=admin,${ground}`;

const everything = ['*', '+'];
const search = (filter: string, more: Partial<Extract<Request, { op: 'search' }>> = {}): Request => ({
  op: 'search',
  base: ground,
  scope: 'sub',
  derefAliases: 0,
  sizeLimit: 2,
  timeLimit: 5,
  typesOnly: false,
  filter: parseFilter(filter),
  attributes: ['cn', 'mail'],
  ...more,
});

const sequence = (fill: (writer: BerWriter) => void): Buffer => {
  const writer = new BerWriter();
  const begun = writer.begin();
  fill(writer);
  return writer.end(begun).done();
};

const sync = (mode: 1 | 3, cookie?: string): Control =>
  control(
    '1.3.6.1.4.1.4203.1.9.1.1',
    sequence((writer) => {
      writer.integer(mode, ber.enumerated);
      if (cookie !== undefined) writer.octets(Buffer.from(cookie, 'latin1'));
      writer.boolean(true);
    }),
  );
const persistent = (types: number, changesOnly: boolean): Control =>
  control(
    '2.16.840.1.113730.3.4.3',
    sequence((writer) => {
      writer.integer(types).boolean(changesOnly).boolean(true);
    }),
  );
const policy = control('1.3.6.1.4.1.42.2.27.8.5.1', undefined, false);
const manage = control(manageOid);
const person = (n: string): Record<string, readonly (string | Uint8Array)[]> => ({
  objectClass: ['inetOrgPerson', 'mtMailUser', 'inetLocalMailRecipient'],
  mail: [`${n}@ground.test`],
  cn: [n, 'Ünïcode Näme'],
  sn: ['Fuzz'],
});
const attributes = (of: Record<string, readonly (string | Uint8Array)[]>) => Object.entries(of).map(([name, values]) => ({ name, values }));
type Change = Extract<Request, { op: 'modify' }>['modifications'][number];
const change = (operation: Change['operation'], name: string, ...values: (string | Uint8Array)[]): Change => ({
  operation,
  attribute: { name, values },
});
const modify = (dn: string, ...modifications: Change[]): Request => ({ op: 'modify', dn, modifications });
const extended = (oid: string, value?: Uint8Array): Request => ({ op: 'extended', oid, value });
const passwordModify = (user: string | undefined, old: string | undefined, next: string | undefined): Request =>
  extended(
    '1.3.6.1.4.1.4203.1.11.1',
    sequence((writer) => {
      if (user !== undefined) writer.text(user, 0x80);
      if (old !== undefined) writer.text(old, 0x81);
      if (next !== undefined) writer.text(next, 0x82);
    }),
  );
const bind = (name: string, password: string): Request => ({
  op: 'bind',
  version: 3,
  name,
  method: { type: 'simple', password: Buffer.from(password) },
});
const sasl = (mechanism: string, credentials?: string): Request => ({
  op: 'bind',
  version: 3,
  name: '',
  method: { type: 'sasl', mechanism, credentials: credentials === undefined ? undefined : Buffer.from(credentials) },
});

type Form = readonly [weight: number, request: Request, ...controls: Control[]];

const deepFilter = `${'(!'.repeat(60)}(cn=a)${')'.repeat(60)}`;
const wideFilter = `(|${Array.from({ length: 200 }, (_, n) => `(mail=user${n}@ground.test)`).join('')})`;
const pieces = `(cn=*${Array.from({ length: 300 }, () => 'a*').join('')})`;
const longName = `${Array.from({ length: 300 }, (_, n) => `cn=${n}`).join(',')},${ground}`;
const wideRdn = `${Array.from({ length: 40 }, (_, n) => `cn=v${n}`).join('+')},${ground}`;

/** Readings: without harm in whoever's name. */
const readings: readonly Form[] = [
  [12, search('(mail=user1@ground.test)')],
  [
    3,
    search('(&(objectClass=*)(|(mail=user*@g*nd.test)(!(cn>=a))(sn~=one)(cn:caseExactMatch:=x)(description:dn:2.5.13.5:=y)))', {
      attributes: everything,
      sizeLimit: 20,
    }),
  ],
  [3, search('(objectClass=*)', { scope: 'one', sizeLimit: 5, typesOnly: true })],
  [5, search('(objectClass=*)', { scope: 'base', attributes: ['1.1'] })],
  [5, search('(&(mail=user2@ground.test)(!(cn=x))(|(sn=ground)(sn=y)))', { attributes: everything })],
  [2, search('(objectClass=*)', { base: '', scope: 'base' })],
  [1, search('(objectClass=*)', { base: 'cn=monitor', scope: 'base' })],
  [1, search('(objectClass=subschema)', { base: 'cn=subschema', scope: 'base', attributes: ['matchingRules', 'ldapSyntaxes'] })],
  [2, search('(cn;lang-de=Näme)', { attributes: ['cn;lang-de', 'userCertificate;binary', 'mail;x-a;x-b'] })],
  [2, search('(userCertificate;binary=\\30\\03\\02\\01\\00)')],
  [2, search('(2.5.4.3:dn:caseIgnoreMatch:=Ground)', { attributes: ['@inetOrgPerson', '+'] })],
  [2, search('(modifyTimestamp>=20240101000000Z)')],
  [2, search('(telephoneNumber=+49 \\28 0 \\29 30-12*)')],
  [1, search(deepFilter)],
  [1, search(wideFilter)],
  [1, search(pieces)],
  [1, search('(cn=a)', { base: longName })],
  [1, search('(cn=a)', { base: wideRdn })],
  [3, search('(mail=*)'), pages(2)],
  [2, search('(mail=*)'), pages(0)],
  [2, search('(mail=*)'), pages(3, Buffer.from('00000000000000000000000000000000', 'hex'))],
  [3, search('(mail=*)'), sorts([['cn', 'caseIgnoreOrderingMatch', true]])],
  [3, search('(mail=*)'), sorts([['sn'], ['cn', '2.5.13.3'], ['mail', '', true]], false), pages(1), asserts('(dc=ground)')],
  [2, search('(cn=*)'), asserts('(&(objectClass=*)(!(cn=none)))'), manage],
  [2, search('(objectClass=*)'), sync(1)],
  [1, search('(objectClass=*)'), sync(1, 'rid=000,csn=20240101000000.000000Z#000000#000#000000')],
  [1, search('(objectClass=*)'), sync(3, '1:2:3')],
  [1, search('(objectClass=*)'), persistent(15, true)],
  [1, search('(mail=user1@ground.test)'), persistent(4, false), manage],
  [6, { op: 'compare', dn: groundUser(1), attribute: 'cn', value: Buffer.from('user1') }],
  [1, { op: 'compare', dn: groundUser(1), attribute: 'userPassword', value: Buffer.from('x') }, asserts('(cn=*)'), manage],
  [2, { op: 'abandon', target: 2 }],
  [2, extended('1.3.6.1.4.1.4203.1.11.3')],
  [2, extended('1.3.6.1.1.8', Buffer.from('3003020102', 'hex'))],
  [1, extended('1.3.6.1.4.1.1466.20037')],
  [1, extended('1.2.3.4.5', Buffer.from('300a040130040131a0028000', 'hex')), manage],
  [1, { op: 'unbind' }],
];

const logins: readonly Form[] = [
  [0.02, bind(groundUser(1), groundPassword), policy],
  [0.02, bind(groundUser(2), 'wrong')],
  [0.02, bind('', '')],
  [0.1, sasl('PLAIN', '\0a\0b')],
  [0.02, sasl('PLAIN', `dn:${groundUser(1)}\0user1@ground.test\0${groundPassword}`), policy],
  [0.1, sasl('PLAIN')],
  [0.1, sasl('EXTERNAL', 'dn:')],
  [0.1, sasl('GSSAPI', 'x')],
];

/** Writes that most roles may not do; a domain administrator may nearly all of them. */
const writes: readonly Form[] = [
  [
    0.5,
    { op: 'add', dn: `mail=new@ground.test,${ground}`, attributes: attributes(person('new')) },
    control(postReadOid, names(everything)),
  ],
  [0.5, { op: 'delete', dn: `mail=new@ground.test,${ground}` }, control(preReadOid, names(['*'])), asserts('(mail=*)')],
  [0.5, { op: 'add', dn: `cn=a\\2Cb+sn=\\00,${groundUser(2)}`, attributes: attributes({ objectClass: ['device'], cn: ['a,b'] }) }],
  [0.3, { op: 'add', dn: `cn=tree,${ground}`, attributes: attributes({ objectClass: ['device'], cn: ['tree'] }) }],
  [0.3, { op: 'add', dn: `cn=leaf,cn=tree,${ground}`, attributes: attributes({ objectClass: ['device'], cn: ['leaf'] }) }],
  [0.3, { op: 'delete', dn: `cn=tree,${ground}` }, control(subtreeOid)],
  [0.5, { op: 'rename', dn: groundUser(3), rdn: 'mail=third@ground.test', deleteOldRdn: true, newSuperior: undefined }],
  [0.5, { op: 'rename', dn: `mail=third@ground.test,${ground}`, rdn: 'mail=user3@ground.test', deleteOldRdn: true, newSuperior: ground }],
  [0.5, modify(groundUser(2), change('replace', 'description', 'ü', 'x'), change('add', 'cn;lang-de', 'Näme')), manage],
  [
    0.5,
    modify(groundUser(2), change('delete', 'description'), change('replace', 'cn;lang-de')),
    control(preReadOid, names(['cn;lang-de'])),
    control(postReadOid, names(everything)),
    asserts('(mail=*)'),
  ],
  [0.5, modify(groundUser(2), change('increment', 'uidNumber', '1'), change('increment', 'mtQuotaMessages', '-5'))],
  [0.3, modify(groundUser(2), change('replace', 'userCertificate;binary', Buffer.from('3003020100', 'hex')))],
  [0.3, modify(groundUser(2), change('replace', 'jpegPhoto', Buffer.alloc(2_000, 0xd8)), change('add', 'objectClass', 'posixAccount'))],
  [0.3, modify(groundUser(1), change('replace', 'preferredLanguage', 'de'))],
  [0.2, modify(groundUser(2), change('replace', 'mailLocalAddress', 'second@ground.test', 'zwölf@ground.test'))],
  [0.02, passwordModify(groundUser(2), 'wrong', 'next-password-1')],
  [0.02, passwordModify(`dn:${groundUser(2)}`, undefined, undefined)],
  [0.02, modify(groundUser(2), change('replace', 'userPassword', 'next-password-2')), policy],
];

/** What is dangerous to say as a super administrator in a form that names something else: read by others alone. */
const elsewhere: readonly Form[] = [
  [2, search('(objectClass=*)', { base: 'cn=mailtree' })],
  [1, search('(objectClass=*)', { base: '', sizeLimit: 3 })],
  [0.5, modify('cn=ldapd,cn=mailtree', change('replace', 'mtLdapdMaxConnections', '1'))],
  [0.5, { op: 'delete', dn: 'cn=admin,cn=admins,cn=mailtree' }, control(subtreeOid)],
];

/** The requests of a role with how often each is taken. */
export function ldapCorpus(role: FuzzRole): { readonly octets: Buffer; readonly weight: number }[] {
  const forms = [...readings, ...logins, ...writes, ...(role === 'super' ? [] : elsewhere)];
  // Each log-in and each new password is a hash, which is meant to be slow.
  return forms.map(([weight, request, ...controls], n) => ({ weight, octets: Buffer.from(encodeRequest(n + 1, request, controls)) }));
}
