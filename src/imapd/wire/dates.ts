/**
 * Dates as clients write them. Pure; undefined for what is not one.
 * Spec: RFC 3501 §9 "date", "date-time"
 */

import { monthNumber } from './quote.ts';

const day = /^(\d{1,2})-([A-Za-z]{3})-(\d{4})$/;
const moment = /^([ \d]\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$/;

/** Midnight UTC of the day in milliseconds since 1970. */
export function parseDate(text: string): number | undefined {
  const found = day.exec(text);
  return found ? utc(found[3]!, found[2]!, found[1]!) : undefined;
}

export function parseDateTime(text: string): number | undefined {
  const found = moment.exec(text);
  if (!found) return undefined;
  const midnight = utc(found[3]!, found[2]!, found[1]!.trim());
  const [hours, minutes, seconds, zoneHours, zoneMinutes] = [4, 5, 6, 8, 9].map((n) => Number(found[n])) as [
    number,
    number,
    number,
    number,
    number,
  ];
  if (midnight === undefined || hours > 23 || minutes > 59 || seconds > 60 || zoneMinutes > 59) return undefined;
  const zone = (found[7] === '-' ? -1 : 1) * (zoneHours * 60 + zoneMinutes);
  return midnight + ((hours * 60 + minutes - zone) * 60 + seconds) * 1000;
}

function utc(year: string, month: string, dayOfMonth: string): number | undefined {
  const m = monthNumber(month);
  const d = Number(dayOfMonth);
  if (m < 0 || d < 1) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), m, d);
  return date.getUTCMonth() === m ? date.getTime() : undefined;
}
