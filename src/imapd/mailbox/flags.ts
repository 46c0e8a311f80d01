/**
 * Flags as clients write them and as they are told.
 * Spec: RFC 3501 §2.3.2, §9 "flag"
 */

import { Fault } from '../../base/index.ts';
import type { FlagChange, Flags } from '../../store/index.ts';
import type { Cursor } from '../wire/cursor.ts';

export const systemFlags = ['\\Answered', '\\Flagged', '\\Deleted', '\\Seen', '\\Draft'] as const;
const bySpelling = new Map(systemFlags.map((flag) => [flag.toLowerCase(), flag as string]));

const mostFlags = 100;
const longestKeyword = 100;

/** The FLAGS list of a mailbox with these keywords. */
export function flagList(keywords: readonly string[]): string {
  return `(${[...systemFlags, ...keywords].join(' ')})`;
}

/** A flag in its usual spelling; undefined for \Recent, which nobody can set. Fault for a system flag that does not exist. */
export function canonicalFlag(flag: string): string | undefined {
  if (!flag.startsWith('\\')) {
    if (flag.length > longestKeyword) throw new Fault('refused', 'keyword too long');
    return flag;
  }
  if (flag.toLowerCase() === '\\recent') return undefined;
  const known = bySpelling.get(flag.toLowerCase());
  if (known === undefined) throw new Fault('malformed', 'unknown system flag');
  return known;
}

/** Flags without repetition, in the spelling of `spell` for keywords. */
export function canonicalFlags(flags: readonly string[], spell: (keyword: string) => string = (k) => k): string[] {
  const out = new Map<string, string>();
  for (const flag of flags) {
    const known = canonicalFlag(flag);
    if (known === undefined) continue;
    const spelled = known.startsWith('\\') ? known : spell(known);
    if (!out.has(spelled.toLowerCase())) out.set(spelled.toLowerCase(), spelled);
  }
  return [...out.values()];
}

/** `(flag flag …)`, may be empty. */
export function readFlagList(args: Cursor): string[] {
  return args.list(mostFlags, () => args.flag(), true);
}

/** What a message's flags are after a change, when nobody else changes them. */
export function expectedFlags(before: Flags, { operation, flags }: FlagChange): Flags {
  if (operation === 'replace') return flags;
  const named = new Set(flags.map((flag) => flag.toLowerCase()));
  const rest = before.filter((flag) => !named.has(flag.toLowerCase()));
  return operation === 'remove' ? rest : [...rest, ...flags];
}

export function sameFlags(a: Flags, b: Flags): boolean {
  const names = new Set(a.map((flag) => flag.toLowerCase()));
  return names.size === b.length && b.every((flag) => names.has(flag.toLowerCase()));
}
