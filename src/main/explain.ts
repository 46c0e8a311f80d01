/** What routing and its explanation need of the doors: which addresses are ours, who may relay, whether unknown recipients are taken. */

import { type Cancel, ipSet, type Log, type Resolver, systemClock } from '../base/index.ts';
import type { OpenDit } from '../dit/index.ts';
import { components } from '../responder/index.ts';
import { createExplain, type Explain, type Router } from '../routing/index.ts';
import { type SmtpcComponent, smtpcSettings } from '../smtpc/index.ts';
import {
  connectionRule,
  DailyCounts,
  exceeds,
  listingsOf,
  relayLeave,
  relayRule,
  senderDomainProblem,
  smtpdSettings,
  spellingProblem,
} from '../smtpd/index.ts';
import type { KeyValue } from '../storage/index.ts';
import { parseWhere } from './config.ts';
import { isOwn } from './own-address.ts';

/**
 * Whether mail sent to an address literal would come back to a door of ours: its recipients are then our own (RFC 5321 §4.1.3). A literal
 * names no port: the standard one is our door's, wherever a firewall or a container has led it; where SMTPC was told another port, that counts.
 */
export function ownAddress(dit: OpenDit): (address: string) => boolean {
  const smtpd = dit.settings(components.SMTPD);
  const smtpc = dit.settings(smtpcSettings);
  return (address) => {
    const door = parseWhere(smtpd.value.smtp) ?? 'off';
    const { port } = smtpc.value;
    return door !== 'off' && isOwn(address, port === standardPort ? door.port : port, [door]);
  };
}

const standardPort = 25;

/** Whoever asks sits and waits. */
const patienceMs = 10_000;

async function inTime<T>(answer: Promise<T>, otherwise: T): Promise<T> {
  let cancel: Cancel = () => {};
  const late = new Promise<T>((resolve) => {
    cancel = systemClock.after(patienceMs, () => resolve(otherwise));
  });
  // Later than that nobody hears of a failure.
  answer.catch(() => {});
  return await Promise.race([answer, late]).finally(() => cancel());
}

export interface ExplainParts {
  readonly resolver: Resolver;
  readonly smtpc: Pick<SmtpcComponent, 'wayTo'>;
  readonly keyValue: KeyValue;
  readonly log: Log;
}

export function explainFor(dit: OpenDit, router: Router, systemBase: string, { resolver, smtpc, keyValue, log }: ExplainParts): Explain {
  const daily = new DailyCounts(keyValue, systemClock, log);
  const smtpd = dit.settings(smtpdSettings);
  const settingsEntry = `${smtpdSettings.entry},${systemBase}`;
  /** A client that has not logged in. */
  const asker = (address: string) => ({ settings: smtpd.value, address, user: undefined, house: { settingsEntry } });
  return createExplain({
    router,
    dit,
    connection(client) {
      const rule = connectionRule(asker(client));
      return rule ? { allowed: false, text: 'connections from this address are not allowed', by: rule.why } : undefined;
    },
    relay(client) {
      const rule = relayRule(asker(client));
      if (!rule)
        return { allowed: true, text: 'this address may send to other hosts without logging in', by: relayLeave(asker(client)).why };
      const users = smtpd.value.relayForAuthenticated;
      return {
        allowed: false,
        text: users ? 'only who has logged in may send to other hosts' : 'it may not send to other hosts',
        by: rule.why,
      };
    },
    takesUnknown() {
      const by = `${smtpdSettings.settings.rejectUnknownRecipients.attribute} of ${settingsEntry}`;
      return smtpd.value.rejectUnknownRecipients
        ? { allowed: false, text: '550 5.1.1 no such user here', by }
        : { allowed: true, text: 'taken, and sent back later', by };
    },
    spammerReply() {
      const { rejectSpammers, spammerCode } = smtpd.value;
      if (!rejectSpammers) return undefined;
      return spammerCode === 'temporary' ? '451 4.7.1' : '553 5.7.1';
    },
    relayReply: () => (smtpd.value.refusalCode === 'temporary' ? '450 4.7.1' : '550 5.7.1'),
    spelling(address) {
      const problem = spellingProblem(address);
      if (problem !== undefined) return { allowed: false, text: `553 5.1.3 recipient: ${problem}` };
      const { rejectUnqualified, qualify } = smtpd.value;
      if (address.includes('@') || address.toLowerCase() === 'postmaster' || (rejectUnqualified === 'never' && qualify)) return undefined;
      const attribute = smtpdSettings.settings[rejectUnqualified === 'never' ? 'qualify' : 'rejectUnqualified'].attribute;
      return { allowed: false, text: '553 5.1.3 the recipient needs a domain', by: `${attribute} of ${settingsEntry}` };
    },
    way: (destination) => inTime(smtpc.wayTo(destination), 'not known: the DNS does not answer'),
    async mailFrom(client) {
      const { dnsBl, dnsBlWhitelist } = smtpd.value;
      if (!dnsBl || ipSet(dnsBlWhitelist).match(client) !== undefined) return undefined;
      const listed = await listingsOf(client, dit.blacklists, { resolver, clock: systemClock, log });
      const against = listed.find(({ list }) => list.action === 'reject');
      const code = smtpd.value.dnsBlCode === 'temporary' ? '450 4.7.1' : '554 5.7.1';
      return against && { allowed: false, text: `${code} listed by ${against.list.zone}`, by: against.list.dn };
    },
    async senderDomain(domain) {
      if (!smtpd.value.rejectSenderDomain || domain.startsWith('[')) return undefined;
      const problem = await inTime(senderDomainProblem(domain, resolver), { why: 'cannot be looked up at present' });
      const status =
        problem?.detail === undefined
          ? '450 4.4.3'
          : smtpd.value.senderDomainCode === 'temporary'
            ? `450 4.${problem.detail}`
            : `550 5.${problem.detail}`;
      const by = `${smtpdSettings.settings.rejectSenderDomain.attribute} of ${settingsEntry}`;
      return (
        problem && { allowed: false, text: `${status} the sender's domain ${domain} ${problem.why}, unless who sends has logged in`, by }
      );
    },
    async today(uuid) {
      const { userMessagesPerDay: messages, userMegabytesPerDay: megabytes } = smtpd.value;
      if (messages === 0 && megabytes === 0) return { allowed: true, text: 'no daily limit' };
      const limits = { messages, octets: megabytes * 1_048_576 };
      const sent = await daily.today(uuid);
      const most = (n: number): string => (n === 0 ? 'no limit' : `of ${n}`);
      const text = `sent today: ${sent.messages} messages (${most(messages)}), ${sent.octets} octets (${most(limits.octets)})`;
      const over = exceeds({ messages: sent.messages + 1, octets: sent.octets }, { ...limits, octets: 0 });
      const attribute = smtpdSettings.settings[over ? 'userMessagesPerDay' : 'userMegabytesPerDay'].attribute;
      return exceeds({ messages: sent.messages + 1, octets: sent.octets }, limits)
        ? { allowed: false, text: `452 4.7.1 all for today; ${text}`, by: `${attribute} of ${settingsEntry}` }
        : { allowed: true, text };
    },
    notAsked: () => [
      'rates of connections and messages',
      'free disk space',
      'the name in HELO and reverse DNS',
      'SPF, DKIM and DMARC of a message',
    ],
  });
}
