/**
 * A part of a resolver for those whom strangers make ask.
 *
 * Promise: however many names strangers have looked up whose servers keep silent, there is room left for the questions of others: what is
 * beyond the share is `temporary` at once, as with a resolver that has too much to do.
 */

import type { DnsAnswer, Resolver } from './resolver.ts';

/** `most`: questions under way at one time. */
export function shareOf(resolver: Resolver, most: number): Resolver {
  let running = 0;
  const within =
    <T>(ask: (name: string) => Promise<DnsAnswer<T>>) =>
    async (name: string): Promise<DnsAnswer<T>> => {
      if (running >= most) return { outcome: 'temporary', reason: 'too many questions to the DNS at one time' };
      running += 1;
      try {
        return await ask(name);
      } finally {
        running -= 1;
      }
    };
  return {
    mx: within(resolver.mx),
    addresses: within(resolver.addresses),
    ipv4: within(resolver.ipv4),
    ptr: within(resolver.ptr),
    txt: within(resolver.txt),
    tlsa: within(resolver.tlsa),
    alias: within(resolver.alias),
  };
}
