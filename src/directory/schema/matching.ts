/**
 * The matching rules: when two values are equal, which comes first, and where a substring is found.
 *
 * A rule turns a value into its comparable form (a string); `undefined` is a value that takes part in no match, which
 * makes a filter item Undefined. Comparing is then comparing strings, but for integers.
 * Spec: RFC 4517 §4.2, RFC 4518, RFC 4530 §2
 */

import { parseDn } from '../../ldap-wire/index.ts';
import type { AttributeValue } from '../entry.ts';
import { prepare, preparePart } from './prepare.ts';
import { numericOid } from './syntaxes.ts';
import { parseGeneralizedTime } from './time.ts';

export type PartPlace = 'initial' | 'any' | 'final';

export interface MatchingRule {
  readonly oid: string;
  readonly name: string;
  readonly syntax: string;
  readonly kind: 'equality' | 'ordering' | 'substring';
  normalise(value: AttributeValue): string | undefined;
  /** For substring rules: one part of the assertion. */
  part(value: AttributeValue, place: PartPlace): string | undefined;
  compare(a: string, b: string): number;
}

type Normalise = (value: AttributeValue) => string | undefined;
type Part = (value: AttributeValue, place: PartPlace) => string | undefined;

const arc = '1.3.6.1.4.1.1466.115.121.1.';
const byCode = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const onText = (make: (text: string) => string | undefined): Normalise => {
  return (value) => (typeof value === 'string' ? make(value) : undefined);
};
const folded = onText((v) => prepare(v, true));
const exact = onText((v) => prepare(v, false));
const digits = onText((v) => prepare(v, false)?.replaceAll(' ', ''));
const phone = onText((v) => prepare(v, true)?.replace(/[ \-\u2010\u2011\u2212\ufe63\uff0d]/gu, ''));
const lines = onText((v) => {
  const prepared = v.split('$').map((line) => prepare(line, true));
  return prepared.includes(undefined) ? undefined : prepared.join('$');
});
const integer = onText((v) => (/^-?\d{1,100}$/.test(v) ? BigInt(v).toString() : undefined));
const boolean = onText((v) => (/^(?:true|false)$/i.test(v) ? v.toUpperCase() : undefined));
const time = onText((v) => parseGeneralizedTime(v)?.toString().padStart(16, '0'));
const uuid = onText((v) => (/^[0-9a-f-]{36}$/i.test(v) ? v.toLowerCase() : undefined));
const octets: Normalise = (value) => Buffer.from(value as string).toString('latin1');
const name = onText((v) => {
  try {
    return parseDn(v).key;
  } catch {
    return undefined;
  }
});
const nameAndUid = onText((v) => {
  const uid = /#'[01]*'B$/.exec(v)?.[0] ?? '';
  try {
    return parseDn(v.slice(0, v.length - uid.length)).key + uid;
  } catch {
    return undefined;
  }
});
const firstComponent = (value: AttributeValue): string | undefined => {
  if (typeof value !== 'string') return undefined;
  return (/^\(\s*(\S+)/.exec(value)?.[1] ?? value).toLowerCase();
};

const partOf =
  (fold: boolean): Part =>
  (value, place) =>
    typeof value === 'string' ? preparePart(value, fold, place) : undefined;
const partWithout =
  (drop: Normalise): Part =>
  (value) =>
    drop(value);
const noPart: Part = () => undefined;

function rule(
  oid: string,
  ruleName: string,
  syntax: string,
  kind: MatchingRule['kind'],
  normalise: Normalise,
  part: Part = noPart,
): MatchingRule {
  return { oid, name: ruleName, syntax: syntax.includes('.') ? syntax : arc + syntax, kind, normalise, part, compare: byCode };
}

/** A whole-number order on comparable forms of integers. */
function byNumber(a: string, b: string): number {
  const [x, y] = [BigInt(a), BigInt(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

/**
 * All rules. `nameOf` turns an object identifier or descriptor into one form; the schema knows how.
 */
export function standardMatchingRules(nameOf: (text: string) => string): MatchingRule[] {
  const oid = onText((v) => (numericOid.test(v) || /^[A-Za-z][A-Za-z0-9-]*$/.test(v) ? nameOf(v) : undefined));
  return [
    rule('2.5.13.0', 'objectIdentifierMatch', '38', 'equality', oid),
    rule('2.5.13.1', 'distinguishedNameMatch', '12', 'equality', name),
    rule('2.5.13.2', 'caseIgnoreMatch', '15', 'equality', folded),
    rule('2.5.13.3', 'caseIgnoreOrderingMatch', '15', 'ordering', folded),
    rule('2.5.13.4', 'caseIgnoreSubstringsMatch', '58', 'substring', folded, partOf(true)),
    rule('2.5.13.5', 'caseExactMatch', '15', 'equality', exact),
    rule('2.5.13.6', 'caseExactOrderingMatch', '15', 'ordering', exact),
    rule('2.5.13.7', 'caseExactSubstringsMatch', '58', 'substring', exact, partOf(false)),
    rule('2.5.13.8', 'numericStringMatch', '36', 'equality', digits),
    rule('2.5.13.9', 'numericStringOrderingMatch', '36', 'ordering', digits),
    rule('2.5.13.10', 'numericStringSubstringsMatch', '58', 'substring', digits, partWithout(digits)),
    rule('2.5.13.11', 'caseIgnoreListMatch', '41', 'equality', lines),
    rule('2.5.13.12', 'caseIgnoreListSubstringsMatch', '58', 'substring', lines, partOf(true)),
    rule('2.5.13.13', 'booleanMatch', '7', 'equality', boolean),
    rule('2.5.13.14', 'integerMatch', '27', 'equality', integer),
    { ...rule('2.5.13.15', 'integerOrderingMatch', '27', 'ordering', integer), compare: byNumber },
    rule('2.5.13.16', 'bitStringMatch', '6', 'equality', exact),
    rule('2.5.13.17', 'octetStringMatch', '40', 'equality', octets),
    rule('2.5.13.18', 'octetStringOrderingMatch', '40', 'ordering', octets),
    rule('2.5.13.19', 'octetStringSubstringsMatch', '58', 'substring', octets, partWithout(octets)),
    rule('2.5.13.20', 'telephoneNumberMatch', '50', 'equality', phone),
    rule('2.5.13.21', 'telephoneNumberSubstringsMatch', '58', 'substring', phone, partWithout(phone)),
    rule('2.5.13.22', 'presentationAddressMatch', '43', 'equality', folded),
    rule('2.5.13.23', 'uniqueMemberMatch', '34', 'equality', nameAndUid),
    rule('2.5.13.27', 'generalizedTimeMatch', '24', 'equality', time),
    rule('2.5.13.28', 'generalizedTimeOrderingMatch', '24', 'ordering', time),
    rule('2.5.13.29', 'integerFirstComponentMatch', '27', 'equality', firstComponent),
    rule('2.5.13.30', 'objectIdentifierFirstComponentMatch', '38', 'equality', firstComponent),
    rule('2.5.13.34', 'certificateExactMatch', '8', 'equality', octets),
    rule('1.3.6.1.4.1.1466.109.114.1', 'caseExactIA5Match', '26', 'equality', exact),
    rule('1.3.6.1.4.1.1466.109.114.2', 'caseIgnoreIA5Match', '26', 'equality', folded),
    rule('1.3.6.1.4.1.1466.109.114.3', 'caseIgnoreIA5SubstringsMatch', '58', 'substring', folded, partOf(true)),
    rule('1.3.6.1.4.1.4203.1.2.1', 'caseExactIA5SubstringsMatch', '58', 'substring', exact, partOf(false)),
    rule('1.3.6.1.1.16.2', 'UUIDMatch', '1.3.6.1.1.16.1', 'equality', uuid),
    rule('1.3.6.1.1.16.3', 'UUIDOrderingMatch', '1.3.6.1.1.16.1', 'ordering', uuid),
    rule('1.3.6.1.4.1.4203.666.11.2.2', 'CSNMatch', '1.3.6.1.4.1.4203.666.11.2.1', 'equality', folded),
    rule('1.3.6.1.4.1.4203.666.11.2.3', 'CSNOrderingMatch', '1.3.6.1.4.1.4203.666.11.2.1', 'ordering', folded),
  ];
}
