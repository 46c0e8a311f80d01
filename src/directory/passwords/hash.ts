/**
 * Checking a password against a stored form, and making a verifier. Heavy on purpose: runs on workers (hash-worker.ts).
 *
 * Promise: the work an imported hash may ask for has a bound, so that one entry cannot keep a worker busy for minutes.
 * Spec: RFC 5802 §3, RFC 2307 §5.3, RFC 8018 (PBKDF2), RFC 9106 (Argon2)
 */

import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';
import { saslprep } from '../../base/index.ts';
import { desCrypt } from './des-crypt.ts';
import { md5Crypt } from './md5-crypt.ts';
import { formatScram, mostIterations, parseScram, storedPassword } from './scheme.ts';

const mostRounds = 5_000_000;
const mostBcryptCost = 15;
const mostArgonMemory = 262_144;
const mostArgonTime = 64;

const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b);
const hmac = (key: Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const sha256 = (octets: Uint8Array): Buffer => createHash('sha256').update(octets).digest();

/** A SCRAM-SHA-256 verifier with a fresh salt. */
export function deriveVerifier(password: string, iterations: number): string {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(saslprep(password), salt, iterations, 32, 'sha256');
  return formatScram({ iterations, salt, storedKey: sha256(hmac(salted, 'Client Key')), serverKey: hmac(salted, 'Server Key') });
}

function checkScram(password: string, value: string): boolean {
  const verifier = parseScram(value);
  if (!verifier || verifier.iterations < 1 || verifier.iterations > mostIterations) return false;
  const salted = pbkdf2Sync(saslprep(password), verifier.salt, verifier.iterations, 32, 'sha256');
  return equal(sha256(hmac(salted, 'Client Key')), verifier.storedKey);
}

const digests: Readonly<Record<string, string>> = {
  SHA: 'sha1',
  SSHA: 'sha1',
  SHA256: 'sha256',
  SSHA256: 'sha256',
  SHA384: 'sha384',
  SSHA384: 'sha384',
  SHA512: 'sha512',
  SSHA512: 'sha512',
  MD5: 'md5',
  SMD5: 'md5',
};

function checkDigest(password: string, algorithm: string, rest: string): boolean {
  const octets = Buffer.from(rest, 'base64');
  const digest = createHash(algorithm).update(password);
  const length = createHash(algorithm).digest().length;
  if (octets.length < length) return false;
  return equal(digest.update(octets.subarray(length)).digest(), octets.subarray(0, length));
}

/** `$1$salt$iterations$hash`, as Dovecot has it: SHA-1, hash in hexadecimal digits. */
function checkDovecotPbkdf2(password: string, rest: string): boolean {
  const [, , salt = '', count, hash = ''] = rest.split('$');
  const iterations = Number(count);
  if (!Number.isInteger(iterations) || iterations < 1 || iterations > mostIterations || !/^[0-9a-f]{40}$/i.test(hash)) return false;
  return equal(pbkdf2Sync(password, salt, iterations, 20, 'sha1'), Buffer.from(hash, 'hex'));
}

/** `iterations$salt$hash` in the base64 of passlib, where `.` stands for `+`. */
function checkPbkdf2(password: string, scheme: string, rest: string): boolean {
  if (scheme === 'PBKDF2' && rest.startsWith('$1$')) return checkDovecotPbkdf2(password, rest);
  const [count, salt, hash] = rest.split('$');
  const iterations = Number(count);
  if (!salt || !hash || !Number.isInteger(iterations) || iterations < 1 || iterations > mostIterations) return false;
  const decode = (text: string): Buffer => Buffer.from(text.replaceAll('.', '+'), 'base64');
  const algorithm = scheme === 'PBKDF2' ? 'sha1' : scheme.slice('PBKDF2-'.length).toLowerCase();
  const wanted = decode(hash);
  if (wanted.length < 16 || wanted.length > 128) return false;
  return equal(pbkdf2Sync(password, decode(salt), iterations, wanted.length, algorithm), wanted);
}

// The libraries of imported forms are loaded by the first password that needs one: most servers never do.

async function checkCrypt(password: string, rest: string): Promise<boolean> {
  const bcrypt = /^\$2[abxy]\$(\d\d)\$/.exec(rest);
  if (bcrypt) {
    if (Number(bcrypt[1]) > mostBcryptCost || password.length === 0) return false;
    const { bcryptVerify } = await import('hash-wasm');
    return bcryptVerify({ password, hash: rest.replace(/^\$2[xy]/, '$2b') });
  }
  if (/^\$[56]\$/.test(rest)) {
    const rounds = /^\$[56]\$rounds=(\d+)\$/.exec(rest);
    if (rounds && Number(rounds[1]) > mostRounds) return false;
    const { verify } = await import('unixcrypt');
    return verify(password, rest);
  }
  const des = /^([./0-9A-Za-z]{2})[./0-9A-Za-z]{11}$/.exec(rest);
  if (des) return equal(Buffer.from(desCrypt(password, des[1] ?? '')), Buffer.from(rest));
  const md5 = /^\$1\$([^$]{0,8})\$[./0-9A-Za-z]{22}$/.exec(rest);
  return md5 !== null && equal(Buffer.from(md5Crypt(password, md5[1] ?? '')), Buffer.from(rest));
}

async function checkArgon2(password: string, rest: string): Promise<boolean> {
  const match = /^\$argon2(?:id|i|d)\$v=\d+\$m=(\d+),t=(\d+),p=(\d+)\$/.exec(rest);
  if (!match || Number(match[1]) > mostArgonMemory || Number(match[2]) > mostArgonTime || Number(match[3]) > 16) return false;
  if (password.length === 0) return false;
  const { argon2Verify } = await import('hash-wasm');
  return argon2Verify({ password, hash: rest });
}

/** Whether this is the password. Anything that cannot be understood is not. */
export async function checkPassword(password: string, value: string): Promise<boolean> {
  const stored = storedPassword(value);
  if (!stored) return false;
  const { scheme, rest } = stored;
  const digest = digests[scheme];
  try {
    if (scheme === 'SCRAM-SHA-256') return checkScram(password, value);
    if (digest) return checkDigest(password, digest, rest);
    if (scheme === 'CRYPT') return await checkCrypt(password, rest);
    if (scheme.startsWith('PBKDF2')) return checkPbkdf2(password, scheme, rest);
    return await checkArgon2(password, rest);
  } catch {
    return false;
  }
}
