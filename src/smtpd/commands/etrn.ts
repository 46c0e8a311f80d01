/**
 * ETRN: a host asks for the mail that waits for its domain.
 *
 * The mail goes the way it always goes, so whoever asks gets nothing that is not theirs. How often one may ask is limited, and so is how often
 * a domain is tried because of it, whoever asks: nobody makes us hammer at a third party.
 * Source: manual chapter 6, "ETRN Support". Spec: RFC 1985 §5
 */

import type { WaitingSlip } from '../../queue/index.ts';
import { readDomain } from '../path.ts';
import { withinRate } from '../policy/client.ts';
import { refused, setting } from '../policy/refusal.ts';
import { type Command, type Outcome, reply, type Session } from '../session.ts';

/** Runs of a domain's queue that ETRN can start within a minute. */
const domainPerMinute = 6;
/** Domains that one ETRN can start: `@` means an organisation, and not half the Internet. */
const mostDomains = 100;
/** More messages of one domain are not counted. */
const countedAtMost = 10_000;

async function run(session: Session, argument: string): Promise<Outcome> {
  const { settings, house } = session;
  if (!settings.esmtp || !settings.offerEtrn) return reply(502, '5.5.1', 'ETRN is not available');
  const [, below, text = ''] = /^(@?)(\S+)$/.exec(argument.trim()) ?? [];
  const node = text.startsWith('#') || text.startsWith('[') ? undefined : readDomain(text);
  if (node === undefined) {
    // `#queue` is the form for names that only an administrator gives a meaning to: there are none here.
    return text.startsWith('#') ? reply(459, '4.7.1', `${text.slice(0, 100)}: no such queue`) : reply(501, '5.5.4', 'Syntax: ETRN domain');
  }
  if (!withinRate(session, 'etrn', settings.etrnPerMinute))
    return refused(458, '4.7.1', 'too many ETRN from your address, try again later', setting(session, 'mtSmtpdEtrnPerMinute'));
  const nodes = below ? await waitingBelow(session, node) : [node];
  if (nodes.length > mostDomains)
    return reply(458, '4.7.1', `mail waits for more than ${mostDomains} domains below ${node}; ask for one of them`);
  let messages = 0;
  let begun = false;
  for (const one of nodes) {
    if (house.rates.take('etrn-domain', one, domainPerMinute, house.clock.now())) messages += await started(session, one);
    else begun = true;
  }
  house.log.message(`ETRN ${argument.trim()} by [${session.address}]: ${messages} are tried`);
  if (messages === 0 && begun) return reply(250, '2.0.0', `queuing for ${node} was started a moment ago`);
  if (messages === 0) return reply(251, '2.0.0', `no messages waiting for ${node}`);
  return reply(253, '2.0.0', `${messages} pending messages for ${node} started`);
}

/** How many messages of a domain are tried now: RFC 1985 §5.3 counts them, where the queue counts their recipients. */
async function started({ house: { queue } }: Session, domain: string): Promise<number> {
  const deferred = (await queue.destinations('SMTPC', domain)).reduce((sum, { messages }) => sum + messages, 0);
  const untried = await countUntried(queue.waiting('SMTPC', domain));
  const recipients = await queue.retryNow('SMTPC', domain);
  return recipients === 0 ? 0 : Math.max(1, deferred + untried);
}

/** Messages that wait for the queue run, and were never put off. */
async function countUntried(waiting: AsyncIterable<WaitingSlip>): Promise<number> {
  const ids = new Set<string>();
  for await (const { id, deferredSince } of waiting) {
    if (deferredSince === undefined) ids.add(id);
    if (ids.size >= countedAtMost) break;
  }
  return ids.size;
}

/** RFC 1985 §5.1: `@` is the domain with everything below it. One more than may be started where there are more. */
async function waitingBelow({ house }: Session, node: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { identifier } of house.queue.identifiers('SMTPC')) {
    if (identifier === node || identifier.endsWith(`.${node}`)) found.push(identifier);
    if (found.length > mostDomains) break;
  }
  return found;
}

export const etrn: Command = { name: 'ETRN', spec: 'RFC 1985 §5', states: ['greeted'], run };
