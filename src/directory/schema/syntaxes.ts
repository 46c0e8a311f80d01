/**
 * The attribute syntaxes: which values are well formed.
 *
 * A textual syntax holds strings, the others octets; `check` sees values of the right kind only.
 * Spec: RFC 4517 §3.3, RFC 4523 §2, RFC 4530 §2.1
 */

import { parseDn } from '../../ldap-wire/index.ts';
import type { AttributeValue } from '../entry.ts';
import { isEnhancedGuide, isGuide } from './guide.ts';
import { isUtcTime, timeForm } from './time.ts';

export interface Syntax {
  readonly oid: string;
  readonly name: string;
  readonly textual: boolean;
  check(value: AttributeValue): boolean;
}

const arc = '1.3.6.1.4.1.1466.115.121.1.';
const text = (oid: string, name: string, check: (value: string) => boolean): Syntax => ({
  oid: oid.includes('.') ? oid : arc + oid,
  name,
  textual: true,
  check: (value) => typeof value === 'string' && check(value),
});
const octets = (oid: string, name: string, check: (value: Uint8Array) => boolean = () => true): Syntax => ({
  oid: oid.includes('.') ? oid : arc + oid,
  name,
  textual: false,
  check: (value) => typeof value !== 'string' && check(value),
});

export const numericOid = /^(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))+$/;
/** `descr` of RFC 4512 §1.4. */
export const keyword = /^[A-Za-z][A-Za-z0-9-]*$/;
const printable = /^[A-Za-z0-9'()+,\-./:? =]+$/;
const ia5 = /^[\x00-\x7f]*$/;
const dn = (value: string): boolean => {
  try {
    parseDn(value);
    return true;
  } catch {
    return false;
  }
};
const notEmpty = (value: string): boolean => value.length > 0;
/** Text in which `$` and `\` stand as `\24` and `\5C` only. */
const escaped = (value: string): boolean => !/\\(?!24|5[Cc])/.test(value);
const postal = (value: string): boolean => escaped(value) && value.split('$').every(notEmpty);
const delivery = /^ *(?:any|mhs|physical|telex|teletex|g3fax|g4fax|ia5|videotex|telephone) *$/i;
const faxParameter = /^(?:twoDimensional|fineResolution|unlimitedLength|b4Length|a3Width|b4Width|uncompressed)$/i;
const teletexParameter = /^(?:graphic|control|misc|page|private):/i;
const headAnd = (value: string, rest: (part: string) => boolean): boolean => {
  const [head = '', ...parts] = value.split('$');
  return printable.test(head) && parts.every(rest);
};
const telex = (value: string): boolean => value.split('$').length === 3 && headAnd(value, (part) => printable.test(part));
const mailbox = (value: string): boolean => {
  const at = value.indexOf('$');
  return at > 0 && printable.test(value.slice(0, at)) && ia5.test(value.slice(at + 1));
};
/** Spaces behind it are taken as those around a name are. */
const uid = /#'[01]*'B(?= *$)/;
/** A definition: its inside is checked by whoever loads it; here only the frame. */
const framed = (value: string): boolean => /^\s*\(/.test(value) && value.trimEnd().endsWith(')');

/** A DER SEQUENCE from the first octet to the last. */
function derSequence(value: Uint8Array): boolean {
  const first = value[1];
  if (value[0] !== 0x30 || first === undefined) return false;
  if (first < 0x80) return value.length === 2 + first;
  const size = first & 0x7f;
  if (size === 0 || size > 4 || value.length < 2 + size) return false;
  let length = 0;
  for (let n = 0; n < size; n++) length = length * 256 + (value[2 + n] ?? 0);
  return value.length === 2 + size + length;
}

const jpeg = (value: Uint8Array): boolean => value[0] === 0xff && value[1] === 0xd8 && value[2] === 0xff;

export const standardSyntaxes: readonly Syntax[] = [
  text('3', 'Attribute Type Description', framed),
  octets('4', 'Audio'),
  octets('5', 'Binary'),
  text('6', 'Bit String', (v) => /^'[01]*'B$/.test(v)),
  text('7', 'Boolean', (v) => v === 'TRUE' || v === 'FALSE'),
  octets('8', 'Certificate', derSequence),
  octets('9', 'Certificate List', derSequence),
  octets('10', 'Certificate Pair', derSequence),
  text('11', 'Country String', (v) => v.length === 2 && printable.test(v)),
  text('12', 'DN', dn),
  text('13', 'Data Quality', notEmpty),
  text('14', 'Delivery Method', (v) => v.split('$').every((part) => delivery.test(part))),
  text('15', 'Directory String', notEmpty),
  text('16', 'DIT Content Rule Description', framed),
  text('17', 'DIT Structure Rule Description', framed),
  text('19', 'DSA Quality', notEmpty),
  text('21', 'Enhanced Guide', isEnhancedGuide),
  text('22', 'Facsimile Telephone Number', (v) => headAnd(v, (part) => faxParameter.test(part))),
  octets('23', 'Fax'),
  text('24', 'Generalized Time', (v) => timeForm(v) !== undefined),
  text('25', 'Guide', isGuide),
  text('26', 'IA5 String', (v) => ia5.test(v)),
  text('27', 'INTEGER', (v) => /^(?:0|-?[1-9]\d{0,999})$/.test(v)),
  octets('28', 'JPEG', jpeg),
  text('30', 'Matching Rule Description', framed),
  text('31', 'Matching Rule Use Description', framed),
  text('34', 'Name And Optional UID', (v) => dn(v.replace(uid, ''))),
  text('35', 'Name Form Description', framed),
  text('36', 'Numeric String', (v) => /^[0-9 ]+$/.test(v)),
  text('37', 'Object Class Description', framed),
  text('38', 'OID', (v) => keyword.test(v) || numericOid.test(v)),
  text('39', 'Other Mailbox', mailbox),
  octets('40', 'Octet String'),
  text('41', 'Postal Address', postal),
  text('42', 'Protocol Information', notEmpty),
  text('43', 'Presentation Address', notEmpty),
  text('44', 'Printable String', (v) => printable.test(v)),
  text('45', 'Subtree Specification', (v) => /^\s*\{/.test(v) && v.trimEnd().endsWith('}')),
  octets('49', 'Supported Algorithm'),
  text('50', 'Telephone Number', (v) => printable.test(v)),
  text('51', 'Teletex Terminal Identifier', (v) => headAnd(v, (part) => teletexParameter.test(part) && escaped(part))),
  text('52', 'Telex Number', telex),
  text('53', 'UTC Time', isUtcTime),
  text('54', 'LDAP Syntax Description', framed),
  text('58', 'Substring Assertion', (v) => parseSubstrings(v) !== undefined),
  text('1.3.6.1.4.1.4203.666.2.7', 'OpenLDAP authz', notEmpty),
  octets('1.3.6.1.1.15.1', 'Certificate Exact Assertion'),
  octets('1.2.840.113549.1.8.1.1', 'PKCS#8 PrivateKeyInfo', derSequence),
  octets('1.3.6.1.4.1.4203.666.11.10.2.1', 'X.509 AttributeCertificate', derSequence),
  text('1.3.6.1.1.16.1', 'UUID', (v) => /^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$/.test(v)),
  text('1.3.6.1.4.1.4203.666.11.2.1', 'CSN', (v) => /^\d{14}(?:\.\d{6})?Z#[0-9a-f]{6}#(?:[0-9a-f]{2}|[0-9a-f]{3})#[0-9a-f]{6}$/i.test(v)),
  text('1.3.6.1.1.1.0.0', 'RFC 2307 NIS Netgroup Triple', (v) => /^\([^,()]*,[^,()]*,[^,()]*\)$/.test(v) && ia5.test(v)),
  text('1.3.6.1.1.1.0.1', 'RFC 2307 Boot Parameter', (v) => /^[^=]+=[^:]*:/.test(v) && ia5.test(v)),
];

const binaryTransfer = new Set(['8', '9', '10', '49'].map((number) => arc + number));

/** Whether values travel under `;binary` always (RFC 4522 §4, RFC 4523 §2). */
export const travelsAsBinary = (syntax: Syntax): boolean => binaryTransfer.has(syntax.oid);

/** Whether an attribute may be named with `;binary` at all: text has a form of its own on the wire (RFC 4522 §3). */
export const mayTravelAsBinary = (syntax: Syntax): boolean => !syntax.textual;

/** Whether values are BER in any case, so that the option changes the name alone (RFC 2798 §2.8, §2.9). */
export const isBer = (syntax: Syntax): boolean => syntax.oid === `${arc}5`;

export interface SubstringParts {
  readonly initial: string | undefined;
  readonly any: readonly string[];
  readonly final: string | undefined;
}

/** A Substring Assertion as the extensible match takes it: parts between `*`, with `\2A` and `\5C` for `*` and `\` (§3.3.30). */
export function parseSubstrings(value: string): SubstringParts | undefined {
  if (/\\(?!2[Aa]|5[Cc])/.test(value)) return undefined;
  const parts = value.split('*').map((part) => part.replace(/\\(2[Aa]|5[Cc])/g, (_, code: string) => (code[0] === '2' ? '*' : '\\')));
  if (parts.length < 2) return undefined;
  const any = parts.slice(1, -1);
  if (any.includes('')) return undefined;
  return { initial: parts[0] || undefined, any, final: parts.at(-1) || undefined };
}

/** A syntax that a schema file declares itself (`ldapsyntax`): that of `X-SUBST` under another number, or else octets, unchecked. */
export const declaredSyntax = (oid: string, name: string, like: Syntax | undefined): Syntax => ({
  oid,
  name,
  textual: like?.textual ?? false,
  check: like ? (value) => like.check(value) : (value) => typeof value !== 'string',
});
