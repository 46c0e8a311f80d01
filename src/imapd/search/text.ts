/**
 * Comparing text without regard to case, and the charsets that SEARCH understands. Pure.
 * Spec: RFC 3501 §6.4.4 (CHARSET), RFC 5051 (in spirit: case is folded, accents count)
 */

import { TextDecoder } from 'node:util';

/** Text ready for comparison. Composed and decomposed accents are one. */
export function fold(text: string): string {
  const lower = text.toLowerCase();
  return /^[\x00-\x7f]*$/.test(lower) ? lower : lower.normalize('NFC');
}

/** A decoder for a MIME charset name; undefined for one nobody knows. */
export function charsetDecoder(name: string): TextDecoder | undefined {
  try {
    return new TextDecoder(name.trim().replace(/^"|"$/g, ''));
  } catch {
    return undefined;
  }
}

const encodedWord = /=\?([^?\s*]{1,80})(?:\*[^?\s]{0,40})?\?([bBqQ])\?([^?\s]{0,2000})\?=/g;

/** Header text with its encoded words (RFC 2047) decoded; those nobody can decode stay as they are. */
export function decodeWords(text: string): string {
  if (!text.includes('=?')) return text;
  // White space between two encoded words is not text (RFC 2047 §6.2).
  return text
    .replace(/\?=[ \t\r\n]{1,200}=\?/g, '?==?')
    .replace(encodedWord, (whole, charset: string, encoding: string, content: string) => {
      const decoder = charsetDecoder(charset);
      if (!decoder) return whole;
      return decoder.decode(encoding.toLowerCase() === 'b' ? Buffer.from(content, 'base64') : qOctets(content));
    });
}

function qOctets(content: string): Buffer {
  const octets = content
    .replaceAll('_', ' ')
    .replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(octets, 'latin1');
}

/** Looks for one needle in text that comes in chunks, across their borders. */
export class Finder {
  readonly #needle: string;
  #tail = '';
  found: boolean;

  /** `needle` is folded. */
  constructor(needle: string) {
    this.#needle = needle;
    this.found = needle === '';
  }

  push(text: string): boolean {
    if (this.found || text === '') return this.found;
    const here = this.#tail + fold(text);
    this.found = here.includes(this.#needle);
    this.#tail = this.#needle.length > 1 ? here.slice(-(this.#needle.length - 1)) : '';
    return this.found;
  }
}
