/** Lists of network addresses as settings hold them: single ones, ranges, networks, of both families. Pure. */

import { parseAddressRange } from './address-range.ts';

const octet = '(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9]|0{2,3})';
const four = String.raw`${octet}(\.${octet}){3}`;
const six = '[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{1,45}';

/** The shape, for settings; of IPv6 roughly: `parseAddressRange` says what is really one. */
export const ipPattern = new RegExp(`${four}(/(3[0-2]|[12]?[0-9])|-${four})?|${six}(/(12[0-8]|1[01][0-9]|[1-9]?[0-9])|-${six})?`);

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
    const range = parseAddressRange(text) ?? parseAddressRange(text.split('-').reverse().join('-'));
    return range ? [{ text, range }] : [];
  });
  return { match: (address) => ranges.find(({ range }) => range.includes(address))?.text };
}

/** Under which name a client is counted: an IPv4 address, or the /64 network of an IPv6 one, as a host has a whole one of those. */
export function clientNetwork(address: string): string {
  return address.includes(':') ? (parseAddressRange(`${address.split('%')[0]}/64`)?.text ?? address) : address;
}
