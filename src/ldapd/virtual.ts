/**
 * Searching and comparing entries that are computed: filter and attribute selection without a schema.
 *
 * Values compare without regard to case. An attribute the entry does not have makes an assertion undefined, so that `(!(…))` of
 * it is not true either.
 * Spec: RFC 4511 §4.5.1.7, §4.5.1.8
 */

import { DirectoryFault, Entry } from '../directory/index.ts';
import { type Filter, prepareIgnoringCase } from '../ldap-wire/index.ts';

const text = (value: string | Uint8Array): string =>
  prepareIgnoringCase(typeof value === 'string' ? value : Buffer.from(value).toString('utf8'));

/** Whether a computed entry has this value. */
export function hasValue(entry: Entry, attribute: string, value: string | Uint8Array): boolean {
  const wanted = text(value);
  return entry.values(attribute).some((candidate) => text(candidate) === wanted);
}

/** Three-valued: undefined is Undefined. The depth of filters is bounded where they are read. */
export function matches(entry: Entry, filter: Filter): boolean | undefined {
  switch (filter.type) {
    case 'and':
    case 'or': {
      const deciding = filter.type === 'or';
      const results = filter.filters.map((inner) => matches(entry, inner));
      if (results.includes(deciding)) return deciding;
      return results.includes(undefined) ? undefined : !deciding;
    }
    case 'not': {
      const result = matches(entry, filter.filter);
      return result === undefined ? undefined : !result;
    }
    case 'present':
      return entry.has(filter.attribute);
    case 'equal':
    case 'approx':
      return entry.has(filter.attribute) ? hasValue(entry, filter.attribute, filter.value) : undefined;
    case 'substring':
      return entry.has(filter.attribute) ? entry.values(filter.attribute).some((value) => hasPieces(text(value), filter)) : undefined;
    default:
      return undefined;
  }
}

/** Throws DirectoryFault assertionFailed (RFC 4528 §3). */
export function assertVirtual(entry: Entry, assertion: Filter): void {
  if (matches(entry, assertion) !== true) throw new DirectoryFault('assertionFailed', 'the entry does not match the assertion');
}

function hasPieces(value: string, filter: Extract<Filter, { type: 'substring' }>): boolean {
  const final = filter.final ? text(filter.final) : '';
  const initial = filter.initial ? text(filter.initial) : '';
  if (!value.startsWith(initial) || !value.endsWith(final)) return false;
  let at = initial.length;
  for (const piece of filter.any.map(text)) {
    const found = value.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return at <= value.length - final.length;
}

/** The entry with what was asked for: names, `*`, `+`, `1.1`; nothing asked for means `*`. */
export function select(entry: Entry, wanted: readonly string[], operational: (attribute: string) => boolean): Entry {
  const names = new Set(wanted.map((name) => name.toLowerCase()));
  const all = wanted.length === 0 || names.has('*');
  const extra = names.has('+');
  if (all && extra) return entry;
  const chosen = [...entry.attributes].filter(([name]) => names.has(name) || (operational(name) ? extra : all));
  return new Entry(
    entry.dn,
    chosen.map(([, attribute]) => attribute),
  );
}
