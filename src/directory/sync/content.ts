/**
 * What of the directory one asker follows: scope, filter, rights and selection together, asked of an entry as it was or is.
 *
 * Promise: the same answer for a stored entry and for its image in the change log. So what images do not have (secrets) and what
 * other entries decide (`hasSubordinates`, `entryDN`, a domain's usage, names in `:dn:` filters) is neither sent nor matched: such an assertion is Undefined.
 * Spec: RFC 4533 §3.2, §4.1, §4.2
 */

import type { Dn, Filter } from '../../ldap-wire/index.ts';
import type { Judge, Subject, Verdict } from '../access/judge.ts';
import type { AttributeValue, Entry } from '../entry.ts';
import type { Stored } from '../records/view.ts';
import type { AttributeType, Schema } from '../schema/schema.ts';
import type { Compiler, Matcher, MaySearch } from '../search/evaluate.ts';
import { isComputed, type Selection, type Selector } from '../search/select.ts';
import type { FollowedSearch } from './port.ts';

export interface ContentParts {
  readonly schema: Schema;
  readonly judge: Judge;
  readonly compiler: Compiler;
  readonly selector: Selector;
}

/** The server itself follows what anybody could: images have no secrets. */
const allButSecrets: Verdict = { sign: 'followed by the server', allows: (attribute) => !attribute.secret };
/** No attribute has this name, so the assertion is Undefined. */
const undefinedFilter: Filter = { type: 'present', attribute: '1.1' };

export class Content {
  readonly request: FollowedSearch;
  readonly filter: Filter;
  subject: Subject;
  readonly #parts: ContentParts;
  readonly #matcher: Matcher;
  readonly #selection: Selection;

  constructor(parts: ContentParts, subject: Subject, request: FollowedSearch) {
    this.#parts = parts;
    this.subject = subject;
    this.request = request;
    this.filter = withoutNames(request.filter);
    this.#matcher = parts.compiler.compile(this.filter);
    const selection = parts.selector.selection(request.attributes, request.typesOnly ?? false);
    this.#selection = { ...selection, sign: `followed ${selection.sign}`, computed: [] };
  }

  readonly may: MaySearch = (stored, type) => !isComputed(type.lower) && this.#verdict(stored.entry).allows(type, 'search');

  #verdict(entry: Entry): Verdict {
    return this.subject.system ? allButSecrets : this.#parts.judge.verdict(this.subject, entry);
  }

  /** Whether this image belongs to the content. */
  holds(entry: Entry | undefined): entry is Entry {
    return entry !== undefined && this.covers(entry.dn) && this.#matcher(imageOf(entry), this.may) === true && this.knows(entry);
  }

  knows(entry: Entry): boolean {
    return this.#parts.judge.knows(this.subject, entry);
  }

  /** Whether a name is in scope. */
  covers(dn: Dn): boolean {
    const { base, scope } = this.request;
    if (scope === 'base') return dn.key === base.key;
    if (scope === 'one') return dn.parent?.key === base.key;
    return dn.isWithin(base);
  }

  /** The entry as the asker gets it. */
  shown(entry: Entry): Entry {
    return this.#parts.selector.select(imageOf(entry), this.#selection, this.#verdict(entry));
  }

  /** Whether the asker would see a difference between two images of one entry. `whole`: in any attribute, whatever is selected. */
  differs(before: Entry, after: Entry, whole: boolean): boolean {
    if (before.dn.toString() !== after.dn.toString()) return true;
    return this.#tells(before, after, whole) || this.#tells(after, before, whole);
  }

  /** Whether `one` shows something that `other` does not. */
  #tells(one: Entry, other: Entry, whole: boolean): boolean {
    const [verdict, others] = [this.#verdict(one), this.#verdict(other)];
    const shows = (by: Verdict, lower: string, type: AttributeType | undefined): boolean =>
      type !== undefined && (whole || this.#selection.wants(lower, type)) && by.allows(type, 'read');
    for (const [lower, { name, values }] of one.attributes) {
      // The same where it matters, and seen under the same rules: no need to ask them.
      if (verdict === others && sameValues(values, other.attributes.get(lower)?.values ?? [])) continue;
      const type = this.#parts.schema.describe(name)?.type;
      if (!shows(verdict, lower, type)) continue;
      const counterpart = shows(others, lower, type) ? other.attributes.get(lower)?.values : undefined;
      if (!counterpart) return true;
      if ((whole || !this.#selection.typesOnly) && !sameValues(values, counterpart)) return true;
    }
    return false;
  }
}

function sameValues(one: readonly AttributeValue[], other: readonly AttributeValue[]): boolean {
  return one.length === other.length && one.every((value, n) => same(value, other[n]));
}

function same(one: AttributeValue, other: AttributeValue | undefined): boolean {
  if (typeof one === 'string' || typeof other === 'string' || other === undefined) return one === other;
  return Buffer.compare(one, other) === 0;
}

const images = new WeakMap<Entry, Stored>();

/** Images stand for themselves: nothing that is followed asks for ids. */
function imageOf(entry: Entry): Stored {
  let image = images.get(entry);
  if (!image) {
    const optioned = [...entry.attributes.keys()].some((name) => name.includes(';'));
    image = { id: 0, parent: 0, entry, optioned };
    images.set(entry, image);
  }
  return image;
}

/** A filter in which `:dn:` assertions are Undefined. Depth is bounded where filters are read. */
function withoutNames(filter: Filter): Filter {
  switch (filter.type) {
    case 'and':
    case 'or':
      return { ...filter, filters: filter.filters.map(withoutNames) };
    case 'not':
      return { ...filter, filter: withoutNames(filter.filter) };
    case 'extensible':
      return filter.dnAttributes ? undefinedFilter : filter;
    default:
      return filter;
  }
}
