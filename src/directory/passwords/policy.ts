/**
 * What the settings ask of passwords and accounts, as questions about an entry or a password in clear.
 *
 * Pure: nothing is stored or counted here. Attribute names and meanings are those of the LDAP password policy draft
 * (draft-behera-ldap-password-policy-10 §5.3); the policy itself is settings of `cn=directory`, one for all.
 */

import type { Entry } from '../entry.ts';
import { DirectoryFault, type PasswordPolicyError } from '../port.ts';
import { parseGeneralizedTime } from '../schema/time.ts';
import type { DirectorySettings } from '../settings.ts';

/** Locked by an administrator, until an administrator unlocks (draft §5.3.3). */
export const lockedForGood = '000001010000Z';
/** Passwords in one request, and of one entry: each costs a worker some milliseconds at every log-in. */
export const mostPasswords = 10;
const day = 86_400_000;
/** Shorter pieces of a name are in too many passwords by chance. */
const shortestPiece = 3;
const naming = new Set(['cn', 'sn', 'givenname', 'displayname', 'uid', 'mail', 'maillocaladdress', 'mtmailaddress']);

/** Whether the account is locked at this moment (milliseconds since 1970). */
export function isLocked(entry: Entry, settings: DirectorySettings, now: number): boolean {
  const since = entry.text('pwdAccountLockedTime');
  if (since === undefined) return false;
  const at = since === lockedForGood ? undefined : parseGeneralizedTime(since);
  return at === undefined || settings.lockoutSeconds === 0 || now < at + settings.lockoutSeconds * 1000;
}

/** Milliseconds since 1970 when the password expires; undefined for never. */
export function expiryOf(entry: Entry, settings: DirectorySettings): number | undefined {
  if (settings.passwordAge === 0) return undefined;
  const changed = parseGeneralizedTime(entry.text('pwdChangedTime') ?? '');
  return changed === undefined ? undefined : changed + settings.passwordAge * day;
}

/** Why the password is good for nothing but being changed; undefined where it is good. */
export function mustChange(entry: Entry, settings: DirectorySettings, now: number): 'reset' | 'expired' | undefined {
  if (entry.text('pwdReset') === 'TRUE') return 'reset';
  const expiry = expiryOf(entry, settings);
  return expiry !== undefined && expiry <= now ? 'expired' : undefined;
}

const refuse = (policy: PasswordPolicyError, say: string): never => {
  throw new DirectoryFault('constraintViolation', `attribute userPassword: ${say}`, { policy });
};

/** Refuses a new password that is too short, too plain, or part of whom it is for. DirectoryFault constraintViolation. */
export function checkQuality(clear: string, names: readonly string[], settings: DirectorySettings): void {
  const { minimumPassword, passwordClasses, passwordNotName } = settings;
  if ([...clear].length < minimumPassword) refuse('passwordTooShort', `a password has at least ${minimumPassword} characters`);
  if (classesIn(clear) < passwordClasses)
    refuse(
      'insufficientPasswordQuality',
      `a password has characters of at least ${passwordClasses} kinds (small letters, capital letters, digits, others)`,
    );
  if (!passwordNotName) return;
  const lower = clear.toLowerCase();
  if (names.some((name) => lower.includes(name)))
    refuse('insufficientPasswordQuality', 'a password does not contain the name or the address it is for');
}

/** Small letters, capital letters (letters without case count as small ones), digits, anything else. */
function classesIn(clear: string): number {
  return [/\p{Ll}|\p{Lo}|\p{Lm}/u, /\p{Lu}|\p{Lt}/u, /\p{N}/u, /[^\p{L}\p{N}]/u].filter((kind) => kind.test(clear)).length;
}

/** What must not be in a password for this entry, in lower case: names and addresses, whole and in their parts; not domains. */
export function namesOf(attributes: Iterable<{ readonly name: string; readonly values: readonly unknown[] }>): string[] {
  const found = new Set<string>();
  for (const { name, values } of attributes) {
    if (!naming.has(name.toLowerCase().split(';')[0] ?? '')) continue;
    for (const value of values) {
      if (typeof value !== 'string') continue;
      const lower = value.toLowerCase();
      const own = lower.split('@')[0] ?? '';
      for (const piece of [lower, own, ...own.split(/[^\p{L}\p{N}]+/u)]) if (piece.length >= shortestPiece) found.add(piece);
    }
  }
  return [...found];
}
