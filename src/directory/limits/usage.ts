/**
 * What stands below an entry, counted: accounts, lists, quota. Kept in the transaction of every write, so a limit is checked
 * without looking at what it limits, and moving a subtree moves its numbers.
 *
 * Every entry that has something to count below it has a record `u/<id>` with the sums over all of it, whatever the number of levels.
 * Which sums a domain may not exceed is domain-limits.ts's business.
 */

import type { Dn } from '../../ldap-wire/index.ts';
import type { Entry } from '../entry.ts';
import { decodeText, type EntryRecord, encodeText } from '../records/codec.ts';
import { keys, rootId } from '../records/keys.ts';
import type { Transaction } from '../records/transaction.ts';
import { idInside } from '../records/view.ts';
import { isListMember } from '../write/rules.ts';
import { checkLimits } from './domain-limits.ts';

/** `storeOpen` and `webOpen` are accounts with a mailbox or web folder and no quota of their own; quotas are octets. */
export const usageKinds = ['users', 'shared', 'lists', 'storeQuota', 'storeOpen', 'webQuota', 'webOpen'] as const;
export type UsageKind = (typeof usageKinds)[number];
export type Usage = Readonly<Record<UsageKind, bigint>>;

/** Computed attributes of a mail domain that show its sums, by lower-case name. */
export const usageAttributes: ReadonlyMap<string, UsageKind> = new Map([
  ['mtdomainusers', 'users'],
  ['mtdomainsharedaccounts', 'shared'],
  ['mtdomainlists', 'lists'],
  ['mtdomainstorequota', 'storeQuota'],
  ['mtdomainstorewithoutquota', 'storeOpen'],
  ['mtdomainwebquota', 'webQuota'],
]);

const nothing = Object.fromEntries(usageKinds.map((kind) => [kind, 0n])) as unknown as Usage;
export const isNothing = (usage: Usage): boolean => usageKinds.every((kind) => usage[kind] === 0n);

export function sum(a: Usage, b: Usage, sign: 1n | -1n = 1n): Usage {
  return Object.fromEntries(usageKinds.map((kind) => [kind, a[kind] + sign * b[kind]])) as unknown as Usage;
}

export const encodeUsage = (usage: Usage): Uint8Array => encodeText(usageKinds.map((kind) => usage[kind]).join(' '));

export function decodeUsage(octets: Uint8Array | undefined): Usage {
  if (!octets) return nothing;
  const numbers = decodeText(octets).split(' ');
  return Object.fromEntries(usageKinds.map((kind, n) => [kind, BigInt(numbers[n] ?? 0)])) as unknown as Usage;
}

/** What of an entry is counted: only its attributes and what kind of name stands above it count. */
export function usageOf(entry: Entry | undefined): Usage {
  if (!entry || isListMember(entry)) return nothing;
  if (entry.isA('nisMailAlias') || entry.isA('mtDistributionList')) return { ...nothing, lists: 1n };
  // A closed account (qmail-ldap's `deleted`) keeps its entry for the address book and has no mailbox any more.
  if (!entry.isA('mtMailUser') || entry.text('accountStatus')?.toLowerCase() === 'deleted') return nothing;
  const store = octetsIn(entry, 'mailQuotaSize');
  const web = octetsIn(entry, 'mtWebFolderQuota');
  const hasWeb = web > 0n || entry.text('mtWebFolder')?.toUpperCase() === 'TRUE';
  return {
    ...nothing,
    [entry.isA('mtSharedAccount') ? 'shared' : 'users']: 1n,
    storeQuota: store,
    storeOpen: store === 0n ? 1n : 0n,
    webQuota: web,
    webOpen: hasWeb && web === 0n ? 1n : 0n,
  };
}

/** What an entry's usage depends on, beside its name. */
const counted = ['objectclass', 'accountstatus', 'mailquotasize', 'mtwebfolderquota', 'mtwebfolder'] as const;

/** Nought and what is no number are no quota. */
function octetsIn(entry: Entry, attribute: string): bigint {
  const text = entry.text(attribute) ?? '';
  return /^\d{1,18}$/.test(text) ? BigInt(text) : 0n;
}

interface Above {
  readonly id: number;
  readonly record: EntryRecord;
}

/** Who stands above an entry, nearest first. */
function above(tx: Transaction, dn: Dn | undefined): Above[] {
  const found: Above[] = [];
  let id = dn && dn.rdns.length > 0 ? idInside(tx, dn) : undefined;
  while (id !== undefined && id !== rootId) {
    const record = tx.entry(id);
    if (!record) break;
    found.push({ id, record });
    id = record.parent;
  }
  return found;
}

export interface Counted {
  readonly id: number;
  readonly before: Entry | undefined;
  readonly after: Entry | undefined;
}

/** Counts one change, after its entry was written. Throws DirectoryFault adminLimitExceeded where a domain's limit forbids it. */
export function countUsage(tx: Transaction, { id, before, after }: Counted): void {
  const moved = before !== undefined && after !== undefined && before.dn.parent?.key !== after.dn.parent?.key;
  // Most changes leave alone what is counted.
  if (before && after && !moved && counted.every((name) => before.attributes.get(name) === after.attributes.get(name))) return;
  const [was, is] = [usageOf(before), usageOf(after)];
  const below = moved ? decodeUsage(tx.get(keys.usage(id))) : nothing;
  const changes = new Map<number, { readonly at: Above; delta: Usage }>();
  const add = (all: readonly Above[], usage: Usage, sign: 1n | -1n): void => {
    for (const at of all) {
      const known = changes.get(at.id);
      changes.set(at.id, { at, delta: sum(known?.delta ?? nothing, usage, sign) });
    }
  };
  if (moved) {
    add(above(tx, before.dn.parent), sum(was, below), -1n);
    add(above(tx, after.dn.parent), sum(is, below), 1n);
  } else {
    if (usageKinds.every((kind) => was[kind] === is[kind])) return;
    add(above(tx, (after ?? before)?.dn.parent), sum(is, was, -1n), 1n);
  }
  for (const { at, delta } of changes.values()) {
    if (isNothing(delta)) continue;
    const usage = sum(decodeUsage(tx.get(keys.usage(at.id))), delta);
    checkLimits(tx, at.id, at.record, usage, delta);
    if (isNothing(usage)) tx.delete(keys.usage(at.id));
    else tx.put(keys.usage(at.id), encodeUsage(usage));
  }
}
