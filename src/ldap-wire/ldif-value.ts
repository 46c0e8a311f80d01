/**
 * One line of LDIF as name and value: plain, base64 or from a URL.
 *
 * Spec: RFC 2849 (attrval-spec, value-spec, control)
 */

import { isUtf8 } from 'node:buffer';
import { asFault, Fault } from '../base/index.ts';
import { attributeDescription } from './filter-text.ts';
import type { LdifControl } from './ldif.ts';
import type { LdifLine } from './ldif-lines.ts';

export interface LdifPair {
  readonly number: number;
  readonly name: string;
  /** The name in lower case. */
  readonly lower: string;
  readonly value: string | Uint8Array;
}

/** Says which line is wrong and why; the reader adds file and entry. */
export class LineFault extends Fault {
  readonly line: number;
  constructor(line: number, why: string, kind: 'malformed' | 'refused' | 'too-large' = 'malformed', cause?: unknown) {
    super(kind, why, cause === undefined ? undefined : { cause });
    this.line = line;
  }
}

/** Gives the octets of a URL; throws a Fault where it will not. */
export type LoadUrl = (url: string) => Uint8Array;

const base64 = /^[A-Za-z0-9+/]*={0,2}$/;
/** NUL and CR are no SAFE-CHAR: a writer that means them writes base64. */
const neverPlain = /[\u0000\r]/;
const mostNames = 1000;

const textIfPossible = (octets: Buffer): string | Uint8Array => (isUtf8(octets) ? octets.toString('utf8') : new Uint8Array(octets));

export class LdifValues {
  readonly #load: LoadUrl | undefined;
  /** Names that are attribute descriptions, with their lower-case forms: a file has few and says them often. */
  readonly #names = new Map<string, string>();

  constructor(load: LoadUrl | undefined) {
    this.#load = load;
  }

  pair(line: LdifLine): LdifPair {
    const { number, text } = line;
    const colon = text.indexOf(':');
    if (colon < 1) throw new LineFault(number, 'an attribute description and ":" are expected');
    const name = text.slice(0, colon);
    return { number, name, lower: this.#lower(number, name), value: this.value(line, colon + 1) };
  }

  #lower(number: number, name: string): string {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    if (!attributeDescription.test(name)) throw new LineFault(number, `"${name.slice(0, 64)}" is not an attribute description`);
    const lower = name.toLowerCase();
    if (this.#names.size < mostNames) this.#names.set(name, lower);
    return lower;
  }

  /** What stands behind a colon: text; `:` and base64; `<` and a URL. */
  value(line: LdifLine, from: number): string | Uint8Array {
    const { number, text, raw } = line;
    const form = text.charCodeAt(from);
    if (form === 0x3a) return textIfPossible(this.#decode(number, text.slice(from + 1).trim()));
    if (form === 0x3c) return textIfPossible(this.#fetch(number, text.slice(from + 1).trim()));
    let at = from;
    while (text.charCodeAt(at) === 0x20) at++;
    const value = text.slice(at);
    if (neverPlain.test(value)) throw new LineFault(number, 'a value with NUL or a carriage return must be written in base64');
    return raw ? new Uint8Array(Buffer.from(value, 'latin1')) : value;
  }

  #decode(number: number, digits: string): Buffer {
    if (digits.length % 4 !== 0 || !base64.test(digits)) throw new LineFault(number, 'the value is not base64');
    return Buffer.from(digits, 'base64');
  }

  #fetch(number: number, url: string): Buffer {
    if (!this.#load) throw new LineFault(number, 'values from URLs ("<") are not accepted', 'refused');
    try {
      return Buffer.from(this.#load(url));
    } catch (thrown) {
      throw new LineFault(number, asFault(thrown).say, 'refused', thrown);
    }
  }

  control(line: LdifLine): LdifControl {
    const { number, text } = line;
    const found = /^control:[ ]*([0-9]+(?:\.[0-9]+)+)(?:[ ]+(true|false))?[ ]*(?=:|$)/i.exec(text);
    if (!found) throw new LineFault(number, 'a control needs an OID, then true or false, then ":" and a value');
    const at = found[0].length;
    const value = at === text.length ? undefined : this.value(line, at + 1);
    return {
      oid: found[1]!,
      critical: found[2]?.toLowerCase() === 'true',
      value: typeof value === 'string' ? Buffer.from(value, 'utf8') : value,
    };
  }
}
