/**
 * Values as response text: strings, lists, dates.
 *
 * Promise: whatever the value holds, the result is one well-formed IMAP string: quoted where the grammar allows it, else a literal.
 * Spec: RFC 3501 §4.3, §9
 */

const longestQuoted = 1000;
const quotable = /^[\x20-\x7e]*$/;

/** A string as quoted or literal. Text is sent as UTF-8. */
export function quote(text: string): string {
  if (text.length <= longestQuoted && quotable.test(text)) return `"${text.replace(/["\\]/g, '\\$&')}"`;
  return `{${Buffer.byteLength(text)}}\r\n${text}`;
}

export function quoteOrNil(text: string | null): string {
  return text === null ? 'NIL' : quote(text);
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (n: number): string => (n < 10 ? `0${n}` : `${n}`);

/** INTERNALDATE in UTC. `ms` is milliseconds since 1970. */
export function dateTime(ms: number): string {
  const d = new Date(ms);
  const day = d.getUTCDate() < 10 ? ` ${d.getUTCDate()}` : `${d.getUTCDate()}`;
  const year = `${Math.min(9999, Math.max(0, d.getUTCFullYear()))}`.padStart(4, '0');
  return `"${day}-${months[d.getUTCMonth()]}-${year} ${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())} +0000"`;
}

export function monthNumber(name: string): number {
  return months.findIndex((month) => month.toLowerCase() === name.toLowerCase());
}

/** Ascending numbers as a sequence-set: `1:3,5`. Empty for none. */
export function sequenceText(numbers: Iterable<number>): string {
  let out = '';
  let from = 0;
  let to = 0;
  const close = (): void => {
    if (from > 0) out += `${out === '' ? '' : ','}${from === to ? from : `${from}:${to}`}`;
  };
  for (const n of numbers) {
    if (from > 0 && n === to + 1) to = n;
    else {
      close();
      from = n;
      to = n;
    }
  }
  close();
  return out;
}
