/**
 * The attribute syntaxes: which values are well formed.
 *
 * A textual syntax holds strings, the others octets; `check` sees values of the right kind only.
 * Spec: RFC 4517 §3.3, RFC 4523 §2, RFC 4530 §2.1
 */

import { parseDn } from '../../ldap-wire/index.ts';
import type { AttributeValue } from '../entry.ts';
import { parseGeneralizedTime } from './time.ts';

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
  oid: arc + oid,
  name,
  textual: false,
  check: (value) => typeof value !== 'string' && check(value),
});

export const numericOid = /^(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))+$/;
const keyword = /^[A-Za-z][A-Za-z0-9-]*$/;
const printable = /^[A-Za-z0-9'()+,\-./:? =]+$/;
const dn = (value: string): boolean => {
  try {
    parseDn(value);
    return true;
  } catch {
    return false;
  }
};
const notEmpty = (value: string): boolean => value.length > 0;
/** `$`-separated lines; `\24` and `\5C` are the only escapes (RFC 4517 §3.3.28). */
const postal = (value: string): boolean => value.length > 0 && !/\\(?!24|5[Cc])/.test(value);
const delivery = /^(?:any|mhs|physical|telex|teletex|g3fax|g4fax|ia5|videotex|telephone)$/i;
const optionalUid = (value: string): boolean => dn(value.replace(/#'[01]*'B$/, ''));
/** A definition: its inside is checked by whoever loads it; here only the frame. */
const framed = (value: string): boolean => /^\(.*\)$/s.test(value.trim());

export const standardSyntaxes: readonly Syntax[] = [
  text('3', 'Attribute Type Description', framed),
  octets('5', 'Binary'),
  text('6', 'Bit String', (v) => /^'[01]*'B$/.test(v)),
  text('7', 'Boolean', (v) => v === 'TRUE' || v === 'FALSE'),
  octets('8', 'Certificate', (v) => v[0] === 0x30),
  octets('9', 'Certificate List', (v) => v[0] === 0x30),
  octets('10', 'Certificate Pair', (v) => v[0] === 0x30),
  text('11', 'Country String', (v) => /^[A-Za-z]{2}$/.test(v)),
  text('12', 'DN', dn),
  text('14', 'Delivery Method', (v) => v.split('$').every((part) => delivery.test(part.trim()))),
  text('15', 'Directory String', notEmpty),
  text('16', 'DIT Content Rule Description', framed),
  text('17', 'DIT Structure Rule Description', framed),
  text('21', 'Enhanced Guide', notEmpty),
  text('22', 'Facsimile Telephone Number', (v) => printable.test(v.split('$')[0] ?? '')),
  octets('23', 'Fax'),
  text('24', 'Generalized Time', (v) => parseGeneralizedTime(v) !== undefined),
  text('25', 'Guide', notEmpty),
  text('26', 'IA5 String', (v) => /^[\x00-\x7f]*$/.test(v)),
  text('27', 'INTEGER', (v) => /^(?:0|-?[1-9]\d{0,99})$/.test(v)),
  octets('28', 'JPEG'),
  text('30', 'Matching Rule Description', framed),
  text('31', 'Matching Rule Use Description', framed),
  text('34', 'Name And Optional UID', optionalUid),
  text('35', 'Name Form Description', framed),
  text('36', 'Numeric String', (v) => /^[0-9 ]+$/.test(v)),
  text('37', 'Object Class Description', framed),
  text('38', 'OID', (v) => keyword.test(v) || numericOid.test(v)),
  text('39', 'Other Mailbox', (v) => v.includes('$')),
  octets('40', 'Octet String'),
  text('41', 'Postal Address', postal),
  text('43', 'Presentation Address', notEmpty),
  text('44', 'Printable String', (v) => printable.test(v)),
  octets('49', 'Supported Algorithm'),
  text('50', 'Telephone Number', (v) => printable.test(v)),
  text('51', 'Teletex Terminal Identifier', notEmpty),
  text('52', 'Telex Number', notEmpty),
  text('53', 'UTC Time', (v) => /^\d{10}(?:\d{2})?(?:Z|[+-]\d{4})?$/.test(v)),
  text('54', 'LDAP Syntax Description', framed),
  text('58', 'Substring Assertion', notEmpty),
  text('1.3.6.1.1.16.1', 'UUID', (v) => /^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$/.test(v)),
  text('1.3.6.1.4.1.4203.666.11.2.1', 'CSN', (v) => /^\d{14}(?:\.\d+)?Z#[0-9a-f]+#[0-9a-f]+#[0-9a-f]+$/i.test(v)),
  text('1.3.6.1.1.1.0.0', 'RFC 2307 NIS Netgroup Triple', (v) => /^\([^,()]*,[^,()]*,[^,()]*\)$/.test(v)),
  text('1.3.6.1.1.1.0.1', 'RFC 2307 Boot Parameter', (v) => /^[^=]+=[^:]*:.*$/.test(v)),
];

/** A syntax that a schema file declares itself (`ldapsyntax`): octets, unchecked. */
export const declaredSyntax = (oid: string, name: string): Syntax => ({
  oid,
  name,
  textual: false,
  check: (value) => typeof value !== 'string',
});
