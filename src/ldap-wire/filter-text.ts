/**
 * Search filters as text.
 *
 * Promise: complete RFC 4515 with extensible matches, options, escapes and the absolute filters of RFC 4526; blanks between
 * components are tolerated. Depth and number of components are bounded; anything else is a Fault `malformed` that names the
 * position (characters from 0). What is written reads back as the same value.
 * Spec: RFC 4515 §3, RFC 4526
 */

import { Fault } from '../base/index.ts';
import type { Filter } from './filter.ts';

/** Nesting and number of components at most, in text and in BER alike. */
export const filterLimits = { depth: 64, elements: 2_048, length: 262_144 } as const;

/** attributedescription of RFC 4512 §2.5: a type with options. */
export const attributeDescription = /^(?:[A-Za-z][A-Za-z0-9-]*|(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))+)(?:;[A-Za-z0-9-]+)*$/;
/** `attr:dn:rule` with everything optional but one of attribute and rule. */
const extensibleLeft = /^([^:]*?)(:[dD][nN])?(?::([^:]+))?:$/;

class Reader {
  readonly #text: string;
  at = 0;
  #elements = 0;

  constructor(text: string) {
    this.#text = text;
  }

  fail(why: string, at = this.at): never {
    throw new Fault('malformed', `invalid filter at position ${at}: ${why}`);
  }

  get done(): boolean {
    return this.at >= this.#text.length;
  }

  skipBlanks(): void {
    while (/^[ \t\r\n]$/.test(this.#text.charAt(this.at))) this.at++;
  }

  filter(depth: number): Filter {
    if (depth > filterLimits.depth) this.fail(`nested more than ${filterLimits.depth} deep`);
    if (++this.#elements > filterLimits.elements) this.fail(`more than ${filterLimits.elements} components`);
    this.#expect('(');
    this.skipBlanks();
    const filter = this.#component(depth);
    this.#expect(')');
    return filter;
  }

  #expect(what: string): void {
    if (this.#text.charAt(this.at) !== what) this.fail(`"${what}" is expected`);
    this.at++;
  }

  #component(depth: number): Filter {
    const operator = this.#text.charAt(this.at);
    if (operator === '&' || operator === '|') {
      this.at++;
      this.skipBlanks();
      const filters: Filter[] = [];
      while (this.#text.charAt(this.at) === '(') {
        filters.push(this.filter(depth + 1));
        this.skipBlanks();
      }
      return { type: operator === '&' ? 'and' : 'or', filters };
    }
    if (operator === '!') {
      this.at++;
      this.skipBlanks();
      const filter = this.filter(depth + 1);
      this.skipBlanks();
      return { type: 'not', filter };
    }
    return this.#item();
  }

  #item(): Filter {
    const from = this.at;
    const equals = this.#text.indexOf('=', from);
    if (equals < 0) this.fail('an attribute and "=" are expected');
    const sign = this.#text.charAt(equals - 1);
    this.at = equals + 1;
    if (sign === ':') return this.#extensible(from, equals);
    const type = sign === '>' ? 'greaterOrEqual' : sign === '<' ? 'lessOrEqual' : sign === '~' ? 'approx' : 'equal';
    const attribute = this.#text.slice(from, type === 'equal' ? equals : equals - 1).trim();
    if (!attributeDescription.test(attribute)) this.fail('an attribute description is expected', from);
    const parts = this.#value(type === 'equal');
    if (parts.length === 1) return { type, attribute, value: parts[0]! };
    return substring(attribute, parts);
  }

  #extensible(from: number, equals: number): Filter {
    const left = extensibleLeft.exec(this.#text.slice(from, equals));
    const attribute = left?.[1] || undefined;
    const rule = left?.[3];
    if (!left || (attribute === undefined && rule === undefined)) this.fail('an extensible match needs an attribute or a rule', from);
    if (attribute !== undefined && !attributeDescription.test(attribute)) this.fail('an attribute description is expected', from);
    if (rule !== undefined && !attributeDescription.test(rule)) this.fail('a matching rule is expected', from);
    return { type: 'extensible', rule, attribute, value: this.#value(false)[0]!, dnAttributes: left[2] !== undefined };
  }

  /** The octets up to the closing parenthesis, in the pieces that asterisks make. */
  #value(asterisks: boolean): Uint8Array[] {
    const text = this.#text;
    const parts: Uint8Array[] = [];
    let octets: Buffer[] = [];
    let from = this.at;
    const flush = (): void => {
      if (this.at > from) octets.push(Buffer.from(text.slice(from, this.at), 'utf8'));
    };
    for (;;) {
      const c = text.charAt(this.at);
      if (c === '' || c === ')') break;
      if (c === '(' || c === '\u0000') this.fail('this character must be escaped in a value');
      if (c === '*') {
        if (!asterisks) this.fail('"*" must be escaped here');
        flush();
        parts.push(Buffer.concat(octets));
        octets = [];
        from = ++this.at;
      } else if (c === '\\') {
        flush();
        const hex = text.slice(this.at + 1, this.at + 3);
        if (!/^[0-9a-fA-F]{2}$/.test(hex)) this.fail('two hexadecimal digits are expected behind "\\"');
        octets.push(Buffer.from(hex, 'hex'));
        from = this.at += 3;
      } else this.at++;
    }
    flush();
    parts.push(octets.length === 1 ? octets[0]! : Buffer.concat(octets));
    return parts;
  }
}

function substring(attribute: string, parts: Uint8Array[]): Filter {
  const initial = parts[0]!;
  const final = parts[parts.length - 1]!;
  // An empty piece between two asterisks says nothing.
  const any = parts.slice(1, -1).filter((part) => part.length > 0);
  if (initial.length === 0 && final.length === 0 && any.length === 0) return { type: 'present', attribute };
  return {
    type: 'substring',
    attribute,
    initial: initial.length > 0 ? initial : undefined,
    any,
    final: final.length > 0 ? final : undefined,
  };
}

/** A filter from its text. Throws Fault `malformed` naming the position. */
export function parseFilter(text: string): Filter {
  if (text.length > filterLimits.length) throw new Fault('malformed', `invalid filter: longer than ${filterLimits.length} characters`);
  const reader = new Reader(text);
  reader.skipBlanks();
  const filter = reader.filter(1);
  reader.skipBlanks();
  if (!reader.done) reader.fail('the end is expected');
  return filter;
}

const bareOctets = /^[\u0020-\u0027\u002b-\u005b\u005d-\u007e]*$/;

/** A value as it may stand in a filter: everything outside printable ASCII and `( ) * \` as hexadecimal pairs. */
export function escapeFilterValue(value: string | Uint8Array): string {
  if (typeof value === 'string' && bareOctets.test(value)) return value;
  let out = '';
  for (const octet of typeof value === 'string' ? Buffer.from(value, 'utf8') : value) {
    const c = String.fromCharCode(octet);
    out += bareOctets.test(c) ? c : `\\${octet.toString(16).padStart(2, '0')}`;
  }
  return out;
}

const signs = { equal: '=', greaterOrEqual: '>=', lessOrEqual: '<=', approx: '~=' } as const;

/** The text of a filter (RFC 4515). Depth is bounded wherever filters are made. */
export function formatFilter(filter: Filter): string {
  switch (filter.type) {
    case 'and':
    case 'or':
      return `(${filter.type === 'and' ? '&' : '|'}${filter.filters.map(formatFilter).join('')})`;
    case 'not':
      return `(!${formatFilter(filter.filter)})`;
    case 'present':
      return `(${filter.attribute}=*)`;
    case 'substring': {
      const piece = (value: Uint8Array | undefined): string => (value ? escapeFilterValue(value) : '');
      return `(${filter.attribute}=${[piece(filter.initial), ...filter.any.map(piece), piece(filter.final)].join('*')})`;
    }
    case 'extensible':
      return `(${filter.attribute ?? ''}${filter.dnAttributes ? ':dn' : ''}${filter.rule ? `:${filter.rule}` : ''}:=${escapeFilterValue(filter.value)})`;
    default:
      return `(${filter.attribute}${signs[filter.type]}${escapeFilterValue(filter.value)})`;
  }
}
