/**
 * How many reports one address gets: a flood of mail with somebody's forged address shall not become a flood of reports to them.
 *
 * Promise: bounded memory; a full hour of quiet forgets everything. Kept by the process, begins anew with a restart.
 * Source: checklist SMTPC-10 (no back-scatter); RFC 3464 §4; RFC 5321 §7.8
 */

import { type Clock, Lru } from '../base/index.ts';

const hour = 3_600_000;
const remembered = 20_000;

export interface ReportLimit {
  /** Counts one more report to this address; `refused` says whether it is one too many, `first` whether it is the first such. */
  take(address: string): { readonly refused: boolean; readonly first: boolean };
}

/** `perHour` is asked each time; 0 is no limit. */
export function createReportLimit(clock: Pick<Clock, 'now'>, perHour: () => number): ReportLimit {
  const counts = new Lru<string, { since: number; count: number }>(remembered);
  return {
    take(address) {
      const most = perHour();
      if (most === 0) return { refused: false, first: false };
      const key = address.toLowerCase();
      const now = clock.now();
      const known = counts.get(key);
      const counted = known && now - known.since < hour && now >= known.since ? known : { since: now, count: 0 };
      counted.count += 1;
      counts.set(key, counted);
      return { refused: counted.count > most, first: counted.count === most + 1 };
    },
  };
}
