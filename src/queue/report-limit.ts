/**
 * How many reports one address gets: a flood of mail with somebody's forged address shall not become a flood of reports to them.
 *
 * An address is one with all its tags (`user+tag`), and nobody gets further by making up addresses of one domain: for whom neither SPF nor
 * DKIM vouches, a domain has its limit, too.
 *
 * Promise: bounded memory; a full hour of quiet forgets everything. Kept by the process, begins anew with a restart.
 * Source: checklist SMTPC-10 (no back-scatter); RFC 3464 §4; RFC 5321 §7.8
 */

import { type Clock, Lru } from '../base/index.ts';

const hour = 3_600_000;
const remembered = 20_000;
/** Of what one address gets, for all that are made up in a domain. */
const perDomain = 10;

export interface ReportLimit {
  /**
   * Counts one more report to this address; `refused` says whether it is one too many, `first` names the address or the domain where it is
   * the first such. `vouched`: the sender is who it says it is.
   */
  take(address: string, vouched: boolean): { readonly refused: boolean; readonly first?: string };
}

/** `perHour` is asked each time; 0 is no limit. */
export function createReportLimit(clock: Pick<Clock, 'now'>, perHour: () => number): ReportLimit {
  const counts = new Lru<string, { since: number; count: number }>(remembered);
  const count = (key: string): number => {
    const now = clock.now();
    const known = counts.get(key);
    const counted = known && now - known.since < hour && now >= known.since ? known : { since: now, count: 0 };
    counted.count += 1;
    counts.set(key, counted);
    return counted.count;
  };
  return {
    take(address, vouched) {
      const most = perHour();
      if (most === 0) return { refused: false };
      const at = address.lastIndexOf('@');
      const [local = '', domain] = [address.slice(0, at), address.slice(at).toLowerCase()];
      const own = count(local.replace(/(?<=.)\+.*$/s, '').toLowerCase() + domain);
      if (own > most) return own === most + 1 ? { refused: true, first: address } : { refused: true };
      const all = vouched ? 0 : count(domain);
      if (all <= most * perDomain) return { refused: false };
      return all === most * perDomain + 1 ? { refused: true, first: domain } : { refused: true };
    },
  };
}
