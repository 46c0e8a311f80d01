/** Addresses and networks that may do something, beside this host itself. */

import { BlockList, isIP } from 'node:net';
import { isLoopback } from './plain-login.ts';

/** `::ffff:192.0.2.1` is the IPv4 client that it stands for. */
const plainAddress = (address: string): string => /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(address)?.[1] ?? address;

/** An entry that is no address or network admits nobody. */
export function accessList(entries: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    try {
      if (bits === undefined) list.addAddress(address, family);
      else list.addSubnet(address, Number(bits), family);
    } catch {
      // The setting's pattern lets through what is no address; it matches none.
    }
  }
  return (given) => {
    const address = plainAddress(given);
    const version = isIP(address);
    return version !== 0 && (isLoopback(address) || list.check(address, version === 6 ? 'ipv6' : 'ipv4'));
  };
}
