/**
 * Mailbox names on the wire: modified UTF-7.
 *
 * Strict in reading: an encoding that could have been shorter, a surrogate without its other half or left-over bits are refused,
 * so that one mailbox has one name. Pure.
 * Spec: RFC 3501 §5.1.3, RFC 2152
 */

/** A name as it is sent. */
export function encodeUtf7(name: string): string {
  let out = '';
  for (const run of name.match(/[\x20-\x7e]+|[^\x20-\x7e]+/g) ?? []) {
    if (/^[\x20-\x7e]/.test(run)) out += run.replaceAll('&', '&-');
    else out += `&${Buffer.from(run, 'utf16le').swap16().toString('base64').replace(/=+$/, '').replaceAll('/', ',')}-`;
  }
  return out;
}

/** A name as it was sent; undefined where it is not well-formed. */
export function decodeUtf7(wire: string): string | undefined {
  if (/[^\x20-\x7e]/.test(wire)) return undefined;
  let out = '';
  let at = 0;
  for (;;) {
    const shift = wire.indexOf('&', at);
    if (shift < 0) return out + wire.slice(at);
    out += wire.slice(at, shift);
    const end = wire.indexOf('-', shift);
    if (end < 0) return undefined;
    const part = end === shift + 1 ? '&' : decodeShifted(wire.slice(shift + 1, end));
    if (part === undefined) return undefined;
    out += part;
    at = end + 1;
    // Two shifted runs in a row would be a second spelling of one run (RFC 3501 §5.1.3: "no superfluous shifts").
    if (part !== '&' && wire[at] === '&' && wire[at + 1] !== '-') return undefined;
  }
}

function decodeShifted(base64: string): string | undefined {
  if (!/^[A-Za-z0-9+,]+$/.test(base64)) return undefined;
  const bytes = Buffer.from(base64.replaceAll(',', '/'), 'base64');
  if (bytes.length % 2 !== 0) return undefined;
  if (bytes.toString('base64').replace(/=+$/, '').replaceAll('/', ',') !== base64) return undefined;
  const text = bytes.swap16().toString('utf16le');
  // With the u flag, a surrogate matches only where its other half is missing.
  return /[\x20-\x7e]|\p{Surrogate}/u.test(text) ? undefined : text;
}
