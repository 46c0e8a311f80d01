/**
 * Change sequence numbers (`entryCSN`) in OpenLDAP's form: time, change number, replica, modification.
 *
 * The change number in it leads from an entry to its last change, and from there to the ones before, without an index. It stands
 * there with its last 24 bits.
 */

import type { Position } from '../port.ts';
import { generalizedTime } from '../schema/time.ts';

const span = 0x1_00_00_00;

/** The number of a change made at `at` (milliseconds since 1970). */
export function csn(at: number, change: Position): string {
  const stamp = generalizedTime(at).slice(0, 14);
  const micros = String((at % 1000) * 1000).padStart(6, '0');
  return `${stamp}.${micros}Z#${(change % span).toString(16).padStart(6, '0')}#000#000000`;
}

/** The change that a CSN of ours names, given that it is `last` or an earlier one; undefined for another server's. */
export function changeOf(text: string | undefined, last: Position): Position | undefined {
  const low = /^\d{14}\.\d{6}Z#([0-9a-f]{6})#000#000000$/.exec(text ?? '')?.[1];
  if (low === undefined) return undefined;
  const bits = Number.parseInt(low, 16);
  const found = last - ((last - bits) % span);
  return bits > last || found <= 0 ? undefined : found;
}
