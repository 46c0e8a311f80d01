/**
 * An access entry as a rule. A rule that cannot be understood denies nothing and allows nothing: it is reported and left out,
 * and the last word, "no", stays.
 */

import { type Dn, parseDn } from '../../ldap-wire/index.ts';
import type { Entry } from '../entry.ts';
import type { AttributeType } from '../schema/schema.ts';
import { type Right, rights } from './classes.ts';

export type Who =
  | { readonly kind: 'all' | 'anonymous' | 'authenticated' | 'self' | 'domain-admin' }
  | { readonly kind: 'dn' | 'subtree'; readonly dn: Dn };

export type Target = { readonly kind: 'all' | 'domains' | 'system' } | { readonly kind: 'entry' | 'children' | 'subtree'; readonly dn: Dn };

export interface AccessRule {
  readonly order: number;
  readonly name: string;
  readonly who: readonly Who[];
  readonly targets: readonly Target[];
  readonly classes: readonly string[];
  readonly rights: ReadonlySet<Right>;
  readonly allow: boolean;
  /** Whether the rule speaks of this attribute. */
  covers(attribute: AttributeType): boolean;
}

function whoOf(text: string): Who | undefined {
  const plain = text.trim().toLowerCase();
  if (plain === 'all' || plain === 'anonymous' || plain === 'authenticated' || plain === 'self' || plain === 'domain-admin')
    return { kind: plain };
  const named = /^(dn|subtree):(.+)$/is.exec(text.trim());
  return named ? { kind: named[1]?.toLowerCase() as 'dn' | 'subtree', dn: parseDn(named[2] ?? '') } : undefined;
}

function targetOf(text: string): Target | undefined {
  const plain = text.trim().toLowerCase();
  if (plain === '*') return { kind: 'all' };
  if (plain === 'domains' || plain === 'system') return { kind: plain };
  const named = /^(entry|children|subtree):(.+)$/is.exec(text.trim());
  return named ? { kind: named[1]?.toLowerCase() as 'entry' | 'children' | 'subtree', dn: parseDn(named[2] ?? '') } : undefined;
}

function coverage(names: readonly string[]): (attribute: AttributeType) => boolean {
  if (names.length === 0) return () => true;
  const lower = names.map((name) => name.trim().toLowerCase());
  const exact = new Set(lower);
  const prefixes = lower.filter((name) => name.length > 1 && name.endsWith('*')).map((name) => name.slice(0, -1));
  return (attribute) => {
    if (exact.has(attribute.operational ? '+' : '*') || exact.has(attribute.oid)) return true;
    if (attribute.names.some((name) => exact.has(name.toLowerCase()))) return true;
    return prefixes.some((prefix) => attribute.lower.startsWith(prefix));
  };
}

/** The rule of one entry, or a sentence about what is wrong with it. */
export function ruleOf(entry: Entry): AccessRule | string {
  const order = Number(entry.text('mtAccessOrder'));
  const effect = entry.text('mtAccessEffect')?.toLowerCase();
  if (!Number.isSafeInteger(order)) return 'mtAccessOrder is not a number';
  if (effect !== 'allow' && effect !== 'deny') return 'mtAccessEffect is neither allow nor deny';
  const given = entry.texts('mtAccessRight').map((right) => right.toLowerCase() as Right);
  const wrong = given.find((right) => !rights.includes(right));
  if (wrong !== undefined || given.length === 0) return `mtAccessRight ${wrong ?? ''} is not a right`;
  try {
    const who = entry.texts('mtAccessWho').map(whoOf);
    const targets = entry.texts('mtAccessTarget').map(targetOf);
    if (who.length === 0 || who.includes(undefined)) return 'mtAccessWho names nobody this server knows';
    if (targets.includes(undefined)) return 'mtAccessTarget names nothing this server knows';
    return {
      order,
      name: entry.dn.toString(),
      who: who.filter((item) => item !== undefined),
      targets: targets.length === 0 ? [{ kind: 'all' }] : targets.filter((item) => item !== undefined),
      classes: entry.texts('mtAccessClass'),
      rights: new Set(given),
      allow: effect === 'allow',
      covers: coverage(entry.texts('mtAccessAttribute')),
    };
  } catch {
    return 'a name in it is not a distinguished name';
  }
}
