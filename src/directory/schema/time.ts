/**
 * Generalized Time: reading every form RFC 4517 §3.3.13 allows, writing the one form this server stores.
 *
 * Spec: RFC 4517 §3.3.13
 */

const pattern =
  /^(\d{4})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])(?:([0-5]\d)(?:([0-5]\d|60))?)?(?:[.,](\d+))?(Z|[+-](?:[01]\d|2[0-3])(?:[0-5]\d)?)$/;

/** Milliseconds since 1970, or undefined where the text is not a time. A leap second counts as the second before. */
export function parseGeneralizedTime(text: string): number | undefined {
  const match = pattern.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second, fraction, zone = 'Z'] = match;
  const whole = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute ?? 0),
    Math.min(59, Number(second ?? 0)),
  );
  if (new Date(whole).getUTCDate() !== Number(day)) return undefined;
  const unit = second !== undefined ? 1000 : minute !== undefined ? 60_000 : 3_600_000;
  const part = fraction === undefined ? 0 : Math.floor(Number(`0.${fraction.slice(0, 9)}`) * unit);
  const offset = zone === 'Z' ? 0 : (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3, 5) || 0)) * (zone[0] === '-' ? -60_000 : 60_000);
  return whole + part - offset;
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
