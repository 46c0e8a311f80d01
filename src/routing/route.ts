/**
 * The decision: where mail for an address goes, and why. Pure over what the directory says.
 *
 * Order: domain forwarding that takes whole domains; the directory (address, address without its detail, domain alias);
 * postmaster; domain forwarding for what the directory does not know; the unknown-local rule; the Internet.
 * Source: manual chapter 3 "Local Domains", "Domain Forwarding", "Domain Aliasing"; checklist MTA-01 … 05, 22, 23.
 * Spec: RFC 5321 §4.1.3, §4.5.1, Appendix C
 */

import type { OutputChannel } from '../base/index.ts';
import type { Dit, Domain, Forwarding, Recipient } from '../dit/index.ts';
import { literalAddress, normalDomain, type SplitAddress, sameness, splitAddress, withoutDetail } from './address.ts';
import { type DeliveryDit, deliver, keyOf } from './delivery.ts';
import type { Judgement, Refusal, Router, Routing, RoutingContext, Step, Verdict } from './port.ts';
import { deepest, Walk } from './walk.ts';

export type RoutingDit = DeliveryDit & Pick<Dit, 'domain' | 'forwarding'>;

export interface RouterNeeds {
  readonly dit: RoutingDit;
  /** Whether an IP address is one at which this host takes mail (RFC 5321 §4.1.3: its literals are local). */
  readonly isOwnAddress?: (address: string) => boolean;
}

/** Channels that can take a recipient the directory does not know (manual chapter 3, "Default Local Delivery Channel"). */
const takesUnknown: readonly OutputChannel[] = ['SMTPC', 'CCIN', 'NOTESIN'];
const aliasHops = 10;

export function createRouter(needs: RouterNeeds): Router {
  const route = async (address: string, { whyNot = false }: Partial<RoutingContext> = {}): Promise<Routing> => {
    const walk = new Walk(whyNot);
    await new Decision(needs, walk).decide(address, []);
    const { routes, steps, local } = walk;
    // A circle that still delivers somewhere is no failure: two people who forward to each other and keep a copy.
    const circle = routes.length === 0 && walk.refusals.length === 0;
    const refusals = circle
      ? [{ address, status: '5.4.6', text: 'routing loop detected: forwarding leads back to itself', ...loopBy(steps) }]
      : walk.refusals;
    return { routes, refusals, steps, local };
  };
  const acceptable = async (address: string): Promise<Verdict> => verdictOf(await route(address));
  const judge = async (address: string): Promise<Judgement> => {
    const routing = await route(address);
    const verdict = verdictOf(routing);
    const why = verdict === 'unknown' ? routing.refusals.find(({ status }) => status !== '5.1.1') : undefined;
    return why ?? verdict;
  };
  return { route, acceptable, judge };
}

/** Whose forwarding begins the circle. */
function loopBy(steps: readonly Step[]): Pick<Refusal, 'rule' | 'entry'> {
  const entry = steps.find((step) => step.applied && step.entry !== undefined)?.entry;
  return { rule: 'mailForwardingAddress', ...(entry === undefined ? {} : { entry }) };
}

/** What RCPT is told: the same for everybody who asks. */
export function verdictOf({ routes, refusals, local }: Routing): Verdict {
  if (!local && routes.length > 0) return 'remote';
  return routes.length > 0 || refusals.some(({ status }) => status.startsWith('4')) ? 'yes' : 'unknown';
}

interface Found {
  readonly recipient: Recipient;
  /** `+detail`, or nothing. */
  readonly detail: string;
}

class Decision {
  readonly #dit: RoutingDit;
  readonly #isOwnAddress: (address: string) => boolean;
  readonly #walk: Walk;

  constructor({ dit, isOwnAddress = () => false }: RouterNeeds, walk: Walk) {
    this.#dit = dit;
    this.#isOwnAddress = isOwnAddress;
    this.#walk = walk;
  }

  /** `way` is the addresses that led here, `hops` the number of forwardings. */
  async decide(given: string, way: readonly string[], hops = 0): Promise<void> {
    const walk = this.#walk;
    const split = this.#read(given);
    if (!split) return walk.refuse(given, '5.1.3', 'bad destination mailbox address syntax');
    const key = sameness(split.address);
    if (way.includes(key)) return walk.circle(split.address);
    if (hops > deepest)
      return walk.refuse(split.address, '5.4.6', 'too many forwardings one behind the other', undefined, 'mailForwardingAddress');
    if (walk.tooWide)
      return walk.refuse(split.address, '5.4.6', 'forwarding leads to too many addresses', undefined, 'mailForwardingAddress');
    if (!walk.enter(key)) return walk.step(split.address, 'seen', 'already decided on another way');
    const forwarding = await this.#dit.forwarding(split.domain);
    if (forwarding && forwarding.channel !== 'LOCAL' && forwarding.channel !== 'DL') {
      await this.#ownDomain(split, hops);
      walk.not(split.address, 'address', 'not asked for: all mail of the domain is forwarded', forwarding.dn);
      return this.#forwardDomain(split, forwarding);
    }
    if (forwarding)
      walk.not(split.address, 'domain forwarding', `${forwarding.channel} is for whom the directory does not know`, forwarding.dn);
    else walk.not(split.address, 'domain forwarding', `no entry for ${split.domain}`);
    const found = await this.#find(split);
    if (found) {
      this.#own(hops);
      return await this.#recipient(split, found, [...way, key], hops);
    }
    await this.#nobody(split, forwarding, [...way, key], hops);
  }

  /** The address as it is looked up: source route dropped, default domain added, literals of this host by its domain's name. */
  #read(given: string): SplitAddress | undefined {
    const { domain: ownDomain } = this.#dit.mta.value;
    const split = splitAddress(given, ownDomain);
    if (!split) return undefined;
    for (const note of split.notes ?? []) this.#walk.step(given, 'spelling', note);
    if (/[%!]/.test(split.local))
      this.#walk.not(
        split.address,
        'percent hack',
        'the local part is taken as it is: nobody is reached through another host’s name in it',
      );
    const ip = literalAddress(split.domain);
    if (ip === undefined) return split;
    if (!this.#isOwnAddress(ip)) {
      this.#walk.not(split.address, 'address literal', 'not an address of this host');
      return split;
    }
    const domain = normalDomain(ownDomain) ?? ownDomain;
    this.#walk.step(split.address, 'address literal', `an address of this host: looked up in ${domain}`);
    return { local: split.local, domain, address: `${split.local}@${domain}` };
  }

  /** The address first asked for is ours. */
  #own(hops: number): void {
    if (hops === 0) this.#walk.local = true;
  }

  async #ownDomain({ address, domain }: SplitAddress, hops: number): Promise<Domain | undefined> {
    const found = await this.#dit.domain(domain);
    if (found) {
      this.#own(hops);
      const how = found.name === domain ? 'local' : `local as a sub-domain of ${found.name}`;
      this.#walk.not(address, 'local domain', `${domain} is ${how}`, found.dn);
    } else this.#walk.not(address, 'local domain', `${domain} is not local`);
    return found;
  }

  /** Who has the address in its own domain, or else in the domain that one is another name of. */
  async #find(split: SplitAddress): Promise<Found | undefined> {
    const walk = this.#walk;
    let at = split;
    const seen = new Set<string>();
    for (let hop = 0; hop <= aliasHops; hop++) {
      seen.add(at.domain);
      const exact = await this.#dit.recipient(at.address);
      if (exact) return { recipient: exact, detail: '' };
      walk.not(at.address, 'address', 'nobody has it');
      const bare = withoutDetail(at);
      const base = bare === undefined ? undefined : await this.#dit.recipient(bare);
      if (base) {
        walk.step(at.address, 'sub-address', `treated as ${base.mail}`, base.dn);
        return { recipient: base, detail: at.local.slice(at.local.indexOf('+')) };
      }
      if (bare !== undefined) walk.not(at.address, 'sub-address', `nobody has ${bare} either`);
      const domain = await this.#dit.domain(at.domain);
      const target = domain?.name === at.domain && domain.aliasOf !== undefined ? normalDomain(domain.aliasOf) : undefined;
      if (!domain || target === undefined) {
        walk.not(at.address, 'domain alias', `${at.domain} is no other name of a domain`, domain?.dn);
        return undefined;
      }
      if (seen.has(target)) {
        walk.not(at.address, 'domain alias', `${target} was looked at already: the aliases lead in a circle`, domain.dn);
        return undefined;
      }
      const next = { local: at.local, domain: target, address: `${at.local}@${target}` };
      walk.step(at.address, 'domain alias', `nobody here, looked up as ${next.address}`, domain.dn);
      at = next;
    }
    walk.not(at.address, 'domain alias', `more than ${aliasHops} aliases one behind the other`);
    return undefined;
  }

  async #recipient(split: SplitAddress, { recipient, detail }: Found, way: readonly string[], hops: number): Promise<void> {
    const walk = this.#walk;
    const { dn } = recipient;
    const alias = detail === '' && sameness(recipient.mail) !== sameness(split.address);
    const what = alias ? `treated as ${recipient.mail}` : `${recipient.kind} ${recipient.mail}`;
    walk.step(split.address, alias ? 'alias' : 'address', what, dn);
    if (recipient.status === 'disabled') return walk.refuse(split.address, '5.2.1', 'this account is disabled', dn, 'accountStatus');
    if (recipient.permission === 'send')
      return walk.refuse(split.address, '5.2.1', 'this account does not receive mail', dn, 'mtAccountPermission');
    const own = new Set([recipient.mail, ...recipient.aliases].map(sameness));
    const elsewhere = (target: string): boolean => !own.has(sameness(target.trim()));
    // By whatever name it was reached: its primary address coming up again is a circle.
    const circle = [...way, sameness(recipient.mail)];
    if (recipient.kind === 'alias') {
      walk.step(split.address, 'forwarding', `${recipient.forwardTo.length} targets`, dn);
      for (const target of recipient.forwardTo) await this.decide(target.trim(), circle, hops + 1);
      if (recipient.forwardTo.length === 0) walk.refuse(split.address, '5.1.1', 'this alias has no target', dn);
      return;
    }
    const targets = recipient.forwardTo.filter(elsewhere);
    if (targets.length === 0) walk.not(split.address, 'forwarding', 'no mailForwardingAddress but its own', dn);
    for (const target of targets) {
      walk.step(split.address, 'forwarding', `also to ${target}`, dn);
      await this.decide(target.trim(), circle, hops + 1);
    }
    const routing = recipient.routingAddress?.trim() ?? '';
    if (routing !== '' && elsewhere(routing)) {
      walk.step(split.address, 'routing address', `goes to ${routing} instead`, dn);
      if (recipient.connectors.length > 0) walk.not(split.address, 'connector', 'not asked: the routing address goes before', dn);
      return await this.decide(routing, circle, hops + 1);
    }
    walk.not(split.address, 'routing address', 'no mailRoutingAddress but its own', dn);
    await deliver(this.#dit, walk, withDetail(recipient.mail, detail), recipient);
  }

  async #nobody(split: SplitAddress, forwarding: Forwarding | undefined, way: readonly string[], hops: number): Promise<void> {
    const walk = this.#walk;
    const { address } = split;
    const { postmaster, internetChannel, entry } = this.#dit.mta.value;
    const domain = await this.#ownDomain(split, hops);
    if (domain && split.local.toLowerCase() === 'postmaster' && sameness(postmaster) !== sameness(address)) {
      walk.step(address, 'postmaster', `goes to ${postmaster}`, entry);
      return await this.decide(postmaster, way, hops + 1);
    }
    walk.not(address, 'postmaster', domain ? 'not the postmaster of a local domain' : 'the domain is not local');
    if (forwarding) {
      const key = await keyOf(this.#dit, forwarding.channel, forwarding.identifier);
      if (typeof key === 'string')
        return walk.route('domain forwarding', { address, queue: forwarding.channel, identifier: key }, forwarding.dn);
      return walk.refuse(
        address,
        key.status,
        `no such user here, and ${forwarding.channel} cannot take it: ${key.text}`,
        key.dn ?? forwarding.dn,
        key.rule,
      );
    }
    if (domain) return this.#unknown(split, domain);
    walk.not(address, 'unknown local', 'the domain is not local');
    walk.route('internet', { address, queue: internetChannel, identifier: split.domain }, entry);
  }

  #forwardDomain(split: SplitAddress, forwarding: Forwarding): void {
    const { channel, dn } = forwarding;
    const given = forwarding.identifier.trim();
    // SMTPC goes by the domain (its peers and host table decide); the others by what the entry says.
    const identifier = channel === 'SMTPC' ? split.domain : given === '' ? split.address : given;
    this.#walk.route('domain forwarding', { address: split.address, queue: channel, identifier }, dn);
  }

  #unknown(split: SplitAddress, domain: Domain): void {
    const { unknownLocalChannel, defaultLocalChannel, entry } = this.#dit.mta.value;
    const channel = unknownLocalChannel === 'default' ? defaultLocalChannel : unknownLocalChannel;
    if (channel === 'bounce' || !takesUnknown.includes(channel)) {
      const more = channel === 'bounce' ? '' : `, and ${channel} takes only addresses the directory knows`;
      // That is the usual case, and nobody's business but the administrator's.
      this.#walk.not(split.address, 'unknown local', `no such user here${more}`, domain.dn);
      this.#walk.refuse(split.address, '5.1.1', 'no such user here', domain.dn);
      return;
    }
    const identifier = channel === 'SMTPC' ? split.domain : split.address;
    this.#walk.route('unknown local', { address: split.address, queue: channel, identifier }, entry ?? domain.dn);
  }
}

function withDetail(mail: string, detail: string): string {
  const at = mail.lastIndexOf('@');
  return `${mail.slice(0, at)}${detail}${mail.slice(at)}`;
}
