import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { schemaFrom } from '../../src/directory/index.ts';
import { dn, openTemporary, root, testSchema } from './support.ts';

const system = readFileSync('schema/system.schema', 'utf8');
const core = readFileSync('schema/core.schema', 'utf8');
const load = (text: string): unknown => schemaFrom({ 'system.schema': system, 'core.schema': core, 'mine.schema': text });
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
  ['a superior nobody defined', "attributetype ( 1.2.3 NAME 'a' SUP nobody )", /SUP nobody is not defined/],
  ['superiors in a circle', "attributetype ( 1.2.3 NAME 'a' SUP b )\nattributetype ( 1.2.4 NAME 'b' SUP a )", /circle/],
  ['an attribute that is not defined', "objectclass ( 1.2.3 NAME 'a' MUST pizza )", /MUST pizza is not a defined attribute/],
  [
    'a name taken under another number',
    `attributetype ( 1.2.3 NAME 'cn' ${text} )`,
    /cn \(1\.2\.3\) collides with cn \(2\.5\.4\.3\) of core\.schema line/,
  ],
  ['a number taken by another name', `attributetype ( 2.5.4.3 NAME 'ncn' ${text} )`, /collides/],
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
    expect(full?.texts('matchingRules').length).toBeGreaterThan(30);
    expect(full?.texts('ldapSyntaxes').length).toBeGreaterThan(30);
  } finally {
    await close();
  }
});
