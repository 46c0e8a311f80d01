import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { silentLog } from '../../src/base/index.ts';
import { anonymous, loadSchema, type Modification, type Schema, schemaFrom } from '../../src/directory/index.ts';
import { parseFilter } from '../../src/ldap-wire/index.ts';
import { tempDir } from '../support/temp.ts';
import { all, attributes, dn, openTemporary, ownSchema, root, testSchema } from './support.ts';

const system = readFileSync('schema/system.schema', 'utf8');
const core = readFileSync('schema/core.schema', 'utf8');
const cosine = readFileSync('schema/cosine.schema', 'utf8');
const mail = readFileSync('schema/mail.schema', 'utf8');
const load = (text: string): Schema => schemaFrom({ 'system.schema': system, 'core.schema': core, 'mine.schema': text });
const text = 'EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15';

const broken: [what: string, text: string, message: RegExp][] = [
  ['a word that is no definition', 'attribute ( 1.2.3 )', /mine\.schema line 1: "attribute/],
  ['a continued line that continues nothing', '\n  ( 1.2.3 )', /line 2: a continued line/],
  ['an open quotation', "attributetype ( 1.2.3 NAME 'a )", /line 1: a quoted string is not closed/],
  ['an open list', `attributetype ( 1.2.3 NAME ( 'a' ${text}`, /line 1/],
  ['a missing end', `attributetype ( 1.2.3 NAME 'a' ${text}`, /line 1: the closing "\)" is missing/],
  ['something behind the end', `attributetype ( 1.2.3 NAME 'a' ${text} ) x`, /line 1: something stands behind/],
  ['a keyword twice', `attributetype ( 1.2.3 NAME 'a' NAME 'b' ${text} )`, /NAME is given twice/],
  ['no number', `attributetype ( 'a' ${text} )`, /must begin with/],
  ['a macro nobody defined', `attributetype ( mine:1 NAME 'a' ${text} )`, /"mine:1" is not an OID/],
  ['a syntax nobody knows', "\n\nattributetype ( 1.2.3 NAME 'a' SYNTAX 1.2.3.4 )", /line 3: SYNTAX 1\.2\.3\.4 is not known/],
  ['no syntax', "attributetype ( 1.2.3 NAME 'a' )", /a has no SYNTAX and no SUP/],
  ['a rule nobody knows', "attributetype ( 1.2.3 NAME 'a' EQUALITY guess SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )", /EQUALITY guess/],
  ['a superior nobody defined', "attributetype ( 1.2.3 NAME 'a' SUP nobody )", /SUP nobody of a is not defined/],
  ['superiors in a circle', "attributetype ( 1.2.3 NAME 'a' SUP b )\nattributetype ( 1.2.4 NAME 'b' SUP a )", /circle/],
  ['an attribute that is not defined', "objectclass ( 1.2.3 NAME 'a' MUST pizza )", /MUST pizza of a is not a defined attribute/],
  [
    'a name taken under another number',
    `attributetype ( 1.2.3 NAME 'cn' ${text} )`,
    /cn \(1\.2\.3\) collides with cn \(2\.5\.4\.3\) of core\.schema line/,
  ],
  ['a number taken by another name', `attributetype ( 2.5.4.3 NAME 'ncn' ${text} )`, /collides/],
  [
    'a rule that serves in filters only',
    "attributetype ( 1.2.3 NAME 'a' EQUALITY wordMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
    /EQUALITY wordMatch/,
  ],
  [
    'a rule of another kind',
    `attributetype ( 1.2.3 NAME 'a' ${text} ORDERING caseIgnoreMatch )`,
    /ORDERING caseIgnoreMatch is no ordering rule/,
  ],
  [
    'the same attribute with another syntax',
    "attributetype ( 2.5.4.3 NAME 'cn' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.44 )",
    /mine\.schema line 1: cn is defined otherwise in core\.schema line \d+: SYNTAX 1\.3\.6\.1\.4\.1\.1466\.115\.121\.1\.44 here, 1\.3\.6\.1\.4\.1\.1466\.115\.121\.1\.15 there/,
  ],
  [
    'the same attribute compared otherwise',
    "attributetype ( 2.5.4.13 NAME 'description' EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
    /description is defined otherwise in core\.schema line \d+: EQUALITY caseExactMatch here, caseIgnoreMatch there/,
  ],
  [
    'the same attribute for one value',
    "attributetype ( 2.5.4.3 NAME 'cn' SUP name SINGLE-VALUE )",
    /cn is defined otherwise .* SINGLE-VALUE yes here, no there/,
  ],
  [
    'the same class with other duties',
    "objectclass ( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST cn )",
    /person is defined otherwise .* MUST cn \$ objectclass here/,
  ],
  [
    'the same class of another kind',
    "objectclass ( 2.5.6.6 NAME 'person' SUP top AUXILIARY MUST ( cn $ sn ) )",
    /person is defined otherwise .* kind AUXILIARY here, STRUCTURAL there/,
  ],
  ['a stand-in syntax nobody knows', "ldapsyntax ( 1.2.3 DESC 'a' X-SUBST '1.2.4' )", /X-SUBST 1\.2\.4 is not a syntax/],
  ['a range that is none', `attributetype ( 1.2.3 NAME 'a' ${text} X-MT-RANGE 'much' )`, /X-MT-RANGE/],
  ['a pattern that is none', `attributetype ( 1.2.3 NAME 'a' ${text} X-MT-PATTERN '(' )`, /X-MT-PATTERN/],
  ['a definition without end', `attributetype ( 1.2.3 NAME 'a'\n${`  DESC 'x'\n`.repeat(20_000)})`, /too long/],
];

test.each(broken)('a schema file with %s is refused, naming file and line', (_what, definition, message) => {
  expect(() => load(definition)).toThrow(message);
});

test('a definition that repeats ours is left out with a note, each name is published once', () => {
  const schema = schemaFrom({ 'system.schema': system, 'core.schema': core, 'again.schema': core });
  expect(schema.notes).toHaveLength(core.match(/^(?:attributetype|objectclass)/gm)?.length ?? 0);
  const names = schema.parts.attributeTypes.flatMap((type) => type.names.map((name) => name.toLowerCase()));
  expect(new Set(names).size).toBe(names.length);
});

test('a definition under a stand-in syntax is checked by it', () => {
  const schema = load(`ldapsyntax ( 1.2.3 DESC 'Number' X-SUBST '1.3.6.1.4.1.1466.115.121.1.27' )
attributetype ( 1.2.4 NAME 'mine' EQUALITY integerMatch SYNTAX 1.2.3 )`);
  expect([schema.attribute('mine')?.syntax.check('12'), schema.attribute('mine')?.syntax.check('x')]).toEqual([true, false]);
});

const entries = `# Comment
version: 1
dn: cn={4}mine,cn=schema,cn=config
objectClass: olcSchemaConfig
cn: {4}mine
olcObjectIdentifier: {0}mine 1.3.6.1.4.1.55555
olcAttributeTypes: {0}( mine:1 NAME 'myColour' DESC 'a lo
 ng text' ${text} )
attributeTypes:: ${Buffer.from(`( 1.3.6.1.4.1.55555.2 NAME 'myShade' DESC 'Größe' ${text} )`).toString('base64')}

dn: cn=schema
changetype: modify
add: objectClasses
objectClasses: ( mine:9 NAME 'myThing' SUP top AUXILIARY MAY ( myColour $ myShade ) )
-
`;

test('definitions come as values of entries too: of a subschema and of cn=config, folded, numbered, in base64', () => {
  const schema = schemaFrom({ 'system.schema': system, 'core.schema': core, 'mine.ldif': entries });
  expect(schema.attribute('myColour')?.oid).toBe('1.3.6.1.4.1.55555.1');
  expect(schema.attribute('myColour')?.text).toContain("DESC 'a long text'");
  expect(schema.attribute('myShade')?.text).toContain("DESC 'Größe'");
  expect([...(schema.objectClass('myThing')?.may ?? [])]).toEqual(['mycolour', 'myshade']);
});

test.each([
  ['dn: cn=schema\nattributeTypes ( 1.2.3 )\n', /mine\.ldif line 2: "attributeTypes \( 1\.2\.3 \)" is neither/],
  ['dn: cn=schema\nmail: x\n', /mine\.ldif line 2: mail is no attribute of a schema/],
  ['dn: cn=schema\ndITContentRules: ( 2.5.6.4 NOT x121Address )\n', /mine\.ldif line 2: dITContentRules: rules for content/],
  [` continued\n`, /mine\.ldif line 1: a continued line continues nothing/],
  [
    `dn: cn=schema\n\n# x\nobjectClasses: ( 1.2.3 NAME 'a'\n  MUST pizza )\n`,
    /mine\.ldif line 4: MUST pizza of a is not a defined attribute/,
  ],
  [`dn: cn=schema\nattributeTypes: ( 1.2.3 NAME 'a' SYNTAX 1.2 )\n`, /mine\.ldif line 2: SYNTAX 1\.2 is not known/],
  [`dn: cn=schema\nattributeTypes: ( 1.2.3 NAME 'a'\n${'  x\n'.repeat(40_000)}`, /mine\.ldif line 2: the definition is too long/],
])('an LDIF file that says %j is refused, naming file and line', (ldif, message) => {
  expect(() => schemaFrom({ 'system.schema': system, 'core.schema': core, 'mine.ldif': ldif })).toThrow(message);
});

test('the files of a folder are loaded by name after ours, and are called by their path', async () => {
  const { path, remove } = await tempDir();
  try {
    writeFileSync(
      join(path, '20-class.ldif'),
      "dn: cn=schema\nobjectClasses: ( 1.3.6.1.4.1.55555.9 NAME 'myThing' SUP top AUXILIARY MAY myColour )\n",
    );
    writeFileSync(join(path, '10-attribute.schema'), `attributetype ( 1.3.6.1.4.1.55555.1 NAME 'myColour' ${text} )\n`);
    writeFileSync(join(path, '.hidden.schema'), 'nonsense');
    writeFileSync(join(path, 'notes.txt'), 'nonsense');
    const schema = await loadSchema(['schema', path]);
    expect(schema.objectClass('myThing')?.may).toEqual(new Set(['mycolour']));
    expect(schema.modifiedAt).toBeGreaterThan(Date.UTC(2020));
    expect(schema.notes).toEqual([]);
    writeFileSync(join(path, '30-again.schema'), `attributetype ( 1.3.6.1.4.1.55555.1 NAME 'myColour' ${text} )\n`);
    expect((await loadSchema(['schema', path])).notes).toEqual([
      `${path}/30-again.schema line 1: myColour is already defined in ${path}/10-attribute.schema line 1; the first one counts`,
    ]);
    writeFileSync(join(path, '40-bad.schema'), '# x\n\nobjectclass nonsense\n');
    await expect(loadSchema(['schema', path])).rejects.toThrow(`${path}/40-bad.schema line 3: objectclass must begin with "( OID"`);
    await expect(loadSchema(['schema', join(path, 'none')])).rejects.toThrow(/the folder .*none cannot be read/);
  } finally {
    await remove();
  }
});

test('definitions that have vanished and are still used are reported at every start, with how many entries use them', async () => {
  const own = ownSchema();
  const files = (mine: string) =>
    schemaFrom({
      'system.schema': system,
      'core.schema': core,
      'cosine.schema': cosine,
      'mail.schema': mail,
      'own.schema': own,
      'mine.schema': mine,
    });
  const attribute = `attributetype ( 1.2.3.1 NAME 'myColour' ${text} )\nattributetype ( 1.2.3.2 NAME 'myUnused' ${text} )\n`;
  const warnings: string[] = [];
  const log = { ...silentLog, warning: (say: string) => void warnings.push(say) };
  const full = files(`${attribute}objectclass ( 1.2.3.3 NAME 'myThing' SUP top AUXILIARY MAY ( myColour $ myUnused ) )`);
  let opened = await openTemporary({ schema: full, log });
  try {
    await opened.directory.add(
      root,
      dn('dc=net'),
      attributes({ objectClass: ['domain', 'extensibleObject'], dc: 'net', 'myColour;lang-en': 'red' }),
    );
    for (const cn of ['a', 'b'])
      await opened.directory.add(root, dn(`cn=${cn},dc=net`), attributes({ objectClass: ['device', 'myThing'], cn, myColour: 'red' }));
    expect(warnings).toEqual([]);
    for (let start = 0; start < 2; start++) {
      opened = await opened.reopen({ schema: files('') });
      expect(warnings.splice(0).map((line) => line.replace(/; put.*/, ''))).toEqual([
        'schema: attribute myColour is no longer defined in any schema file, and 3 entries use it',
        'schema: object class myThing is no longer defined in any schema file, and 2 entries use it',
      ]);
    }
    // What the schema has lost stays when something else of the entry changes.
    await opened.directory.modify(root, dn('dc=net'), [{ operation: 'add', attribute: { name: 'description', values: ['x'] } }]);
    expect((await opened.directory.readAll(dn('dc=net')))?.texts('myColour;lang-en')).toEqual(['red']);
    // It is removed by its name, by those above all rights alone.
    const remove = (values: string[]): Modification[] => [{ operation: 'delete', attribute: { name: 'mycolour', values } }];
    const stranger = { dn: dn('cn=b,dc=net'), as: 'bound', door: 'test' } as const;
    await expect(opened.directory.modify(stranger, dn('cn=b,dc=net'), remove([]))).rejects.toThrow();
    await expect(opened.directory.modify(root, dn('cn=b,dc=net'), remove(['blue']))).rejects.toThrow('the entry does not have this value');
    await opened.directory.modify(root, dn('cn=b,dc=net'), [
      ...remove(['red']),
      { operation: 'delete', attribute: { name: 'objectClass', values: ['myThing'] } },
    ]);
    expect((await opened.directory.readAll(dn('cn=b,dc=net')))?.texts('myColour')).toEqual([]);
    await expect(opened.directory.modify(root, dn('cn=b,dc=net'), remove([]))).rejects.toThrow('not defined in the schema');
    opened = await opened.reopen({ schema: full });
    expect(warnings).toEqual([]);
    for (const cn of ['a', 'b']) await opened.directory.delete(root, dn(`cn=${cn},dc=net`));
    await opened.directory.delete(root, dn('dc=net'));
    opened = await opened.reopen({ schema: files('') });
    expect(warnings).toEqual([]);
  } finally {
    await opened.close();
  }
});

test('macros, options, aliases and numbers name the same attribute', () => {
  const schema = testSchema();
  expect(schema.attribute('mtTestNumber')?.oid).toBe('2.25.1.1.50');
  for (const name of ['cn', 'CN', 'commonName', '2.5.4.3']) expect(schema.attribute(name)?.name).toBe('cn');
  expect(schema.describe('CN;Lang-EN;lang-de')?.name).toBe('cn;lang-de;lang-en');
  expect(schema.describe('cn;ünfug')).toBeUndefined();
});

test('what is published can be loaded again', () => {
  const schema = testSchema();
  const again = schemaFrom({
    'all.schema': [
      ...schema.parts.attributeTypes.map((type) => `attributetype ${type.text}`),
      ...schema.parts.objectClasses.map((item) => `objectclass ${item.text}`),
    ].join('\n'),
  });
  expect(again.parts.attributeTypes.map((type) => type.text)).toEqual(schema.parts.attributeTypes.map((type) => type.text));
  expect(again.parts.objectClasses.map((item) => item.text)).toEqual(schema.parts.objectClasses.map((item) => item.text));
});

test('the subschema entry is there for whoever asks, with what was asked for', async () => {
  const { directory, close } = await openTemporary();
  try {
    expect([...((await directory.read(root, dn('CN=Subschema')))?.attributes.keys() ?? [])]).toEqual(['objectclass', 'cn']);
    const full = await directory.read(root, dn('cn=subschema'), ['+']);
    expect(
      full?.texts('attributeTypes').some((line) => line.includes("NAME 'mail'") || line.includes("NAME ( 'mail' 'rfc822Mailbox' )")),
    ).toBe(true);
    expect(full?.texts('matchingRuleUse').find((line) => line.includes("'caseExactIA5Match'"))).toMatch(/APPLIES \( .*\bmail\b.* \)$/);
    expect(full?.texts('ldapSyntaxes')).toContain(
      "( 1.3.6.1.4.1.1466.115.121.1.8 DESC 'Certificate' X-BINARY-TRANSFER-REQUIRED 'TRUE' X-NOT-HUMAN-READABLE 'TRUE' )",
    );
    const finds = async (filter: string) =>
      (
        await all(
          directory.search(anonymous('test'), {
            base: dn('cn=subschema'),
            scope: 'base',
            filter: parseFilter(filter),
            attributes: ['1.1'],
          }),
        )
      ).length;
    expect(
      await Promise.all(
        ['(objectClass=subschema)', '(attributeTypes=commonName)', '(objectClasses=2.5.6.6)', '(objectClasses=nobody)', '(cn=x)'].map(
          finds,
        ),
      ),
    ).toEqual([1, 1, 1, 0, 0]);
    expect(await directory.compare(anonymous('test'), dn('cn=subschema'), 'attributeTypes', '2.5.4.3')).toBe(true);
    expect(full?.texts('matchingRules').length).toBeGreaterThan(30);
    expect(full?.texts('ldapSyntaxes').length).toBeGreaterThan(30);
  } finally {
    await close();
  }
});

test('what is derived from a password is as secret', () => {
  const schema = load("attributetype ( 1.2.3 NAME 'innPassword' SUP userPassword )");
  expect(schema.attribute('innPassword')?.secret).toBe(true);
});
