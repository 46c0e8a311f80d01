/**
 * Search filters in BER.
 *
 * Promise: depth and number of components are bounded (`filterLimits`) before anything deeper is looked at. Assertion values
 * are copied, so that a filter may outlive its message.
 * Spec: RFC 4511 §4.5.1.7
 */

import { Fault } from '../base/index.ts';
import { type BerReader, ber } from './ber-read.ts';
import type { BerWriter } from './ber-write.ts';
import type { Filter } from './filter.ts';
import { filterLimits } from './filter-text.ts';

const tags = {
  and: 0xa0,
  or: 0xa1,
  not: 0xa2,
  equal: 0xa3,
  substring: 0xa4,
  greaterOrEqual: 0xa5,
  lessOrEqual: 0xa6,
  present: 0x87,
  approx: 0xa8,
  extensible: 0xa9,
} as const;
const piece = { initial: 0x80, any: 0x81, final: 0x82 } as const;
const match = { rule: 0x81, type: 0x82, value: 0x83, dnAttributes: 0x84 } as const;

const assertions = new Map<number, 'equal' | 'greaterOrEqual' | 'lessOrEqual' | 'approx'>([
  [tags.equal, 'equal'],
  [tags.greaterOrEqual, 'greaterOrEqual'],
  [tags.lessOrEqual, 'lessOrEqual'],
  [tags.approx, 'approx'],
]);

const copy = (octets: Uint8Array): Uint8Array => Uint8Array.prototype.slice.call(octets);

/** Reads one filter. Throws Fault `malformed` (RFC 4511: protocolError). */
export function readFilter(reader: BerReader): Filter {
  return read(reader, 1, { left: filterLimits.elements });
}

function read(reader: BerReader, depth: number, budget: { left: number }): Filter {
  if (depth > filterLimits.depth) throw new Fault('malformed', `the filter is nested more than ${filterLimits.depth} deep`);
  if (budget.left-- <= 0) throw new Fault('malformed', `the filter has more than ${filterLimits.elements} components`);
  const tag = reader.tag;
  const assertion = assertions.get(tag);
  if (assertion) {
    const outer = reader.enter(tag);
    const attribute = reader.text();
    const value = copy(reader.octets());
    reader.leave(outer);
    return { type: assertion, attribute, value };
  }
  switch (tag) {
    case tags.present:
      return { type: 'present', attribute: reader.text(tags.present) };
    case tags.and:
    case tags.or: {
      const outer = reader.enter(tag);
      const filters: Filter[] = [];
      while (reader.more) filters.push(read(reader, depth + 1, budget));
      reader.leave(outer);
      return { type: tag === tags.and ? 'and' : 'or', filters };
    }
    case tags.not: {
      const outer = reader.enter(tag);
      const filter = read(reader, depth + 1, budget);
      reader.leave(outer);
      return { type: 'not', filter };
    }
    case tags.substring:
      return readSubstring(reader, budget);
    case tags.extensible:
      return readExtensible(reader);
    default:
      throw new Fault('malformed', 'a filter of an unknown sort');
  }
}

function readSubstring(reader: BerReader, budget: { left: number }): Filter {
  const outer = reader.enter(tags.substring);
  const attribute = reader.text();
  const list = reader.enter(ber.sequence);
  let initial: Uint8Array | undefined;
  let final: Uint8Array | undefined;
  const any: Uint8Array[] = [];
  let first = true;
  while (reader.more) {
    if (budget.left-- <= 0) throw new Fault('malformed', `the filter has more than ${filterLimits.elements} components`);
    if (final !== undefined) throw new Fault('malformed', 'a final substring must be the last one');
    const tag = reader.tag;
    if (tag === piece.initial && first) initial = substringValue(reader, tag);
    else if (tag === piece.any) any.push(substringValue(reader, tag));
    else if (tag === piece.final) final = substringValue(reader, tag);
    else
      throw new Fault('malformed', 'an initial substring must be the first one, and there are no other sorts than initial, any and final');
    first = false;
  }
  if (first) throw new Fault('malformed', 'a substring filter needs a substring');
  reader.leave(list);
  reader.leave(outer);
  return { type: 'substring', attribute, initial, any, final };
}

function substringValue(reader: BerReader, tag: number): Uint8Array {
  const value = copy(reader.octets(tag));
  if (value.length === 0) throw new Fault('malformed', 'an empty substring');
  return value;
}

function readExtensible(reader: BerReader): Filter {
  const outer = reader.enter(tags.extensible);
  const rule = reader.is(match.rule) ? reader.text(match.rule) : undefined;
  const attribute = reader.is(match.type) ? reader.text(match.type) : undefined;
  const value = copy(reader.octets(match.value));
  const dnAttributes = reader.is(match.dnAttributes) && reader.boolean(match.dnAttributes);
  reader.leave(outer);
  if (rule === undefined && attribute === undefined) throw new Fault('malformed', 'an extensible match needs an attribute or a rule');
  return { type: 'extensible', rule, attribute, value, dnAttributes };
}

/** Writes one filter; its depth was bounded where it was made. */
export function writeFilter(writer: BerWriter, filter: Filter): void {
  if (filter.type === 'present') {
    writer.text(filter.attribute, tags.present);
    return;
  }
  const begun = writer.begin(tags[filter.type]);
  switch (filter.type) {
    case 'and':
    case 'or':
      for (const inner of filter.filters) writeFilter(writer, inner);
      break;
    case 'not':
      writeFilter(writer, filter.filter);
      break;
    case 'substring': {
      writer.text(filter.attribute);
      const list = writer.begin();
      if (filter.initial) writer.octets(filter.initial, piece.initial);
      for (const value of filter.any) writer.octets(value, piece.any);
      if (filter.final) writer.octets(filter.final, piece.final);
      writer.end(list);
      break;
    }
    case 'extensible':
      if (filter.rule !== undefined) writer.text(filter.rule, match.rule);
      if (filter.attribute !== undefined) writer.text(filter.attribute, match.type);
      writer.octets(filter.value, match.value);
      if (filter.dnAttributes) writer.boolean(true, match.dnAttributes);
      break;
    default:
      writer.text(filter.attribute).octets(filter.value);
  }
  writer.end(begun);
}
