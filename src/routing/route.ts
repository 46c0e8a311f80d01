/**
 * The decision: where mail for an address goes, and why. Pure over what the directory says.
 *
 * Order: domain forwarding that takes whole domains; the directory (address, address without its detail, domain alias);
 * postmaster; domain forwarding for what the directory does not know; the unknown-local rule; the Internet.
 * Source: manual chapter 3 "Domain Forwarding", "Domain Aliasing", chapter 5 "Connectors", "Mail Aliases";
 * checklist MTA-01 … 05, 22, DIR-09, DIR-10. Spec: RFC 5321 §4.5.1
 */

import type { OutputChannel } from '../base/index.ts';
import type { Connector, Dit, Domain, Forwarding, Recipient } from '../dit/index.ts';
import { normalDomain, type SplitAddress, sameness, splitAddress, withoutDetail } from './address.ts';
import type { Route, Router, Routing, Verdict } from './port.ts';
import { deepest, Walk } from './walk.ts';

export type RoutingDit = Pick<Dit, 'recipient' | 'recipientByUuid' | 'domain' | 'forwarding' | 'mta'>;

/** Channels whose connectors have a permission that means something (manual chapter 5, "Connectors"). */
const permitting: readonly OutputChannel[] = ['LOCAL', 'CCIN', 'NOTESIN'];
/** Channels that can take a recipient the directory does not know (manual chapter 3, "Default Local Delivery Channel"). */
const takesUnknown: readonly OutputChannel[] = ['SMTPC', 'CCIN', 'NOTESIN'];
const aliasHops = 10;

export function createRouter(needs: { readonly dit: RoutingDit }): Router {
  const { dit } = needs;
  const route = async (address: string): Promise<Routing> => {
    const walk = new Walk();
    await new Decision(dit, walk).decide(address, []);
    const { routes, steps, local } = walk;
    // A circle that still delivers somewhere is no failure: two people who forward to each other and keep a copy.
    const circle = routes.length === 0 && walk.refusals.length === 0;
    const refusals = circle
      ? [{ address, status: '5.4.6', text: 'routing loop detected: forwarding leads back to itself' }]
      : walk.refusals;
    return { routes, refusals, steps, local };
  };
  const acceptable = async (address: string): Promise<Verdict> => {
    const { routes, refusals, local } = await route(address);
    if (!local && routes.length > 0) return 'remote';
    return routes.length > 0 || refusals.some(({ status }) => status.startsWith('4')) ? 'yes' : 'unknown';
  };
  return { route, acceptable };
}

interface Found {
  readonly recipient: Recipient;
  /** `+detail`, or nothing. */
  readonly detail: string;
}

class Decision {
  readonly #dit: RoutingDit;
  readonly #walk: Walk;

  constructor(dit: RoutingDit, walk: Walk) {
    this.#dit = dit;
    this.#walk = walk;
  }

  /** `way` is the addresses that led here, `hops` the number of forwardings. */
  async decide(given: string, way: readonly string[], hops = 0): Promise<void> {
    const walk = this.#walk;
    const { domain: ownDomain } = this.#dit.mta.value;
    const split = splitAddress(given, ownDomain);
    if (!split) return this.#refuse(given, '5.1.3', 'bad destination mailbox address syntax');
    const key = sameness(split.address);
    if (way.includes(key)) return walk.circle(split.address);
    if (hops > deepest) return this.#refuse(split.address, '5.4.6', 'too many forwardings one behind the other');
    if (walk.tooWide) return this.#refuse(split.address, '5.4.6', 'forwarding leads to too many addresses');
    if (!walk.enter(key)) return walk.step(split.address, 'seen', 'already decided on another way');
    const forwarding = await this.#dit.forwarding(split.domain);
    if (forwarding && forwarding.channel !== 'LOCAL' && forwarding.channel !== 'DL') {
      await this.#ownDomain(split, hops);
      return this.#forwardDomain(split, forwarding);
    }
    const found = await this.#find(split);
    if (found) {
      this.#own(hops);
      return await this.#recipient(split, found, [...way, key], hops);
    }
    await this.#nobody(split, forwarding, [...way, key], hops);
  }

  /** The address first asked for is ours. */
  #own(hops: number): void {
    if (hops === 0) this.#walk.local = true;
  }

  async #ownDomain({ domain }: SplitAddress, hops: number): Promise<Domain | undefined> {
    const found = await this.#dit.domain(domain);
    if (found) this.#own(hops);
    return found;
  }

  #refuse(address: string, status: string, text: string, entry?: string): void {
    this.#walk.step(address, 'refused', `${status} ${text}`, entry);
    this.#walk.refuse(address, status, text);
  }

  #route(rule: string, route: Route, entry?: string): void {
    this.#walk.step(route.address, rule, `${route.queue}${route.identifier === '' ? '' : ` ${route.identifier}`}`, entry);
    this.#walk.add(route);
  }

  /** Who has the address in its own domain, or else in the domain that one is another name of. */
  async #find(split: SplitAddress): Promise<Found | undefined> {
    let at = split;
    const seen = new Set<string>();
    for (let hop = 0; hop <= aliasHops && !seen.has(at.domain); hop++) {
      seen.add(at.domain);
      const exact = await this.#dit.recipient(at.address);
      if (exact) return { recipient: exact, detail: '' };
      const bare = withoutDetail(at);
      const base = bare === undefined ? undefined : await this.#dit.recipient(bare);
      if (base) {
        this.#walk.step(at.address, 'sub-address', `treated as ${base.mail}`, base.dn);
        return { recipient: base, detail: at.local.slice(at.local.indexOf('+')) };
      }
      const domain = await this.#dit.domain(at.domain);
      const target = domain?.name === at.domain && domain.aliasOf !== undefined ? normalDomain(domain.aliasOf) : undefined;
      if (!domain || target === undefined) return undefined;
      const next = { local: at.local, domain: target, address: `${at.local}@${target}` };
      this.#walk.step(at.address, 'domain alias', `nobody here, looked up as ${next.address}`, domain.dn);
      at = next;
    }
    return undefined;
  }

  async #recipient(split: SplitAddress, { recipient, detail }: Found, way: readonly string[], hops: number): Promise<void> {
    const walk = this.#walk;
    const alias = detail === '' && sameness(recipient.mail) !== sameness(split.address);
    walk.step(
      split.address,
      alias ? 'alias' : 'address',
      alias ? `treated as ${recipient.mail}` : `${recipient.kind} ${recipient.mail}`,
      recipient.dn,
    );
    if (recipient.status === 'disabled') return this.#refuse(split.address, '5.2.1', 'this account is disabled', recipient.dn);
    if (recipient.permission === 'send') return this.#refuse(split.address, '5.2.1', 'this account does not receive mail', recipient.dn);
    const own = new Set([recipient.mail, ...recipient.aliases].map(sameness));
    const elsewhere = (target: string): boolean => !own.has(sameness(target.trim()));
    // By whatever name it was reached: its primary address coming up again is a circle.
    const circle = [...way, sameness(recipient.mail)];
    const routing = recipient.routingAddress?.trim();
    if (recipient.kind === 'alias') {
      walk.step(split.address, 'forwarding', `${recipient.forwardTo.length} targets`, recipient.dn);
      for (const target of recipient.forwardTo) await this.decide(target.trim(), circle, hops + 1);
      if (recipient.forwardTo.length === 0) this.#refuse(split.address, '5.1.1', 'this alias has no target', recipient.dn);
      return;
    }
    for (const target of recipient.forwardTo.filter(elsewhere)) {
      walk.step(split.address, 'forwarding', `also to ${target}`, recipient.dn);
      await this.decide(target.trim(), circle, hops + 1);
    }
    if (routing !== undefined && routing !== '' && elsewhere(routing)) {
      walk.step(split.address, 'routing address', `goes to ${routing} instead`, recipient.dn);
      return await this.decide(routing, circle, hops + 1);
    }
    await this.#deliver(withDetail(recipient.mail, detail), recipient);
  }

  /** Mail to an alias or by a domain alias is mail to the primary address; a detail stays with it. */
  async #deliver(address: string, recipient: Recipient): Promise<void> {
    if (recipient.connectors.length === 0) {
      const channel = recipient.kind === 'list' ? 'DL' : this.#dit.mta.value.defaultLocalChannel;
      return this.#route('default local channel', { address, queue: channel, identifier: identifierFor(channel, recipient) }, recipient.dn);
    }
    let refused: { text: string; dn: string } | undefined;
    let routed = false;
    for (const connector of recipient.connectors) {
      const receives = !permitting.includes(connector.channel) || connector.permission.endsWith('receive');
      const identifier = receives ? await this.#identifier(connector, recipient) : undefined;
      if (!receives) refused = { text: 'this mailbox may not receive mail', dn: connector.dn };
      else if (identifier === undefined) refused ??= { text: 'the mailbox of this address does not exist', dn: connector.dn };
      else {
        routed = true;
        this.#route('connector', { address, queue: connector.channel, identifier }, connector.dn);
        continue;
      }
      this.#walk.step(address, 'connector', `${connector.channel} passed over: ${refused?.text ?? ''}`, connector.dn);
    }
    if (!routed && refused) this.#refuse(address, refused.text.includes('may not') ? '5.2.1' : '5.1.1', refused.text, refused.dn);
  }

  /** What the channel calls the recipient. A mailbox or list is named by address or key of its owner; its key is used. */
  async #identifier(connector: Pick<Connector, 'channel' | 'identifier'>, recipient: Recipient | undefined): Promise<string | undefined> {
    const { channel } = connector;
    const given = connector.identifier.trim();
    if (channel !== 'LOCAL' && channel !== 'DL') return given === '' && recipient ? identifierFor(channel, recipient) : given;
    if (recipient) {
      const own = [recipient.uuid, recipient.mail, ...recipient.aliases].map(sameness);
      if (given === '' || own.includes(sameness(given))) return recipient.uuid;
    }
    if (given === '') return undefined;
    const named = given.includes('@') ? await this.#dit.recipient(given) : undefined;
    const owner = named ?? (await this.#dit.recipientByUuid(given));
    return owner?.uuid;
  }

  async #nobody(split: SplitAddress, forwarding: Forwarding | undefined, way: readonly string[], hops: number): Promise<void> {
    const walk = this.#walk;
    const { mta } = this.#dit;
    const domain = await this.#ownDomain(split, hops);
    const postmaster = split.local.toLowerCase() === 'postmaster';
    if (domain && postmaster && sameness(mta.value.postmaster) !== sameness(split.address)) {
      walk.step(split.address, 'postmaster', `goes to ${mta.value.postmaster}`);
      return await this.decide(mta.value.postmaster, way, hops + 1);
    }
    if (forwarding) {
      const identifier = await this.#identifier(forwarding, undefined);
      if (identifier !== undefined) {
        return this.#route('domain forwarding', { address: split.address, queue: forwarding.channel, identifier }, forwarding.dn);
      }
      return this.#refuse(split.address, '5.1.1', `no such user here, and ${forwarding.channel} cannot take it`, forwarding.dn);
    }
    if (domain) return this.#unknown(split, domain);
    const channel = mta.value.internetChannel;
    this.#route('internet', { address: split.address, queue: channel, identifier: split.domain });
  }

  #forwardDomain(split: SplitAddress, forwarding: Forwarding): void {
    const { channel, dn } = forwarding;
    const given = forwarding.identifier.trim();
    // SMTPC goes by the domain (its peers and host table decide); the others by what the entry says.
    const identifier = channel === 'SMTPC' ? split.domain : given === '' ? split.address : given;
    this.#route('domain forwarding', { address: split.address, queue: channel, identifier }, dn);
  }

  #unknown(split: SplitAddress, domain: Domain): void {
    const channel = this.#dit.mta.value.unknownLocalChannel;
    const bounce = channel === 'bounce';
    if (bounce || !takesUnknown.includes(channel)) {
      const more = bounce ? '' : `, and ${channel} takes only addresses the directory knows`;
      this.#refuse(split.address, '5.1.1', `no such user here${more}`, domain.dn);
      return;
    }
    const identifier = channel === 'SMTPC' ? split.domain : split.address;
    this.#route('unknown local', { address: split.address, queue: channel, identifier }, domain.dn);
  }
}

function identifierFor(channel: OutputChannel, recipient: Recipient): string {
  if (channel === 'LOCAL' || channel === 'DL') return recipient.uuid;
  return channel === 'SMTPC' ? recipient.mail.slice(recipient.mail.lastIndexOf('@') + 1).toLowerCase() : recipient.mail;
}

function withDetail(mail: string, detail: string): string {
  const at = mail.lastIndexOf('@');
  return `${mail.slice(0, at)}${detail}${mail.slice(at)}`;
}
