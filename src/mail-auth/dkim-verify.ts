/**
 * One signature of a message: reading it, and saying whether it holds.
 *
 * Serves DKIM-Signature and ARC-Message-Signature, which are the same but for a few tags. Bodies are hashed while they pass by
 * (`BodyHash`), keys are asked for by who calls.
 *
 * Promise: whatever a field says, the answer is a result with a reason.
 * Spec: RFC 6376 §3.5, §6.1; RFC 8301 (SHA-1 and short keys do not count); RFC 8463; RFC 8601 §2.7.1 (the words for results)
 */

import { createHash, verify } from 'node:crypto';
import { normalizeDomain } from '../mail/index.ts';
import { type BodyHash, type Canonical, canonicalField } from './canonical.ts';
import { type KeyType, type PublicKey, readKeyRecord } from './dkim-key.ts';
import type { Field } from './header.ts';
import type { Lookup } from './resolver.ts';
import { parseTags, trimmed, unfolded, withoutSignature } from './tags.ts';

export type DkimResult = 'pass' | 'fail' | 'policy' | 'neutral' | 'temperror' | 'permerror';

/** What a signature says of itself; as far as it can be read. */
export interface Claims {
  /** A-labels, lower case. */
  readonly domain: string;
  readonly selector: string;
  readonly algorithm: string;
  /** Beginning of the signature, by which RFC 6008 tells several of one domain apart. */
  readonly start: string;
}

export interface Verdict {
  readonly result: DkimResult;
  readonly reason?: string;
}

export interface Signature extends Claims {
  readonly kind: 'dkim' | 'ams';
  readonly type: KeyType;
  readonly header: Canonical;
  readonly body: Canonical;
  readonly bodyLimit: number | undefined;
  readonly bodyHash: string;
  readonly names: readonly string[];
  /** Domain of the signing identity (i=). */
  readonly identity: string;
  readonly bytes: Buffer;
  readonly field: Field;
  /** Seconds since 1970. */
  readonly expires: number | undefined;
}

export const isVerdict = (read: Signature | (Claims & Verdict)): read is Claims & Verdict => 'result' in read;

const mostNames = 500;

/** A signature, or why it is none. `kind` ams: ARC-Message-Signature. */
export function readSignature(field: Field, kind: 'dkim' | 'ams'): Signature | (Claims & Verdict) {
  const tags = parseTags(field.raw.slice(field.raw.indexOf(':') + 1));
  const tag = (name: string): string => tags?.get(name) ?? '';
  const claims: Claims = {
    domain: normalizeDomain(tag('d').replace(/\.$/, '')) ?? '',
    selector: normalizeDomain(tag('s')) ?? '',
    algorithm: tag('a').toLowerCase(),
    start: unfolded(tag('b')).slice(0, 8),
  };
  const not = (result: DkimResult, reason: string): Claims & Verdict => ({ ...claims, result, reason });
  if (!tags) return not('neutral', 'the signature is no tag list');
  if (kind === 'dkim' && tag('v') !== '1') return not('neutral', 'the signature is of another version');
  for (const name of ['a', 'b', 'bh', 'd', 'h', 's']) if (tag(name) === '') return not('permerror', `the signature has no ${name}=`);
  if (claims.domain === '' || claims.selector === '') return not('permerror', 'the signature has no usable domain or selector');
  if (claims.algorithm === 'rsa-sha1') return not('policy', 'SHA-1 does not count any more');
  const type = claims.algorithm === 'rsa-sha256' ? 'rsa' : claims.algorithm === 'ed25519-sha256' ? 'ed25519' : undefined;
  if (!type) return not('neutral', 'the algorithm is unknown');
  const [header = '', body = 'simple'] = (tag('c') === '' ? (kind === 'ams' ? 'relaxed/relaxed' : 'simple') : tag('c'))
    .toLowerCase()
    .split('/');
  if (!isCanonical(header) || !isCanonical(body)) return not('neutral', 'the canonicalization is unknown');
  const query = tags.get('q');
  if (query !== undefined && !query.split(':').some((one) => unfolded(one).toLowerCase() === 'dns/txt'))
    return not('neutral', 'keys are not in the DNS');
  const names = tag('h')
    .split(':', mostNames + 1)
    .map((name) => trimmed(name).toLowerCase());
  if (names.length > mostNames) return not('policy', 'too many fields are signed');
  if (kind === 'dkim' && !names.includes('from')) return not('permerror', 'From is not signed');
  if (kind === 'ams' && names.includes('arc-seal')) return not('permerror', 'ARC-Seal is signed');
  const at = tag('i').lastIndexOf('@');
  const identity = tags.has('i') && kind === 'dkim' ? (normalizeDomain(tag('i').slice(at + 1)) ?? '') : claims.domain;
  if (identity !== claims.domain && !identity.endsWith(`.${claims.domain}`)) return not('permerror', 'i= is not within d=');
  const numbers = ['t', 'x', 'l'].map((name) => tags.get(name));
  if (numbers.some((value) => value !== undefined && !/^\d{1,76}$/.test(value))) return not('neutral', 't=, x= or l= is no number');
  const [signed, expires, bodyLimit] = numbers.map((value) => (value === undefined ? undefined : Number(value)));
  if (signed !== undefined && expires !== undefined && expires < signed) return not('neutral', 'x= is before t=');
  const bytes = Buffer.from(unfolded(tag('b')), 'base64');
  return { ...claims, kind, type, header, body, bodyLimit, bodyHash: unfolded(tag('bh')), names, identity, bytes, field, expires };
}

const isCanonical = (text: string): text is Canonical => text === 'simple' || text === 'relaxed';

/** What the DNS says of a signature's key. */
export async function keyOf(claims: Pick<Claims, 'domain' | 'selector'>, lookup: Pick<Lookup, 'txt'>): Promise<PublicKey | Verdict> {
  const answer = await lookup.txt(`${claims.selector}._domainkey.${claims.domain}`);
  if (answer.outcome === 'temporary') return { result: 'temperror', reason: 'the key could not be looked up' };
  if (answer.outcome !== 'found') return { result: 'permerror', reason: 'there is no such key' };
  let wrong: string | undefined;
  for (const record of answer.records.slice(0, 10)) {
    const read = readKeyRecord(record);
    if (typeof read !== 'string') return read;
    wrong ??= read;
  }
  return { result: 'permerror', reason: wrong ?? 'there is no such key' };
}

export const isKey = (key: PublicKey | Verdict): key is PublicKey => 'key' in key;

export interface Rules {
  /** RSA keys with fewer do not count. */
  readonly minBits: number;
  /** Whether a signature counts that leaves out the end of the body. */
  readonly partial: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Whether it holds, all being known. */
export function judge(
  signature: Signature,
  key: PublicKey | Verdict,
  body: ReturnType<BodyHash['end']>,
  fields: FieldsByName,
  rules: Rules,
): Verdict {
  if (signature.expires !== undefined && signature.expires * 1_000 < rules.now)
    return { result: 'fail', reason: 'the signature has expired' };
  if (signature.bodyLimit !== undefined && signature.bodyLimit > body.length)
    return { result: 'fail', reason: 'the body is shorter than l= says' };
  if (signature.bodyHash !== body.hash) return { result: 'fail', reason: 'the body was changed' };
  // RFC 6376 §8.15: a reader is shown the first of several, and a signature of one is made over the last.
  if (signature.kind === 'dkim' && (fields.get('from')?.length ?? 0) > signature.names.filter((name) => name === 'from').length)
    return { result: 'policy', reason: 'not every From field is signed' };
  if (!isKey(key)) return key;
  if (key.type !== signature.type) return { result: 'permerror', reason: 'the key is of another type' };
  if (key.type === 'rsa' && key.bits < rules.minBits) return { result: 'policy', reason: `a key of ${key.bits} bits is too short` };
  if (key.strict && signature.identity !== signature.domain) return { result: 'permerror', reason: 'the key is not for sub-domains' };
  if (!holds(signature.type, signedText(signature, fields), key, signature.bytes))
    return { result: 'fail', reason: 'the header was changed' };
  const over = signature.bodyLimit === undefined ? 0 : body.length - signature.bodyLimit;
  if (over > 0 && !rules.partial) return { result: 'policy', reason: `${over} octets of the body are not signed` };
  return key.testing ? { result: 'pass', reason: 'the domain tests DKIM' } : { result: 'pass' };
}

export function holds(type: KeyType, text: string, { key }: PublicKey, signature: Buffer): boolean {
  const bytes = Buffer.from(text, 'latin1');
  try {
    // RFC 8463 §3: Ed25519 signs the hash.
    return type === 'rsa'
      ? verify('sha256', bytes, key, signature)
      : verify(null, createHash('sha256').update(bytes).digest(), key, signature);
  } catch {
    return false;
  }
}

export type FieldsByName = ReadonlyMap<string, readonly Field[]>;

export function byName(fields: readonly Field[]): FieldsByName {
  const map = new Map<string, Field[]>();
  for (const field of fields) {
    const there = map.get(field.name);
    if (there) there.push(field);
    else map.set(field.name, [field]);
  }
  return map;
}

/** RFC 6376 §3.7, §5.4.2: of several of one name the last first; a name with no field left adds nothing. */
function signedText(signature: Signature, fields: FieldsByName): string {
  return `${selectedText(signature.names, fields, signature.header)}${canonicalField(withoutSignature(signature.field.raw), signature.header)}`;
}

export function selectedText(names: readonly string[], fields: FieldsByName, form: Canonical): string {
  const taken = new Map<string, number>();
  let text = '';
  for (const name of names) {
    const these = fields.get(name) ?? [];
    const n = (taken.get(name) ?? 0) + 1;
    taken.set(name, n);
    const field = these[these.length - n];
    if (field) text += `${canonicalField(field.raw, form)}\r\n`;
  }
  return text;
}
