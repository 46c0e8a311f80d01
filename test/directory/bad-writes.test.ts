import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Modification } from '../../src/directory/index.ts';
import { parseRdn } from '../../src/ldap-wire/index.ts';
import { attributes, dn, fill, type Opened, openTemporary, person, refusal, root } from './support.ts';

let opened: Opened;
beforeAll(async () => {
  opened = await openTemporary();
  await fill(opened.directory);
});
afterAll(() => opened.close());

const jade = 'dc=jade,dc=net';
type Values = Readonly<Record<string, string | readonly string[]>>;
const user = (name: string, more: Values = {}): [string, Values] => [
  `mail=${name}@jade.net,${jade}`,
  { objectClass: ['inetOrgPerson', 'inetLocalMailRecipient', 'mtTest'], cn: 'C', sn: 'S', mail: `${name}@jade.net`, ...more },
];

const adds: [what: string, entry: [string, Values], expected: string][] = [
  ['an attribute nobody knows', user('x', { favouritePizza: 'x' }), 'undefinedAttributeType: attribute favouritePizza: not defined'],
  ['an option that is none', user('x', { 'cn;': 'x' }), 'undefinedAttributeType: attribute cn;'],
  ['a class nobody knows', user('x', { objectClass: ['person', 'wizard'] }), 'invalidAttributeSyntax: attribute objectClass: "wizard"'],
  ['no class at all', [`cn=a,${jade}`, { cn: 'a' }], 'objectClassViolation: attribute objectClass: required'],
  [
    'only an abstract class',
    [`cn=a,${jade}`, { cn: 'a', objectClass: 'top' }],
    'objectClassViolation: attribute objectClass: no structural',
  ],
  [
    'only an auxiliary class',
    [`dc=a,${jade}`, { dc: 'a', objectClass: 'dcObject' }],
    'objectClassViolation: attribute objectClass: no structural',
  ],
  [
    'two structural classes',
    [`cn=a,${jade}`, { cn: 'a', sn: 'a', objectClass: ['person', 'device'] }],
    'objectClassViolation: attribute objectClass: person and device',
  ],
  [
    'a required attribute missing',
    [`cn=a,${jade}`, { cn: 'a', objectClass: 'person' }],
    'objectClassViolation: attribute sn: required by object class person',
  ],
  [
    'an attribute its classes do not allow',
    [`cn=a,${jade}`, { cn: 'a', sn: 'a', objectClass: 'person', mail: 'a@jade.net' }],
    'objectClassViolation: attribute mail: not allowed',
  ],
  [
    'two values of a single-valued attribute',
    user('x', { displayName: ['a', 'b'] }),
    'constraintViolation: attribute displayName: takes one value',
  ],
  ['the same value twice', user('x', { title: ['Dr', 'DR'] }), 'attributeOrValueExists: attribute title'],
  ['an attribute without values', user('x', { title: [] }), 'invalidAttributeSyntax: attribute title: no value'],
  ['an empty directory string', user('x', { title: '' }), 'invalidAttributeSyntax: attribute title'],
  ['an address beyond ASCII in mail', user('x', { mail: ['x@jade.net', 'ü@jade.net'] }), 'invalidAttributeSyntax: attribute mail'],
  ['a name that is no DN', user('x', { manager: 'nobody' }), 'invalidAttributeSyntax: attribute manager'],
  ['a telephone number of letters and marks', user('x', { telephoneNumber: '12#4' }), 'invalidAttributeSyntax: attribute telephoneNumber'],
  ['a number that is none', user('x', { mtTestNumber: 'seven' }), 'invalidAttributeSyntax: attribute mtTestNumber'],
  ['a number with a leading zero', user('x', { mtTestNumber: '07' }), 'invalidAttributeSyntax: attribute mtTestNumber'],
  [
    'a number below the range',
    user('x', { mtTestNumber: '0' }),
    'constraintViolation: attribute mtTestNumber: "0" is not in the range 1 to 100',
  ],
  ['a number above the range', user('x', { mtTestNumber: '101' }), 'constraintViolation: attribute mtTestNumber'],
  [
    'a choice that is none',
    user('x', { mtTestChoice: 'blue' }),
    'constraintViolation: attribute mtTestChoice: "blue" is none of red, green',
  ],
  ['a value that does not fit the pattern', user('x', { mtTestPattern: 'abc' }), 'constraintViolation: attribute mtTestPattern'],
  ['a boolean that is neither', user('x', { mtTestFlag: 'yes' }), 'invalidAttributeSyntax: attribute mtTestFlag'],
  ['the 31st of February', user('x', { mtTestTime: '20300231000000Z' }), 'invalidAttributeSyntax: attribute mtTestTime'],
  ['a time without a zone', user('x', { mtTestTime: '20300228000000' }), 'invalidAttributeSyntax: attribute mtTestTime'],
  ['a value that is too long', user('x', { mtTestShort: 'x'.repeat(9) }), 'constraintViolation: attribute mtTestShort'],
  ['a country of three letters', [`c=ger,${jade}`, { c: 'ger', objectClass: 'country' }], 'invalidAttributeSyntax: attribute c'],
  [
    'a password that is too short',
    user('x', { userPassword: '12345' }),
    'constraintViolation: attribute userPassword: a password has at least 6',
  ],
  ['a parent that does not exist', [`mail=x@jade.net,ou=none,${jade}`, user('x')[1]], 'noSuchObject: the parent'],
  [
    'a naming context nobody configured',
    ['o=elsewhere', { o: 'elsewhere', objectClass: 'organization' }],
    'noSuchObject: no such naming context',
  ],
  ['a name that is taken', user('user1'), 'entryAlreadyExists'],
  ['a name that is taken, in other letters', [`MAIL=USER1@JADE.NET,${jade}`, user('user1')[1]], 'entryAlreadyExists'],
  ['a naming attribute nobody knows', [`pizza=x,${jade}`, { objectClass: 'device', cn: 'x' }], 'undefinedAttributeType: attribute pizza'],
  [
    'an operational attribute in the name',
    [`entryUUID=x,${jade}`, { objectClass: 'device', cn: 'x' }],
    'namingViolation: attribute entryUUID',
  ],
  ['a name that is not the single value', [`dc=b,${jade}`, { objectClass: 'domain', dc: 'a' }], 'namingViolation: attribute dc'],
  ['a name whose class does not allow it', [`uid=b,${jade}`, { objectClass: 'device', cn: 'a' }], 'objectClassViolation: attribute uid'],
  [
    'an address that is taken',
    user('x', { mail: ['x@jade.net', 'User2@Jade.net'] }),
    'constraintViolation: attribute mail: the address "User2@Jade.net"',
  ],
  ['an alias that is an address', user('x', { mailLocalAddress: 'user2@onyx.net' }), 'constraintViolation: attribute mailLocalAddress'],
];

test.each(adds)('adding with %s is refused', async (_what, [name, values], expected) => {
  expect(await refusal(opened.directory.add(root, dn(name), attributes(values)))).toContain(expected);
  const bound = await opened.directory.read(root, dn(name));
  if (!expected.startsWith('entryAlreadyExists')) expect(bound).toBeUndefined();
});

const change = (operation: Modification['operation'], name: string, ...values: string[]): Modification => ({
  operation,
  attribute: { name, values },
});
const modifies: [what: string, modifications: Modification[], expected: string][] = [
  ['deleting an attribute that is not there', [change('delete', 'title')], 'noSuchAttribute: attribute title'],
  ['deleting a value that is not there', [change('delete', 'sn', 'Nobody')], 'noSuchAttribute: attribute sn'],
  [
    'deleting the same value twice',
    [change('delete', 'employeeNumber', '77'), change('delete', 'employeeNumber', '77')],
    'noSuchAttribute: attribute employeeNumber',
  ],
  ['adding a value that is there', [change('add', 'sn', 'EXAMPLE')], 'attributeOrValueExists: attribute sn'],
  ['adding no value', [change('add', 'title')], 'invalidAttributeSyntax: attribute title'],
  ['removing what is required', [change('delete', 'sn')], 'objectClassViolation: attribute sn: required'],
  ['replacing what is required by nothing', [change('replace', 'cn')], 'objectClassViolation: attribute cn'],
  ['removing the value in the name', [change('replace', 'mail', 'other@jade.net')], 'notAllowedOnRDN: attribute mail'],
  [
    'changing the structural class',
    [change('replace', 'objectClass', 'device', 'mtTest')],
    'objectClassModsProhibited: attribute objectClass',
  ],
  [
    'removing a class whose attributes are in use',
    [change('delete', 'objectClass', 'mtTest'), change('add', 'mtTestNumber', '5')],
    'objectClassViolation: attribute mtTestNumber',
  ],
  ['a second value of a single-valued one', [change('add', 'employeeNumber', '78')], 'constraintViolation: attribute employeeNumber'],
  ['incrementing text', [change('increment', 'sn', '1')], 'constraintViolation: attribute sn'],
  ['incrementing what is not there', [change('increment', 'mtTestNumber', '1')], 'noSuchAttribute: attribute mtTestNumber'],
  [
    'incrementing out of the range',
    [change('add', 'mtTestNumber', '99'), change('increment', 'mtTestNumber', '2')],
    'constraintViolation: attribute mtTestNumber',
  ],
  ['an attribute nobody knows', [change('replace', 'pizza', 'x')], 'undefinedAttributeType: attribute pizza'],
  ['an address that is taken', [change('add', 'mailLocalAddress', 'USER2@jade.net')], 'constraintViolation: attribute mailLocalAddress'],
];

test.each(modifies)('modifying by %s is refused, and nothing of it is done', async (_what, modifications, expected) => {
  const name = dn(`mail=user1@jade.net,${jade}`);
  const before = await opened.directory.readAll(name);
  expect(await refusal(opened.directory.modify(root, name, modifications))).toContain(expected);
  expect(await opened.directory.readAll(name)).toEqual(before);
});

test('operational attributes are not for users, not even for administrators', async () => {
  const admin = await opened.directory.authenticate(dn('cn=admin,cn=admins,cn=mailtree'), 'admin secret', { door: 'test' });
  const name = dn(`mail=user1@jade.net,${jade}`);
  const answer = await refusal(opened.directory.modify(admin, name, [change('replace', 'createTimestamp', '20000101000000Z')]));
  expect(answer).toContain('constraintViolation: attribute createTimestamp');
});

test('entries with others below them stay, and nothing moves below itself', async () => {
  expect(await refusal(opened.directory.delete(root, dn(jade)))).toContain('notAllowedOnNonLeaf');
  const below = { rdn: parseRdn('dc=jade'), deleteOldRdn: false, newSuperior: dn(`dc=x,${jade}`) };
  expect(await refusal(opened.directory.rename(root, dn(jade), below))).toContain('unwillingToPerform');
  const taken = { rdn: parseRdn('dc=onyx'), deleteOldRdn: true };
  expect(await refusal(opened.directory.rename(root, dn(jade), taken))).toContain('entryAlreadyExists');
});

test('noSuchObject names the deepest entry that exists', async () => {
  const thrown = await opened.directory.add(root, dn(`mail=x@y.net,ou=a,ou=b,${jade}`), person('x@y.net')).catch((fault: unknown) => fault);
  expect(thrown).toMatchObject({ result: 'noSuchObject', matched: { key: jade } });
});

test('of a hundred writers who want the same address one gets it', async () => {
  const names = Array.from({ length: 100 }, (_, n) => dn(`mail=racer${n}@jade.net,${jade}`));
  const answers = await Promise.all(
    names.map((name, n) =>
      refusal(
        opened.directory.add(
          root,
          name,
          person(`racer${n}@jade.net`, { mailLocalAddress: `Wanted${'!'.repeat(n % 2)}@jade.net`.replace('!', '') }),
        ),
      ),
    ),
  );
  expect(answers.filter((answer) => answer === 'not refused')).toHaveLength(1);
});

test('a member of a list is named by an address that is not its own', async () => {
  await opened.directory.add(root, dn(`mail=humor@jade.net,${jade}`), attributes({ objectClass: 'mtTestList', mail: 'humor@jade.net' }));
  const member = dn(`mail=user1@jade.net,mail=humor@jade.net,${jade}`);
  expect(await refusal(opened.directory.add(root, member, attributes({ objectClass: 'mtTestList', mail: 'user1@jade.net' })))).toBe(
    'not refused',
  );
});

test('missing upper dc levels are made with the domain', async () => {
  await opened.directory.add(root, dn('dc=deep,dc=er,dc=example'), attributes({ objectClass: 'domain', dc: 'deep' }));
  expect((await opened.directory.read(root, dn('dc=example')))?.isA('domain')).toBe(true);
  expect(opened.directory.rootDse().namingContexts).toEqual(expect.arrayContaining(['cn=mailtree', 'dc=net', 'dc=example']));
});

test('an address stays unique however many lists mention it', async () => {
  const { directory } = opened;
  const base = 'dc=jade,dc=net';
  const list = (n: number): string => `mail=list${n}@jade.net,${base}`;
  const lists = Array.from({ length: 120 }, (_, n) => [
    { dn: dn(list(n)), attributes: attributes({ objectClass: 'mtTestList', mail: `list${n}@jade.net` }) },
    { dn: dn(`mail=popular@jade.net,${list(n)}`), attributes: attributes({ objectClass: 'mtTestList', mail: 'popular@jade.net' }) },
  ]);
  await directory.addBatch(root, lists.flat());
  await directory.add(root, dn(`mail=popular@jade.net,${base}`), person('popular@jade.net'));
  const second = directory.add(root, dn(`cn=second,${base}`), person('second@jade.net', { mailLocalAddress: 'Popular@jade.net' }));
  expect(await refusal(second)).toContain('belongs to another entry');
});
