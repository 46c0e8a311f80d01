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
}

export interface Explanation extends Routing {
  /** What RCPT would find: `yes`, `unknown`, `remote`. */
  readonly verdict: Verdict;
  /** Where mail goes by SMTPC. */
  readonly nextHosts: readonly HostView[];
  readonly sender?: { readonly address: string; readonly entry?: string; readonly send: Ruling };
  readonly client?: HostView & { readonly connect: Ruling; readonly relay: Ruling; readonly recipient: Ruling };
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
}

export type Explain = (question: Question) => Promise<Explanation>;

export function createExplain(needs: ExplainNeeds): Explain {
  const { router, dit } = needs;
  return async ({ address, sender, client }) => {
    const context = { inputChannel: 'SMTPD', whyNot: true, ...(sender === undefined ? {} : { sender }) } as const;
    const routing = await router.route(address, context);
    const verdict = verdictOf(routing);
    const hosts = new Set(routing.routes.filter(({ queue }) => queue === 'SMTPC').map(({ identifier }) => identifier));
    return {
      ...routing,
      verdict,
      nextHosts: [...hosts].map((host) => ({ host, ...dit.peer(host) })),
      ...(sender === undefined ? {} : { sender: await senderView(sender, dit) }),
      ...(client === undefined ? {} : { client: clientView(client, verdict, needs) }),
    };
  };
}

async function senderView(given: string, dit: ExplainNeeds['dit']): Promise<NonNullable<Explanation['sender']>> {
  if (given === '' || given === '<>')
    return { address: '', send: { allowed: true, text: 'the null sender: notices have it, and none goes back to it' } };
  const split = splitAddress(given, dit.mta.value.domain);
  if (!split) return { address: given, send: { allowed: false, text: 'not an address' } };
  const spammer = dit.spammer(split.address);
  if (spammer) return { address: split.address, send: { allowed: false, text: 'a spammer: refused at MAIL (553)', by: spammer.dn } };
  const owner = await dit.recipient(split.address);
  if (owner) return { address: split.address, entry: owner.dn, send: { ...ownerMaySend(owner), by: owner.dn } };
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

function clientView(
  client: string,
  verdict: Verdict,
  { dit, connection, relay, takesUnknown }: ExplainNeeds,
): NonNullable<Explanation['client']> {
  const peer = dit.peer(client);
  const by = peer.saidBy.accept === undefined ? {} : { by: peer.saidBy.accept };
  const agreed = peer.accept
    ? { allowed: true, text: 'mail from this peer is accepted', ...by }
    : { allowed: false, text: `host ${client} is not authorized to connect (550 at HELO)`, ...by };
  const connect = connection(client) ?? agreed;
  const relaying = relay(client);
  return { host: client, ...peer, connect, relay: relaying, recipient: recipientRuling(verdict, relaying, takesUnknown) };
}

function recipientRuling(verdict: Verdict, relaying: Ruling, takesUnknown: () => Ruling): Ruling {
  if (verdict === 'yes') return { allowed: true, text: 'the recipient is ours' };
  if (verdict === 'unknown') return takesUnknown();
  return relaying.allowed ? relaying : { ...relaying, text: `550 5.7.1 relaying denied: ${relaying.text}` };
}
