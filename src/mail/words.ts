/**
 * Encoded words: header text for people, and text for headers.
 *
 * Promise: any input gives a string; an unknown character set or a broken word stays as it was.
 * Spec: RFC 2047; RFC 2231 §5 (language); RFC 6532
 */

import type libmime from 'libmime';
import { onDemand } from '../base/index.ts';

const words = onDemand<typeof libmime>('libmime', import.meta.url);

/** Longer header text is shown as it is: decoding it costs more than anybody reads. */
const longest = 65_536;

export function decodeWords(text: string): string {
  if (!text.includes('=?') || text.length > longest) return text;
  try {
    return words().decodeWords(text);
  } catch {
    return text;
  }
}

/** ASCII text that means `text`; unchanged where it is ASCII without controls already. */
export function encodeWords(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return text;
  return words().encodeWord(text.replace(/[\r\n]+/g, ' '), 'Q', 52);
}
