/**
 * Reading the string form of names.
 *
 * Promise: complete RFC 4514 (escapes, hexadecimal pairs, `#` BER values, multi-valued RDNs); spaces around separators are
 * tolerated as older clients write them. One pass, bounded by `dnLimits`; anything else is a Fault `malformed` that names
 * the position (characters from 0).
 * Spec: RFC 4514 §3
 */

import { isUtf8 } from 'node:buffer';
import { Fault } from '../base/index.ts';
import { type Ava, attributeType, type Dn, dnLimits, type Rdn, rootDn, trustedDn } from './dn.ts';

const SPACE = 0x20;
const HASH = 0x23;
const PLUS = 0x2b;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;

const hexDigit = (code: number): boolean =>
  (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x46) || (code >= 0x61 && code <= 0x66);
/** What may not stand bare in a value: `"` `;` `<` `>` and NUL (the separators are handled before). */
const forbidden = (code: number): boolean => code === 0x22 || code === 0x3b || code === 0x3c || code === 0x3e || code === 0;
/** What may follow a backslash as itself: `"` `+` `,` `;` `<` `=` `>` `\` space `#`. */
const escapable = (code: number): boolean =>
  code === 0x22 ||
  code === PLUS ||
  code === COMMA ||
  (code >= 0x3b && code <= 0x3e) ||
  code === BACKSLASH ||
  code === SPACE ||
  code === HASH;

class Reader {
  readonly #text: string;
  at = 0;
  /** False once something was read that the normal form writes otherwise. */
  normal = true;

  constructor(text: string) {
    this.#text = text;
  }

  fail(why: string, at = this.at): never {
    throw new Fault('malformed', `invalid DN at position ${at}: ${why}`);
  }

  get done(): boolean {
    return this.at >= this.#text.length;
  }

  skipSpaces(): void {
    while (this.#text.charCodeAt(this.at) === SPACE) {
      this.at++;
      this.normal = false;
    }
  }

  /** One level, up to a comma or the end. */
  rdn(): Rdn {
    const first = this.#ava();
    if (this.#text.charCodeAt(this.at) !== PLUS) return [first];
    const all = [first];
    while (this.#text.charCodeAt(this.at) === PLUS) {
      if (all.length >= dnLimits.pairs) this.fail(`more than ${dnLimits.pairs} attributes in one relative name`);
      this.at++;
      all.push(this.#ava());
    }
    return all;
  }

  /** True where a comma was there and is behind us now. */
  comma(): boolean {
    if (this.#text.charCodeAt(this.at) !== COMMA) return false;
    this.at++;
    return true;
  }

  #ava(): Ava {
    this.skipSpaces();
    const from = this.at;
    const equals = this.#text.indexOf('=', from);
    if (equals < 0) this.fail('an attribute type and "=" are expected');
    let end = equals;
    while (end > from && this.#text.charCodeAt(end - 1) === SPACE) end--;
    if (end !== equals) this.normal = false;
    const type = this.#text.slice(from, end);
    if (!attributeType.test(type)) this.fail('an attribute type is expected');
    this.at = equals + 1;
    this.skipSpaces();
    if (this.#text.charCodeAt(this.at) === HASH) return this.#encoded(type);
    return { type, value: this.#value() };
  }

  #value(): string {
    const text = this.#text;
    const from = this.at;
    let at = from;
    let end = from; // behind the last character that counts: trailing bare spaces do not
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === COMMA || code === PLUS) break;
      if (code === BACKSLASH) return this.#escapedValue();
      if (forbidden(code)) this.fail(`"${code === 0 ? 'NUL' : text[at]}" must be escaped`, at);
      if (code !== SPACE) end = at + 1;
    }
    if (end !== at) this.normal = false;
    this.at = at;
    return text.slice(from, end);
  }

  #escapedValue(): string {
    const text = this.#text;
    this.normal = false;
    let out = '';
    let keep = 0; // length of `out` that trailing-space trimming must leave alone
    while (this.at < text.length) {
      const code = text.charCodeAt(this.at);
      if (code === COMMA || code === PLUS) break;
      if (forbidden(code)) this.fail(`"${code === 0 ? 'NUL' : text[this.at]}" must be escaped`);
      if (code === BACKSLASH) {
        out += this.#escape();
        keep = out.length;
        continue;
      }
      out += text[this.at++];
      if (code !== SPACE) keep = out.length;
    }
    return out.slice(0, keep);
  }

  /** One escaped character, or a run of hexadecimal pairs that is UTF-8 as a whole. */
  #escape(): string {
    const next = this.#text.charCodeAt(this.at + 1);
    if (escapable(next)) {
      this.at += 2;
      return this.#text[this.at - 1]!;
    }
    const from = this.at;
    let hex = '';
    while (this.#text.charCodeAt(this.at) === BACKSLASH && hexDigit(this.#text.charCodeAt(this.at + 1))) {
      if (!hexDigit(this.#text.charCodeAt(this.at + 2))) this.fail('two hexadecimal digits are expected behind "\\"');
      hex += this.#text.slice(this.at + 1, this.at + 3);
      this.at += 3;
    }
    if (hex === '') this.fail('this character cannot be escaped');
    const octets = Buffer.from(hex, 'hex');
    if (!isUtf8(octets)) this.fail('the escaped octets are not UTF-8', from);
    return octets.toString('utf8');
  }

  /** `#` and the BER encoding of a value. Strings become text, everything else stays encoded. */
  #encoded(type: string): Ava {
    const from = this.at;
    this.at++;
    while (hexDigit(this.#text.charCodeAt(this.at))) this.at++;
    const hex = this.#text.slice(from + 1, this.at).toLowerCase();
    this.skipSpaces();
    const code = this.#text.charCodeAt(this.at);
    if (!(this.done || code === COMMA || code === PLUS)) this.fail('hexadecimal digits are expected behind "#"');
    if (hex.length < 4 || hex.length % 2 !== 0) this.fail('"#" needs the pairs of a whole BER value', from);
    this.normal = false;
    const octets = Buffer.from(hex, 'hex');
    const content = wholeBerContent(octets);
    if (!content) this.fail('"#" is not followed by one whole BER value', from);
    // OCTET STRING, UTF8String, PrintableString, IA5String
    const textual = [0x04, 0x0c, 0x13, 0x16].includes(octets[0]!) && isUtf8(content);
    return textual ? { type, value: content.toString('utf8') } : { type, value: `#${hex}`, encoded: true };
  }
}

/** The content octets where these are exactly one definite-length BER value with a one-octet tag. */
function wholeBerContent(octets: Buffer): Buffer | undefined {
  const first = octets[1]!;
  if ((octets[0]! & 0x1f) === 0x1f || first === 0x80) return undefined;
  if (first < 0x80) return octets.length === 2 + first ? octets.subarray(2) : undefined;
  const size = first & 0x7f;
  if (size > 4 || octets.length < 2 + size) return undefined;
  const length = octets.readUIntBE(2, size);
  return octets.length === 2 + size + length ? octets.subarray(2 + size) : undefined;
}

/** A name from its text. Throws Fault `malformed` naming the position. */
export function parseDn(text: string): Dn {
  if (text.length > dnLimits.length) throw new Fault('malformed', `invalid DN: longer than ${dnLimits.length} characters`);
  const reader = new Reader(text);
  reader.skipSpaces();
  if (reader.done) return rootDn;
  const rdns: Rdn[] = [];
  do {
    if (rdns.length >= dnLimits.levels) reader.fail(`more than ${dnLimits.levels} levels`);
    rdns.push(reader.rdn());
  } while (reader.comma());
  if (!reader.done) reader.fail('"," or the end is expected');
  return trustedDn(rdns, reader.normal ? text : undefined);
}

/** One relative name from its text (`newrdn`). Throws Fault `malformed` naming the position. */
export function parseRdn(text: string): Rdn {
  if (text.length > dnLimits.length) throw new Fault('malformed', `invalid RDN: longer than ${dnLimits.length} characters`);
  const reader = new Reader(text);
  const rdn = reader.rdn();
  if (!reader.done) reader.fail('a relative name has one level');
  return rdn;
}
