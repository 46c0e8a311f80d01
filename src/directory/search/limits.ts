/**
 * How far a search goes, the smaller of what the asker wants and what the server allows (RFC 4511 §4.5.1.4, §4.5.1.5); and how far without
 * giving the loop back.
 */

import type { Clock } from '../../base/index.ts';
import type { Filter } from '../../ldap-wire/index.ts';
import type { Subject } from '../access/judge.ts';
import { DirectoryFault, type SearchRequest } from '../port.ts';
import type { DirectorySettings } from '../settings.ts';

export interface SearchBounds {
  /** Entries at most. */
  readonly sizeLimit: number;
  /** Entries that are looked at in vain, at most. */
  readonly lookThrough: number;
  /** Milliseconds since 1970. */
  readonly deadline: number;
}

/** Super administrators wait as long as others, and get as much as there is. */
export function boundsOf(subject: Subject, request: SearchRequest, settings: DirectorySettings, clock: Clock): SearchBounds {
  const asked = request.sizeLimit ?? 0;
  const { sizeLimit, timeLimit, lookThroughLimit } = settings;
  const own = subject.root || sizeLimit === 0 ? Number.POSITIVE_INFINITY : sizeLimit;
  const time = [request.timeLimit ?? 0, subject.system ? 0 : timeLimit].filter((limit) => limit > 0);
  return {
    sizeLimit: Math.min(asked > 0 ? asked : Number.POSITIVE_INFINITY, own),
    lookThrough: subject.root || lookThroughLimit === 0 ? Number.POSITIVE_INFINITY : lookThroughLimit,
    deadline: time.length === 0 ? Number.POSITIVE_INFINITY : clock.now() + Math.min(...time) * 1000,
  };
}

/** Entries between two looks at clock, signal and loop, where the filter is short. */
export const stride = 100;
/** Items of a filter that cost no more than everything else about an entry. */
const shortFilter = 16;

/** What matching an entry costs, in terms of a short filter. Its depth is bounded where it is compiled. */
export const effortOf = (filter: Filter): number => Math.ceil(itemsIn(filter) / shortFilter);

/** Entries between two looks. */
export const strideOf = (effort: number): number => Math.max(1, Math.floor(stride / effort));

function itemsIn(filter: Filter): number {
  if (filter.type === 'and' || filter.type === 'or') return filter.filters.reduce((sum, part) => sum + itemsIn(part), 1);
  return filter.type === 'not' ? itemsIn(filter.filter) : 1;
}

export const looked = (limit: number): DirectoryFault =>
  new DirectoryFault('adminLimitExceeded', `no index answers this search, and it looked at more than ${limit} entries`);
export const tooMany = (limit: number): DirectoryFault => new DirectoryFault('sizeLimitExceeded', `more than ${limit} entries match`);
export const tooLong = (): DirectoryFault => new DirectoryFault('timeLimitExceeded', 'the search took too long');
export const canceled = (): DirectoryFault => new DirectoryFault('canceled', 'the search was given up');
