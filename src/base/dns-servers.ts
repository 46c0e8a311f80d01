/**
 * Which name server is asked next.
 *
 * Promise: the order of the settings, but one that kept silent goes behind the others for half a minute, so that a dead first server
 * does not cost its time-out with every question.
 */

import { getServers } from 'node:dns';
import type { Clock } from './clock.ts';
import type { DnsServer } from './dns-exchange.ts';

export interface DnsServers {
  /** In the order in which to ask them now. */
  inOrder(): readonly DnsServer[];
  answered(server: DnsServer): void;
  keptSilent(server: DnsServer): void;
  forget(): void;
}

const behindMs = 30_000;
const keyOf = ({ host, port }: DnsServer): string => `${host} ${port}`;

/** `set`: those of the settings; where there are none the system's are asked. */
export function dnsServers(set: () => readonly DnsServer[], clock: Clock): DnsServers {
  const silent = new Map<string, number>();
  const isSilent = (server: DnsServer): boolean => (silent.get(keyOf(server)) ?? 0) > clock.now();
  return {
    inOrder() {
      const all = set().length > 0 ? set() : systemServers();
      if (silent.size === 0) return all;
      return [...all.filter((one) => !isSilent(one)), ...all.filter(isSilent)];
    },
    answered: (server) => void silent.delete(keyOf(server)),
    keptSilent: (server) => void silent.set(keyOf(server), clock.now() + behindMs),
    forget: () => silent.clear(),
  };
}

function systemServers(): DnsServer[] {
  return getServers().map((text) => {
    const bracket = /^\[(.+)\]:(\d+)$/.exec(text);
    if (bracket) return { host: bracket[1] as string, port: Number(bracket[2]) };
    const withPort = /^([\d.]+):(\d+)$/.exec(text);
    return withPort ? { host: withPort[1] as string, port: Number(withPort[2]) } : { host: text, port: 53 };
  });
}
