/** Lists of network addresses as settings hold them: single ones, ranges, networks, of both families. Pure. */

import { type AddressRange, parseAddressRange } from './address-range.ts';

export interface IpSet {
  /** The entry of the list that has this address, as it was written. */
  match(address: string): string | undefined;
}

const known = new WeakMap<readonly string[], IpSet>();

/** The list as a set; the same list is read once. Of a range either end may stand first. Entries that are none are passed over. */
export function ipSet(list: readonly string[]): IpSet {
  const made = known.get(list) ?? makeSet(list);
  known.set(list, made);
  return made;
}

function makeSet(list: readonly string[]): IpSet {
  const ranges = list.flatMap((text) => {
    const range = rangeOf(text);
    return range ? [{ text, range }] : [];
  });
  return { match: (address) => ranges.find(({ range }) => range.includes(address))?.text };
}

/** Whether a value of a setting is one that `ipSet` does not pass over. */
export const isAddressRange = (text: string): boolean => rangeOf(text) !== undefined;

const rangeOf = (text: string): AddressRange | undefined =>
  parseAddressRange(text) ?? parseAddressRange(text.split('-').reverse().join('-'));

/** Under which name a client is counted: an IPv4 address, or the /64 network of an IPv6 one, as a host has a whole one of those. */
export function clientNetwork(address: string): string {
  return address.includes(':') ? (parseAddressRange(`${address.split('%')[0]}/64`)?.text ?? address) : address;
}
