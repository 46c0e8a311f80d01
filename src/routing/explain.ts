/**
 * A routing explained to people: every rule that was looked at, what the next hosts are owed by agreement, and what a sender and a client
 * may do. The decision itself is the router's, the same that mail goes by; nothing is sent.
 *
 * Source: checklist MTA-23
 */

import type { Dit, Peer, Recipient } from '../dit/index.ts';
import { splitAddress } from './address.ts';
import type { Router, Routing, Verdict } from './port.ts';
import { verdictOf } from './route.ts';

export interface Question {
  readonly address: string;
  readonly sender?: string | undefined;
  /** IP address of the client that would hand the mail in. */
  readonly client?: string | undefined;
}

/** What a rule says, and the entry or setting that makes it. */
export interface Ruling {
  readonly allowed: boolean;
  readonly text: string;
  readonly by?: string;
}

/** A host and what is agreed with it; `saidBy` names the entry of each setting. */
export interface HostView extends Peer {
  readonly host: string;
  /** By which hosts SMTPC would go there now. */
  readonly way?: string;
}

export interface Explanation extends Routing {
  /** What RCPT would find: `yes`, `unknown`, `remote`. */
  readonly verdict: Verdict;
  /** Where mail goes by SMTPC. */
  readonly nextHosts: readonly HostView[];
  readonly sender?: { readonly address: string; readonly entry?: string; readonly send: Ruling };
  /** Rules of the door that only a real connection can be asked about. */
  readonly notAsked?: readonly string[];
  readonly client?: HostView & { readonly mail?: Ruling; readonly connect: Ruling; readonly relay: Ruling; readonly recipient: Ruling };
}

export interface ExplainNeeds {
  readonly router: Router;
  readonly dit: Pick<Dit, 'peer' | 'recipient' | 'domain' | 'mta' | 'spammer'>;
  /** The rule of the door that keeps a client out; undefined: none, and its peer decides. */
  readonly connection: (client: string) => Ruling | undefined;
  /** Whether a client that has not logged in may send to other hosts, by the rules of the door. */
  readonly relay: (client: string) => Ruling;
  /** Whether the door takes recipients that the directory does not know. */
  readonly takesUnknown: () => Ruling;
  /** The reply to MAIL from a spammer; undefined: none is refused. */
  readonly spammerReply?: () => string | undefined;
  /** The reply to RCPT from a client that may not relay. */
  readonly relayReply?: () => string;
  /** What RCPT says to an address that is not spelt as it has to be; undefined: it is. */
  readonly spelling?: (address: string) => Ruling | undefined;
  readonly way?: (destination: string) => Promise<string>;
  /** What MAIL says to a client that has not logged in, by where it comes from; undefined: nothing against it. */
  readonly mailFrom?: (client: string) => Promise<Ruling | undefined>;
  /** The same by the domain of a sender who is nobody here. */
  readonly senderDomain?: (domain: string) => Promise<Ruling | undefined>;
  /** What a user has sent today, and whether that is all. */
  readonly today?: (uuid: string) => Promise<Ruling>;
  readonly notAsked?: () => readonly string[];
}

export type Explain = (question: Question) => Promise<Explanation>;

export function createExplain(needs: ExplainNeeds): Explain {
  const { router } = needs;
  return async ({ address, sender, client }) => {
    const context = { inputChannel: 'SMTPD', whyNot: true, ...(sender === undefined ? {} : { sender }) } as const;
    const routing = await router.route(address, context);
    const verdict = verdictOf(routing);
    const against = sender === undefined ? undefined : await againstSender(sender, needs);
    const hosts = new Set(routing.routes.filter(({ queue }) => queue === 'SMTPC').map(({ identifier }) => identifier));
    return {
      ...routing,
      verdict,
      nextHosts: await Promise.all([...hosts].map((host) => hostView(host, needs))),
      ...(sender === undefined ? {} : { sender: await senderView(sender, against, needs) }),
      ...(client === undefined ? {} : { client: await clientView(client, address, routing, against, needs) }),
      ...(sender === undefined && client === undefined ? {} : { notAsked: needs.notAsked?.() ?? [] }),
    };
  };
}

async function hostView(host: string, { dit, way }: ExplainNeeds): Promise<HostView> {
  const known = { host, ...dit.peer(host) };
  return way ? { ...known, way: await way(host) } : known;
}

/** What MAIL has against a sender who has not logged in, whoever the client is. */
async function againstSender(given: string, { dit, spammerReply, senderDomain }: ExplainNeeds): Promise<Ruling | undefined> {
  const split = splitAddress(given, dit.mta.value.domain);
  if (!split) return undefined;
  const spammer = dit.spammer(split.address);
  const reply = spammerReply ? spammerReply() : '553 5.7.1';
  if (spammer && reply !== undefined) return { allowed: false, text: `a spammer: refused at MAIL (${reply})`, by: spammer.dn };
  if ((await dit.recipient(split.address)) || (await dit.domain(split.domain))) return undefined;
  return await senderDomain?.(split.domain);
}

async function senderView(
  given: string,
  against: Ruling | undefined,
  { dit, today }: ExplainNeeds,
): Promise<NonNullable<Explanation['sender']>> {
  if (given === '' || given === '<>')
    return { address: '', send: { allowed: true, text: 'the null sender: notices have it, and none goes back to it' } };
  const split = splitAddress(given, dit.mta.value.domain);
  if (!split) return { address: given, send: { allowed: false, text: 'not an address' } };
  if (against) return { address: split.address, send: against };
  const owner = await dit.recipient(split.address);
  if (owner) {
    const may = { ...ownerMaySend(owner), by: owner.dn };
    const sent = may.allowed && owner.kind !== 'alias' ? await today?.(owner.uuid) : undefined;
    const send = sent === undefined ? may : sent.allowed ? { ...may, text: `${may.text}; ${sent.text}` } : sent;
    return { address: split.address, entry: owner.dn, send };
  }
  const domain = await dit.domain(split.domain);
  const text = domain ? 'nobody here has it, and notices to it are refused' : 'a sender of another domain';
  return { address: split.address, send: { allowed: true, text, ...(domain ? { by: domain.dn } : {}) } };
}

function ownerMaySend({ status, permission, kind, mail }: Recipient): Omit<Ruling, 'by'> {
  if (status !== 'active') return { allowed: false, text: `${mail} may not log in (accountStatus)` };
  if (permission === 'receive') return { allowed: false, text: `${mail} only receives mail (mtAccountPermission)` };
  return {
    allowed: true,
    text: kind === 'alias' ? 'an alias: whoever it stands for sends' : `${mail}, by whoever has logged in to that account`,
  };
}

async function clientView(
  client: string,
  address: string,
  routing: Routing,
  sender: Ruling | undefined,
  needs: ExplainNeeds,
): Promise<NonNullable<Explanation['client']>> {
  const { dit, connection, relay, mailFrom } = needs;
  const peer = dit.peer(client);
  const by = peer.saidBy.accept === undefined ? {} : { by: peer.saidBy.accept };
  const agreed = peer.accept
    ? { allowed: true, text: 'mail from this peer is accepted', ...by }
    : { allowed: false, text: `host ${client} is not authorized to connect (550 at HELO)`, ...by };
  const connect = connection(client) ?? agreed;
  const relaying = relay(client);
  const against = await mailFrom?.(client);
  const mail = mailFrom ? { mail: against ?? { allowed: true, text: 'no DNS blacklist that refuses has it' } } : {};
  // In the order in which the door asks.
  const recipient = connect.allowed
    ? (against ?? sender ?? needs.spelling?.(address) ?? recipientRuling(routing, relaying, needs))
    : connect;
  return { host: client, ...peer, connect, ...mail, relay: relaying, recipient };
}

function recipientRuling(routing: Routing, relaying: Ruling, { takesUnknown, relayReply }: ExplainNeeds): Ruling {
  const verdict = verdictOf(routing);
  if (verdict === 'yes') return { allowed: true, text: 'the recipient is ours' };
  const why = verdict === 'unknown' ? routing.refusals.find(({ status }) => status !== '5.1.1') : undefined;
  const taking = takesUnknown();
  if (why && !taking.allowed) {
    const by = why.rule === undefined ? taking.by : why.entry === undefined ? why.rule : `${why.rule} of ${why.entry}`;
    return { allowed: false, text: `550 ${why.status} ${why.text}`, ...(by === undefined ? {} : { by }) };
  }
  if (verdict === 'unknown') return taking;
  return relaying.allowed ? relaying : { ...relaying, text: `${relayReply?.() ?? '550 5.7.1'} relaying denied: ${relaying.text}` };
}
