/**
 * Header text with other characters than ASCII, as ASCII: encoded words and RFC 2231 parameters.
 *
 * Promise: what a reader decodes is what stood there; words have at most 75 characters and break between characters; any input has an
 * answer, in linear time. Where nothing can be encoded (addresses, trace fields) such characters become question marks.
 * Spec: RFC 2047 §2, §5; RFC 2231 §3, §4; RFC 1428 §3 (unknown-8bit)
 */

import { isUtf8 } from 'node:buffer';

/** Text is latin1 here: a character is an octet. */
const high = /[\x80-\xff]/;
export const isHigh = (text: string): boolean => high.test(text);
export const questionMarks = (text: string): string => text.replace(/[\x80-\xff]/g, '?');

/** The name of the character set that these octets are in; `local` is this server's. */
export function charsetOf(text: string, local: string): string {
  if (isUtf8(Buffer.from(text, 'latin1'))) return 'utf-8';
  return /^(|utf-?8|us-ascii)$/i.test(local) ? 'unknown-8bit' : local.toLowerCase();
}

/** What stands for each octet in an encoded word: fit for every place where one may stand. RFC 2047 §5 (3) */
const coded = Array.from({ length: 256 }, (_, octet) => {
  const character = String.fromCharCode(octet);
  if (/[A-Za-z0-9!*+/-]/.test(character)) return character;
  return octet === 32 ? '_' : `=${octet.toString(16).toUpperCase().padStart(2, '0')}`;
});

/** Octets as encoded words, a line each: `=?utf-8?Q?gr=C3=BCn?=`. */
export function wordsOf(text: string, local: string): string {
  const charset = charsetOf(text, local);
  const room = 75 - `=?${charset}?Q??=`.length;
  const words: string[] = [];
  let word = '';
  for (let at = 0; at < text.length; ) {
    let character = coded[text.charCodeAt(at++)] as string;
    // Octets of one character stay in one word.
    if (charset === 'utf-8') while ((text.charCodeAt(at) & 0xc0) === 0x80) character += coded[text.charCodeAt(at++)];
    if (word.length + character.length > room) {
      words.push(word);
      word = '';
    }
    word += character;
  }
  if (word !== '') words.push(word);
  return words.map((one) => `=?${charset}?Q?${one}?=`).join('\r\n ');
}

/** Free text: words with such characters, and what stands between two of them, become encoded words. */
export function freeText(value: string, local: string): string {
  const pieces = value.split(/((?:\r\n|[ \t\r\n])+)/);
  let out = '';
  for (let at = 0; at < pieces.length; at++) {
    const piece = pieces[at] as string;
    if (!isHigh(piece)) {
      out += piece;
      continue;
    }
    let run = piece;
    // Blanks between two encoded words are not shown: they belong into them.
    while (at + 2 < pieces.length && isHigh(pieces[at + 2] as string)) {
      run += `${(pieces[at + 1] as string).replace(/[\r\n]+/g, '')}${pieces[at + 2]}`;
      at += 2;
    }
    out += wordsOf(run, local);
  }
  return out;
}

type Token = { readonly is: 'blank' | 'mark' | 'word' | 'quoted' | 'comment' | 'angle'; readonly text: string };

/** A list of addresses taken apart. What is not closed goes to the end, so each octet is looked at once. */
function* tokens(value: string): IterableIterator<Token> {
  for (let at = 0; at < value.length; ) {
    const from = at;
    const first = value[at] as string;
    if (first === '"' || first === '(') {
      let depth = 0;
      for (; at < value.length; at++) {
        const c = value[at];
        if (c === '\\') at++;
        else if (first === '(' && c === '(') depth++;
        else if (first === '(' ? c === ')' && --depth === 0 : c === '"' && at > from) break;
      }
      at = Math.min(at + 1, value.length);
      yield { is: first === '"' ? 'quoted' : 'comment', text: value.slice(from, at) };
    } else if (first === '<') {
      const end = value.indexOf('>', at);
      at = end < 0 ? value.length : end + 1;
      yield { is: 'angle', text: value.slice(from, at) };
    } else {
      const is = /[\s]/.test(first) ? 'blank' : /[,;:]/.test(first) ? 'mark' : 'word';
      const pattern = is === 'blank' ? /[^ \t\r\n]/g : is === 'word' ? /[ \t\r\n"(<,;:]/g : undefined;
      if (pattern) pattern.lastIndex = at + 1;
      at = pattern ? (pattern.exec(value)?.index ?? value.length) : at + 1;
      yield { is, text: value.slice(from, at) };
    }
  }
}

/** Without angle brackets. By hand: a pattern would take quadratic time. */
const isBareAddress = (text: string): boolean => text.indexOf('@') > 0 && !/[\s"]/.test(text);

const unquoted = (text: string): string => text.replace(/^"|"$/g, '').replace(/\\(.)/gs, '$1');

/** Addresses with names: a name with such characters becomes encoded words as a whole, the address itself cannot be. */
export function addressList(value: string, local: string): string {
  let out = '';
  let phrase: Token[] = [];
  const flush = (): void => {
    const text = phrase.map(({ text: one }) => one).join('');
    const said = phrase.some(({ text: one, is }) => is !== 'comment' && isHigh(one));
    if (!said) out += phrase.map(({ is, text: one }) => (is === 'comment' ? comment(one, local) : one)).join('');
    else if (isBareAddress(text.trim())) out += questionMarks(text);
    else {
      const blank = /^\s*/.exec(text)?.[0] ?? '';
      const words = phrase
        .filter(({ is }) => is === 'word' || is === 'quoted')
        .map(({ is, text: one }) => (is === 'quoted' ? unquoted(one) : one).replace(/[\r\n]+/g, ''));
      const comments = phrase.filter(({ is }) => is === 'comment').map(({ text: one }) => ` ${comment(one, local)}`);
      out += `${blank}${wordsOf(words.join(' '), local)}${comments.join('')} `;
    }
    phrase = [];
  };
  for (const token of tokens(value)) {
    if (token.is === 'mark' || token.is === 'angle') {
      flush();
      out += questionMarks(token.text);
    } else phrase.push(token);
  }
  flush();
  return out;
}

function comment(text: string, local: string): string {
  return isHigh(text) ? `(${freeText(text.slice(1, text.endsWith(')') ? -1 : undefined).replace(/\\(.)/gs, '$1'), local)})` : text;
}

/** `type; name=value; …`: values with such characters in the form of RFC 2231. */
export function parameters(value: string, local: string): string {
  const parts: string[] = [];
  let part = '';
  let quoted = false;
  for (let at = 0; at < value.length; at++) {
    const c = value[at] as string;
    if (c === '\\' && quoted) part += c + (value[++at] ?? '');
    else if (c === ';' && !quoted) {
      parts.push(part);
      part = '';
    } else {
      if (c === '"') quoted = !quoted;
      part += c;
    }
  }
  parts.push(part);
  return parts.map((one, n) => (isHigh(one) ? (n === 0 ? questionMarks(one) : parameter(one, local)) : one)).join(';');
}

const octetsOfPiece = 20;

function parameter(part: string, local: string): string {
  const equals = part.indexOf('=');
  const name = part.slice(0, equals).trim();
  if (equals < 0 || !/^[A-Za-z0-9_.-]+$/.test(name)) return questionMarks(part);
  const given = part.slice(equals + 1).trim();
  const text = (given.startsWith('"') ? unquoted(given) : given).replace(/\r?\n/g, '');
  const charset = charsetOf(text, local);
  const coded = (piece: string): string =>
    piece.replace(/[^A-Za-z0-9._-]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
  if (text.length <= octetsOfPiece) return `\r\n ${name}*=${charset}''${coded(text)}`;
  const pieces: string[] = [];
  for (let at = 0; at < text.length; at += octetsOfPiece) pieces.push(coded(text.slice(at, at + octetsOfPiece)));
  return pieces.map((piece, n) => `\r\n ${name}*${n}*=${n === 0 ? `${charset}''` : ''}${piece}`).join(';');
}
