/**
 * The password policy control: asked for, the answer says how long a password lives and which rule a refused one breaks.
 *
 * That an account is locked is never said: it would tell a stranger that it exists.
 * Spec: draft-behera-ldap-password-policy-10 §6
 */

import { type Actor, DirectoryFault, type Login, type PasswordPolicyError, passwordPolicyErrors } from '../../directory/index.ts';
import { BerWriter, type Control } from '../../ldap-wire/index.ts';
import { bare } from './control.ts';

export const passwordPolicy = bare('1.3.6.1.4.1.42.2.27.8.5.1', 'password policy', 'draft-behera-ldap-password-policy-10 §6');

const context = { warning: 0xa0, error: 0x81, timeBeforeExpiration: 0x80 } as const;
const longest = 0x7fffffff;
/** Clients show the warning at every log-in: it begins a fortnight ahead. */
const warnedAhead = 14 * 86_400;

/** The control of an answer, where the request asked for it. `actor` is who has just logged in, `thrown` why not. */
export function policyControls(asked: readonly Control[], actor: Actor | undefined, thrown: unknown): readonly Control[] {
  if (!asked.some(({ oid }) => oid === passwordPolicy.oid)) return [];
  const login: Partial<Login> = actor ?? {};
  const writer = new BerWriter(32);
  const begun = writer.begin();
  if (login.expiresIn !== undefined && login.expiresIn < warnedAhead) {
    const warning = writer.begin(context.warning);
    writer.integer(Math.min(Math.max(0, login.expiresIn), longest), context.timeBeforeExpiration).end(warning);
  }
  const error = errorOf(login, thrown);
  if (error) writer.integer(passwordPolicyErrors[error], context.error);
  return [{ oid: passwordPolicy.oid, critical: false, value: writer.end(begun).done() }];
}

function errorOf({ mustChange }: Partial<Login>, thrown: unknown): PasswordPolicyError | undefined {
  if (thrown instanceof DirectoryFault) return thrown.policy;
  if (!mustChange) return undefined;
  return mustChange === 'reset' ? 'changeAfterReset' : 'passwordExpired';
}
