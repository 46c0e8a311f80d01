/**
 * What FETCH is asked for.
 * Spec: RFC 3501 §6.4.5, §9 "fetch-att"; RFC 7162 §3.1.4
 */

import type { Cursor } from '../wire/cursor.ts';
import { quote } from '../wire/quote.ts';

/** Which octets of a message: whole, header, some fields, text, or a part's. `part` is empty for the message itself. */
export interface Section {
  readonly part: readonly number[];
  readonly what: 'all' | 'header' | 'fields' | 'fields-not' | 'text' | 'mime';
  /** Lower-case. */
  readonly fields: readonly string[];
}

export interface SectionItem {
  readonly kind: 'section';
  /** As it is named in the answer: `BODY[1.MIME]`, `RFC822`. */
  readonly label: string;
  readonly section: Section;
  readonly partial: { readonly offset: number; readonly count: number } | undefined;
  /** False sets \Seen. */
  readonly peek: boolean;
}

export type PlainItem = 'UID' | 'FLAGS' | 'INTERNALDATE' | 'RFC822.SIZE' | 'ENVELOPE' | 'BODY' | 'BODYSTRUCTURE' | 'MODSEQ';
export type FetchItem = { readonly kind: PlainItem } | SectionItem;

const mostItems = 64;
const mostFields = 200;
const deepestPart = 100;

const macros: Readonly<Record<string, readonly PlainItem[]>> = {
  FAST: ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE'],
  ALL: ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE'],
  FULL: ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE', 'BODY'],
};
const plain: readonly PlainItem[] = ['UID', 'FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE', 'BODY', 'BODYSTRUCTURE', 'MODSEQ'];

const whole = (what: Section['what']): Section => ({ part: [], what, fields: [] });
const rfc822: Readonly<Record<string, SectionItem>> = {
  RFC822: { kind: 'section', label: 'RFC822', section: whole('all'), partial: undefined, peek: false },
  'RFC822.HEADER': { kind: 'section', label: 'RFC822.HEADER', section: whole('header'), partial: undefined, peek: true },
  'RFC822.TEXT': { kind: 'section', label: 'RFC822.TEXT', section: whole('text'), partial: undefined, peek: false },
};

export function readFetchItems(args: Cursor): FetchItem[] {
  if (args.peek() === '(') return args.list(mostItems, () => readItem(args));
  const name = args.name('an item to fetch');
  const macro = macros[name];
  return macro ? macro.map((kind) => ({ kind })) : [readItemNamed(args, name)];
}

function readItem(args: Cursor): FetchItem {
  return readItemNamed(args, args.name('an item to fetch'));
}

function readItemNamed(args: Cursor, name: string): FetchItem {
  const fixed = rfc822[name];
  if (fixed) return fixed;
  if ((name === 'BODY' || name === 'BODY.PEEK') && args.take('[')) return readSectionItem(args, name === 'BODY.PEEK');
  const kind = plain.find((known) => known === name);
  return kind ? { kind } : args.fail('an item to fetch');
}

function readSectionItem(args: Cursor, peek: boolean): SectionItem {
  const { section, label } = readSection(args);
  args.expect(']');
  let partial: SectionItem['partial'];
  if (args.take('<')) {
    const offset = args.number('an offset');
    args.expect('.');
    const count = args.number('a count');
    if (count === 0) args.fail('a count above zero');
    args.expect('>');
    partial = { offset, count };
  }
  return { kind: 'section', label: `BODY[${label}]${partial ? `<${partial.offset}>` : ''}`, section, partial, peek };
}

/** `section-spec`, up to the closing bracket. */
function readSection(args: Cursor): { section: Section; label: string } {
  if (args.peek() === ']') return { section: whole('all'), label: '' };
  const name = args.name('a section');
  const numbers = /^[0-9.]*/.exec(name)![0];
  const keyword = name.slice(numbers.length);
  const part = readPart(args, keyword === '' ? numbers : numbers.replace(/\.$/, ''));
  if (numbers !== '' && keyword !== '' && !numbers.endsWith('.')) args.fail('a section');
  switch (keyword) {
    case '':
      return { section: { part, what: 'all', fields: [] }, label: name };
    case 'HEADER':
      return { section: { part, what: 'header', fields: [] }, label: name };
    case 'TEXT':
      return { section: { part, what: 'text', fields: [] }, label: name };
    case 'MIME':
      if (part.length === 0) args.fail('a part number before MIME');
      return { section: { part, what: 'mime', fields: [] }, label: name };
    case 'HEADER.FIELDS':
    case 'HEADER.FIELDS.NOT': {
      args.space();
      const fields = args.list(mostFields, () => args.astring('a field name'));
      const what = keyword === 'HEADER.FIELDS' ? 'fields' : 'fields-not';
      return {
        section: { part, what, fields: fields.map((f) => f.toLowerCase()) },
        label: `${name} (${fields.map(fieldLabel).join(' ')})`,
      };
    }
    default:
      return args.fail('a section');
  }
}

function readPart(args: Cursor, text: string): number[] {
  if (text === '') return [];
  const numbers = text.split('.');
  if (numbers.length > deepestPart || numbers.some((n) => !/^[1-9][0-9]{0,8}$/.test(n))) args.fail('a part number');
  return numbers.map(Number);
}

function fieldLabel(name: string): string {
  return /^[A-Za-z0-9_.-]+$/.test(name) ? name : quote(name);
}
