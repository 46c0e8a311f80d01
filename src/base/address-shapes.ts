/**
 * The shapes that settings with addresses, networks and ports are held to when they are written. Pure.
 *
 * A shape refuses all that it can say: octets, prefix lengths, ports. The rest (an IPv6 address, ends of two families) is `parseAddressRange`'s.
 */

import { isIP } from 'node:net';

// The manual writes 192.55.89.00.
const octet = '(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9]|0{2,3})';
const ipv4 = String.raw`${octet}(\.${octet}){3}`;
const ipv6 = '[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{1,45}';
const port = '(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})';

/** One address, a range or a network. */
export const ipPattern = new RegExp(`${ipv4}(/(3[0-2]|[12]?[0-9])|-${ipv4})?|${ipv6}(/(12[0-8]|1[01][0-9]|[1-9]?[0-9])|-${ipv6})?`);

/** A host to connect to. */
export const hostSetting = new RegExp(String.raw`[A-Za-z0-9._-]+(:${port})?|\[[0-9A-Fa-f:.IPv]+\](:${port})?`);

/** What `hostSetting` takes, for people. */
export const hostSettingHelp = 'a host name or an address in brackets, and :port with a port from 1 to 65535';

/** The address of a server, with `:port` where it is not the usual one. */
export const serverPattern = new RegExp(String.raw`(${ipv4}|\[[0-9A-Fa-f:.]+\])(:${port})?`);

/** Whether what stands in brackets is an address; other names are not looked at. */
export function namesHost(text: string): boolean {
  const inside = /^\[(?:IPv6:)?([^\]]*)\]/i.exec(text)?.[1];
  return inside === undefined || isIP(inside) !== 0;
}

/** Where to listen. Port 0 is any that is free. */
export const listenPattern = new RegExp(String.raw`off|(${ipv4}|\[[0-9A-Fa-f:.]+\]|localhost|\*):(0|${port})`);
