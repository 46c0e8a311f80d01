/**
 * Certificates compared as certificateExactMatch does: by serial number and issuer.
 *
 * Reads no more of a certificate than these two; what is not one is compared with nothing. Assertions come as RFC 4523 has them,
 * `{ serialNumber 1, issuer rdnSequence:"cn=ca" }`, in the older form `1$cn=ca`, or as a certificate.
 * Spec: RFC 4523 §2.5, Appendix A.1; RFC 5280 §4.1
 */

import { isUtf8 } from 'node:buffer';
import { type Ava, makeDn, parseDn, type Rdn } from '../../ldap-wire/index.ts';

interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
  /** Where the next one begins. */
  readonly end: number;
  readonly whole: Uint8Array;
}

/** The DER element at `at`, or undefined where none is. */
function element(octets: Uint8Array, at: number): Element | undefined {
  const [tag, first] = [octets[at], octets[at + 1]];
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined;
  const size = first < 0x80 ? 0 : first & 0x7f;
  if (first === 0x80 || size > 4) return undefined;
  let length = size === 0 ? first : 0;
  for (let n = 0; n < size; n++) length = length * 256 + (octets[at + 2 + n] ?? 0);
  const start = at + 2 + size;
  const end = start + length;
  return end > octets.length ? undefined : { tag, content: octets.subarray(start, end), end, whole: octets.subarray(at, end) };
}

/** All elements side by side; undefined where something is broken. */
function elements(octets: Uint8Array, most: number): Element[] | undefined {
  const found: Element[] = [];
  for (let at = 0; at < octets.length && found.length < most; ) {
    const one = element(octets, at);
    if (!one) return undefined;
    found.push(one);
    at = one.end;
  }
  return found;
}

const tags = { integer: 0x02, oid: 0x06, sequence: 0x30, set: 0x31, version: 0xa0, utf8: 0x0c, bmp: 0x1e } as const;
/** PrintableString, TeletexString, IA5String: one octet a character. */
const narrow = new Set([0x13, 0x14, 0x16]);
const mostLevels = 100;

function oidOf(content: Uint8Array): string {
  const arcs: bigint[] = [];
  let value = 0n;
  for (const octet of content) {
    value = (value << 7n) | BigInt(octet & 0x7f);
    if (octet & 0x80) continue;
    if (arcs.length === 0) {
      const top = value < 80n ? value / 40n : 2n;
      arcs.push(top, value - top * 40n);
    } else arcs.push(value);
    value = 0n;
  }
  return arcs.join('.');
}

function textOf({ tag, content }: Element): string | undefined {
  if (tag === tags.utf8) return isUtf8(content) ? Buffer.from(content).toString('utf8') : undefined;
  if (narrow.has(tag)) return Buffer.from(content).toString('latin1');
  if (tag === tags.bmp && content.length % 2 === 0) return Buffer.from(content).swap16().toString('utf16le');
  return undefined;
}

function avaOf(pair: Element): Ava | undefined {
  const [type, value] = elements(pair.content, 2) ?? [];
  if (!type || !value || type.tag !== tags.oid || type.content.length > 64) return undefined;
  const text = textOf(value);
  const name = oidOf(type.content);
  return text === undefined
    ? { type: name, value: `#${Buffer.from(value.whole).toString('hex')}`, encoded: true }
    : { type: name, value: text };
}

/** Comparable form of a Name; RFC 4514 §2.1 writes it from its end. */
function nameKey(name: Element): string | undefined {
  const rdns: Rdn[] = [];
  for (const level of elements(name.content, mostLevels) ?? []) {
    const rdn = (elements(level.content, 32) ?? []).map(avaOf);
    if (!rdn.every((ava) => ava !== undefined)) return undefined;
    rdns.unshift(rdn);
  }
  try {
    return makeDn(rdns).key;
  } catch {
    return undefined;
  }
}

function serialOf(content: Uint8Array): string | undefined {
  if (content.length === 0 || content.length > 64) return undefined;
  return BigInt.asIntN(content.length * 8, BigInt(`0x${Buffer.from(content).toString('hex')}`)).toString();
}

const form = (serial: string | undefined, issuer: string | undefined): string | undefined =>
  serial === undefined || issuer === undefined ? undefined : `${serial}$${issuer}`;

/** Serial number and issuer of a certificate in DER. */
export function certificateForm(octets: Uint8Array): string | undefined {
  const signed = element(octets, 0);
  const body = signed?.tag === tags.sequence ? element(signed.content, 0) : undefined;
  const parts = body?.tag === tags.sequence ? elements(body.content, 5) : undefined;
  const [serial, , issuer] = parts?.[0]?.tag === tags.version ? parts.slice(1) : (parts ?? []);
  if (serial?.tag !== tags.integer || issuer?.tag !== tags.sequence) return undefined;
  return form(serialOf(serial.content), nameKey(issuer));
}

const gser = /^\s*\{\s*serialNumber\s+(-?\d{1,160})\s*,\s*issuer\s+(?:rdnSequence\s*:\s*)?"((?:[^"]|"")*)"\s*\}\s*$/i;
const older = /^\s*(-?\d{1,160})\s*\$(.*)$/s;

/** What a client asserts. */
export function certificateAssertion(octets: Uint8Array): string | undefined {
  if (octets[0] === tags.sequence) return certificateForm(octets);
  if (!isUtf8(octets)) return undefined;
  const text = Buffer.from(octets).toString('utf8');
  const exact = gser.exec(text);
  const match = exact ?? older.exec(text);
  if (!match) return undefined;
  try {
    const issuer = exact ? (match[2] ?? '').replaceAll('""', '"') : (match[2] ?? '');
    return form(BigInt(match[1] ?? '').toString(), parseDn(issuer).key);
  } catch {
    return undefined;
  }
}
