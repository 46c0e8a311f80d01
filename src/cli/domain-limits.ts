/** The limits of a domain on the command line: options, and "used of allowed". Source: manual chapter 7; checklist DOM-01 */

import { Fault } from '../base/index.ts';
import type { Entry } from '../directory/index.ts';
import type { DomainChange } from './domain.ts';

interface Limit {
  /** Name of the option, as commander gives it. */
  readonly key: LimitKey;
  readonly flag: string;
  readonly help: string;
  readonly attribute: string;
  /** The computed attribute with what is used. */
  readonly used: string;
  readonly title: string;
  /** Octets in one unit of the option. */
  readonly unit: number;
}
type LimitKey = 'maxUsers' | 'maxShared' | 'maxLists' | 'storeQuota' | 'webQuota';
export type LimitOptions = { readonly [key in LimitKey]?: string };

const megabyte = 1_048_576;
const rest = '`unlimited`, or 0 for none';

export const domainLimits: readonly Limit[] = [
  {
    key: 'maxUsers',
    flag: '--max-users <number>',
    help: `users at most; ${rest}`,
    attribute: 'mtDomainMaxUsers',
    used: 'mtDomainUsers',
    title: 'users',
    unit: 1,
  },
  {
    key: 'storeQuota',
    flag: '--store-quota <megabytes>',
    help: `for all mailboxes together; ${rest}`,
    attribute: 'mtDomainMaxStoreQuota',
    used: 'mtDomainStoreQuota',
    title: 'store MB',
    unit: megabyte,
  },
  {
    key: 'webQuota',
    flag: '--web-quota <megabytes>',
    help: `for all web folders together; ${rest}`,
    attribute: 'mtDomainMaxWebQuota',
    used: 'mtDomainWebQuota',
    title: 'web MB',
    unit: megabyte,
  },
  {
    key: 'maxLists',
    flag: '--max-lists <number>',
    help: `lists at most; ${rest}`,
    attribute: 'mtDomainMaxLists',
    used: 'mtDomainLists',
    title: 'lists',
    unit: 1,
  },
  {
    key: 'maxShared',
    flag: '--max-shared <number>',
    help: `shared accounts at most; ${rest}`,
    attribute: 'mtDomainMaxSharedAccounts',
    used: 'mtDomainSharedAccounts',
    title: 'shared',
    unit: 1,
  },
];

/** What the options ask to be changed. Fault `malformed` names the option, by `flags` where a command calls it otherwise. */
export function limitChanges(options: LimitOptions, flags: Partial<Record<LimitKey, string>> = {}): DomainChange[] {
  return domainLimits.flatMap(({ key, flag, attribute, unit }) => {
    const given = options[key];
    if (given === undefined) return [];
    if (given === '' || /^unlimited$/i.test(given)) return [{ name: attribute, value: '' }];
    if (!/^\d{1,8}$/.test(given))
      throw new Fault('malformed', `${flags[key] ?? flag.split(' ')[0]}: "${given}" is neither a whole number nor "unlimited"`);
    return [{ name: attribute, value: String(Number(given) * unit) }];
  });
}

/** `3/10`, `3` where there is no limit, `off`; `?` where the server does not count; by title. */
export function usedAndAllowed(entry: Entry): Readonly<Record<string, string>> {
  const shown = domainLimits.map(({ attribute, used, title, unit }): [string, string] => {
    // An external directory does not count.
    const counted = entry.text(used);
    const has = counted === undefined ? '?' : inUnits(counted, unit);
    const most = entry.text(attribute);
    if (most === undefined) return [title, has];
    return [title, most === '0' && has === '0' ? 'off' : `${has}/${inUnits(most, unit)}`];
  });
  return Object.fromEntries(shown);
}

/** The same as numbers, `null` where there is no limit or no count; octets as octets. */
export function limitsAsNumbers(entry: Entry): Readonly<Record<string, { readonly used: number | null; readonly allowed: number | null }>> {
  return Object.fromEntries(
    domainLimits.map(({ key, attribute, used }) => {
      const most = entry.text(attribute);
      const counted = entry.text(used);
      return [key, { used: counted === undefined ? null : Number(counted), allowed: most === undefined ? null : Number(most) }];
    }),
  );
}

function inUnits(text: string, unit: number): string {
  const value = Number(text) / unit;
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}
