/**
 * Dates of messages: written by the rule, read by whatever rule the writer had.
 *
 * Milliseconds since 1970. Pure: the time zone is an argument (minutes east of UTC).
 * Spec: RFC 5322 §3.3, §4.3
 */

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (n: number): string => String(n).padStart(2, '0');

/** `Tue, 1 Jan 2030 00:00:00 +0000`. */
export function formatDate(time: number, zoneMinutes = 0): string {
  const d = new Date(time + zoneMinutes * 60_000);
  const zone = Math.abs(zoneMinutes);
  const sign = zoneMinutes < 0 ? '-' : '+';
  const day = `${weekdays[d.getUTCDay()]}, ${d.getUTCDate()} ${months[d.getUTCMonth()]} ${d.getUTCFullYear()}`;
  const clock = `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;
  return `${day} ${clock} ${sign}${two(Math.floor(zone / 60))}${two(zone % 60)}`;
}

/** Minutes east of UTC. RFC 5322 §4.3: every other name means "unknown", which is UTC. */
const zones: Readonly<Record<string, number>> = { EST: -300, EDT: -240, CST: -360, CDT: -300, MST: -420, MDT: -360, PST: -480, PDT: -420 };

const form =
  /^(?:[a-z]{2,12}\.?,?\s+)?(\d{1,2})[\s-]+([a-z]{3})[a-z]*\.?[\s-]+(\d{2,4}),?(?:\s+(\d{1,2})[:.](\d{1,2})(?:[:.](\d{1,2})(?:\.\d+)?)?\s*(am|pm)?(?:\s*([+-]\s?\d{1,2}:?\d{2}|[a-z]{1,5}(?:[+-]\d{4})?))?)?/i;
/** `Tue Jan  1 00:00:00 2030`, as asctime writes it. */
const asctime =
  /^(?:[a-z]{3,9},?\s+)?([a-z]{3})[a-z]*\s+(\d{1,2})\s+(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?\s+(?:([a-z]{1,5})\s+)?(\d{4})(?:\s+([+-]\d{4}))?/i;
const iso = /^(\d{4})-(\d{2})-(\d{2})[t ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*(z|[+-]\d{2}:?\d{2})?/i;

/** The time a Date header means, or undefined where nobody could tell. */
export function parseDate(value: string): number | undefined {
  const text = withoutComments(value.slice(0, 300)).trim();
  let m = form.exec(text);
  if (m) {
    const hour = hourOf(m[4], m[7]);
    return timeOf(yearOf(m[3]!), monthOf(m[2]!), Number(m[1]), hour, Number(m[5] ?? 0), Number(m[6] ?? 0), zoneOf(m[8]));
  }
  m = asctime.exec(text);
  if (m) return timeOf(Number(m[7]), monthOf(m[1]!), Number(m[2]), Number(m[3]), Number(m[4]), Number(m[5] ?? 0), zoneOf(m[8] ?? m[6]));
  m = iso.exec(text);
  if (m) return timeOf(Number(m[1]), Number(m[2]) - 1, Number(m[3]), Number(m[4]), Number(m[5]), Number(m[6] ?? 0), zoneOf(m[7]));
  return undefined;
}

function hourOf(hour: string | undefined, half: string | undefined): number {
  const n = Number(hour ?? 0);
  if (!half) return n;
  return (n % 12) + (half.toLowerCase() === 'pm' ? 12 : 0);
}

/** RFC 5322 §4.3: 00–49 is 2000–2049, 50–999 counts from 1900. */
function yearOf(text: string): number {
  const n = Number(text);
  if (text.length >= 4) return n;
  return text.length === 2 && n < 50 ? 2000 + n : 1900 + n;
}

function monthOf(name: string): number {
  return months.findIndex((month) => month.toLowerCase() === name.slice(0, 3).toLowerCase());
}

function zoneOf(zone: string | undefined): number {
  if (!zone) return 0;
  const digits = /([+-])\s?(\d{1,2}):?(\d{2})$/.exec(zone);
  if (!digits) return zones[zone.toUpperCase()] ?? 0;
  const minutes = Number(digits[2]) * 60 + Number(digits[3]);
  return digits[1] === '-' ? -minutes : minutes;
}

function timeOf(year: number, month: number, day: number, hour: number, minute: number, second: number, zone: number): number | undefined {
  if (month < 0 || month > 11 || day < 1 || day > 31 || hour > 24 || minute > 59 || second > 60 || Math.abs(zone) > 24 * 60)
    return undefined;
  const time = Date.UTC(year, month, day, hour, minute, second) - zone * 60_000;
  return Number.isNaN(time) ? undefined : time;
}

function withoutComments(text: string): string {
  if (!text.includes('(')) return text;
  let out = '';
  let depth = 0;
  for (const c of text) {
    if (c === '(') depth++;
    else if (c === ')') depth = Math.max(0, depth - 1);
    else if (depth === 0) out += c;
  }
  return out;
}
