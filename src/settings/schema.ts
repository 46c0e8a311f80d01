/**
 * The LDAP schema of everything declared: `schema/mailtree.schema` is this function's output.
 *
 * Promise: the same declarations and numbers give the same text; an attribute declared in two places must be declared alike.
 * Spec: RFC 4512 §4.1; the form of OpenLDAP's schema files, so that they load into slapd as they are.
 */

import { longestText, type Setting, type SettingsDeclaration } from './declare.ts';
import { type Numbers, numberOf } from './numbers.ts';
import { formatValue } from './read.ts';
import type { AttributeDeclaration, ClassDeclaration, Syntax } from './schema-declare.ts';

const arc = '2.25.102637800394412194354069970211766560473';

const syntaxes: Readonly<Record<Syntax, string>> = {
  text: 'EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15',
  'text-exact': 'EQUALITY caseExactMatch SUBSTR caseExactSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15',
  ascii: 'EQUALITY caseIgnoreIA5Match SUBSTR caseIgnoreIA5SubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.26',
  integer: 'EQUALITY integerMatch ORDERING integerOrderingMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27',
  boolean: 'EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7',
  dn: 'EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12',
  time: 'EQUALITY generalizedTimeMatch ORDERING generalizedTimeOrderingMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24',
  octets: 'EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40',
};

interface AttributeText {
  readonly name: string;
  readonly body: string;
}

export interface Declared {
  readonly settings: readonly SettingsDeclaration[];
  readonly classes: readonly ClassDeclaration[];
}

/** Every own name, attributes first, in the order of declaration: what needs a number. */
export function declaredNames({ settings, classes }: Declared): { attributes: string[]; classes: string[] } {
  return {
    attributes: [...attributesOf({ settings, classes }).keys()],
    classes: [...new Set([...classes.map((c) => c.name), ...settings.map((s) => s.objectClass)])],
  };
}

export function schemaText(declared: Declared, numbers: Numbers): string {
  const lines = [
    '# Own attributes and object classes of Mailtree. Generated from the declarations in src/ by `npm run generate`: do not edit.',
    '',
    `objectidentifier mtArc ${arc}`,
    'objectidentifier mtAttributes mtArc:1',
    'objectidentifier mtClasses mtArc:2',
  ];
  for (const { name, body } of attributesOf(declared).values()) {
    lines.push('', `attributetype ( mtAttributes:${numberOf(numbers, 'attribute', name)}`, `  NAME '${name}'`, `${body} )`);
  }
  for (const declaration of classesOf(declared).values()) {
    lines.push(
      '',
      `objectclass ( mtClasses:${numberOf(numbers, 'class', declaration.name)}`,
      `  NAME '${declaration.name}'`,
      `${classBody(declaration)} )`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function attributesOf({ settings, classes }: Declared): Map<string, AttributeText> {
  const all = new Map<string, AttributeText>();
  const put = (name: string, body: string): void => {
    const there = all.get(name);
    if (there && there.body !== body) throw new Error(`attribute ${name} is declared twice, and differently`);
    all.set(name, { name, body });
  };
  for (const declaration of classes)
    for (const attribute of declaration.attributes ?? []) put(attribute.attribute, attributeBody(attribute));
  for (const declaration of settings)
    for (const setting of Object.values<Setting>(declaration.settings)) put(setting.attribute, settingBody(setting));
  return all;
}

/** The object classes, those of settings made from all declarations that share one. */
function classesOf({ settings, classes }: Declared): Map<string, ClassDeclaration> {
  const all = new Map<string, ClassDeclaration>(classes.map((c) => [c.name, c]));
  for (const declaration of settings) {
    const there = all.get(declaration.objectClass);
    const may = [...(there?.may ?? ['description']), ...Object.values<Setting>(declaration.settings).map((s) => s.attribute)];
    all.set(declaration.objectClass, {
      name: declaration.objectClass,
      kind: 'structural',
      must: there?.must ?? ['cn'],
      may: [...new Set(may)],
      title: there?.title ?? declaration.title,
      help: there?.help ?? declaration.help,
    });
  }
  return all;
}

const quoted = (text: string): string => `'${text.replace(/\\/g, '\\5C').replace(/'/g, '\\27')}'`;
const extension = (name: string, ...values: string[]): string =>
  `\n  X-MT-${name} ${values.length === 1 ? quoted(values[0] ?? '') : `( ${values.map(quoted).join(' ')} )`}`;

function attributeBody(a: AttributeDeclaration): string {
  return [
    `  DESC ${quoted(a.help)}`,
    `\n  ${syntaxes[a.syntax]}`,
    a.single ? '\n  SINGLE-VALUE' : '',
    a.operational ? '\n  NO-USER-MODIFICATION\n  USAGE directoryOperation' : '',
    extension('LABEL', a.label),
    a.choices ? extension('CHOICES', ...a.choices) : '',
    a.range ? extension('RANGE', `${a.range[0]}-${a.range[1]}`) : '',
    a.length ? extension('LENGTH', String(a.length)) : '',
    a.secret ? extension('SECRET', 'TRUE') : '',
  ].join('');
}

function settingBody(s: Setting): string {
  const syntax: Syntax =
    s.type === 'integer' ? 'integer' : s.type === 'boolean' ? 'boolean' : s.type === 'text' && s.secret ? 'text-exact' : 'text';
  const extensions = [extension('LABEL', s.label)];
  if (s.type === 'integer') {
    extensions.push(extension('RANGE', `${s.min}-${s.max}`));
    if (s.unit) extensions.push(extension('UNIT', s.unit));
  }
  if (s.type === 'choice') extensions.push(extension('CHOICES', ...s.choices));
  if ((s.type === 'text' || s.type === 'list') && s.pattern) {
    extensions.push(extension('PATTERN', s.pattern.source));
    if (s.patternHelp) extensions.push(extension('PATTERN-HELP', s.patternHelp));
  }
  if (s.type === 'text') extensions.push(extension('LENGTH', String(s.max ?? longestText)));
  if (s.type === 'text' && s.secret) extensions.push(extension('SECRET', 'TRUE'));
  return [`  DESC ${quoted(s.help)}`, `\n  ${syntaxes[syntax]}`, s.type === 'list' ? '' : '\n  SINGLE-VALUE', ...extensions].join('');
}

function classBody(c: ClassDeclaration): string {
  const names = (keyword: string, list: readonly string[] | undefined): string =>
    list && list.length > 0 ? `\n  ${keyword} ( ${list.join(' $ ')} )` : '';
  return [
    `  DESC ${quoted(c.help)}`,
    `\n  SUP ${c.sup ?? 'top'} ${c.kind.toUpperCase()}`,
    names('MUST', c.must),
    names('MAY', c.may),
    extension('LABEL', c.title),
  ].join('');
}

/** What stands in `X-MT-DEFAULT` and in the default LDIF. Defaults differ between entries of one class, so they are not in the schema. */
export function defaultValues(setting: Setting): string[] {
  if (setting.type === 'list') return [...setting.default];
  return setting.default === '' ? [] : [formatValue(setting.default)];
}
