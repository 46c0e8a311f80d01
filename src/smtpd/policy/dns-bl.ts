/**
 * Which DNS blacklists have a client's address.
 *
 * Promise: asked once a connection, all lists at one time, and waited for no longer than ten seconds; a list that does not answer has
 * nobody, so that a dead one keeps no mail away.
 * Source: manual chapter 3, "DNS-BL Access"; checklist SMTPD-09. Spec: RFC 5782 §2
 */

import { type Clock, ipSet, type Log, type Resolver, reversedAddress } from '../../base/index.ts';
import type { Blacklist } from '../../dit/index.ts';

export interface Listing {
  readonly list: Blacklist;
  /** What the zone answered: 127.0.0.2. */
  readonly answer: string;
}

const patienceMs = 10_000;

export interface BlacklistNeeds {
  readonly resolver: Resolver;
  readonly clock: Clock;
  readonly log: Log;
}

export async function listingsOf(address: string, lists: readonly Blacklist[], needs: BlacklistNeeds): Promise<readonly Listing[]> {
  const reversed = reversedAddress(address);
  if (reversed === undefined || lists.length === 0) return [];
  const found: Listing[] = [];
  let cancel = (): void => {};
  const late = new Promise<void>((resolve) => {
    cancel = needs.clock.after(patienceMs, () => {
      needs.log.diagnostic(`blacklists about ${address}: not all have answered in time`);
      resolve();
    });
  });
  const asked = lists.map(async (list) => {
    const answer = await needs.resolver.ipv4(`${reversed}.${list.zone}`);
    if (answer.outcome === 'temporary') needs.log.diagnostic(`blacklist ${list.zone} about ${address}: ${answer.reason}`);
    const hit = answer.outcome === 'found' ? answer.records.find((one) => ipSet(list.answers).match(one) !== undefined) : undefined;
    if (hit !== undefined) found.push({ list, answer: hit });
  });
  await Promise.race([Promise.all(asked), late]);
  cancel();
  // Those that come too late change nothing any more.
  return lists.flatMap((list) => found.filter((one) => one.list === list));
}
