/**
 * Address lists of headers (From, To, Cc …) as IMAP's ENVELOPE wants them.
 *
 * Promise: one pass, linear time, no recursion, an answer for every input: what cannot be an address is left out or becomes a
 * mailbox without a host, as clients expect. Encoded words stay as they are.
 * Spec: RFC 5322 §3.4, §4.4 (obsolete routes); RFC 3501 §7.4.2 (group markers, names); RFC 6532 (UTF-8)
 */

import type { EnvelopeAddress } from './structure.ts';

/** More addresses than this in one header are left out, unless the caller says otherwise. */
const usually = 10_000;

interface Word {
  readonly text: string;
  readonly quoted: boolean;
}

/** The addresses of a header value (unfolded or not). */
export function parseAddressList(value: string, most = usually): EnvelopeAddress[] {
  return new Reader(value, most).read();
}

class Reader {
  readonly #text: string;
  readonly #most: number;
  #at = 0;
  #found: EnvelopeAddress[] = [];
  #words: Word[] = [];
  #comment: string | undefined;
  #inGroup = false;

  constructor(text: string, most: number) {
    this.#text = text;
    this.#most = most;
  }

  read(): EnvelopeAddress[] {
    while (this.#at < this.#text.length && this.#found.length < this.#most) this.#step(this.#text[this.#at]!);
    this.#plain();
    if (this.#inGroup) this.#found.push(groupEnd);
    return this.#found;
  }

  #step(c: string): void {
    switch (c) {
      case '"':
        this.#words.push({ text: this.#quoted(), quoted: true });
        break;
      case '(':
        this.#comment = this.#skipComment();
        break;
      case '<':
        this.#angle();
        break;
      case ',':
        this.#at++;
        this.#plain();
        break;
      case ';':
        this.#at++;
        this.#plain();
        if (this.#inGroup) this.#found.push(groupEnd);
        this.#inGroup = false;
        break;
      case ':':
        this.#at++;
        this.#groupStart();
        break;
      default:
        if (c === '@' || c === '.' || c === '>' || c === ')' || c === ']') this.#special(c);
        else if (c === '[') this.#words.push({ text: this.#literal(), quoted: false });
        else if (isSpace(c)) this.#at++;
        else this.#words.push({ text: this.#atom(), quoted: false });
    }
  }

  #special(c: string): void {
    this.#at++;
    if (c === '@' || c === '.') this.#words.push({ text: c, quoted: false });
  }

  #atom(): string {
    const start = this.#at;
    const t = this.#text;
    while (this.#at < t.length && !isDelimiter(t.charCodeAt(this.#at))) this.#at++;
    return t.slice(start, this.#at);
  }

  /** From the opening quote; an unfinished one ends with the text. */
  #quoted(): string {
    const t = this.#text;
    let out = '';
    let start = ++this.#at;
    for (; this.#at < t.length; this.#at++) {
      const c = t.charCodeAt(this.#at);
      if (c === 0x22) break;
      if (c === 0x5c) {
        out += t.slice(start, this.#at);
        start = ++this.#at;
      }
    }
    out += t.slice(start, this.#at++);
    return out.replace(/\r?\n/g, '');
  }

  #literal(): string {
    const end = this.#text.indexOf(']', this.#at);
    const start = this.#at;
    this.#at = end < 0 ? this.#text.length : end + 1;
    return this.#text.slice(start, this.#at).replace(/\s+/g, '');
  }

  #skipComment(): string {
    const t = this.#text;
    const start = this.#at + 1;
    let depth = 0;
    for (; this.#at < t.length; this.#at++) {
      const c = t.charCodeAt(this.#at);
      if (c === 0x5c) this.#at++;
      else if (c === 0x28) depth++;
      else if (c === 0x29 && --depth === 0) break;
    }
    return t
      .slice(start, this.#at++)
      .replace(/\\(.)/g, '$1')
      .replace(/\s+/g, ' ')
      .trim();
  }

  /** `<@route:local@domain>`; an unfinished one ends at the next comma or the end. */
  #angle(): void {
    this.#at++;
    const name = phrase(this.#words);
    this.#words = [];
    const t = this.#text;
    for (;;) {
      const c = t[this.#at];
      if (c === undefined || c === '>' || (c === ',' && !this.#looksLikeRoute())) break;
      if (c === ',' || c === ':' || c === ';' || c === '<') {
        this.#at++;
        this.#words.push({ text: c, quoted: false });
      } else this.#step(c);
    }
    if (t[this.#at] === '>') this.#at++;
    let words = this.#words;
    let route: string | null = null;
    const colon = words[0]?.text === '@' ? words.findIndex((w) => w.text === ':' && !w.quoted) : -1;
    if (colon > 0) {
      route = joined(words.slice(0, colon));
      words = words.slice(colon + 1);
    }
    this.#words = [];
    if (words.length > 0 || name !== null) this.#push(words, name ?? this.#comment ?? null, route);
    this.#comment = undefined;
    this.#skipToSeparator();
  }

  #looksLikeRoute(): boolean {
    return this.#words[0]?.text === '@' && !this.#words[0].quoted;
  }

  /** Rubbish between `>` and the next comma is not an address of its own, unless a new one visibly begins. */
  #skipToSeparator(): void {
    const t = this.#text;
    while (this.#at < t.length) {
      const c = t[this.#at]!;
      if (c === ',' || c === ';' || c === '<' || c === '"') break;
      if (c === '(') this.#skipComment();
      else this.#at++;
    }
    if (t[this.#at] === ',') this.#at++;
  }

  /** What stood without angle brackets up to a separator. */
  #plain(): void {
    const words = this.#words;
    const comment = this.#comment ?? null;
    this.#words = [];
    this.#comment = undefined;
    if (words.length > 0) this.#push(words, comment === '' ? null : comment, null);
  }

  #groupStart(): void {
    const name = phrase(this.#words);
    this.#words = [];
    this.#comment = undefined;
    if (this.#inGroup || name === null) return;
    this.#inGroup = true;
    this.#found.push({ name: null, route: null, mailbox: name, host: null });
  }

  #push(words: readonly Word[], name: string | null, route: string | null): void {
    let at = -1;
    for (let i = words.length - 1; i >= 0 && at < 0; i--) if (words[i]!.text === '@' && !words[i]!.quoted) at = i;
    // Without a host the marker of a group would be read; clients know the empty host from other servers.
    const mailbox = at < 0 ? (phrase(words) ?? '') : joined(words.slice(0, at));
    const host = at < 0 ? '' : joined(words.slice(at + 1));
    this.#found.push({ name, route, mailbox, host });
  }
}

const groupEnd: EnvelopeAddress = { name: null, route: null, mailbox: null, host: null };

const isSpace = (c: string): boolean => c === ' ' || c === '\t' || c === '\r' || c === '\n';

/** `()<>@,;:."[]` and white space. Other controls count as text. */
const delimiters = new Uint8Array(128);
for (const c of '()<>@,;:."[] \t\r\n') delimiters[c.charCodeAt(0)] = 1;
const isDelimiter = (code: number): boolean => code < 128 && delimiters[code] === 1;

const joined = (words: readonly Word[]): string => words.map((w) => w.text).join('');

/** Words with single spaces between them, dots glued to what is before them; null for none. */
function phrase(words: readonly Word[]): string | null {
  if (words.length === 0) return null;
  let out = '';
  let glue = true;
  for (const word of words) {
    const dot = !word.quoted && (word.text === '.' || word.text === '@');
    if (!glue && !dot) out += ' ';
    out += word.text;
    glue = word.text === '@' && !word.quoted;
  }
  return out;
}
