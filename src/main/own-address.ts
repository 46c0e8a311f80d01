/**
 * Whether an address and port are one of our own mail doors: sending mail there would be a loop.
 *
 * Spec: RFC 5321 §5.1
 */

import { BlockList, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { parseAddressRange } from '../base/index.ts';
import type { Where } from './config.ts';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

const everywhere: readonly string[] = ['::', '0.0.0.0'];

/** `interfaces`: the addresses of this host, asked only where a door listens on all of them. */
export function isOwn(address: string, port: number, doors: readonly Where[], interfaces: () => readonly string[] = ofThisHost): boolean {
  const asked = plain(address);
  const local = (): boolean => loopback.check(asked, isIPv6(asked) ? 'ipv6' : 'ipv4');
  return doors.some((door) => {
    if (door === 'off' || door.port !== port) return false;
    if (everywhere.includes(asked)) return true;
    if (everywhere.includes(door.host)) return local() || interfaces().some((one) => plain(one) === asked);
    return door.host === 'localhost' ? local() : plain(door.host) === asked;
  });
}

/** As it is compared: IPv6 can be written in many ways, and IPv4 as IPv6. */
const plain = (address: string): string => parseAddressRange(address)?.text ?? address.toLowerCase();

function ofThisHost(): string[] {
  return Object.values(networkInterfaces()).flatMap((some) => (some ?? []).map(({ address }) => address));
}
