/**
 * What of a change somebody may know: super administrators all of it; domain administrators what was done in their domain from its
 * beginning to its end, of the entries and attributes they may read as the entries were then.
 */

import type { Judge, Subject } from '../access/judge.ts';
import { Entry } from '../entry.ts';
import type { Schema } from '../schema/schema.ts';
import type { Recorded, Summary } from './change-record.ts';

export interface KnownParts {
  readonly judge: Judge;
  readonly schema: Schema;
}

/** The change as far as the subject may know it; the same object where that is all of it; undefined where it is nothing. */
export function knownOf(parts: KnownParts, subject: Subject, record: Recorded | Summary): Recorded | Summary | undefined {
  if (subject.root) return record;
  const { domain } = subject;
  if (!domain || record.kind === 'import') return undefined;
  const { before, after } = record.change;
  const mayKnow = (entry: Entry | undefined): boolean =>
    entry === undefined || (entry.dn.isWithin(domain) && parts.judge.knows(subject, entry));
  if (!mayKnow(before) || !mayKnow(after)) return undefined;
  const shown = { before: readable(parts, subject, before), after: readable(parts, subject, after) };
  if (shown.before === before && shown.after === after) return record;
  return { ...record, change: { ...record.change, ...shown } };
}

function readable({ judge, schema }: KnownParts, subject: Subject, entry: Entry | undefined): Entry | undefined {
  if (!entry) return undefined;
  const verdict = judge.verdict(subject, entry);
  const left = [...entry.attributes.values()].filter(({ name }) => {
    const type = schema.describe(name)?.type;
    return type !== undefined && verdict.allows(type, 'read');
  });
  return left.length === entry.attributes.size ? entry : new Entry(entry.dn, left);
}
