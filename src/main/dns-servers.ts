/** Name servers as settings have them: an address, with a port where it is not 53. */

import type { DnsServer } from '../base/index.ts';
import { parseWhere } from './config.ts';

export function dnsServer(text: string): DnsServer[] {
  const where = parseWhere(/^\[.*\]$|^[^:]+$/.test(text) ? `${text}:53` : text);
  return where === undefined || where === 'off' ? [] : [where];
}
