/**
 * Change sequence numbers (`entryCSN`) in OpenLDAP's form: time, change number, replica, modification.
 *
 * The change number in it leads from an entry to its last change, and from there to the ones before, without an index. It stands
 * there with its last 24 bits.
 */

import type { Position } from '../port.ts';
import { generalizedTime } from '../schema/time.ts';

const span = 0x1_00_00_00;

/** The number of a change made at `at` (milliseconds since 1970). `mark` is 0 in entries; cookies have 24 bits of their own in it. */
export function csn(at: number, change: Position, mark = 0): string {
  const stamp = generalizedTime(at).slice(0, 14);
  const micros = String((at % 1000) * 1000).padStart(6, '0');
  const hex = (number: number): string => number.toString(16).padStart(6, '0');
  return `${stamp}.${micros}Z#${hex(change % span)}#000#${hex(mark)}`;
}

/** The change that a CSN of ours names, given that it is `last` or an earlier one; undefined for another server's. */
export function changeOf(text: string | undefined, last: Position): Position | undefined {
  const low = /^\d{14}\.\d{6}Z#([0-9a-f]{6})#000#000000$/.exec(text ?? '')?.[1];
  if (low === undefined) return undefined;
  const bits = Number.parseInt(low, 16);
  const found = last - ((last - bits) % span);
  return bits > last || found <= 0 ? undefined : found;
}

export interface Csn {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The last 24 bits of the change number. */
  readonly bits: number;
  readonly replica: number;
  readonly mark: number;
}

const form = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.(\d{3})\d{3}Z#([0-9a-f]{6})#([0-9a-f]{3})#([0-9a-f]{6})$/i;

/** Any server's CSN, or undefined for what is none. */
export function parseCsn(text: string): Csn | undefined {
  const found = form.exec(text);
  if (!found) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ms = 0] = found.slice(1, 8).map(Number);
  const at = Date.UTC(year, month - 1, day, hour, minute, second, ms);
  const [bits = 0, replica = 0, mark = 0] = found.slice(8).map((digits) => Number.parseInt(digits, 16));
  return Number.isNaN(at) ? undefined : { at, bits, replica, mark };
}

/** The change at `last` or before whose number ends in these bits; negative where there is none. */
export function nearest(bits: number, last: Position): Position {
  return last - ((((last - bits) % span) + span) % span);
}
