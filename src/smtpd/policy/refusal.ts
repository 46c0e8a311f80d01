/**
 * Refusals by policy: a short reply for the client, and for the log which rule it was.
 *
 * A rule is named by where an administrator finds it: a setting and its entry, or the entry itself.
 */

import { noteRefused } from '../refused.ts';
import type { Outcome, Session, SmtpdSettings } from '../session.ts';

export interface Rule {
  /** Attribute of the setting. */
  readonly rule: string;
  /** Where it stands: `mtSmtpdRelayDefault of cn=smtpd,cn=mailtree`, or the name of an entry. */
  readonly why: string;
  readonly recipient?: string;
  /** Where the transaction does not have it yet. */
  readonly sender?: string;
}

/** Whoever asks a rule that looks at the address and the log-in alone: a session, or an administrator who wants to know. */
export type Asker = Pick<Session, 'settings' | 'address' | 'user'> & { readonly house: Pick<Session['house'], 'settingsEntry'> };

/** The setting of cn=smtpd by its LDAP attribute; `entry` says which of its values it was. */
export function setting(session: Pick<Asker, 'house'>, attribute: string, entry?: string): Rule {
  return { rule: attribute, why: `${attribute}${entry === undefined ? '' : ` (${entry})`} of ${session.house.settingsEntry}` };
}

export const refused = (code: number, status: string, text: string, rule: Rule): Outcome => ({ reply: { code, status, text }, rule });

type CodeSetting = { [K in keyof SmtpdSettings]: SmtpdSettings[K] extends 'permanent' | 'temporary' ? K : never }[keyof SmtpdSettings];

/** With the code that the administrator has chosen for this rule. */
export function refusedAs(
  session: Session,
  choice: CodeSetting,
  codes: { readonly permanent: number; readonly temporary: number; readonly detail: string },
  text: string,
  rule: Rule,
): Outcome {
  const { settings } = session;
  return settings[choice] === 'temporary'
    ? refused(codes.temporary, `4.${codes.detail}`, text, rule)
    : refused(codes.permanent, `5.${codes.detail}`, text, rule);
}

/** Logs and counts a refusal. `recipients`: of the transaction, where the refusal is of the message. */
export function noteOutcome(session: Session, { reply, rule }: Outcome, recipients: readonly string[] = []): void {
  if (!rule) return;
  noteRefused(session, {
    rule: rule.rule,
    why: rule.why,
    recipients: rule.recipient === undefined ? recipients : [rule.recipient],
    reply,
    ...(rule.sender === undefined ? {} : { sender: rule.sender }),
  });
}
