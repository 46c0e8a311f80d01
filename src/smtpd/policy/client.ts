/**
 * May this host talk to us at all: connection control, rate of connections, reverse DNS.
 *
 * Promise: what cannot be looked up at the moment is put off, never refused for good. Names are compared as the DNS has them: aliases
 * (CNAME) of a name are not followed.
 * Source: manual chapter 3, "SMTP Connection Control"; checklist SMTPD-05, SMTPD-06. Spec: RFC 5321 §3.1 (554 as a greeting), RFC 7372 §3.3
 */

import { ipSet } from '../../base/index.ts';
import type { Outcome, Session } from '../session.ts';
import type { RateKind } from './rates.ts';
import { type Asker, type Rule, refused, refusedAs, setting } from './refusal.ts';

/** The rule of connection control that is against an address; undefined: it may come in. */
export function connectionRule(asker: Omit<Asker, 'user'>): Rule | undefined {
  const { settings, address } = asker;
  if (settings.connectionDefault === 'deny')
    return ipSet(settings.connectionAllow).match(address) === undefined ? setting(asker, 'mtSmtpdConnectionDefault') : undefined;
  const entry = ipSet(settings.connectionDeny).match(address);
  return entry === undefined ? undefined : setting(asker, 'mtSmtpdConnectionDeny', entry);
}

/** What a client is told instead of the greeting; undefined: it may come in. */
export function connectionRefusal(session: Session): Outcome | undefined {
  const { settings } = session;
  const rule = connectionRule(session);
  if (rule) {
    const codes = { permanent: 554, temporary: 421, detail: '7.1' };
    return refusedAs(session, 'connectionCode', codes, 'connections from your address are not allowed', rule);
  }
  if (withinRate(session, 'connections', settings.connectionsPerMinute)) return undefined;
  return refused(421, '4.7.0', 'too many connections from your address, try again later', setting(session, 'mtSmtpdConnectionsPerMinute'));
}

/** Counts one more; false where it is too many. */
export function withinRate({ settings, address, house }: Session, kind: RateKind, most: number): boolean {
  if (most === 0 || ipSet(settings.rateExempt).match(address) !== undefined) return true;
  return house.rates.take(kind, address, most, house.clock.now());
}

/** Judges the name given in HELO or EHLO by what the DNS says of the client's address. On the port for other servers alone. */
export async function helloRefusal(session: Session, helo: string): Promise<Outcome | undefined> {
  const { settings, address, house } = session;
  if (session.kind !== 'smtp' || !settings.reverseDns || !(settings.rejectUnresolvable || settings.rejectHeloMismatch)) return undefined;
  const names = await house.resolver.ptr(address);
  if (names.outcome === 'temporary') {
    const rule = setting(session, settings.rejectUnresolvable ? 'mtSmtpdRejectUnresolvable' : 'mtSmtpdRejectHeloMismatch');
    return refused(450, '4.4.3', `the name of [${address}] cannot be looked up at present`, rule);
  }
  const known = names.outcome === 'found' ? names.records : [];
  if (settings.rejectUnresolvable && known.length === 0)
    return refusedAs(
      session,
      'unresolvableCode',
      { permanent: 550, temporary: 450, detail: '7.25' },
      `your address [${address}] has no name in the DNS`,
      setting(session, 'mtSmtpdRejectUnresolvable'),
    );
  if (!settings.rejectHeloMismatch || isOwnName(helo, address, known)) return undefined;
  return refusedAs(
    session,
    'heloMismatchCode',
    { permanent: 550, temporary: 450, detail: '7.1' },
    `${helo} is not the name of your address [${address}]`,
    setting(session, 'mtSmtpdRejectHeloMismatch'),
  );
}

/** An address literal (RFC 5321 §4.1.3) claims no name: right where it is the client's address. */
function isOwnName(helo: string, address: string, known: readonly string[]): boolean {
  if (helo.startsWith('[')) return ipSet([helo]).match(address) !== undefined;
  return known.includes(helo.toLowerCase().replace(/\.$/, ''));
}
