/**
 * Reads schema files: one definition after another, as RFC 4512 §4.1 writes them and OpenLDAP keeps them in files (`.schema`), or as
 * values of entries (`.ldif`: `attributeTypes:`, or `olcAttributeTypes:` of cn=config with its `{0}` numbers).
 *
 * In a `.schema` file a definition begins at the start of a line with its keyword and goes on over lines that begin with white space.
 * Extensions (`X-…`) are kept. An error names file and line. What a definition means is schema.ts's business.
 * Spec: RFC 4512 §4.1, slapd.conf(5)
 */

import { Fault } from '../../base/index.ts';

export type DefinitionKind = 'attributetype' | 'objectclass' | 'ldapsyntax' | 'objectidentifier';

/** One definition as written: keywords with their words; a keyword without words is a flag. */
export interface Description {
  readonly kind: DefinitionKind;
  readonly oid: string;
  readonly fields: ReadonlyMap<string, readonly string[]>;
  /** `core.schema line 12`. */
  readonly where: string;
}

interface Token {
  readonly text: string;
  readonly quoted: boolean;
}

/** Keywords of `.schema` files. */
const kinds: Readonly<Record<string, DefinitionKind>> = {
  attributetype: 'attributetype',
  attributetypes: 'attributetype',
  objectclass: 'objectclass',
  objectclasses: 'objectclass',
  ldapsyntax: 'ldapsyntax',
  ldapsyntaxes: 'ldapsyntax',
  objectidentifier: 'objectidentifier',
};

const flags = new Set(['OBSOLETE', 'SINGLE-VALUE', 'COLLECTIVE', 'NO-USER-MODIFICATION', 'ABSTRACT', 'STRUCTURAL', 'AUXILIARY']);
const longest = 64 * 1024;

export function schemaFault(where: string, what: string): Fault {
  return new Fault('malformed', `schema: ${where}: ${what}`);
}

function tokens(text: string, where: string): Token[] {
  const found: Token[] = [];
  const pattern = /\s+|([()$])|'([^']*)'|([^\s()$']+)/y;
  while (pattern.lastIndex < text.length) {
    const match = pattern.exec(text);
    if (!match) throw schemaFault(where, 'a quoted string is not closed');
    if (match[2] !== undefined) {
      const value = match[2].replace(/\\(27|5[Cc])/g, (_, hex: string) => (hex === '27' ? "'" : '\\'));
      found.push({ text: value, quoted: true });
    } else if (match[1] !== undefined || match[3] !== undefined) {
      found.push({ text: match[1] ?? match[3] ?? '', quoted: false });
    }
  }
  return found;
}

const isMark = (token: Token | undefined, mark: string): boolean => token !== undefined && !token.quoted && token.text === mark;

/** The words after a keyword: one word, or a list in parentheses, with or without `$`. */
function words(list: readonly Token[], from: number, where: string): [string[], number] {
  const first = list[from];
  if (!first || isMark(first, ')') || isMark(first, '$')) throw schemaFault(where, 'a word is missing');
  if (!isMark(first, '(')) return [[first.text], from + 1];
  const found: string[] = [];
  let at = from + 1;
  for (; at < list.length && !isMark(list[at], ')'); at++) {
    if (isMark(list[at], '(')) throw schemaFault(where, 'a list inside a list');
    if (!isMark(list[at], '$')) found.push(list[at]?.text ?? '');
  }
  if (at >= list.length) throw schemaFault(where, 'a list is not closed');
  return [found, at + 1];
}

function parseDescription(kind: DefinitionKind, text: string, where: string): Description {
  const list = tokens(text, where);
  if (kind === 'objectidentifier') {
    const [name, oid] = list;
    if (!name || !oid || list.length !== 2) throw schemaFault(where, 'objectidentifier takes a name and an OID');
    return { kind, oid: oid.text, fields: new Map([['NAME', [name.text]]]), where };
  }
  const oid = list[1];
  if (!isMark(list[0], '(') || !oid || oid.quoted || isMark(oid, ')')) throw schemaFault(where, `${kind} must begin with "( OID"`);
  const fields = new Map<string, readonly string[]>();
  let at = 2;
  while (at < list.length && !isMark(list[at], ')')) {
    const keyword = list[at];
    if (!keyword || keyword.quoted || isMark(keyword, '(') || isMark(keyword, '$')) {
      throw schemaFault(where, `unexpected "${keyword?.text ?? ''}"`);
    }
    const name = keyword.text.toUpperCase();
    if (fields.has(name)) throw schemaFault(where, `${name} is given twice`);
    if (flags.has(name)) {
      fields.set(name, []);
      at += 1;
    } else {
      const [value, next] = words(list, at + 1, where);
      fields.set(name, value);
      at = next;
    }
  }
  if (at !== list.length - 1)
    throw schemaFault(where, at >= list.length ? 'the closing ")" is missing' : 'something stands behind the closing ")"');
  return { kind, oid: oid.text, fields, where };
}

/** All definitions of one file, in their order. */
export function parseSchemaText(text: string, file: string): Description[] {
  const found: Description[] = [];
  let pending: { text: string; line: number } | undefined;
  const finish = (): void => {
    if (!pending) return;
    const where = `${file} line ${pending.line}`;
    const match = /^([A-Za-z]+):?\s+/.exec(pending.text);
    const kind = match ? kinds[(match[1] ?? '').toLowerCase()] : undefined;
    if (!match || !kind) throw schemaFault(where, `"${pending.text.slice(0, 30)}" is not a definition`);
    found.push(parseDescription(kind, pending.text.slice(match[0].length), where));
    pending = undefined;
  };
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.startsWith('#')) continue;
    if (line.trim() === '') finish();
    else if (/^\s/.test(line)) {
      if (!pending) throw schemaFault(`${file} line ${index + 1}`, 'a continued line continues nothing');
      pending.text += ` ${line.trim()}`;
      if (pending.text.length > longest) throw schemaFault(`${file} line ${index + 1}`, 'the definition is too long');
    } else {
      finish();
      pending = { text: `${line} `, line: index + 1 };
    }
  }
  finish();
  return found;
}

/** Attributes of the subschema, and of cn=config. */
const attributes = new Map<string, DefinitionKind>(
  ['', 'olc'].flatMap((prefix) => [
    [`${prefix}attributetypes`, 'attributetype'] as const,
    [`${prefix}objectclasses`, 'objectclass'] as const,
    [`${prefix}ldapsyntaxes`, 'ldapsyntax'] as const,
    [`${prefix}objectidentifier`, 'objectidentifier'] as const,
  ]),
);

/** Lines of an LDIF file that say something about entries or changes, or about what the other server can do, and define nothing. */
const frame = new Set(
  [
    ...['dn', 'objectClass', 'cn', 'changetype', 'add', 'replace', 'version', 'control', 'structuralObjectClass', 'entryUUID', 'entryCSN'],
    ...['creatorsName', 'createTimestamp', 'modifiersName', 'modifyTimestamp', 'entryDN', 'hasSubordinates', 'subschemaSubentry'],
    ...['subtreeSpecification', 'matchingRules', 'matchingRuleUse', 'nsSchemaCSN'],
  ].map((name) => name.toLowerCase()),
);
const rules = /^(?:olc)?(?:ditcontentrules|ditstructurerules|nameforms)$/;

/** All definitions in the entries of an LDIF file, in their order. */
export function parseSchemaLdif(text: string, file: string): Description[] {
  const found: Description[] = [];
  for (const { line, content } of unfold(text, file)) {
    const where = `${file} line ${line}`;
    const match = /^([A-Za-z][A-Za-z0-9;-]*):(:?) *(.*)$/s.exec(content);
    if (!match) throw schemaFault(where, `"${content.slice(0, 30)}" is neither an attribute with its value nor a comment`);
    const attribute = (match[1] ?? '').toLowerCase();
    const kind = attributes.get(attribute);
    if (!kind) {
      if (frame.has(attribute)) continue;
      if (rules.test(attribute))
        throw schemaFault(where, `${match[1]}: rules for content, structure and names of entries are not supported`);
      throw schemaFault(where, `${match[1]} is no attribute of a schema`);
    }
    const value = match[2] === '' ? (match[3] ?? '') : Buffer.from(match[3] ?? '', 'base64').toString('utf8');
    found.push(parseDescription(kind, value.replace(/^\{\d+\}/, ''), where));
  }
  return found;
}

/** Whole lines: a line that begins with a space goes on with the one before (RFC 2849), comments are left out. */
function unfold(text: string, file: string): { line: number; content: string }[] {
  const found: { line: number; parts: string[]; length: number }[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const last = found.at(-1);
    if (line.startsWith(' ')) {
      if (!last) throw schemaFault(`${file} line ${index + 1}`, 'a continued line continues nothing');
      last.length += line.length;
      if (last.length > longest) throw schemaFault(`${file} line ${last.line}`, 'the definition is too long');
      last.parts.push(line.slice(1));
    } else found.push({ line: index + 1, parts: [line], length: line.length });
  }
  return found
    .map(({ line, parts }) => ({ line, content: parts.join('') }))
    .filter(({ content }) => content.trim() !== '' && content !== '-' && !content.startsWith('#'));
}
