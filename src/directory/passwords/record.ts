/**
 * What the server notes about a password beside it, in the transaction that changes it: when it changed, which ones came before,
 * and that it must be changed by its owner.
 *
 * Promise: former passwords are kept as verifiers that nobody can read, and only as many as the setting says.
 * Spec: draft-behera-ldap-password-policy-10 §5.3
 */

import type { Entry } from '../entry.ts';
import { DirectoryFault } from '../port.ts';
import { generalizedTime } from '../schema/time.ts';
import type { DirectorySettings } from '../settings.ts';
import type { Draft } from '../write/draft.ts';
import { mostPasswords } from './policy.ts';
import { passwordText, storedPassword } from './scheme.ts';

export interface PasswordChange {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Whether it was set by the owner, by somebody else, or came along with an entry that the server took in. */
  readonly by: 'owner' | 'somebody' | 'import';
  readonly settings: DirectorySettings;
}

const octetString = '1.3.6.1.4.1.1466.115.121.1.40';

/** Notes a change of the password, where there was one. */
export function notePassword(draft: Draft, before: Entry | undefined, { at, by, settings }: PasswordChange): void {
  const now = draft.values('userPassword').map(passwordText);
  const then = before?.values('userPassword').map(passwordText) ?? [];
  const fresh = now.filter((value) => !then.includes(value));
  const gone = then.filter((value) => !now.includes(value));
  if (fresh.length === 0 && gone.length === 0) return;
  if (fresh.length > 0 && now.length > mostPasswords && by !== 'import')
    throw new DirectoryFault('constraintViolation', `attribute userPassword: an entry has at most ${mostPasswords} passwords`);
  // What comes with an entry from elsewhere is kept as it came.
  if (!before && draft.has('pwdChangedTime')) return;
  const time = generalizedTime(at);
  draft.set('pwdChangedTime', now.length > 0 ? [time] : []);
  const former = remembered(draft, gone, time, settings.passwordHistory);
  draft.set(
    'pwdHistory',
    former.map((value) => new Uint8Array(Buffer.from(value))),
  );
  if (fresh.length === 0) return;
  // A new password makes a new start (draft §7.8).
  draft.set('pwdAccountLockedTime', []);
  if (by === 'owner') draft.set('pwdReset', []);
  else if (by === 'somebody' && settings.passwordChangeAfterReset) draft.set('pwdReset', ['TRUE']);
}

function remembered(draft: Draft, gone: readonly string[], time: string, most: number): string[] {
  if (most === 0) return [];
  const former = draft.values('pwdHistory').map(passwordText);
  for (const value of gone) if (storedPassword(value)) former.push(`${time}#${octetString}#${Buffer.byteLength(value)}#${value}`);
  const timeOf = (value: string): string => value.slice(0, value.indexOf('#'));
  return former.sort((a, b) => (timeOf(a) < timeOf(b) ? -1 : timeOf(a) > timeOf(b) ? 1 : 0)).slice(-most);
}

/** The stored forms of former passwords. */
export function formerPasswords(entry: Entry): string[] {
  return entry.values('pwdHistory').flatMap((value) => {
    const [, , length, ...rest] = passwordText(value).split('#');
    const stored = rest.join('#');
    return Number(length) === Buffer.byteLength(stored) ? [stored] : [];
  });
}
