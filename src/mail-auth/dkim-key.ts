/**
 * Keys of DKIM: making one, what the DNS says of it, and reading what the DNS says of others'.
 *
 * Promise: rubbish in a record is a reason, never an exception; keys that were read are remembered, within a bound.
 * Spec: RFC 6376 §3.6.1; RFC 8301 (key sizes); RFC 8463 (Ed25519)
 */

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { Lru } from '../base/index.ts';
import { parseTags, unfolded } from './tags.ts';

export const keyTypes = ['rsa', 'ed25519'] as const;
export type KeyType = (typeof keyTypes)[number];

export interface PublicKey {
  readonly type: KeyType;
  readonly key: KeyObject;
  /** Of an RSA key's modulus; 256 for Ed25519. */
  readonly bits: number;
  /** t=y: the domain is trying DKIM out. */
  readonly testing: boolean;
  /** t=s: the signing identity is of exactly this domain. */
  readonly strict: boolean;
}

/** A longer modulus takes too long to verify with, and nobody has one. */
const mostBits = 8_192;
const longestRecord = 8_192;

const known = new Lru<string, PublicKey | string>(1_000);

/** The key in a TXT record, or what is wrong with it. */
export function readKeyRecord(text: string): PublicKey | string {
  if (text.length > longestRecord) return 'the key record is too long';
  const before = known.get(text);
  if (before !== undefined) return before;
  const read = readRecord(text);
  known.set(text, read);
  return read;
}

function readRecord(text: string): PublicKey | string {
  const tags = parseTags(text);
  if (!tags) return 'the key record cannot be read';
  const version = tags.get('v');
  if (version !== undefined && (version !== 'DKIM1' || [...tags.keys()][0] !== 'v')) return 'the key record is of another version';
  const type = (tags.get('k') ?? 'rsa').toLowerCase();
  if (type !== 'rsa' && type !== 'ed25519') return 'the key is of an unknown type';
  if (!allows(tags.get('h'), 'sha256')) return 'the key is for other hashes';
  if (!allows(tags.get('s'), 'email') && !allows(tags.get('s'), '*')) return 'the key is not for mail';
  const data = tags.get('p');
  if (data === undefined) return 'the key record has no key';
  if (data === '') return 'the key was revoked';
  const key = readPublic(type, unfolded(data));
  if (!key) return 'the key cannot be read';
  const bits = type === 'rsa' ? (key.asymmetricKeyDetails?.modulusLength ?? 0) : 256;
  if (bits > mostBits) return 'the key is too long';
  const flags = (tags.get('t') ?? '').split(':').map(unfolded);
  return { type, key, bits, testing: flags.includes('y'), strict: flags.includes('s') };
}

/** A list with colons that is not there allows everything. */
function allows(list: string | undefined, what: string): boolean {
  return list === undefined || list.split(':').some((one) => unfolded(one).toLowerCase() === what);
}

/** RFC 6376 says RSAPublicKey and shows SubjectPublicKeyInfo; both are about. RFC 8463: the 32 octets themselves. */
function readPublic(type: KeyType, data: string): KeyObject | undefined {
  if (!/^[A-Za-z0-9+/]+=*$/.test(data)) return undefined;
  const der = Buffer.from(data, 'base64');
  const forms: Parameters<typeof createPublicKey>[0][] =
    type === 'ed25519' && der.length === 32
      ? [{ key: Buffer.concat([edHead, der]), format: 'der', type: 'spki' }]
      : [{ key: der, format: 'der', type: 'spki' }, ...(type === 'rsa' ? [{ key: der, format: 'der', type: 'pkcs1' } as const] : [])];
  for (const form of forms) {
    try {
      const key = createPublicKey(form);
      if (key.asymmetricKeyType === type) return key;
    } catch {
      // Perhaps the other form.
    }
  }
  return undefined;
}

const edHead = Buffer.from('302a300506032b6570032100', 'hex');

export interface MadeKey {
  readonly type: KeyType;
  /** PKCS #8, DER in base64. */
  readonly privateKey: string;
  /** What stands behind `p=`. */
  readonly publicKey: string;
}

/** A new key. `bits` is RSA's. */
export function makeKey(type: KeyType, bits = 2_048): MadeKey {
  const { privateKey } = type === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: bits }) : generateKeyPairSync('ed25519');
  return { type, ...bothOf(privateKey) };
}

function bothOf(key: KeyObject): { privateKey: string; publicKey: string } {
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return {
    privateKey: key.export({ format: 'der', type: 'pkcs8' }).toString('base64'),
    publicKey: (key.asymmetricKeyType === 'ed25519' ? spki.subarray(edHead.length) : spki).toString('base64'),
  };
}

/** The same of a key from elsewhere, in PEM; undefined where it is none that DKIM knows. */
export function importKey(pem: string): MadeKey | undefined {
  try {
    const key = createPrivateKey(pem);
    const type = keyTypes.find((one) => one === key.asymmetricKeyType);
    return type && { type, ...bothOf(key) };
  } catch {
    return undefined;
  }
}

/** What was kept of a key: PKCS #8, DER in base64. Throws where it is none. */
export function readPrivateKey(text: string): KeyObject {
  return createPrivateKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'pkcs8' });
}

/** The TXT record's text. */
export function keyRecord(key: Pick<MadeKey, 'type' | 'publicKey'>): string {
  return `v=DKIM1; k=${key.type}; p=${key.publicKey}`;
}

/** As a zone file has it: strings of at most 255 octets. RFC 1035 §3.3.14, RFC 6376 §3.6.2.2 */
export function zoneStrings(text: string): string {
  const strings = (text.match(/.{1,255}/gs) ?? ['']).map((one) => `"${one.replace(/["\\]/g, '\\$&')}"`);
  return strings.length === 1 ? (strings[0] ?? '""') : `( ${strings.join('\n    ')} )`;
}
