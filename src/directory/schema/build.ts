/**
 * From definitions to a schema: resolves macros, superiors and rules, in whatever order the files come.
 *
 * Promise: an error names file and line. A definition that repeats one already loaded (same number, same name) and means the same
 * is left out with a note, so that a foreign file which overlaps with ours still loads; one that means something else, the same name
 * under another number, or the reverse, is an error.
 * Spec: RFC 4512 §4.1
 */

import { type Draft, macros, one, settle, unique } from './collect.ts';
import type { Description } from './description.ts';
import { schemaFault } from './description.ts';
import { type MatchingRule, standardMatchingRules } from './matching.ts';
import { type AttributeType, type ObjectClass, Schema, type ValueLimits } from './schema.ts';
import { declaredSyntax, type Syntax, standardSyntaxes } from './syntaxes.ts';
import { writeDescription } from './write.ts';

const deepest = 32;

function limitsOf(draft: Draft): ValueLimits | undefined {
  const range = one(draft, 'X-MT-RANGE');
  const choices = draft.fields.get('X-MT-CHOICES');
  const pattern = one(draft, 'X-MT-PATTERN');
  const patternHelp = one(draft, 'X-MT-PATTERN-HELP');
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
    ...(choices ? { choices: new Map(choices.map((choice) => [choice.toLowerCase(), choice])) } : {}),
    ...(expression ? { pattern: expression } : {}),
    ...(expression && patternHelp ? { patternHelp } : {}),
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
    throw schemaFault(draft.where, `${field} ${name} is no ${kind} rule this server knows`);
  return rule;
}

/** A length in braces is what a server must take at least (RFC 4512 §4.1.2): this one takes any. */
function syntaxOf(draft: Draft, found: Found, sup: AttributeType | undefined): Syntax {
  const given = /^([^{]+)(?:\{\d{1,9}\})?$/.exec(one(draft, 'SYNTAX') ?? '');
  if (!given) {
    if (sup && !draft.fields.has('SYNTAX')) return sup.syntax;
    throw schemaFault(draft.where, `${draft.names[0] ?? draft.oid} has no SYNTAX and no SUP`);
  }
  const syntax = found.syntaxes.get(found.oidOf(given[1] ?? '', draft.where));
  if (!syntax) throw schemaFault(draft.where, `SYNTAX ${given[1]} is not known; declare it with ldapsyntax`);
  return syntax;
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
    syntax: syntaxOf(draft, found, sup),
    equality: ruleOf(draft, 'EQUALITY', 'equality', found, sup?.equality),
    ordering: ruleOf(draft, 'ORDERING', 'ordering', found, sup?.ordering),
    substring: ruleOf(draft, 'SUBSTR', 'substring', found, sup?.substring),
    single: draft.fields.has('SINGLE-VALUE'),
    userModifiable: !draft.fields.has('NO-USER-MODIFICATION'),
    operational,
    secret: (sup?.secret ?? false) || draft.oid === '2.5.4.35' || /^(?:true|yes)$/i.test(one(draft, 'X-MT-SECRET') ?? ''),
    limits: limitsOf(draft),
    text: writeDescription(draft.oid, draft.fields),
  };
}

/** Resolves items that name others of their kind (SUP) in any order, refusing circles. */
function resolver<T>(
  drafts: readonly Draft[],
  make: (draft: Draft, need: (name: string, from: Draft) => T) => T,
): { all: T[]; find: (name: string) => T | undefined; make: (draft: Draft) => T } {
  const byKey = new Map(drafts.flatMap((draft) => [draft.oid, ...draft.names].map((key) => [key.toLowerCase(), draft] as const)));
  const done = new Map<Draft, T>();
  const build = (draft: Draft, depth: number): T => {
    const ready = done.get(draft);
    if (ready !== undefined) return ready;
    if (depth > deepest) throw schemaFault(draft.where, 'superiors go round in a circle or too deep');
    const made = make(draft, (name, from) => {
      const other = byKey.get(name.toLowerCase());
      if (!other) throw schemaFault(from.where, `SUP ${name} of ${from.names[0] ?? from.oid} is not defined`);
      return build(other, depth + 1);
    });
    done.set(draft, made);
    return made;
  };
  const all = drafts.map((draft) => build(draft, 0));
  return {
    all,
    make: (draft) => build(draft, 0),
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
      if (!type) throw schemaFault(draft.where, `${field} ${name} of ${draft.names[0] ?? draft.oid} is not a defined attribute`);
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

const typeMeaning = (type: AttributeType): Record<string, string | undefined> => ({
  SYNTAX: type.syntax.oid,
  EQUALITY: type.equality?.name,
  'SINGLE-VALUE': type.single ? 'yes' : 'no',
  operational: type.operational ? 'yes' : 'no',
});

const classMeaning = (item: ObjectClass): Record<string, string> => ({
  kind: item.kind.toUpperCase(),
  MUST: [...item.must].sort().join(' $ ') || 'nothing',
});

/** One schema from all definitions of all files. Throws Fault `malformed` naming file and line. */
export function buildSchema(descriptions: readonly Description[], modifiedAt?: number): Schema {
  const notes: string[] = [];
  const oidOf = macros(descriptions);
  const names = new Map<string, string>();
  const syntaxes = new Map(standardSyntaxes.map((syntax) => [syntax.oid, syntax]));
  for (const draft of unique(descriptions, 'ldapsyntax', oidOf).kept) {
    if (!syntaxes.has(draft.oid))
      syntaxes.set(draft.oid, declaredSyntax(draft.oid, one(draft, 'DESC') ?? draft.oid, likeOf(draft, syntaxes)));
  }
  const ruleList = standardMatchingRules((text) => names.get(text.toLowerCase()));
  const rules = new Map(ruleList.flatMap((rule) => [[rule.oid, rule] as const, [rule.name.toLowerCase(), rule] as const]));
  const found: Found = { syntaxes, rules, oidOf };
  const typeDrafts = unique(descriptions, 'attributetype', oidOf);
  const types = resolver<AttributeType>(typeDrafts.kept, (draft, need) => {
    const sup = one(draft, 'SUP');
    return makeType(draft, sup === undefined ? undefined : need(sup, draft), found);
  });
  settle(typeDrafts.repeats, notes, { make: types.make, first: types.find, meaning: typeMeaning });
  const classDrafts = unique(descriptions, 'objectclass', oidOf);
  const classes = resolver<ObjectClass>(classDrafts.kept, (draft, need) =>
    makeClass(
      draft,
      (draft.fields.get('SUP') ?? (draft.names[0] === 'top' ? [] : ['top'])).map((name) => need(name, draft)),
      types.find,
    ),
  );
  settle(classDrafts.repeats, notes, { make: classes.make, first: classes.find, meaning: classMeaning });
  for (const item of [...types.all, ...classes.all]) {
    for (const key of [item.oid, ...item.names]) if (!names.has(key.toLowerCase())) names.set(key.toLowerCase(), item.lower);
  }
  for (const rule of ruleList) for (const key of [rule.oid, rule.name.toLowerCase()]) names.set(key, rule.name.toLowerCase());
  for (const { oid } of syntaxes.values()) names.set(oid, oid);
  return new Schema(
    { attributeTypes: types.all, objectClasses: classes.all, syntaxes: [...syntaxes.values()], matchingRules: ruleList },
    notes,
    modifiedAt,
  );
}
