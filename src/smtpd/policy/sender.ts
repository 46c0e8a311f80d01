/**
 * Whose mail is taken, asked at MAIL FROM: rate, DNS blacklists, spammers, sender domains that take no mail.
 *
 * Promise: users who have logged in are judged by their own limits alone; what cannot be looked up at the moment is put off.
 * Source: manual chapter 3, "Anti-Spam"; checklist SMTPD-07, -08, -09, -15. Spec: RFC 7372, RFC 7505 §4.2, RFC 3463 §3.2
 */

import { ipSet, type Resolver } from '../../base/index.ts';
import type { Outcome, Session } from '../session.ts';
import { withinRate } from './client.ts';
import { type Listing, listingsOf } from './dns-bl.ts';
import { refused, refusedAs, setting } from './refusal.ts';

export type SenderVerdict = { readonly refusal: Outcome } | { readonly refusal?: never; readonly tags: readonly string[] };

/** `sender` is empty for the null sender. */
export async function judgeSender(session: Session, sender: string): Promise<SenderVerdict> {
  const { settings, house } = session;
  if (!withinRate(session, 'messages', settings.messagesPerMinute))
    return {
      refusal: refused(450, '4.7.1', 'too many messages from your address, try again later', setting(session, 'mtSmtpdMessagesPerMinute')),
    };
  if (session.user) return { tags: [] };
  const listings = await listingsFor(session);
  const against = listings.find(({ list }) => list.action === 'reject');
  if (against) {
    const text = `your address [${session.address}] is listed by ${against.list.zone}`;
    return {
      refusal: refusedAs(session, 'dnsBlCode', { permanent: 554, temporary: 450, detail: '7.1' }, text, {
        rule: 'mtSmtpdDnsBl',
        why: against.list.dn,
      }),
    };
  }
  const spammer = settings.rejectSpammers && sender !== '' ? house.dit.spammer(sender) : undefined;
  if (spammer)
    return {
      refusal: refusedAs(session, 'spammerCode', { permanent: 553, temporary: 451, detail: '7.1' }, 'mail from this sender is not taken', {
        rule: 'mtSmtpdRejectSpammers',
        why: spammer.dn,
      }),
    };
  const refusal = await domainRefusal(session, sender);
  return refusal ? { refusal } : { tags: listings.map(tagOf) };
}

/** Asked once a connection, from EHLO on, so that MAIL need not wait for it. */
export function listingsFor(session: Session): Promise<readonly Listing[]> {
  const { settings, address, house } = session;
  if (session.kind !== 'smtp' || !settings.dnsBl || ipSet(settings.dnsBlWhitelist).match(address) !== undefined) return Promise.resolve([]);
  session.listings ??= listingsOf(address, house.dit.blacklists, house);
  return session.listings;
}

/** What a message from a listed host is marked with, where the list says pass. */
const tagOf = ({ list, answer }: Listing): string => `X-Mailtree-DNSBL: ${list.zone} (${answer})\r\n`;

async function domainRefusal(session: Session, sender: string): Promise<Outcome | undefined> {
  const { settings, house } = session;
  const domain = sender.slice(sender.lastIndexOf('@') + 1);
  if (!settings.rejectSenderDomain || session.kind !== 'smtp' || sender === '' || domain.startsWith('[')) return undefined;
  if (await house.dit.domain(domain)) return undefined;
  const rule = setting(session, 'mtSmtpdRejectSenderDomain');
  const found = await senderDomainProblem(domain, house.resolver);
  const refusal = (detail: string, why: string): Outcome =>
    refusedAs(session, 'senderDomainCode', { permanent: 550, temporary: 450, detail }, `the sender's domain ${domain} ${why}`, rule);
  if (found === undefined) return undefined;
  if (found.detail === undefined) return refused(450, '4.4.3', `the sender's domain ${domain} ${found.why}`, rule);
  return refusal(found.detail, found.why);
}

/** Why nothing could be sent back to a domain; without `detail` (of the status) it cannot be said for now. */
export async function senderDomainProblem(
  domain: string,
  resolver: Pick<Resolver, 'mx' | 'addresses'>,
): Promise<{ readonly detail?: string; readonly why: string } | undefined> {
  const mx = await resolver.mx(domain);
  if (mx.outcome === 'found')
    return mx.records.every(({ exchange }) => exchange === '') ? { detail: '7.27', why: 'takes no mail' } : undefined;
  const own = mx.outcome === 'none' ? await resolver.addresses(domain) : mx;
  if (own.outcome === 'found') return undefined;
  return own.outcome === 'temporary' ? { why: 'cannot be looked up at present' } : { detail: '1.8', why: 'has neither MX nor address' };
}
