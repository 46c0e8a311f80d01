/**
 * Reading one command's arguments: a cursor over its text and literals.
 *
 * A command arrives as text, literal, text, literal … text. Text is one character an octet. Every method either takes what it
 * names or throws Fault `malformed` that says what was expected; nothing reads past the end. Strict where RFC 3501 is (one
 * space, closed lists), so that a misunderstanding is an error and not a guess.
 * Spec: RFC 3501 §9, RFC 4466
 */

import { Fault } from '../../base/index.ts';
import { parseDate, parseDateTime } from './dates.ts';
import { parseSequenceSet, type SequenceSet } from './sequence-set.ts';
import { decodeUtf7 } from './utf7.ts';

export type Piece = string | Uint8Array;

// RFC 3501 §9: ATOM-CHAR excludes atom-specials; ASTRING-CHAR and list-char add some back.
const atomChars = /[^\x00-\x20(){%*"\\\]\x7f-\xff]+/y;
const astringChars = /[^\x00-\x20(){%*"\\\x7f-\xff]+/y;
const listChars = /[^\x00-\x20(){"\\\x7f-\xff]+/y;
const setChars = /[0-9:,*$]+/y;
const digits = /[0-9]+/y;
const nameChars = /[A-Za-z0-9.-]+/y;
const flagChars = /\\?[^\x00-\x20(){%*"\\\]\x7f-\xff]+/y;

const longestMailbox = 1000;

export class Cursor {
  readonly #pieces: readonly Piece[];
  #piece = 0;
  #at = 0;

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
  }

  #text(): string {
    const piece = this.#pieces[this.#piece];
    return typeof piece === 'string' ? piece : '';
  }

  #atLiteral(): boolean {
    return this.#at >= this.#text().length && this.#piece + 1 < this.#pieces.length;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text())?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  fail(expected: string): never {
    throw new Fault('malformed', `expected ${expected}`);
  }

  /** True when nothing is left. */
  get done(): boolean {
    return this.#at >= this.#text().length && this.#piece + 1 >= this.#pieces.length;
  }

  end(): void {
    if (!this.done) this.fail('the end of the command');
  }

  /** Takes these characters if they come next. */
  take(text: string): boolean {
    if (!this.#text().startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  /** Takes this word, in any case, if it comes next and a space follows. */
  takeWord(word: string): boolean {
    const next = this.#text().slice(this.#at, this.#at + word.length + 1);
    if (next.toUpperCase() !== `${word} `) return false;
    this.#at += word.length;
    return true;
  }

  peek(): string {
    return this.#text()[this.#at] ?? '';
  }

  expect(text: string): void {
    if (!this.take(text)) this.fail(text === ' ' ? 'a space' : `"${text}"`);
  }

  space(): void {
    this.expect(' ');
  }

  atom(what = 'an atom'): string {
    return this.#match(atomChars) ?? this.fail(what);
  }

  /** An atom in upper case. */
  keyword(what = 'a keyword'): string {
    return this.atom(what).toUpperCase();
  }

  /** Letters, digits, dots and hyphens in upper case: what names of items and options are made of. */
  name(what = 'a name'): string {
    return (this.#match(nameChars) ?? this.fail(what)).toUpperCase();
  }

  /** A literal, whatever it holds. */
  literal(what = 'a literal'): Uint8Array {
    if (!this.#atLiteral()) this.fail(what);
    const literal = this.#pieces[this.#piece + 1] as Uint8Array;
    this.#piece += 2;
    this.#at = 0;
    return literal;
  }

  number(what = 'a number'): number {
    const text = this.#match(digits);
    if (text === undefined || text.length > 10 || Number(text) > 0xffffffff) this.fail(what);
    return Number(text);
  }

  /** Up to 2^63-1 on the wire (RFC 7162 §7); beyond 2^53 it is rounded, which no mod-sequence of ours reaches. */
  number64(what = 'a number'): number {
    const text = this.#match(digits);
    if (text === undefined || text.length > 19) this.fail(what);
    return Number(text);
  }

  sequenceSet(): SequenceSet {
    return parseSequenceSet(this.#match(setChars) ?? this.fail('a message set'));
  }

  /** Quoted string or literal: one character an octet. */
  string(what = 'a string'): string {
    if (this.#atLiteral()) return Buffer.from(this.literal()).toString('latin1');
    if (this.peek() !== '"') this.fail(what);
    return this.#quoted();
  }

  #quoted(): string {
    const text = this.#text();
    let out = '';
    for (let at = this.#at + 1; at < text.length; at++) {
      let c = text[at]!;
      if (c === '"') {
        this.#at = at + 1;
        return out;
      }
      if (c === '\\') {
        c = text[++at] ?? '';
        if (c !== '"' && c !== '\\') this.fail('a quote or backslash after a backslash');
      }
      if (c === '\0' || c === '\r') this.fail('text in quotes');
      out += c;
    }
    return this.fail('a closing quote');
  }

  astring(what = 'a string'): string {
    return this.#match(astringChars) ?? this.string(what);
  }

  /** A string, or null for NIL. */
  nstring(what = 'a string or NIL'): string | null {
    if (this.peek() !== '"' && !this.#atLiteral()) {
      if (this.keyword(what) === 'NIL') return null;
      this.fail(what);
    }
    return this.string(what);
  }

  /** An astring as UTF-8 text. */
  utf8(what = 'a string'): string {
    const octets = Buffer.from(this.astring(what), 'latin1');
    const text = octets.toString('utf8');
    if (octets.includes(0) || text.includes('\ufffd')) this.fail(`${what} in UTF-8`);
    return text;
  }

  /** A mailbox name; INBOX in any case is `INBOX`. */
  mailbox(): string {
    return mailboxName(this.astring('a mailbox name'));
  }

  /** LIST's patterns: an astring in which wildcards are allowed. Undecodable ones match nothing and are given back as they are. */
  listMailbox(): string {
    const wire = this.#match(listChars) ?? this.string('a mailbox pattern');
    if (wire.length > longestMailbox) this.fail('a shorter pattern');
    return decodeUtf7(wire) ?? wire;
  }

  /** `(item item …)`, where `item` takes one; may be empty where `emptyAllowed`. */
  list<T>(most: number, item: () => T, emptyAllowed = false): T[] {
    this.expect('(');
    const out: T[] = [];
    if (emptyAllowed && this.take(')')) return out;
    do {
      if (out.length >= most) this.fail('fewer items in the list');
      out.push(item());
    } while (this.take(' '));
    this.expect(')');
    return out;
  }

  flag(): string {
    return this.#match(flagChars) ?? this.fail('a flag');
  }

  /** Quoted `dd-Mon-yyyy hh:mm:ss +zzzz` in milliseconds since 1970. */
  dateTime(): number {
    if (this.peek() !== '"') this.fail('a date and time in quotes');
    return parseDateTime(this.#quoted()) ?? this.fail('a date and time');
  }

  /** `dd-Mon-yyyy`, quoted or not: midnight UTC of that day in milliseconds since 1970. */
  date(): number {
    return parseDate(this.peek() === '"' ? this.#quoted() : this.atom('a date')) ?? this.fail('a date');
  }
}

export function mailboxName(wire: string): string {
  if (wire.length > longestMailbox) throw new Fault('malformed', 'mailbox name too long');
  if (wire.toUpperCase() === 'INBOX') return 'INBOX';
  const name = decodeUtf7(wire);
  if (name === undefined) throw new Fault('malformed', 'mailbox name is not modified UTF-7');
  return /^inbox\//i.test(name) ? `INBOX${name.slice(5)}` : name;
}
