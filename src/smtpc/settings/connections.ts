/** How connections to other hosts are made. Source: checklist SMTPC-05, SMTPD-16; RFC 8305 */

import { isIPv4, isIPv6 } from 'node:net';
import { choice, integer, text } from '../../settings/index.ts';

export const connections = {
  addressFamily: choice({
    attribute: 'mtSmtpcAddressFamily',
    label: 'IPv4 and IPv6',
    help: 'Which addresses of a host with both kinds are tried first, or whether one kind is used alone.',
    spec: 'SMTPC-05, RFC 5321 §5.1',
    choices: ['ipv4-first', 'ipv6-first', 'ipv4-only', 'ipv6-only'],
    default: 'ipv4-first',
  }),
  sourceIpv4: text({
    attribute: 'mtSmtpcSourceIpv4',
    label: 'Source address, IPv4',
    help: 'Connections to IPv4 addresses are made from this address of this host. Empty: the system chooses.',
    spec: 'SMTPC-05',
    default: '',
    max: 15,
    pattern: /(|(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3})/,
    patternHelp: 'an IPv4 address',
  }),
  sourceIpv6: text({
    attribute: 'mtSmtpcSourceIpv6',
    label: 'Source address, IPv6',
    help: 'Connections to IPv6 addresses are made from this address of this host. Empty: the system chooses.',
    spec: 'SMTPC-05',
    default: '',
    max: 45,
    pattern: /(|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)/,
    valid: (value) => value === '' || isIPv6(value),
    patternHelp: 'an IPv6 address',
  }),
  dataBuffer: integer({
    attribute: 'mtSmtpcDataBuffer',
    label: 'Data buffer',
    help: 'Message data is read ahead of the connection up to this size. Only a matter of speed.',
    spec: 'SMTPD-16',
    default: 4_096,
    min: 512,
    max: 32_768,
    unit: 'octets',
  }),
};

/** The source address for a connection to this address, where one is set. */
export function sourceFor(address: string, value: { readonly sourceIpv4: string; readonly sourceIpv6: string }): string | undefined {
  const source = isIPv6(address) ? value.sourceIpv6 : value.sourceIpv4;
  return isIPv6(address) ? (isIPv6(source) ? source : undefined) : isIPv4(source) ? source : undefined;
}
