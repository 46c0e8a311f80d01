/**
 * Changing an attribute of an entry: by the right to write it, or, for the own name as a value, by the right to do that alone.
 *
 * The latter lets people join and leave a group without letting them name others (OpenLDAP calls it selfwrite).
 */

import type { Modification } from '../port.ts';
import type { AttributeType, Schema } from '../schema/schema.ts';
import { sameness } from '../write/draft.ts';
import type { Verdict } from './judge.ts';
import type { Subject } from './subject.ts';

/** The first attribute that the subject may not change in this way, or undefined where all may be. */
export function deniedChange(
  schema: Schema,
  verdict: Verdict,
  subject: Subject,
  modifications: readonly Modification[],
): AttributeType | undefined {
  for (const modification of modifications) {
    const type = schema.describe(modification.attribute.name)?.type;
    if (!type || verdict.allows(type, 'write')) continue;
    if (!isOwnName(type, subject, modification) || !verdict.allows(type, 'selfwrite')) return type;
  }
  return undefined;
}

function isOwnName(type: AttributeType, { dn }: Subject, { operation, attribute }: Modification): boolean {
  if (!dn || (operation !== 'add' && operation !== 'delete') || attribute.values.length !== 1) return false;
  const [value] = attribute.values;
  return value !== undefined && type.equality?.name === 'distinguishedNameMatch' && sameness(type, value) === sameness(type, dn.toString());
}
