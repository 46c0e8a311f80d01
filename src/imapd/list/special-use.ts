/** Special uses of mailboxes. Spec: RFC 6154 §2 */

import type { SpecialUse } from '../../store/index.ts';

const uses: readonly SpecialUse[] = ['\\All', '\\Archive', '\\Drafts', '\\Flagged', '\\Junk', '\\Sent', '\\Trash'];

/** The attribute in its usual spelling; undefined for one we do not know. */
export function specialUse(attribute: string): SpecialUse | undefined {
  return uses.find((use) => use.toLowerCase() === attribute.toLowerCase());
}
