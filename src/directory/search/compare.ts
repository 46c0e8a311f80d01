/**
 * Whether an entry has a value.
 * Spec: RFC 4511 §4.10
 */

import type { Verdict } from '../access/judge.ts';
import type { AttributeValue } from '../entry.ts';
import { passwordOid, passwordText } from '../passwords/scheme.ts';
import { DirectoryFault } from '../port.ts';
import type { Stored } from '../records/view.ts';
import type { Schema } from '../schema/schema.ts';
import type { Compiler } from './evaluate.ts';

export interface CompareParts {
  readonly schema: Schema;
  readonly compiler: Compiler;
  /** Whether this is the entry's password; `stored` are its stored forms. */
  readonly isPassword: (password: string, stored: readonly string[]) => Promise<boolean>;
}

/** The right to compare comes before the question whether there is anything to be compared. */
export async function compareValue(
  { schema, compiler, isPassword }: CompareParts,
  stored: Stored,
  verdict: Verdict,
  attribute: string,
  value: AttributeValue,
): Promise<boolean> {
  const described = schema.describe(attribute);
  if (!described) throw new DirectoryFault('undefinedAttributeType', `attribute ${attribute.slice(0, 100)}: not defined in the schema`);
  const { type } = described;
  if (!verdict.allows(type, 'compare'))
    throw new DirectoryFault('insufficientAccessRights', `attribute ${type.name}: you may not compare it`);
  const values = [...compiler.reader(described)(stored, (_, each) => verdict.allows(each, 'compare'))];
  if (values.length === 0) throw new DirectoryFault('noSuchAttribute', `attribute ${type.name}: the entry does not have it`);
  if (type.oid === passwordOid) return isPassword(passwordText(value), values.map(passwordText));
  if (!type.equality) throw new DirectoryFault('inappropriateMatching', `attribute ${type.name}: has no equality rule`);
  const wanted = type.equality.assertion(value);
  if (wanted === undefined)
    throw new DirectoryFault('invalidAttributeSyntax', `attribute ${type.name}: the value is not a valid ${type.syntax.name}`);
  return values.some((each) => type.equality?.normalise(each) === wanted);
}
