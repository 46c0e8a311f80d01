/**
 * `docs/schema.md`: every class and attribute of the shipped schema files with meaning and example. Settings are in docs/settings.md.
 *
 * What no file says of itself stands in `schema/meanings.tsv`; an attribute or class without a line there is an error.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { type AttributeType, type ObjectClass, type Schema, schemaFrom } from '../../src/directory/index.ts';
import type { Declared } from '../../src/settings/index.ts';

const meaningsFile = 'schema/meanings.tsv';

interface Meaning {
  readonly example: string;
  readonly meaning: string;
}

/** `own`: what `mailtree.schema` holds, or will. */
export function schemaPage(declared: Declared, own: string): string {
  const files = readdirSync('schema').filter((name) => name.endsWith('.schema'));
  const order = ['system.schema', 'core.schema', 'cosine.schema', 'inetorgperson.schema', 'nis.schema', 'mail.schema', 'mailtree.schema'];
  const missing = files.filter((name) => !order.includes(name));
  if (missing.length > 0) throw new Error(`test/house/schema-page.ts does not know ${missing.join(', ')}`);
  const schema = schemaFrom(
    Object.fromEntries(order.map((name) => [name, name === 'mailtree.schema' ? own : readFileSync(`schema/${name}`, 'utf8')])),
  );
  const settings = new Set(declared.settings.flatMap((each) => Object.values(each.settings).map(({ attribute }) => attribute)));
  const settingsClasses = new Set(declared.settings.map(({ objectClass }) => objectClass));
  const classes = schema.parts.objectClasses.filter((item) => !settingsClasses.has(item.name));
  const attributes = schema.parts.attributeTypes.filter((type) => !settings.has(type.name));
  const meanings = readMeanings([...classes.map((item) => `@${item.name}`), ...attributes.map((type) => type.name)]);
  for (const type of attributes) checkExample(type, meanings.get(type.name)?.example ?? '');
  const ours = classes.filter((item) => /^mt/.test(item.name));
  return [
    ...opening,
    ...ours.flatMap((item) => classSection(schema, item, meanings)),
    '## Standard classes',
    '',
    '| class | kind | meaning | required | example of an entry |',
    '|---|---|---|---|---|',
    ...classes.filter((item) => !ours.includes(item)).map((item) => classRow(schema, item, meanings)),
    '',
    '## Attributes',
    '',
    '| attribute | meaning | syntax, values | example |',
    '|---|---|---|---|',
    ...byName(attributes).map((type) => attributeRow(type, meanings)),
    '',
  ].join('\n');
}

const opening = [
  '# Classes and attributes',
  '',
  'Every object class and attribute of the schema files in `schema/`, with meaning and example. Generated from them and `schema/meanings.tsv` by',
  '`npm run generate`. Attributes of settings are in [settings.md](settings.md); how the tree is built, in [directory.md](directory.md). A running',
  'server publishes the same in `cn=subschema`.',
  '',
  '## Classes of Mailtree',
  '',
];

/** The meanings, exactly one for every name. */
function readMeanings(names: readonly string[]): Map<string, Meaning> {
  const found = new Map<string, Meaning>();
  for (const [n, line] of readFileSync(meaningsFile, 'utf8').split('\n').entries()) {
    if (line === '' || line.startsWith('#')) continue;
    const [name = '', example = '', meaning = '', ...more] = line.split('\t');
    if (example === '' || more.length > 0) throw new Error(`${meaningsFile}:${n + 1}: not name, example, meaning`);
    if (found.has(name)) throw new Error(`${meaningsFile}:${n + 1}: ${name} stands there twice`);
    if (!names.includes(name)) throw new Error(`${meaningsFile}:${n + 1}: no schema file defines ${name}`);
    found.set(name, { example, meaning });
  }
  const lacking = names.filter((name) => !found.has(name));
  if (lacking.length > 0) throw new Error(`${meaningsFile}: no line for ${lacking.join(', ')}`);
  return found;
}

/** What cannot be shown as text stands in parentheses. */
const shownOnly = (example: string): boolean => /^\([^=,(]*\)$/.test(example) && !example.startsWith('( ');

/** An example that its own syntax refuses would teach the wrong thing. */
function checkExample(type: AttributeType, example: string): void {
  if (shownOnly(example)) return;
  const value = type.syntax.textual ? example : new Uint8Array(Buffer.from(example));
  const allowed = !type.limits?.choices || type.limits.choices.has(example.toLowerCase());
  if (!type.syntax.check(value) || !allowed)
    throw new Error(`${meaningsFile}: the example of ${type.name} is not a valid ${type.syntax.name}`);
}

const cell = (text: string): string => text.replace(/\|/g, '\\|');
const code = (text: string): string => (shownOnly(text) ? text : `\`${cell(text)}\``);

/** The meaning given, or the description in the schema file. */
function meaningOf(name: string, text: string, meanings: ReadonlyMap<string, Meaning>): string {
  const given = meanings.get(name)?.meaning ?? '';
  const described = (/ DESC '((?:[^'\\]|\\.)*)'/.exec(text)?.[1] ?? '').replace(/\\27/g, "'").replace(/\\5[cC]/g, '\\');
  const meaning = given || described;
  if (meaning === '') throw new Error(`${meaningsFile}: ${name} has neither a meaning there nor a description in its schema file`);
  return cell(meaning);
}

const byName = (types: readonly AttributeType[]): AttributeType[] =>
  [...types].sort((a, b) => (a.lower < b.lower ? -1 : a.lower > b.lower ? 1 : 0));

function attributeNames(schema: Schema, lowers: Iterable<string>): string {
  return [...lowers].map((lower) => `\`${schema.attribute(lower)?.name ?? lower}\``).join(', ') || 'nothing';
}

function ownNames(item: ObjectClass, of: 'must' | 'may'): string[] {
  const inherited = new Set(item.ancestors.flatMap((above) => [...above.must, ...above.may]));
  return [...item[of]].filter((lower) => !inherited.has(lower));
}

function classSection(schema: Schema, item: ObjectClass, meanings: ReadonlyMap<string, Meaning>): string[] {
  const above = item.ancestors[0]?.name ?? 'top';
  return [
    `### ${item.name}`,
    '',
    `${meaningOf(`@${item.name}`, item.text, meanings)} ${item.kind[0]?.toUpperCase()}${item.kind.slice(1)}, derived from \`${above}\`. Example: \`${meanings.get(`@${item.name}`)?.example ?? ''}\``,
    '',
    `- must have: ${attributeNames(schema, ownNames(item, 'must'))}`,
    `- may have: ${attributeNames(schema, ownNames(item, 'may'))}`,
    '',
  ];
}

function classRow(schema: Schema, item: ObjectClass, meanings: ReadonlyMap<string, Meaning>): string {
  const must = attributeNames(
    schema,
    [...item.must].filter((lower) => lower !== 'objectclass'),
  );
  const name = `@${item.name}`;
  return `| \`${item.name}\` | ${item.kind} | ${meaningOf(name, item.text, meanings)} | ${must} | ${code(meanings.get(name)?.example ?? '')} |`;
}

function attributeRow(type: AttributeType, meanings: ReadonlyMap<string, Meaning>): string {
  const notes = [
    type.syntax.name,
    type.single ? 'one value' : 'any number of values',
    ...(type.operational ? ['operational'] : []),
    ...(type.userModifiable ? [] : ['kept by the server']),
    ...(type.secret ? ['never shown'] : []),
    ...(type.limits?.choices ? [`one of ${[...type.limits.choices.values()].join(', ')}`] : []),
  ];
  const others = type.names.slice(1).map((name) => `, \`${name}\``);
  return `| \`${type.name}\`${others.join('')} | ${meaningOf(type.name, type.text, meanings)} | ${cell(notes.join('; '))} | ${code(meanings.get(type.name)?.example ?? '')} |`;
}
