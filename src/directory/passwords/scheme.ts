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

/** A verifier that asks for more is not used: it would keep a worker, or a client, busy for minutes. */
export const mostIterations = 10_000_000;

/** What can be checked. */
const verifiable = new Set([
  ...['SCRAM-SHA-256', 'SHA', 'SSHA', 'SHA256', 'SSHA256', 'SHA384', 'SSHA384', 'SHA512', 'SSHA512', 'MD5', 'SMD5', 'CRYPT'],
  ...['PBKDF2', 'PBKDF2-SHA1', 'PBKDF2-SHA256', 'PBKDF2-SHA512', 'ARGON2', 'ARGON2I', 'ARGON2ID'],
]);

/** Other names for the same, as Dovecot writes them. */
const aliases = new Map([
  ['SHA1', 'SHA'],
  ...['DES-CRYPT', 'MD5-CRYPT', 'SHA256-CRYPT', 'SHA512-CRYPT', 'BLF-CRYPT'].map((name) => [name, 'CRYPT'] as const),
]);

/** Schemes of other servers that cannot be checked here: kept as they are, they open nothing. */
const foreign = new Set([
  ...['SASL', 'KERBEROS', 'UNIX', 'LANMAN', 'NT', 'NTLM', 'MSNT', 'NS-MTA-MD5', 'CRAM-MD5', 'HMAC-MD5', 'DIGEST-MD5', 'OTP', 'SKEY'],
  ...[
    'SCRAM-SHA-1',
    'SCRAM-SHA-512',
    'PLAIN-MD4',
    'PLAIN-MD5',
    'PLAIN-TRUNC',
    'LDAP-MD5',
    'RPA',
    'TOTP1',
    'TOTP256',
    'TOTP512',
    'BSDCRYPT',
  ],
]);

/** What stands for no password at all in passwd and shadow files. */
const nothing = /^(?:|x|\*+|!+\*?|\*LK\*|NP|\*NP\*)$/;

export const passwordText = (value: AttributeValue): string => (typeof value === 'string' ? value : Buffer.from(value).toString('utf8'));

function schemeOf(text: string): Stored | undefined {
  const match = /^\{([A-Za-z0-9-]{2,24})\}(.*)$/s.exec(text);
  const name = match?.[1]?.toUpperCase();
  return name === undefined ? undefined : { scheme: aliases.get(name) ?? name, rest: match?.[2] ?? '' };
}

/** A stored form that can be checked; undefined for a password in clear, and for what opens nothing. */
export function storedPassword(value: AttributeValue): Stored | undefined {
  const stored = schemeOf(passwordText(value));
  return stored && verifiable.has(stored.scheme) && stored.rest !== '' ? stored : undefined;
}

/** Whether this is a stored form of any kind: nothing to make a verifier of. */
export function isStoredForm(value: AttributeValue): boolean {
  const scheme = schemeOf(passwordText(value))?.scheme;
  return scheme !== undefined && (verifiable.has(scheme) || foreign.has(scheme));
}

/** A password in clear without the scheme that says so. */
export const clearPassword = (value: AttributeValue): string => passwordText(value).replace(/^\{(?:CLEARTEXT|CLEAR|PLAIN)\}/i, '');

/** Whether this stands for no password at all where accounts come from. */
export const isNoPassword = (value: AttributeValue): boolean => nothing.test(passwordText(value));

const base64 = (octets: Uint8Array): string => Buffer.from(octets).toString('base64');

/** `{SCRAM-SHA-256}iterations:salt$StoredKey:ServerKey`, authInfo and authValue of RFC 5803. */
export function formatScram(verifier: ScramVerifier): string {
  return `{SCRAM-SHA-256}${verifier.iterations}:${base64(verifier.salt)}$${base64(verifier.storedKey)}:${base64(verifier.serverKey)}`;
}

/** What a SCRAM log-in needs of a stored password; undefined for other schemes. */
export function parseScram(value: AttributeValue): ScramVerifier | undefined {
  const stored = storedPassword(value);
  if (stored?.scheme !== 'SCRAM-SHA-256') return undefined;
  // RFC 5803 §3; Dovecot has commas.
  const match = /^(\d{1,8})[:,]([A-Za-z0-9+/=]{4,200})[$,]([A-Za-z0-9+/=]{44})[:,]([A-Za-z0-9+/=]{44})$/.exec(stored.rest);
  if (!match) return undefined;
  const octets = (n: number): Uint8Array => new Uint8Array(Buffer.from(match[n] ?? '', 'base64'));
  return { iterations: Number(match[1]), salt: octets(2), storedKey: octets(3), serverKey: octets(4) };
}
