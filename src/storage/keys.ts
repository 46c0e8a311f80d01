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

/** Free text as one segment: `/` and `%` are escaped, so are control characters. */
export function segment(text: string): string {
  return text.replace(/[\u0000-\u001f%/]/g, (c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

export function fromSegment(text: string): string {
  return text.replace(/%([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** Every key that starts with `prefix`. `prefix` ends in `/` in all sensible uses. */
export function below(prefix: string): KeyRange {
  return { from: prefix, to: `${prefix}\u{10ffff}` };
}
