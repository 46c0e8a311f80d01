/**
 * What a mailbox may be called.
 *
 * Names are UTF-8 in NFC, segments joined by `/`; INBOX at the top is known in any case. Wildcards and namespace signs are refused
 * because no client could list or select such a name reliably.
 * Spec: RFC 3501 §5.1, RFC 9051 §5.1, RFC 5198 §2
 */

import { Fault } from '../base/index.ts';

export const longestName = 1000;
export const longestSegment = 250;
export const deepestName = 32;

const forbidden = /[\u0000-\u001f\u007f-\u009f\u2028\u2029%*]|\p{Surrogate}|\p{Noncharacter_Code_Point}/u;

/** The name as the store spells it, or undefined where no mailbox can be called so. */
export function knownName(name: string): string | undefined {
  if (name === 'INBOX') return name;
  // Longer than any name in any normal form; keeps a stranger's megabytes from being normalised.
  if (name.length > longestName * 4) return undefined;
  const segments = name.normalize('NFC').split('/');
  if (/^inbox$/i.test(segments[0] ?? '')) segments[0] = 'INBOX';
  if (segments.length > deepestName || segments[0]?.startsWith('#')) return undefined;
  for (const segment of segments) {
    if (segment === '' || segment === '.' || segment === '..' || forbidden.test(segment)) return undefined;
    if (Buffer.byteLength(segment) > longestSegment) return undefined;
  }
  const known = segments.join('/');
  return Buffer.byteLength(known) > longestName ? undefined : known;
}

/** The name as the store spells it; Fault refused where no mailbox can be called so. */
export function checkedName(name: string): string {
  const known = knownName(name);
  if (known === undefined) throw new Fault('refused', 'not a name for a mailbox');
  return known;
}

/** The names above a name, from the top. */
export function parentsOf(name: string): string[] {
  const segments = name.split('/');
  return segments.slice(0, -1).map((_, n) => segments.slice(0, n + 1).join('/'));
}

/** INBOX first, the rest by code points. */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  if (a === 'INBOX') return -1;
  if (b === 'INBOX') return 1;
  return a < b ? -1 : 1;
}

/** A small number that stands for a name (FNV-1a). Two names may share one. */
export function nameHash(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
