/**
 * The matching rules: when two values are equal, which comes first, and where a substring is found.
 *
 * A rule turns a value into its comparable form (a string); `undefined` is a value that takes part in no match, which makes a filter item
 * Undefined. Comparing is then comparing strings, but for integers and the few rules that look inside a value. What a client asserts is
 * checked against the rule's own assertion syntax first. Indexes hold comparable forms: whoever changes one raises `formsVersion`.
 * Spec: RFC 4517 §4.2, RFC 4518, RFC 4530 §2
 */

import type { AttributeValue } from '../entry.ts';
import * as form from './forms.ts';
import type { PartPlace } from './prepare.ts';
import { standardSyntaxes } from './syntaxes.ts';

/** Changes whenever the comparable form of some value does, so that indexes are made anew. */
export const formsVersion = 3;

export interface MatchingRule {
  readonly oid: string;
  readonly name: string;
  /** Of the assertion. */
  readonly syntax: string;
  readonly kind: 'equality' | 'ordering' | 'substring';
  /** Syntaxes of the attributes it can be applied to in an extensible match (RFC 4512 §4.1.4). */
  readonly applies: ReadonlySet<string>;
  /** Whether an attribute may have it for its own; others serve in extensible matches only. */
  readonly forAttributes: boolean;
  normalise(value: AttributeValue): string | undefined;
  /** The comparable form of what a client asserts. */
  assertion(value: AttributeValue): string | undefined;
  /** For substring rules: one part of the assertion. */
  part(value: AttributeValue, place: PartPlace): string | undefined;
  /** `a` is of the attribute, `b` of the assertion. */
  compare(a: string, b: string): number;
}

const arc = '1.3.6.1.4.1.1466.115.121.1.';
const long = (syntax: string): string => (syntax.includes('.') ? syntax : arc + syntax);
const syntaxes = new Map(standardSyntaxes.map((syntax) => [syntax.oid, syntax]));
const byCode = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const byNumber = (a: string, b: string): number => byCode2(BigInt(a), BigInt(b));
const byCode2 = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

type Options = Partial<Pick<MatchingRule, 'forAttributes' | 'compare'>> & {
  readonly applies?: readonly string[];
  readonly assertion?: form.Normalise;
  readonly part?: form.Part;
};

function rule(
  oid: string,
  name: string,
  syntax: string,
  kind: MatchingRule['kind'],
  normalise: form.Normalise,
  options: Options = {},
): MatchingRule {
  const asserted = syntaxes.get(long(syntax));
  const assert = options.assertion ?? normalise;
  const assertion = (value: AttributeValue): string | undefined => {
    const held = form.held(value, asserted?.textual ?? true);
    return held !== undefined && asserted?.check(held) !== false ? assert(held) : undefined;
  };
  return {
    oid,
    name,
    syntax: long(syntax),
    kind,
    normalise,
    assertion,
    part: options.part ?? (() => undefined),
    compare: options.compare ?? byCode,
    applies: new Set((options.applies ?? [syntax]).map(long)),
    forAttributes: options.forAttributes ?? true,
  };
}

/** Directory String and its alternatives: RFC 4517 §4.2.11. */
const strings = ['15', '44', '11', '50'];
const octetStrings = ['40', '28', '5', '4', '23'];
const descriptions = ['3', '16', '30', '31', '35', '37', '54'];

const textRules: readonly MatchingRule[] = [
  rule('2.5.13.2', 'caseIgnoreMatch', '15', 'equality', form.folded, { applies: strings }),
  rule('2.5.13.3', 'caseIgnoreOrderingMatch', '15', 'ordering', form.folded, { applies: strings }),
  rule('2.5.13.4', 'caseIgnoreSubstringsMatch', '58', 'substring', form.foldedWhole, { applies: strings, part: form.foldedPart }),
  rule('2.5.13.5', 'caseExactMatch', '15', 'equality', form.exact, { applies: strings }),
  rule('2.5.13.6', 'caseExactOrderingMatch', '15', 'ordering', form.exact, { applies: strings }),
  rule('2.5.13.7', 'caseExactSubstringsMatch', '58', 'substring', form.exactWhole, { applies: strings, part: form.exactPart }),
  rule('2.5.13.8', 'numericStringMatch', '36', 'equality', form.digits),
  rule('2.5.13.9', 'numericStringOrderingMatch', '36', 'ordering', form.digits),
  rule('2.5.13.10', 'numericStringSubstringsMatch', '58', 'substring', form.digits, { applies: ['36'], part: form.digits }),
  rule('2.5.13.11', 'caseIgnoreListMatch', '41', 'equality', form.lines),
  rule('2.5.13.12', 'caseIgnoreListSubstringsMatch', '58', 'substring', form.linesWhole, { applies: ['41'], part: form.foldedPart }),
  rule('2.5.13.20', 'telephoneNumberMatch', '50', 'equality', form.phone),
  rule('2.5.13.21', 'telephoneNumberSubstringsMatch', '58', 'substring', form.phone, { applies: ['50'], part: form.phone }),
  rule('2.5.13.22', 'presentationAddressMatch', '43', 'equality', form.folded),
  rule('2.5.13.24', 'protocolInformationMatch', '42', 'equality', form.folded),
  rule('1.3.6.1.4.1.4203.666.4.12', 'authzMatch', '1.3.6.1.4.1.4203.666.2.7', 'equality', form.folded),
  rule('2.5.13.32', 'wordMatch', '15', 'equality', form.folded, { applies: strings, forAttributes: false, compare: form.amongWords }),
  rule('2.5.13.33', 'keywordMatch', '15', 'equality', form.folded, { applies: strings, forAttributes: false, compare: form.amongKeywords }),
  rule('1.3.6.1.4.1.1466.109.114.1', 'caseExactIA5Match', '26', 'equality', form.exact),
  rule('1.3.6.1.4.1.1466.109.114.2', 'caseIgnoreIA5Match', '26', 'equality', form.folded),
  rule('1.3.6.1.4.1.1466.109.114.3', 'caseIgnoreIA5SubstringsMatch', '58', 'substring', form.foldedWhole, {
    applies: ['26'],
    part: form.foldedIa5Part,
  }),
  rule('1.3.6.1.4.1.4203.1.2.1', 'caseExactIA5SubstringsMatch', '58', 'substring', form.exactWhole, {
    applies: ['26'],
    part: form.exactIa5Part,
  }),
];

const otherRules: readonly MatchingRule[] = [
  rule('2.5.13.1', 'distinguishedNameMatch', '12', 'equality', form.name),
  rule('2.5.13.13', 'booleanMatch', '7', 'equality', form.boolean),
  rule('2.5.13.14', 'integerMatch', '27', 'equality', form.integer),
  rule('2.5.13.15', 'integerOrderingMatch', '27', 'ordering', form.integer, { compare: byNumber }),
  rule('2.5.13.16', 'bitStringMatch', '6', 'equality', form.exact),
  rule('2.5.13.17', 'octetStringMatch', '40', 'equality', form.octets, { applies: octetStrings }),
  rule('2.5.13.18', 'octetStringOrderingMatch', '40', 'ordering', form.octets, { applies: octetStrings }),
  rule('2.5.13.19', 'octetStringSubstringsMatch', '58', 'substring', form.octets, { applies: octetStrings, part: form.octets }),
  rule('2.5.13.23', 'uniqueMemberMatch', '34', 'equality', form.nameAndUid),
  rule('2.5.13.27', 'generalizedTimeMatch', '24', 'equality', form.time),
  rule('2.5.13.28', 'generalizedTimeOrderingMatch', '24', 'ordering', form.time),
  rule('2.5.13.29', 'integerFirstComponentMatch', '27', 'equality', form.firstInteger, { applies: ['17'] }),
  rule('2.5.13.31', 'directoryStringFirstComponentMatch', '15', 'equality', form.firstString, { applies: [], assertion: form.folded }),
  rule('2.5.13.34', 'certificateExactMatch', '1.3.6.1.1.15.1', 'equality', form.certificate, {
    applies: ['8'],
    assertion: form.assertedCertificate,
  }),
  rule('2.5.13.45', 'attributeCertificateExactMatch', '1.3.6.1.4.1.4203.666.11.10.2.1', 'equality', form.octets),
  rule('1.3.6.1.4.1.4203.666.4.13', 'privateKeyMatch', '1.2.840.113549.1.8.1.1', 'equality', form.octets),
  // Bits of an integer, as Active Directory's tools ask for them: all of the asserted ones, or any.
  rule('1.2.840.113556.1.4.803', 'integerBitAndMatch', '27', 'equality', form.integer, { forAttributes: false, compare: form.allBits }),
  rule('1.2.840.113556.1.4.804', 'integerBitOrMatch', '27', 'equality', form.integer, { forAttributes: false, compare: form.anyBit }),
  rule('1.3.6.1.1.16.2', 'UUIDMatch', '1.3.6.1.1.16.1', 'equality', form.uuid),
  rule('1.3.6.1.1.16.3', 'UUIDOrderingMatch', '1.3.6.1.1.16.1', 'ordering', form.uuid),
  rule('1.3.6.1.4.1.4203.666.11.2.2', 'CSNMatch', '1.3.6.1.4.1.4203.666.11.2.1', 'equality', form.folded),
  rule('1.3.6.1.4.1.4203.666.11.2.3', 'CSNOrderingMatch', '1.3.6.1.4.1.4203.666.11.2.1', 'ordering', form.folded),
];

/**
 * All rules. `nameOf` turns a name or number that the schema has into one form, and is undefined for what it does not have.
 */
export function standardMatchingRules(nameOf: (text: string) => string | undefined): MatchingRule[] {
  // A stored value keeps its form when its definition goes, so that index records stay right; who asserts such a name gets Undefined (§4.2.26).
  const stored = (text: string): string => nameOf(text) ?? text.toLowerCase();
  const oid = form.onText(stored);
  const assertion = form.onText((text) => nameOf(text) ?? (form.isNumericOid(text) ? text : undefined));
  return [
    rule('2.5.13.0', 'objectIdentifierMatch', '38', 'equality', oid, { assertion }),
    rule('2.5.13.30', 'objectIdentifierFirstComponentMatch', '38', 'equality', form.firstOid(stored), { applies: descriptions, assertion }),
    ...textRules,
    ...otherRules,
  ];
}
