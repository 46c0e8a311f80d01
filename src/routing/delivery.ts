/**
 * The ways of an address whose entry is known: forwarding and routing addresses, connectors, the default local delivery channel.
 *
 * Source: manual chapter 5, "Connectors", "Mail Aliases"; chapter 3, "Default Local Delivery Channel"; checklist MTA-02, MTA-22, DIR-09, DIR-10
 */

import type { OutputChannel } from '../base/index.ts';
import type { Connector, Dit, Recipient } from '../dit/index.ts';
import { domainOf } from '../mail/index.ts';
import { normalDomain, sameness } from './address.ts';
import type { Walk } from './walk.ts';

export type DeliveryDit = Pick<Dit, 'recipient' | 'recipientByUuid' | 'mta'>;

/** Channels whose connectors have a permission that means something (manual chapter 5, "Connectors"). */
const permitting: readonly OutputChannel[] = ['LOCAL', 'CCIN', 'NOTESIN'];

/** Why a connector is passed over. */
interface No {
  readonly status: string;
  readonly text: string;
  /** The attribute that decides it. */
  readonly rule?: string;
  /** The entry it stands in, where that is not the one that was asked. */
  readonly dn?: string;
}
const isNo = (one: object): one is No => 'text' in one;

/** Mail to an alias or by a domain alias is mail to the primary address; a detail stays with it. */
export async function deliver(dit: DeliveryDit, walk: Walk, address: string, recipient: Recipient): Promise<void> {
  if (recipient.connectors.length === 0) {
    walk.not(address, 'connector', 'it has none', recipient.dn);
    const { defaultLocalChannel, entry } = dit.mta.value;
    const list = recipient.kind === 'list';
    const channel = list ? 'DL' : defaultLocalChannel;
    const identifier = identifierFor(channel, recipient);
    return walk.route('default local channel', { address, queue: channel, identifier }, list ? recipient.dn : (entry ?? recipient.dn));
  }
  let refused: (No & { dn: string }) | undefined;
  let routed = false;
  for (const connector of recipient.connectors) {
    const way = await wayOf(dit, connector, address, recipient);
    if (isNo(way)) {
      walk.step(address, 'connector', `${connector.channel} passed over: ${way.text}`, connector.dn);
      // What somebody decided says more than what is missing.
      if (!refused || way.status === '5.2.1') refused = { dn: connector.dn, ...way };
      continue;
    }
    routed = true;
    walk.route('connector', { queue: connector.channel, ...way }, connector.dn);
  }
  if (!routed && refused) walk.refuse(address, refused.status, refused.text, refused.dn, refused.rule);
}

async function wayOf(
  dit: DeliveryDit,
  { channel, identifier, permission }: Connector,
  address: string,
  recipient: Recipient,
): Promise<{ address: string; identifier: string } | No> {
  if (permitting.includes(channel) && !permission.endsWith('receive'))
    return { status: '5.2.1', text: `this mailbox may not receive mail (permission ${permission})`, rule: 'mtPermission' };
  const given = identifier.trim();
  if (channel === 'LOCAL' || channel === 'DL') {
    const key = await keyOf(dit, channel, given, recipient);
    return typeof key === 'string' ? { address, identifier: key } : key;
  }
  if (given === '') return { address, identifier: identifierFor(channel, recipient) };
  return channel === 'SMTPC' ? smtpcWay(given, address) : { address, identifier: given };
}

/** An address is where the mail goes; a host or domain is the next hop of the address it has. */
function smtpcWay(given: string, address: string): { address: string; identifier: string } | No {
  const at = given.lastIndexOf('@');
  const domain = normalDomain(given.slice(at + 1));
  if (domain === undefined || at === 0) return { status: '5.3.5', text: `"${given.slice(0, 300)}" is neither an address nor a host` };
  return { address: at < 0 ? address : `${given.slice(0, at)}@${domain}`, identifier: domain };
}

/** The key of the mailbox or list that an identifier names: by key, address or login name; without an identifier the entry's own. */
export async function keyOf(dit: DeliveryDit, channel: OutputChannel, identifier: string, of?: Recipient): Promise<string | No> {
  const given = identifier.trim();
  if (of) {
    const own = [of.uuid, of.mail, ...of.aliases].map(sameness);
    if (given === '' || own.includes(sameness(given))) return of.uuid;
  }
  const owner = given === '' ? undefined : await named(dit, given, of);
  if (!owner || (channel === 'LOCAL' && owner.kind === 'alias'))
    return { status: '5.1.1', text: `the ${channel === 'DL' ? 'list' : 'mailbox'} of this address does not exist` };
  if (owner.status === 'disabled')
    return { status: '5.2.1', text: 'the mailbox of this address is disabled', rule: 'accountStatus', dn: owner.dn };
  return owner.uuid;
}

async function named(dit: DeliveryDit, given: string, of: Recipient | undefined): Promise<Recipient | undefined> {
  const exact = (given.includes('@') ? await dit.recipient(given) : undefined) ?? (await dit.recipientByUuid(given));
  if (exact || given.includes('@')) return exact;
  const domains = [...(of ? [domainOf(of.mail)] : []), dit.mta.value.domain];
  for (const domain of new Set(domains)) {
    const found = await dit.recipient(`${given}@${domain}`);
    if (found) return found;
  }
  return undefined;
}

/** What a channel calls somebody who has an entry and no identifier for it. */
function identifierFor(channel: OutputChannel, recipient: Recipient): string {
  if (channel === 'LOCAL' || channel === 'DL') return recipient.uuid;
  return channel === 'SMTPC' ? domainOf(recipient.mail) : recipient.mail;
}
