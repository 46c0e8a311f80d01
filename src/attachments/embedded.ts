/**
 * What stands in the text of a message and is more than text: files by uuencode or BinHex, and text that somebody signed or encrypted.
 *
 * Promise: linear time, memory for what is found alone; text that only begins like a file is text.
 * Spec: RFC 1741; RFC 4880 §6.2, §7 (armor); POSIX.1-2017, uuencode
 */

import { isBinHexLine } from './codecs/binhex-code.ts';
import { Lines } from './codecs/lines.ts';
import { isExactUuLine, isUuEnd, uuBegin, uuLine } from './codecs/uuencode.ts';

export interface Stretch {
  readonly is: 'uuencode' | 'binhex';
  /** In the decoded text, line ends included. */
  readonly start: number;
  readonly end: number;
  /** As uuencode gives it; empty for BinHex, which has it inside. */
  readonly name: string;
}

interface Open {
  is: 'uuencode' | 'binhex';
  start: number;
  name: string;
  /** Lines of data so far. */
  lines: number;
  /** Where the last of them ends. */
  last: number;
}

/** More files in one text are left as text. */
const most = 1_000;
/** Some programs say more, and some something else behind it. */
const banner = /^\(This file must be converted/;
const armor = /^-----BEGIN PGP (?:MESSAGE|SIGNED MESSAGE)(?:, PART [0-9/]{1,20})?-----\s*$/;

export class TextScanner {
  readonly found: Stretch[] = [];
  /** Signed or encrypted text stands in it. */
  armored = false;
  #open: Open | undefined;
  readonly #lines = new Lines((text, start, next) => this.#line(text, start, next));

  push(bytes: Uint8Array): void {
    this.#lines.push(bytes);
  }

  end(): void {
    this.#lines.end();
    this.#close();
  }

  #line(text: string, start: number, next: number): void {
    const open = this.#open;
    if (open?.is === 'uuencode' ? this.#uu(open, text, next) : open && this.#binHex(open, text, next)) return;
    if (text.startsWith('-----') && armor.test(text)) this.armored = true;
    if (this.found.length >= most) return;
    const name = uuBegin(text);
    if (name !== undefined) this.#open = { is: 'uuencode', start, name, lines: 0, last: next };
    else if (banner.test(text)) this.#open = { is: 'binhex', start, name: '', lines: 0, last: next };
  }

  /** False: the line is not part of it. */
  #uu(open: Open, text: string, next: number): boolean {
    if (isUuEnd(text)) {
      open.last = next;
      open.lines++;
      this.#close();
      return true;
    }
    // The first line must be whole: `begin 644 work tomorrow` may stand in any letter.
    const fits = open.lines === 0 ? text !== '' && isExactUuLine(text) : uuLine(text) !== undefined;
    if (fits) {
      open.lines++;
      // Empty lines at the end belong to the text behind.
      if (text !== '') open.last = next;
      return true;
    }
    this.#close();
    return false;
  }

  #binHex(open: Open, text: string, next: number): boolean {
    if (open.lines === 0) {
      if (text.trim() === '') return true;
      if (!text.startsWith(':') || !isBinHexLine(text)) {
        this.#close();
        return false;
      }
    } else if (!isBinHexLine(text)) {
      this.#close();
      return false;
    }
    open.lines++;
    if (text.trim() !== '') open.last = next;
    if (text.indexOf(':', open.lines === 1 ? 1 : 0) >= 0) this.#close();
    return true;
  }

  #close(): void {
    const open = this.#open;
    this.#open = undefined;
    if (open && open.lines > 0) this.found.push({ is: open.is, start: open.start, end: open.last, name: open.name });
  }
}
