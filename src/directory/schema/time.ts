/**
 * Generalized Time and UTC Time: reading every form RFC 4517 §3.3.13 and §3.3.34 allow, writing the one form this server stores.
 *
 * Spec: RFC 4517 §3.3.13, §3.3.34, §4.2.16
 */

const hour = '(?:[01]\\d|2[0-3])';
const pattern = new RegExp(
  `^(\\d{4})(0[1-9]|1[0-2])(0[1-9]|[12]\\d|3[01])(${hour})(?:([0-5]\\d)([0-5]\\d|60)?)?(?:[.,](\\d+))?(Z|[+-]${hour}(?:[0-5]\\d)?)$`,
);
const utcPattern = new RegExp(`^\\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\\d|3[01])${hour}[0-5]\\d(?:[0-5]\\d)?(?:Z|[+-]${hour}[0-5]\\d)?$`);
/** Digits of a fraction of an hour or a minute that are worked with: far below any clock. */
const longestFraction = 100;

interface Parsed {
  /** Whole seconds since 1970. */
  readonly seconds: number;
  /** Digits behind the point, without zeros at the end. */
  readonly fraction: string;
  readonly leap: boolean;
}

function daysIn(year: number, month: number): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month, 0);
  return date.getUTCDate();
}

/** A fraction of an hour or a minute as whole seconds and a decimal fraction of one. */
function inSeconds(digits: string, unit: number): { whole: number; fraction: string } | undefined {
  if (digits.length > longestFraction) return undefined;
  const scale = 10n ** BigInt(digits.length);
  const product = BigInt(digits) * BigInt(unit);
  return { whole: Number(product / scale), fraction: (product % scale).toString().padStart(digits.length, '0') };
}

function parse(text: string): Parsed | undefined {
  const match = pattern.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hours, minute, second, digits, zone = 'Z'] = match;
  if (Number(day) > daysIn(Number(year), Number(month))) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  const leap = second === '60';
  const offset = zone === 'Z' ? 0 : (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3, 5) || 0)) * (zone[0] === '-' ? -60 : 60);
  const seconds = date.getTime() / 1000 + Number(hours) * 3600 + Number(minute ?? 0) * 60 + (leap ? 59 : Number(second ?? 0)) - offset;
  if (digits === undefined) return { seconds, fraction: '', leap };
  const part = second === undefined ? inSeconds(digits, minute === undefined ? 3600 : 60) : { whole: 0, fraction: digits };
  return part && { seconds: seconds + part.whole, fraction: withoutZeros(part.fraction), leap };
}

function withoutZeros(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits[end - 1] === '0') end--;
  return digits.slice(0, end);
}

/** Milliseconds since 1970, or undefined where the text is not a time. A leap second counts as the second before. */
export function parseGeneralizedTime(text: string): number | undefined {
  const parsed = parse(text);
  return parsed && parsed.seconds * 1000 + Math.floor(Number(`0.${parsed.fraction.slice(0, 9)}`) * 1000);
}

/** Makes every second of the years 0 to 9999, and a day more at both ends, a number of twelve digits. */
const bias = 100_000_000_000;

/** The form in which two times are compared, as exact as they are written: it sorts as time does, a leap second behind the one before. */
export function timeForm(text: string): string | undefined {
  const parsed = parse(text);
  if (!parsed) return undefined;
  const { seconds, fraction, leap } = parsed;
  // "." sorts before ":", and both before the next second.
  return `${(seconds + bias).toString().padStart(12, '0')}${leap ? ':' : fraction === '' ? '' : '.'}${fraction}`;
}

export function isUtcTime(text: string): boolean {
  const match = utcPattern.exec(text);
  if (!match) return false;
  // Two digits of a year mean 1950 to 2049 (X.509); only leap days depend on it.
  const year = Number(text.slice(0, 2));
  return Number(match[2]) <= daysIn(year < 50 ? 2000 + year : 1900 + year, Number(match[1]));
}

const two = (n: number): string => (n < 10 ? `0${n}` : `${n}`);

/** `20301231235959Z`. */
export function generalizedTime(at: number): string {
  const d = new Date(at);
  return (
    `${d.getUTCFullYear().toString().padStart(4, '0')}${two(d.getUTCMonth() + 1)}${two(d.getUTCDate())}` +
    `${two(d.getUTCHours())}${two(d.getUTCMinutes())}${two(d.getUTCSeconds())}Z`
  );
}
