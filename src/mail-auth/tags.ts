/**
 * Tag lists: `v=1; a=rsa-sha256; …`, the form of DKIM signatures, of ARC's fields, of key records and of DMARC's policies.
 *
 * Promise: linear time; a list with a tag twice, or with something that is no tag, is none, unless it is read leniently: then such things
 * are passed over.
 * Spec: RFC 6376 §3.2; RFC 7489 §6.3 (what is read leniently)
 */

export type Tags = ReadonlyMap<string, string>;

const mostTags = 100;

/** Names with regard to case, values without blanks around; undefined where this is no tag list. */
export function parseTags(text: string, how?: 'leniently'): Tags | undefined {
  const tags = new Map<string, string>();
  const parts = text.split(';', mostTags + 2);
  if (parts.length > mostTags) return undefined;
  for (const [n, part] of parts.entries()) {
    const tag = trimmed(part);
    if (tag === '' && n === parts.length - 1 && n > 0) continue;
    const equals = tag.indexOf('=');
    const name = trimmed(tag.slice(0, Math.max(0, equals)));
    if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(name) || tags.has(name)) {
      if (how === 'leniently') continue;
      return undefined;
    }
    tags.set(name, trimmed(tag.slice(equals + 1)));
  }
  return tags;
}

/** Blanks and folds taken off both ends. Not `trim`: that takes octets which are blanks in no header. */
export function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

const isBlank = (code: number): boolean => code === 32 || code === 9 || code === 13 || code === 10;

/** A value that may be folded anywhere: base64, lists. */
export const unfolded = (text: string): string => text.replace(/[ \t\r\n]+/g, '');

/** The same list with the value of `b` taken out, as signatures are made over it. RFC 6376 §3.5, §3.7 */
export function withoutSignature(raw: string): string {
  const colon = raw.indexOf(':') + 1;
  const parts = raw
    .slice(colon)
    .split(';')
    .map((part) => (/^[ \t\r\n]*b[ \t\r\n]*=/.test(part) ? part.slice(0, part.indexOf('=') + 1) : part));
  return raw.slice(0, colon) + parts.join(';');
}
