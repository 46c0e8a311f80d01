/**
 * What a filter item asks of the values of one attribute, compiled for one matching rule.
 *
 * Three-valued: a value that the rule cannot prepare makes the answer Undefined unless another value makes it true.
 * Spec: RFC 4511 §4.5.1.7, RFC 4517 §4
 */

import type { AttributeValue } from '../entry.ts';
import { held } from '../schema/forms.ts';
import type { MatchingRule } from '../schema/matching.ts';
import type { PartPlace } from '../schema/prepare.ts';
import { parseSubstrings } from '../schema/syntaxes.ts';

/** True, false, or undefined for Undefined. */
export type Truth = boolean | undefined;

export type ValuesTest = (values: readonly AttributeValue[]) => Truth;

/** The parts of a substring assertion, as octets or as text. */
export interface Substrings {
  readonly initial: AttributeValue | undefined;
  readonly any: readonly AttributeValue[];
  readonly final: AttributeValue | undefined;
}

/** By an equality rule: equal; by an ordering rule: less (RFC 4517 §4.1); by a substring rule: an assertion with `*` in it. */
export function extensibleTest(rule: MatchingRule, value: Uint8Array): ValuesTest | undefined {
  const asserted = rule.assertion(value);
  if (rule.kind === 'substring') {
    const text = held(value, true);
    const parts = typeof text === 'string' ? parseSubstrings(text) : undefined;
    return parts && substringTest(rule, parts);
  }
  if (asserted === undefined) return undefined;
  return ruleTest(rule, asserted, rule.kind === 'ordering' ? (order) => order < 0 : (order) => order === 0);
}

/** `indexOf` takes up to length times length where both are made for it: beyond this many characters a part is looked for in linear time. */
const shortPart = 64;

/** Where a part stands in a text, from a place on; -1 where it does not. Long parts by Knuth, Morris and Pratt. */
function finder(part: string): (text: string, from: number) => number {
  if (part.length <= shortPart) return (text, from) => text.indexOf(part, from);
  // How much of the part's beginning ends at each of its places.
  const borders = new Uint32Array(part.length);
  let matched = 0;
  const advance = (code: number): void => {
    while (matched > 0 && part.charCodeAt(matched) !== code) matched = borders[matched - 1] ?? 0;
    if (part.charCodeAt(matched) === code) matched += 1;
  };
  for (let at = 1; at < part.length; at++) {
    advance(part.charCodeAt(at));
    borders[at] = matched;
  }
  return (text, from) => {
    matched = 0;
    for (let at = from; at < text.length; at++) {
      advance(text.charCodeAt(at));
      if (matched === part.length) return at + 1 - part.length;
    }
    return -1;
  };
}

/** RFC 4517 §4.2.13: the prepared parts stand in the prepared value in their order, apart from one another. */
export function substringTest(rule: MatchingRule, { initial, any, final }: Substrings): ValuesTest | undefined {
  const part = (value: AttributeValue | undefined, place: PartPlace): string | undefined =>
    value === undefined || value.length === 0 ? '' : rule.part(value, place);
  const first = part(initial, 'initial');
  const last = part(final, 'final');
  const middle = any.map((each) => part(each, 'any'));
  if (first === undefined || last === undefined || !middle.every((piece) => piece !== undefined)) return undefined;
  const finders = middle.map((piece) => ({ find: finder(piece), length: piece.length }));
  const contains = (text: string): boolean => {
    if (!text.startsWith(first)) return false;
    let at = first.length;
    for (const { find, length } of finders) {
      const found = find(text, at);
      if (found < 0) return false;
      at = found + length;
    }
    return text.length - last.length >= at && text.endsWith(last);
  };
  return (values) => eachForm(values, rule, contains);
}

/** Attributes with more values than this, or a longer one, have their comparable forms kept as long as the entry is: a filter may ask often. */
const large = { values: 64, length: 4_096 };
const kept = new WeakMap<readonly AttributeValue[], Map<MatchingRule, readonly (string | undefined)[]>>();

const isLarge = (values: readonly AttributeValue[]): boolean =>
  values.length > large.values || values.some((value) => value.length > large.length);

function keptForms(values: readonly AttributeValue[], rule: MatchingRule): readonly (string | undefined)[] {
  const byRule = kept.get(values) ?? new Map<MatchingRule, readonly (string | undefined)[]>();
  kept.set(values, byRule);
  const forms = byRule.get(rule) ?? values.map((value) => rule.normalise(value));
  byRule.set(rule, forms);
  return forms;
}

/** True where one value's form makes it true; else Undefined where one has none. */
function eachForm(values: readonly AttributeValue[], rule: MatchingRule, test: (form: string) => boolean): Truth {
  let truth: Truth = false;
  const forms = isLarge(values) ? keptForms(values, rule) : undefined;
  for (const [n, value] of values.entries()) {
    const form = forms ? forms[n] : rule.normalise(value);
    if (form === undefined) truth = undefined;
    else if (test(form)) return true;
  }
  return truth;
}

export function ruleTest(rule: MatchingRule, asserted: string, holds: (order: number) => boolean): ValuesTest {
  return (values) => eachForm(values, rule, (form) => holds(rule.compare(form, asserted)));
}
