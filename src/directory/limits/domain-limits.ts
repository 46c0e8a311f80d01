/**
 * The limits of a mail domain: how many accounts and lists may stand below its entry, sub-domains included, and how much quota they
 * may have together.
 *
 * Promise: for whoever writes, and by whatever door; what is there already stays, also when a limit is set below it. No value is no
 * limit, nought switches the thing off.
 * Source: manual chapter 7; checklist DOM-01, DOM-02
 */

import { DirectoryFault } from '../port.ts';
import type { EntryRecord } from '../records/codec.ts';
import type { Transaction } from '../records/transaction.ts';
import { dnInside } from '../records/view.ts';
import type { Usage, UsageKind } from './usage.ts';

interface DomainLimit {
  /** Attribute of the domain entry. */
  readonly attribute: string;
  readonly kind: UsageKind;
  /** What is counted, in words. */
  readonly of: string;
  /** The attribute that an account must then have, and the kind that counts those that do not. */
  readonly each?: { readonly attribute: string; readonly kind: UsageKind };
}

export const domainLimits: readonly DomainLimit[] = [
  { attribute: 'mtDomainMaxUsers', kind: 'users', of: 'users' },
  { attribute: 'mtDomainMaxSharedAccounts', kind: 'shared', of: 'shared accounts' },
  { attribute: 'mtDomainMaxLists', kind: 'lists', of: 'lists' },
  {
    attribute: 'mtDomainMaxStoreQuota',
    kind: 'storeQuota',
    of: 'octets of mailboxes',
    each: { attribute: 'mailQuotaSize', kind: 'storeOpen' },
  },
  {
    attribute: 'mtDomainMaxWebQuota',
    kind: 'webQuota',
    of: 'octets of web folders',
    each: { attribute: 'mtWebFolderQuota', kind: 'webOpen' },
  },
];

/** Throws DirectoryFault adminLimitExceeded where the entry sets a limit that the usage exceeds and the change has raised. */
export function checkLimits(tx: Transaction, id: number, record: EntryRecord, usage: Usage, delta: Usage): void {
  if (!valuesOf(record, 'objectClass').some((name) => name.toLowerCase() === 'mtmaildomain')) return;
  for (const { attribute, kind, of, each } of domainLimits) {
    const [text = ''] = valuesOf(record, attribute);
    if (!/^\d{1,18}$/.test(text)) continue;
    const most = BigInt(text);
    const more = delta[kind];
    const open = each !== undefined && delta[each.kind] > 0n;
    if (!open && (more <= 0n || usage[kind] <= most)) continue;
    const domain = nameOf(tx, id);
    const refuse = (say: string): DirectoryFault => new DirectoryFault('adminLimitExceeded', say);
    if (most === 0n) throw refuse(`attribute ${attribute}: the domain ${domain} may have no ${of}`);
    if (each && open)
      throw refuse(
        `attribute ${each.attribute}: required and missing, for the domain ${domain} may have ${most} ${of} in all (${attribute})`,
      );
    const had = usage[kind] - more;
    throw refuse(`attribute ${attribute}: the domain ${domain} may have ${most} ${of} and has ${had}; ${more} more cannot be added`);
  }
}

function valuesOf(record: EntryRecord, name: string): string[] {
  const lower = name.toLowerCase();
  const found = record.attributes.find((attribute) => attribute.name.toLowerCase() === lower);
  return (found?.values ?? []).filter((value) => typeof value === 'string');
}

/** `jade.net`; of a domain that is no chain of `dc` levels its whole name. */
function nameOf(tx: Transaction, id: number): string {
  const dn = dnInside(tx, id);
  const labels = dn.rdns.filter(([ava]) => ava?.type.toLowerCase() === 'dc').map(([ava]) => ava?.value ?? '');
  return labels.length === 0 ? dn.toString() : labels.join('.');
}
