/**
 * Building keys whose order is the order of their segments.
 *
 * Segments are joined by `/`; numbers are written so that they sort; free text goes through `segment`, so that no value
 * can reach into another record's range.
 */

import type { KeyRange } from './port.ts';

/** A whole number (0 … 2^53-1) as fixed-width hexadecimal: sorts as it counts. */
export function sortable(n: number): string {
  return n.toString(16).padStart(14, '0');
}

export function fromSortable(text: string): number {
  return Number.parseInt(text, 16);
}

/** Text that needs no escaping: printable ASCII without `%` and `/`. */
const plain = /^[ -$&-.0-~]*$/;

/** Free text as one segment: `/` and `%` are escaped, so are control characters. Half a surrogate pair becomes U+FFFD. */
export function segment(text: string): string {
  if (plain.test(text)) return text;
  return text
    .replace(/\p{Surrogate}/gu, '\ufffd')
    .replace(/[\u0000-\u001f%/]/g, (c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

export function fromSegment(text: string): string {
  return text.replace(/%([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** Every key that starts with `prefix`. `prefix` ends in `/` in all sensible uses. */
export function below(prefix: string): KeyRange {
  return { from: prefix, to: `${prefix}\u{10ffff}` };
}

/** The order of keys: that of their UTF-8 bytes, which differs from JavaScript's only beyond U+FFFF. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    // A surrogate stands for a code point above all that are written as one unit.
    const surrogates = Number(x >= 0xd800 && x < 0xe000) - Number(y >= 0xd800 && y < 0xe000);
    return surrogates === 0 ? x - y : surrogates;
  }
  return a.length - b.length;
}

/** False for text with half a surrogate pair: written as UTF-8, two different ones would become the same key. */
export function isWellFormed(key: string): boolean {
  // In Node.js 20, and not yet in the library types of ES2023.
  return (key as string & { isWellFormed(): boolean }).isWellFormed();
}
