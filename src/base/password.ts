/** Passwords that the server makes up. */

import { randomInt } from 'node:crypto';

/** Without those that are taken for one another: l, o, I, O, 0, 1. */
const letters = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';

/** Letters and digits, unpredictable: some 5.8 bits each. */
export function generatePassword(length: number): string {
  return Array.from({ length }, () => letters[randomInt(letters.length)]).join('');
}
