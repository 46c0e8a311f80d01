/**
 * The first crypt(3): DES with a salt of two letters, for checking imported passwords only. Not safe, hence replaced at the next log-in.
 *
 * Bits are numbers 0 and 1 in arrays, as in the original: one check costs some milliseconds, which is what it is for.
 * Source: FIPS 46-3 (tables), the crypt function of Seventh Edition Unix
 */

const alphabet = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const numbers = (text: string): number[] => text.split(' ').map(Number);

const initial = numbers(
  '58 50 42 34 26 18 10 2 60 52 44 36 28 20 12 4 62 54 46 38 30 22 14 6 64 56 48 40 32 24 16 8 57 49 41 33 25 17 9 1 59 51 43 35 27 19 11 3 61 53 45 37 29 21 13 5 63 55 47 39 31 23 15 7',
);
const final = numbers(
  '40 8 48 16 56 24 64 32 39 7 47 15 55 23 63 31 38 6 46 14 54 22 62 30 37 5 45 13 53 21 61 29 36 4 44 12 52 20 60 28 35 3 43 11 51 19 59 27 34 2 42 10 50 18 58 26 33 1 41 9 49 17 57 25',
);
const halves = numbers(
  '57 49 41 33 25 17 9 1 58 50 42 34 26 18 10 2 59 51 43 35 27 19 11 3 60 52 44 36 63 55 47 39 31 23 15 7 62 54 46 38 30 22 14 6 61 53 45 37 29 21 13 5 28 20 12 4',
);
const roundKey = numbers(
  '14 17 11 24 1 5 3 28 15 6 21 10 23 19 12 4 26 8 16 7 27 20 13 2 41 52 31 37 47 55 30 40 51 45 33 48 44 49 39 56 34 53 46 42 50 36 29 32',
);
const shifts = numbers('1 1 2 2 2 2 2 2 1 2 2 2 2 2 2 1');
const expansion = numbers(
  '32 1 2 3 4 5 4 5 6 7 8 9 8 9 10 11 12 13 12 13 14 15 16 17 16 17 18 19 20 21 20 21 22 23 24 25 24 25 26 27 28 29 28 29 30 31 32 1',
);
const permutation = numbers('16 7 20 21 29 12 28 17 1 15 23 26 5 18 31 10 2 8 24 14 32 27 3 9 19 13 30 6 22 11 4 25');
/** Each box as four rows of sixteen hexadecimal digits. */
const boxes = [
  'e4d12fb83a6c59070f74e2d1a6cb953841e8d62bfc973a50fc8249175b3ea06d',
  'f18e6b34972dc05a3d47f28ec01a69b50e7ba4d158c6932fd8a13f42b67c05e9',
  'a09e63f51dc7b428d709346a285ecbf1d6498f30b12c5ae71ad069874fe3b52c',
  '7de3069a1285bc4fd8b56f03472c1ae9a690cb7df13e52843f06a1d8945bc72e',
  '2c417ab6853fd0e9eb2c47d150fa3986421bad78f9c5630eb8c71e2d6f09a453',
  'c1af92680d34e75baf427c9561de0b389ef528c3704a1db6432c95fabe17608d',
  '4b2ef08d3c975a61d0b7491ae35c2f8614bdc37eaf6805926bd814a7950fe23c',
  'd2846fb1a93e50c71fd8a374c56b0e927b419ce206adf35821e74a8dfc90356b',
].map((box) => Array.from(box, (digit) => Number.parseInt(digit, 16)));

type Bits = readonly number[];
const pick = (bits: Bits, places: readonly number[]): number[] => places.map((place) => bits[place - 1] ?? 0);
const rotate = (bits: Bits, by: number): number[] => [...bits.slice(by), ...bits.slice(0, by)];

/** The sixteen keys of the rounds, from seven bits of each of the first eight characters. */
function keysOf(password: Buffer): Bits[] {
  const bits = Array.from({ length: 64 }, (_, n) => (n % 8 === 7 ? 0 : ((password[n >> 3] ?? 0) >> (6 - (n % 8))) & 1));
  const key = pick(bits, [...halves]);
  let [left, right] = [key.slice(0, 28), key.slice(28)];
  return shifts.map((by) => {
    left = rotate(left, by);
    right = rotate(right, by);
    return pick([...left, ...right], roundKey);
  });
}

function mixed(right: Bits, key: Bits, spread: readonly number[]): number[] {
  const bits = pick(right, spread).map((bit, n) => bit ^ (key[n] ?? 0));
  const out = boxes.flatMap((box, n) => {
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = bits.slice(6 * n, 6 * n + 6);
    const four = box[32 * a + 16 * f + 8 * b + 4 * c + 2 * d + e] ?? 0;
    return [(four >> 3) & 1, (four >> 2) & 1, (four >> 1) & 1, four & 1];
  });
  return pick(out, permutation);
}

function encrypt(block: Bits, keys: readonly Bits[], spread: readonly number[]): number[] {
  const start = pick(block, initial);
  let [left, right] = [start.slice(0, 32), start.slice(32)];
  for (const key of keys) {
    const next = mixed(right, key, spread).map((bit, n) => bit ^ (left[n] ?? 0));
    [left, right] = [right, next];
  }
  return pick([...right, ...left], final);
}

/** The salt exchanges places of the expansion, so that machines made for DES are of no use. */
function saltedExpansion(salt: string): number[] {
  const spread = [...expansion];
  for (const [n, letter] of [...salt].entries()) {
    const value = alphabet.indexOf(letter);
    for (let bit = 0; bit < 6; bit++) {
      const place = 6 * n + bit;
      if ((value >> bit) & 1) [spread[place], spread[place + 24]] = [spread[place + 24] ?? 0, spread[place] ?? 0];
    }
  }
  return spread;
}

/** The thirteen characters of a password with this salt (two characters of `./0-9A-Za-z`). */
export function desCrypt(plain: string, salt: string): string {
  const keys = keysOf(Buffer.from(plain));
  const spread = saltedExpansion(salt);
  let block: number[] = Array.from({ length: 64 }, () => 0);
  for (let round = 0; round < 25; round++) block = encrypt(block, keys, spread);
  const bits = [...block, 0, 0];
  const letters = Array.from(
    { length: 11 },
    (_, n) => alphabet[bits.slice(6 * n, 6 * n + 6).reduce((value, bit) => 2 * value + bit, 0)] ?? '',
  );
  return salt + letters.join('');
}
