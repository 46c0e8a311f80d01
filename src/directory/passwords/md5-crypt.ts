/**
 * The old MD5 crypt (`$1$`), for checking imported passwords only. No kept library has it.
 *
 * Source: Poul-Henning Kamp's algorithm, as crypt(3) documents it
 */

import { createHash } from 'node:crypto';

const alphabet = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const md5 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('md5');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

function to64(value: number, length: number): string {
  let text = '';
  for (let left = value, n = 0; n < length; n++, left >>>= 6) text += alphabet[left & 0x3f];
  return text;
}

function firstDigest(password: Buffer, salt: Buffer): Buffer {
  const mixed = md5(password, salt, password);
  const parts = [password, Buffer.from('$1$'), salt];
  for (let left = password.length; left > 0; left -= 16) parts.push(mixed.subarray(0, Math.min(16, left)));
  for (let bits = password.length; bits > 0; bits >>>= 1) parts.push(bits & 1 ? Buffer.from([0]) : password.subarray(0, 1));
  return md5(...parts);
}

/** `$1$salt$…` of a password. */
export function md5Crypt(plain: string, saltText: string): string {
  const password = Buffer.from(plain);
  const salt = Buffer.from(saltText.slice(0, 8));
  let digest = firstDigest(password, salt);
  for (let round = 0; round < 1000; round++) {
    const parts: Buffer[] = [round & 1 ? password : digest];
    if (round % 3) parts.push(salt);
    if (round % 7) parts.push(password);
    parts.push(round & 1 ? digest : password);
    digest = md5(...parts);
  }
  const at = (n: number): number => digest[n] ?? 0;
  const groups = [
    [0, 6, 12],
    [1, 7, 13],
    [2, 8, 14],
    [3, 9, 15],
    [4, 10, 5],
  ];
  const text = groups.map(([a = 0, b = 0, c = 0]) => to64((at(a) << 16) | (at(b) << 8) | at(c), 4)).join('');
  return `$1$${salt.toString()}$${text}${to64(at(11), 2)}`;
}
