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

/** RFC 4517 §4.2.13: the prepared parts stand in the prepared value in their order, apart from one another. */
export function substringTest(rule: MatchingRule, { initial, any, final }: Substrings): ValuesTest | undefined {
  const part = (value: AttributeValue | undefined, place: PartPlace): string | undefined =>
    value === undefined || value.length === 0 ? '' : rule.part(value, place);
  const first = part(initial, 'initial');
  const last = part(final, 'final');
  const middle = any.map((each) => part(each, 'any'));
  if (first === undefined || last === undefined || !middle.every((piece) => piece !== undefined)) return undefined;
  const contains = (text: string): boolean => {
    if (!text.startsWith(first)) return false;
    let at = first.length;
    for (const piece of middle) {
      const found = text.indexOf(piece, at);
      if (found < 0) return false;
      at = found + piece.length;
    }
    return text.length - last.length >= at && text.endsWith(last);
  };
  return (values) =>
    eachValue(values, (value) => {
      const text = rule.normalise(value);
      return text === undefined ? undefined : contains(text);
    });
}

function eachValue(values: readonly AttributeValue[], test: (value: AttributeValue) => Truth): Truth {
  let truth: Truth = false;
  for (const value of values) {
    const one = test(value);
    if (one) return true;
    if (one === undefined) truth = undefined;
  }
  return truth;
}

export function ruleTest(rule: MatchingRule, asserted: string, holds: (order: number) => boolean): ValuesTest {
  return (values) =>
    eachValue(values, (value) => {
      const text = rule.normalise(value);
      return text === undefined ? undefined : holds(rule.compare(text, asserted));
    });
}
