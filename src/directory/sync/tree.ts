/** What a change of one entry says about others: those below it, and the base of the search. */

import type { Dn } from '../../ldap-wire/index.ts';
import type { Change } from '../port.ts';
import type { Content } from './content.ts';

/**
 * An entry with others below it got another name, and they with it, without a record each. False: they are not in the content, before
 * or after. True: they were and are, under other names. Unknown: some may have come or gone, by scope or by rights.
 */
export function descendantsMatter(content: Content, before: Dn, after: Dn): boolean | 'unknown' {
  const { base, scope } = content.request;
  // Below the base there is one level, and none of these is on it; where the base itself moves, everything ends (endsBase).
  if (scope !== 'sub') return false;
  const [was, is] = [before.isWithin(base), after.isWithin(base)];
  if (!was && !is) return false;
  return was && is && content.subject.root ? true : 'unknown';
}

/** Whether the name that is the base has come to mean something else, or may not be known any more. */
export function endsBase(content: Content, { kind, before, after }: Change): boolean {
  const { base } = content.request;
  if (base.rdns.length === 0 || !before || !base.isWithin(before.dn)) return false;
  if (kind === 'delete' || (kind === 'rename' && after?.dn.key !== before.dn.key)) return true;
  return after !== undefined && base.key === after.dn.key && !content.knows(after);
}
