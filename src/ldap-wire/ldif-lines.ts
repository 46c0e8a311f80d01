/**
 * LDIF as lines: octets in, blocks of unfolded lines out.
 *
 * Promise: a file of any length is read in memory bounded by the largest record. LF and CRLF end a line, the last one needs
 * neither; a byte order mark in front is passed over; comments are dropped with their continuations. Folding is undone on octets,
 * so a character of several octets may be cut by it. What is wrong with a block is said in the block: the next one is sound again.
 * Spec: RFC 2849, notes 1 to 5 and 9
 */

import { isAscii, isUtf8 } from 'node:buffer';

/** One unfolded line. */
export interface LdifLine {
  /** Of its beginning, from 1. */
  readonly number: number;
  text: string;
  /** The octets are not UTF-8: `text` has one character for each of them. */
  raw: boolean;
}

/** The lines between two blank lines. */
export interface LdifBlock {
  readonly lines: readonly LdifLine[];
  readonly problem: LdifProblem | undefined;
}

export interface LdifProblem {
  readonly kind: 'malformed' | 'too-large';
  readonly line: number;
  readonly why: string;
}

const beyondAscii = /[\u0080-\u00ff]/;
const latin1 = (octets: Uint8Array): string => Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('latin1');

export class LdifLines {
  readonly #maxRecord: number;
  /** Beginning of a line whose end has not come yet. */
  #pieces: string[] = [];
  /** Octets of it. */
  #partial = 0;
  #number = 0;
  #size = 0;
  #lines: LdifLine[] = [];
  #line: LdifLine | 'comment' | undefined;
  #problem: LdifProblem | undefined;
  /** Whether everything since the last blank line, or the chunk it stands in, is ASCII. */
  #ascii = true;

  /** `maxRecord`: octets of one record at most. */
  constructor(maxRecord: number) {
    this.#maxRecord = maxRecord;
  }

  /** Any part of the file; the blocks that it completes. */
  *push(chunk: Uint8Array): Generator<LdifBlock> {
    const ascii = isAscii(chunk);
    if (!ascii) this.#ascii = false;
    const text = latin1(chunk);
    let from = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
      const piece = text.slice(from, end);
      from = end + 1;
      const block = this.#take(this.#pieces.length > 0 ? this.#pieces.splice(0).join('') + piece : piece);
      if (!block) continue;
      this.#ascii = ascii;
      yield block;
    }
    if (from < text.length) this.#keep(text.slice(from));
  }

  /** The end of the file. */
  *end(): Generator<LdifBlock> {
    if (this.#pieces.length > 0) {
      const block = this.#take(this.#pieces.splice(0).join(''));
      if (block) yield block;
    }
    const last = this.#block();
    if (last) yield last;
  }

  /** Counted before the line ends, so that one without an end is not collected for ever. */
  #keep(piece: string): void {
    this.#partial += piece.length;
    if (this.#tooLarge(this.#number + 1)) this.#pieces = [''];
    else this.#pieces.push(piece);
  }

  #tooLarge(line: number): boolean {
    if (this.#size + this.#partial <= this.#maxRecord) return false;
    this.#blame('too-large', line, `the record is larger than ${this.#maxRecord} octets`);
    return true;
  }

  #blame(kind: LdifProblem['kind'], line: number, why: string): void {
    this.#problem ??= { kind, line, why };
  }

  #take(given: string): LdifBlock | undefined {
    const number = ++this.#number;
    this.#partial = 0;
    const text = given.endsWith('\r') ? given.slice(0, -1) : given;
    this.#size += text.length + 1;
    if (text === '') return this.#block();
    if (this.#tooLarge(number)) return undefined;
    const first = text.charCodeAt(0);
    if (first === 0x20) this.#continue(number, text.slice(1));
    else {
      this.#finish();
      if (first === 0x23) this.#line = 'comment';
      else this.#line = { number, text: number === 1 ? this.#unmarked(text) : text, raw: false };
    }
    return undefined;
  }

  #continue(number: number, text: string): void {
    if (this.#line === undefined) this.#blame('malformed', number, 'a continuation line has nothing to continue');
    else if (this.#line !== 'comment') this.#line.text += text;
  }

  #unmarked(text: string): string {
    if (/^(?:\u00ff\u00fe|\u00fe\u00ff)/.test(text)) this.#blame('malformed', 1, 'the file is UTF-16; LDIF is UTF-8');
    return text.startsWith('\u00ef\u00bb\u00bf') ? text.slice(3) : text;
  }

  /** The line is whole: its octets become text. */
  #finish(): void {
    const line = this.#line;
    this.#line = undefined;
    if (line === undefined || line === 'comment' || line.text === '') return;
    if (!this.#ascii && beyondAscii.test(line.text)) {
      const octets = Buffer.from(line.text, 'latin1');
      if (isUtf8(octets)) line.text = octets.toString('utf8');
      else line.raw = true;
    }
    this.#lines.push(line);
  }

  #block(): LdifBlock | undefined {
    this.#finish();
    const block = { lines: this.#lines, problem: this.#problem };
    this.#lines = [];
    this.#problem = undefined;
    this.#size = 0;
    return block.lines.length > 0 || block.problem ? block : undefined;
  }
}
