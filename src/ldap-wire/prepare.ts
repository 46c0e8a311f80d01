/**
 * String preparation: the form in which two textual values are compared.
 *
 * Promise: values that the standard calls equal come out identical, and preparing twice changes nothing. ASCII, the common
 * case, never leaves the fast path. Which attribute compares how is the schema's business.
 * Spec: RFC 4518 §2 (map, normalise, insignificant spaces), RFC 4517 §4.2.11
 */

/** What keeps a text from being as it is compared already. Without loops: those of a value of many megabytes would not fit the stack. */
const unprepared = /[^ -~]|^ | $| {2}/;
const isPlain = (text: string): boolean => text !== '' && !unprepared.test(text);
// RFC 4518 §2.2: characters that are mapped to nothing …
const nothing = new RegExp(
  [
    '[\\u0000-\\u0008\\u000e-\\u001f\\u007f-\\u0084\\u0086-\\u009f\\u00ad\\u06dd\\u070f\\u1806\\u180e]',
    '[\\u034f\\u180b-\\u180d\\ufe00-\\ufe0f]',
    '[\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u2063\\u206a-\\u206f\\ufeff\\ufff9-\\ufffc]',
    '[\\u{1d173}-\\u{1d17a}\\u{e0001}\\u{e0020}-\\u{e007f}]',
  ].join('|'),
  'gu',
);
// … and to a space.
const spaces = /[\u0009-\u000d\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/g;
/**
 * Spaces before another one; a space that carries a combining mark is a letter like any other (RFC 4518 §2.6.1). Some at a time: the steps
 * of a longer loop might not fit the stack.
 */
const needless = / {1,200}(?= (?!\p{M}))/gu;
const marked = /^ \p{M}/u;

/** Case folding (RFC 3454 table B.2). The dotless i has a capital that folds elsewhere, so it stays out of the round trip. */
function fold(text: string): string {
  return text
    .split('\u0131')
    .map((part) => part.toUpperCase().toLowerCase().replaceAll('\u03c2', '\u03c3'))
    .join('\u0131');
}

/** Mapped and normalised, every run of spaces as one; those at the ends stay. What substrings are prepared from. */
export function prepareKeepingEnds(text: string, ignoreCase: boolean): string {
  const mapped = text.replace(nothing, '').normalize('NFKC');
  return (ignoreCase ? fold(mapped).normalize('NFKC') : mapped).replace(spaces, ' ').replace(needless, '');
}

/** Whether a prepared text begins with a space that counts as one. */
export const beginsWithSpace = (text: string): boolean => text.startsWith(' ') && !marked.test(text);

function withoutEnds(text: string): string {
  return text.slice(beginsWithSpace(text) ? 1 : 0, text.length > 1 && text.endsWith(' ') ? -1 : undefined);
}

/** A value as caseIgnoreMatch compares it: folded, normalised, inner spaces single, none outside. */
export function prepareIgnoringCase(text: string): string {
  if (isPlain(text)) return text.toLowerCase();
  return withoutEnds(prepareKeepingEnds(text, true));
}

/** A value as caseExactMatch compares it: normalised, inner spaces single, none outside. */
export function prepareExact(text: string): string {
  if (isPlain(text)) return text;
  return withoutEnds(prepareKeepingEnds(text, false));
}
