/**
 * From directory entries to a Recipient.
 *
 * Promise: never throws; what an entry has that makes no sense (an external directory may hold anything) is left out.
 */

import { type OutputChannel, outputChannels } from '../base/index.ts';
import type { Change, Entry } from '../directory/index.ts';
import { addressKey } from '../mail/index.ts';
import { accountPermissions, permissions } from './classes.ts';
import type { Connector, Permission, Recipient } from './port.ts';

/** Everything under which an entry can be written to. */
export function addressesOf(entry: Entry): string[] {
  return [...entry.texts('mail'), ...entry.texts('mailLocalAddress'), ...entry.texts('mtMailAddress')];
}

const isAlias = (entry: Entry): boolean => entry.isA('mtMailAlias') || entry.isA('nisMailAlias');

export function recipientFrom(entry: Entry, children: readonly Entry[]): Recipient | undefined {
  const uuid = entry.text('entryUUID');
  const [mail, ...aliases] = addressesOf(entry);
  if (uuid === undefined || mail === undefined) return undefined;
  return {
    dn: entry.dn.toString(),
    uuid,
    mail,
    kind: isAlias(entry) ? 'alias' : 'user',
    aliases,
    connectors: children.filter((child) => child.isA('mtConnector')).flatMap((child) => connectorFrom(child) ?? []),
    forwardTo: [...entry.texts('mailForwardingAddress'), ...entry.texts('rfc822MailMember')],
    routingAddress: entry.text('mailRoutingAddress'),
    status: statusFrom(entry.text('accountStatus')),
    permission: closest(accountPermissions, entry.text('mtAccountPermission')) ?? 'send-receive',
    displayName: entry.text('displayName') ?? entry.text('cn'),
    quota: quotaFrom(entry.text('mailQuotaSize')),
    login: !isAlias(entry),
  };
}

/** Channel, identifier and permission of a connector or forwarding entry; undefined where the channel is none. */
export function connectorFrom(entry: Entry): Connector | undefined {
  const channel = closest<OutputChannel>(outputChannels, entry.text('mtChannel'));
  if (!channel) return undefined;
  return {
    dn: entry.dn.toString(),
    channel,
    identifier: entry.text('mtIdentifier') ?? '',
    permission: closest<Permission>(permissions, entry.text('mtPermission')) ?? 'send-receive',
  };
}

function closest<T extends string>(choices: readonly T[], value: string | undefined): T | undefined {
  return choices.find((choice) => choice.toLowerCase() === value?.trim().toLowerCase());
}

/**
 * The mailbox key of an account that was active before the change and is not after it. Where the change does not tell what was before
 * (an external directory), of whatever is not active after it.
 */
export function revokedBy({ kind, uuid, before, after }: Change): string | undefined {
  const active = (entry: Entry | undefined): boolean => entry !== undefined && statusFrom(entry.text('accountStatus')) === 'active';
  if (active(after)) return undefined;
  if (!before) return kind === 'add' ? undefined : uuid;
  return active(before) && addressesOf(before).length > 0 ? before.text('entryUUID') : undefined;
}

/** Where an address's domain is from an entry's point of view: one of ours that the entry stands below, another one of ours, none of ours. */
type Home = 'within' | 'outside' | 'foreign';

/**
 * What the platform's rules would have refused on write (write-rules.ts), found on reading an entry of a directory that does not know
 * them. Only the address that was asked for counts: another one that is wrong harms nobody until it is asked for.
 */
export async function problemOf(
  entry: Entry,
  wanted: string | undefined,
  homeOf: (domain: string) => Promise<Home>,
): Promise<string | undefined> {
  const uuid = entry.text('entryUUID');
  if (uuid === undefined) return 'it has no entryUUID (or we may not read it)';
  // The mailbox is called by it.
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(uuid)) return `its entryUUID "${uuid.slice(0, 64)}" is none`;
  if (wanted === undefined) return undefined;
  for (const attribute of ['mail', 'mtMailAddress'] as const) {
    const address = entry.texts(attribute).find((text) => addressKey(text) === wanted);
    if (address === undefined) continue;
    if ((await homeOf(address.slice(address.lastIndexOf('@') + 1))) === 'outside')
      return `attribute ${attribute}: "${address.slice(0, 320)}" belongs below its own domain`;
  }
  return undefined;
}

/** qmail-ldap's words: active, noaccess (may not log in), disabled, deleted. */
function statusFrom(value: string | undefined): Recipient['status'] {
  switch (value?.trim().toLowerCase()) {
    case 'noaccess':
    case 'nologin':
      return 'nologin';
    case 'disabled':
    case 'deleted':
      return 'disabled';
    default:
      return 'active';
  }
}

function quotaFrom(value: string | undefined): number | undefined {
  if (value === undefined || !/^\d{1,15}$/.test(value)) return undefined;
  return Number(value) || undefined;
}
