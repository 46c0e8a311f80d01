/**
 * Whether a client may send to other hosts through us.
 *
 * Source: manual chapter 3, "Allow/Deny Mail Relaying by default"; checklist SMTPD-04
 */

import { ipSet } from '../../base/index.ts';
import { type Asker, type Rule, setting } from './refusal.ts';

/** The rule that is against it; undefined: it may. */
export function relayRule(session: Asker): Rule | undefined {
  const { settings, address, user } = session;
  if (!settings.rejectRemoteRecipients || (user && settings.relayForAuthenticated)) return undefined;
  if (settings.relayDefault === 'allow') {
    const entry = ipSet(settings.relayDeny).match(address);
    return entry === undefined ? undefined : setting(session, 'mtSmtpdRelayDeny', entry);
  }
  if (ipSet(settings.relayAllow).match(address) !== undefined) return undefined;
  return user ? setting(session, 'mtSmtpdRelayForAuthenticated') : setting(session, 'mtSmtpdRelayDefault');
}

/** The rule by which a client without a log-in may. To be asked where `relayRule` has nothing against it. */
export function relayLeave(session: Asker): Rule {
  const { settings, address } = session;
  if (!settings.rejectRemoteRecipients) return setting(session, 'mtSmtpdRejectRemoteRecipients');
  if (settings.relayDefault === 'allow') return setting(session, 'mtSmtpdRelayDefault');
  return setting(session, 'mtSmtpdRelayAllow', ipSet(settings.relayAllow).match(address));
}
