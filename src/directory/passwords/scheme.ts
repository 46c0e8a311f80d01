/**
 * The stored forms of a password: `{SCHEME}…`, and the SCRAM verifier this server stores itself.
 *
 * Promise: no work here depends on a password; hashing is hash.ts's business, on workers.
 * Spec: RFC 2307 §5.3, RFC 5803 §4, RFC 5802 §3
 */

import type { AttributeValue } from '../entry.ts';

/** `userPassword` (RFC 4519 §2.41), whatever name it is called by. */
export const passwordOid = '2.5.4.35';

export interface Stored {
  /** Upper-case: SCRAM-SHA-256, SSHA, CRYPT, PBKDF2-SHA256, ARGON2 … */
  readonly scheme: string;
  readonly rest: string;
}

export interface ScramVerifier {
  readonly iterations: number;
  readonly salt: Uint8Array;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

export const verifiable: readonly string[] = [
  ...['SCRAM-SHA-256', 'SHA', 'SSHA', 'SHA256', 'SSHA256', 'SHA384', 'SSHA384', 'SHA512', 'SSHA512', 'MD5', 'SMD5', 'CRYPT'],
  ...['PBKDF2', 'PBKDF2-SHA1', 'PBKDF2-SHA256', 'PBKDF2-SHA512', 'ARGON2', 'ARGON2I', 'ARGON2ID'],
];

export const passwordText = (value: AttributeValue): string => (typeof value === 'string' ? value : Buffer.from(value).toString('utf8'));

/** Undefined where the value is not in a stored form, so is a password in clear. */
export function storedPassword(value: AttributeValue): Stored | undefined {
  const match = /^\{([A-Za-z0-9-]{2,24})\}(.+)$/s.exec(passwordText(value));
  const scheme = match?.[1]?.toUpperCase();
  return scheme && verifiable.includes(scheme) ? { scheme, rest: match?.[2] ?? '' } : undefined;
}

const base64 = (octets: Uint8Array): string => Buffer.from(octets).toString('base64');

/** `{SCRAM-SHA-256}iterations:salt$StoredKey:ServerKey`, authInfo and authValue of RFC 5803. */
export function formatScram(verifier: ScramVerifier): string {
  return `{SCRAM-SHA-256}${verifier.iterations}:${base64(verifier.salt)}$${base64(verifier.storedKey)}:${base64(verifier.serverKey)}`;
}

/** What a SCRAM log-in needs of a stored password; undefined for other schemes. */
export function parseScram(value: AttributeValue): ScramVerifier | undefined {
  const stored = storedPassword(value);
  if (stored?.scheme !== 'SCRAM-SHA-256') return undefined;
  const match = /^(\d{1,8}):([A-Za-z0-9+/=]{4,200})\$([A-Za-z0-9+/=]{44}):([A-Za-z0-9+/=]{44})$/.exec(stored.rest);
  if (!match) return undefined;
  const octets = (n: number): Uint8Array => new Uint8Array(Buffer.from(match[n] ?? '', 'base64'));
  return { iterations: Number(match[1]), salt: octets(2), storedKey: octets(3), serverKey: octets(4) };
}
