/** Whether renaming an entry says something about what stands below it. */

import type { Dn } from '../../ldap-wire/index.ts';
import type { Content } from './content.ts';

/**
 * An entry with others below it got another name, and they with it, without a record each. False: they are not in the content, before
 * or after. True: they were and are, under other names. Unknown: some may have come or gone, by scope or by rights.
 */
export function descendantsMatter(content: Content, before: Dn, after: Dn): boolean | 'unknown' {
  const { base, scope } = content.request;
  // Below the base there is one level, and none of these is on it; where the base itself moves, everything ends (follow.ts).
  if (scope !== 'sub') return false;
  const [was, is] = [before.isWithin(base), after.isWithin(base)];
  if (!was && !is) return false;
  return was && is && content.subject.root ? true : 'unknown';
}
