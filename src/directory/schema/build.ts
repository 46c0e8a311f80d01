/**
 * From definitions to a schema: resolves macros, superiors and rules, in whatever order the files come.
 *
 * Promise: an error names file and line. A definition that repeats one already loaded (same number, same name) is left
 * out with a note, so that a foreign file which overlaps with ours still loads; the same name under another number,
 * or the reverse, is an error.
 * Spec: RFC 4512 §4.1
 */

import type { DefinitionKind, Description } from './description.ts';
import { schemaFault } from './description.ts';
import { type MatchingRule, standardMatchingRules } from './matching.ts';
import { type AttributeType, type ObjectClass, Schema, type ValueLimits } from './schema.ts';
import { declaredSyntax, numericOid, type Syntax, standardSyntaxes } from './syntaxes.ts';
import { writeDescription } from './write.ts';

const descriptor = /^[A-Za-z][A-Za-z0-9;-]*$/;
const deepest = 32;

function macros(descriptions: readonly Description[]): (oid: string, where: string) => string {
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

interface Draft extends Description {
  readonly names: readonly string[];
}

/** Takes the definitions of one kind, each number and each name once. */
function unique(
  descriptions: readonly Description[],
  kind: DefinitionKind,
  oidOf: (oid: string, where: string) => string,
  notes: string[],
): Draft[] {
  const byKey = new Map<string, Draft>();
  const kept: Draft[] = [];
  for (const item of descriptions.filter((other) => other.kind === kind)) {
    const oid = oidOf(item.oid, item.where);
    const names = item.fields.get('NAME') ?? [];
    for (const name of names) if (!descriptor.test(name)) throw schemaFault(item.where, `"${name}" is not a name`);
    const same = byKey.get(oid);
    const clash = names.map((name) => byKey.get(name.toLowerCase())).find((other) => other !== undefined);
    if (same && (names.length === 0 || names.some((name) => byKey.get(name.toLowerCase()) === same))) {
      notes.push(`${item.where}: ${names[0] ?? oid} is already defined in ${same.where}; the first one counts`);
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
  return kept;
}

const one = (draft: Draft, field: string): string | undefined => draft.fields.get(field)?.[0];

function limitsOf(draft: Draft): ValueLimits | undefined {
  const range = one(draft, 'X-MT-RANGE');
  const choices = draft.fields.get('X-MT-CHOICES');
  const pattern = one(draft, 'X-MT-PATTERN');
  const length = one(draft, 'X-MT-LENGTH');
  if (range === undefined && !choices && pattern === undefined && length === undefined) return undefined;
  const bounds = /^(-?\d+)-(-?\d+)$/.exec(range ?? '');
  if (range !== undefined && !bounds) throw schemaFault(draft.where, `X-MT-RANGE "${range}" is not "least-most"`);
  if (length !== undefined && !/^\d{1,9}$/.test(length)) throw schemaFault(draft.where, `X-MT-LENGTH "${length}" is not a number`);
  let expression: RegExp | undefined;
  try {
    expression = pattern === undefined ? undefined : new RegExp(`^(?:${pattern})$`);
  } catch (cause) {
    throw schemaFault(draft.where, `X-MT-PATTERN is not a regular expression: ${String(cause)}`);
  }
  return {
    ...(bounds ? { min: BigInt(bounds[1] ?? 0), max: BigInt(bounds[2] ?? 0) } : {}),
    ...(choices ? { choices: new Set(choices.map((choice) => choice.toLowerCase())) } : {}),
    ...(expression ? { pattern: expression } : {}),
    ...(length === undefined ? {} : { length: Number(length) }),
  };
}

interface Found {
  readonly syntaxes: ReadonlyMap<string, Syntax>;
  readonly rules: ReadonlyMap<string, MatchingRule>;
  readonly oidOf: (oid: string, where: string) => string;
}

function ruleOf(
  draft: Draft,
  field: string,
  kind: MatchingRule['kind'],
  found: Found,
  inherited: MatchingRule | undefined,
): MatchingRule | undefined {
  const name = one(draft, field);
  if (name === undefined) return inherited;
  const rule = found.rules.get(name.toLowerCase());
  if (!rule || rule.kind !== kind || !rule.forAttributes)
    throw schemaFault(draft.where, `${field} ${name} is not a ${kind} rule this server knows`);
  return rule;
}

function syntaxOf(draft: Draft, found: Found, sup: AttributeType | undefined): { syntax: Syntax; maxLength: number | undefined } {
  const given = /^([^{]+)(?:\{(\d{1,9})\})?$/.exec(one(draft, 'SYNTAX') ?? '');
  if (!given) {
    if (sup && !draft.fields.has('SYNTAX')) return { syntax: sup.syntax, maxLength: sup.maxLength };
    throw schemaFault(draft.where, `${draft.names[0] ?? draft.oid} has no SYNTAX and no SUP`);
  }
  const syntax = found.syntaxes.get(found.oidOf(given[1] ?? '', draft.where));
  if (!syntax) throw schemaFault(draft.where, `SYNTAX ${given[1]} is not known; declare it with ldapsyntax`);
  return { syntax, maxLength: given[2] === undefined ? undefined : Number(given[2]) };
}

function makeType(draft: Draft, sup: AttributeType | undefined, found: Found): AttributeType {
  const name = draft.names[0] ?? draft.oid;
  const usage = one(draft, 'USAGE') ?? 'userApplications';
  if (!['userApplications', 'directoryOperation', 'distributedOperation', 'dSAOperation'].includes(usage)) {
    throw schemaFault(draft.where, `USAGE ${usage} is unknown`);
  }
  const operational = usage !== 'userApplications';
  if (draft.fields.has('NO-USER-MODIFICATION') && !operational)
    throw schemaFault(draft.where, 'NO-USER-MODIFICATION needs an operational USAGE');
  return {
    oid: draft.oid,
    name,
    names: draft.names,
    lower: name.toLowerCase(),
    sup,
    ...syntaxOf(draft, found, sup),
    equality: ruleOf(draft, 'EQUALITY', 'equality', found, sup?.equality),
    ordering: ruleOf(draft, 'ORDERING', 'ordering', found, sup?.ordering),
    substring: ruleOf(draft, 'SUBSTR', 'substring', found, sup?.substring),
    single: draft.fields.has('SINGLE-VALUE'),
    userModifiable: !draft.fields.has('NO-USER-MODIFICATION'),
    operational,
    secret: draft.oid === '2.5.4.35' || /^(?:true|yes)$/i.test(one(draft, 'X-MT-SECRET') ?? ''),
    limits: limitsOf(draft),
    text: writeDescription(draft.oid, draft.fields),
  };
}

/** Resolves items that name others of their kind (SUP) in any order, refusing circles. */
function resolver<T>(
  drafts: readonly Draft[],
  make: (draft: Draft, need: (name: string, from: Draft) => T) => T,
): { all: T[]; find: (name: string) => T | undefined } {
  const byKey = new Map(drafts.flatMap((draft) => [draft.oid, ...draft.names].map((key) => [key.toLowerCase(), draft] as const)));
  const done = new Map<Draft, T>();
  const build = (draft: Draft, depth: number): T => {
    const ready = done.get(draft);
    if (ready !== undefined) return ready;
    if (depth > deepest) throw schemaFault(draft.where, 'superiors go round in a circle or too deep');
    const made = make(draft, (name, from) => {
      const other = byKey.get(name.toLowerCase());
      if (!other) throw schemaFault(from.where, `SUP ${name} is not defined`);
      return build(other, depth + 1);
    });
    done.set(draft, made);
    return made;
  };
  const all = drafts.map((draft) => build(draft, 0));
  return {
    all,
    find: (name) => {
      const draft = byKey.get(name.toLowerCase());
      return draft ? done.get(draft) : undefined;
    },
  };
}

function makeClass(draft: Draft, sups: readonly ObjectClass[], typeOf: (name: string) => AttributeType | undefined): ObjectClass {
  const kind = draft.fields.has('ABSTRACT') ? 'abstract' : draft.fields.has('AUXILIARY') ? 'auxiliary' : 'structural';
  const ancestors = [...new Set(sups.flatMap((sup) => [sup, ...sup.ancestors]))];
  if (kind === 'structural' && sups.some((sup) => sup.kind === 'auxiliary'))
    throw schemaFault(draft.where, 'a structural class cannot have an auxiliary SUP');
  const attributes = (field: string): string[] =>
    (draft.fields.get(field) ?? []).map((name) => {
      const type = typeOf(name);
      if (!type) throw schemaFault(draft.where, `${field} ${name} is not a defined attribute`);
      return type.lower;
    });
  const name = draft.names[0] ?? draft.oid;
  return {
    oid: draft.oid,
    name,
    names: draft.names,
    lower: name.toLowerCase(),
    kind,
    ancestors,
    must: new Set([...attributes('MUST'), ...sups.flatMap((sup) => [...sup.must])]),
    may: new Set([...attributes('MAY'), ...sups.flatMap((sup) => [...sup.may])]),
    text: writeDescription(draft.oid, draft.fields),
  };
}

/** The syntax a declared one stands in for (OpenLDAP's `X-SUBST`). */
function likeOf(draft: Draft, syntaxes: ReadonlyMap<string, Syntax>): Syntax | undefined {
  const other = one(draft, 'X-SUBST');
  const like = other === undefined ? undefined : syntaxes.get(other);
  if (other !== undefined && !like) throw schemaFault(draft.where, `X-SUBST ${other} is not a syntax this server knows`);
  return like;
}

/** One schema from all definitions of all files. */
export function buildSchema(descriptions: readonly Description[]): Schema {
  const notes: string[] = [];
  const oidOf = macros(descriptions);
  const names = new Map<string, string>();
  const syntaxes = new Map(standardSyntaxes.map((syntax) => [syntax.oid, syntax]));
  for (const draft of unique(descriptions, 'ldapsyntax', oidOf, notes)) {
    if (!syntaxes.has(draft.oid))
      syntaxes.set(draft.oid, declaredSyntax(draft.oid, one(draft, 'DESC') ?? draft.oid, likeOf(draft, syntaxes)));
  }
  const ruleList = standardMatchingRules((text) => names.get(text.toLowerCase()));
  const rules = new Map(ruleList.flatMap((rule) => [[rule.oid, rule] as const, [rule.name.toLowerCase(), rule] as const]));
  const found: Found = { syntaxes, rules, oidOf };
  const types = resolver<AttributeType>(unique(descriptions, 'attributetype', oidOf, notes), (draft, need) => {
    const sup = one(draft, 'SUP');
    return makeType(draft, sup === undefined ? undefined : need(sup, draft), found);
  });
  const classes = resolver<ObjectClass>(unique(descriptions, 'objectclass', oidOf, notes), (draft, need) =>
    makeClass(
      draft,
      (draft.fields.get('SUP') ?? (draft.names[0] === 'top' ? [] : ['top'])).map((name) => need(name, draft)),
      types.find,
    ),
  );
  for (const item of [...types.all, ...classes.all]) {
    for (const key of [item.oid, ...item.names]) if (!names.has(key.toLowerCase())) names.set(key.toLowerCase(), item.lower);
  }
  for (const rule of ruleList) for (const key of [rule.oid, rule.name.toLowerCase()]) names.set(key, rule.name.toLowerCase());
  for (const { oid } of syntaxes.values()) names.set(oid, oid);
  return new Schema(
    { attributeTypes: types.all, objectClasses: classes.all, syntaxes: [...syntaxes.values()], matchingRules: ruleList },
    notes,
  );
}
