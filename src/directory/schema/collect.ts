/**
 * The definitions of all files, each number and each name once, before anything they refer to is looked up.
 *
 * Promise: an error names file and line. What is defined again is told apart: the same thing once more, or a collision.
 */

import { type DefinitionKind, type Description, schemaFault } from './description.ts';
import { numericOid } from './syntaxes.ts';

const descriptor = /^[A-Za-z][A-Za-z0-9;-]*$/;

/** Resolves `macro:1.2` to a number. */
export function macros(descriptions: readonly Description[]): (oid: string, where: string) => string {
  const known = new Map<string, string>();
  const resolve = (oid: string, where: string): string => {
    if (numericOid.test(oid)) return oid;
    const colon = oid.indexOf(':');
    const base = known.get((colon < 0 ? oid : oid.slice(0, colon)).toLowerCase());
    const full = base === undefined ? undefined : colon < 0 ? base : `${base}.${oid.slice(colon + 1)}`;
    if (full === undefined || !numericOid.test(full)) throw schemaFault(where, `"${oid}" is not an OID`);
    return full;
  };
  for (const item of descriptions) {
    if (item.kind === 'objectidentifier') known.set((item.fields.get('NAME')?.[0] ?? '').toLowerCase(), resolve(item.oid, item.where));
  }
  return resolve;
}

export interface Draft extends Description {
  readonly names: readonly string[];
}

/** A definition of something that is defined already. */
export interface Repeat {
  readonly draft: Draft;
  readonly first: Draft;
}

/** Takes the definitions of one kind, each number and each name once, and tells which come again. */
export function unique(
  descriptions: readonly Description[],
  kind: DefinitionKind,
  oidOf: (oid: string, where: string) => string,
): { kept: Draft[]; repeats: Repeat[] } {
  const byKey = new Map<string, Draft>();
  const kept: Draft[] = [];
  const repeats: Repeat[] = [];
  for (const item of descriptions.filter((other) => other.kind === kind)) {
    const oid = oidOf(item.oid, item.where);
    const names = item.fields.get('NAME') ?? [];
    for (const name of names) if (!descriptor.test(name)) throw schemaFault(item.where, `"${name}" is not a name`);
    const same = byKey.get(oid);
    const clash = names.map((name) => byKey.get(name.toLowerCase())).find((other) => other !== undefined);
    if (same && (names.length === 0 || names.some((name) => byKey.get(name.toLowerCase()) === same))) {
      repeats.push({ draft: { ...item, oid, names }, first: same });
      continue;
    }
    const other = same ?? clash;
    if (other)
      throw schemaFault(
        item.where,
        `${names[0] ?? oid} (${oid}) collides with ${other.names[0] ?? other.oid} (${other.oid}) of ${other.where}`,
      );
    const draft = { ...item, oid, names };
    kept.push(draft);
    for (const key of [oid, ...names]) byKey.set(key.toLowerCase(), draft);
  }
  return { kept, repeats };
}

/** Notes the repeats that mean what the first definition means, in what must not differ; refuses the others. */
export function settle<T>(
  repeats: readonly Repeat[],
  notes: string[],
  read: {
    make: (draft: Draft) => T;
    first: (oid: string) => T | undefined;
    meaning: (item: T) => Readonly<Record<string, string | undefined>>;
  },
): void {
  for (const { draft, first } of repeats) {
    const name = draft.names[0] ?? draft.oid;
    const original = read.first(draft.oid);
    const there = original === undefined ? {} : read.meaning(original);
    for (const [field, here] of Object.entries(read.meaning(read.make(draft)))) {
      // What only one of them says is more said, and nothing else.
      if (here !== undefined && there[field] !== undefined && there[field] !== here)
        throw schemaFault(draft.where, `${name} is defined otherwise in ${first.where}: ${field} ${here} here, ${there[field]} there`);
    }
    notes.push(`${draft.where}: ${name} is already defined in ${first.where}; the first one counts`);
  }
}

/** The only word behind a keyword. */
export const one = (draft: Draft, field: string): string | undefined => draft.fields.get(field)?.[0];
