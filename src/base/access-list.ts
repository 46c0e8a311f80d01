/** Addresses and networks that may do something, beside this host itself. */

import { isIP } from 'node:net';
import { ipSet } from './ip-set.ts';
import { isLoopback } from './plain-login.ts';

/** `::ffff:192.0.2.1` is the IPv4 client that it stands for. */
const plainAddress = (address: string): string => /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(address)?.[1] ?? address;

/** An entry that is no address or network admits nobody. */
export function accessList(entries: readonly string[]): (address: string) => boolean {
  const list = ipSet(entries);
  return (given) => {
    const address = plainAddress(given);
    return isIP(address) !== 0 && (isLoopback(address) || list.match(address) !== undefined);
  };
}
