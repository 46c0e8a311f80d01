/** Passwords that the server makes up. */

import { randomInt } from 'node:crypto';

/** Without those that are taken for one another: l, o, I, O, 0, 1. */
const kinds = ['abcdefghijkmnpqrstuvwxyz', 'ABCDEFGHJKLMNPQRSTUVWXYZ', '23456789'] as const;
const letters = kinds.join('');

/** Letters and digits around one hyphen, unpredictable: some 5.8 bits each. Has characters of every kind that a policy may ask for. */
export function generatePassword(length: number): string {
  for (;;) {
    const made = Array.from({ length }, (_, n) => (n === length >> 1 ? '-' : letters[randomInt(letters.length)]));
    if (length < 8 || kinds.every((kind) => made.some((letter) => kind.includes(letter ?? '')))) return made.join('');
  }
}
