/**
 * Finds the structure of a message in one pass, while its bytes go by.
 *
 * Promise: never throws on input; the result does not depend on how the bytes are cut into chunks; linear time; memory is bounded by
 * the limits below, whatever comes. Lines end in LF or CRLF. Content is not decoded.
 * Spec: RFC 2046 §5.1 (boundaries), §5.2.1 (message/rfc822); RFC 6532 §3.7 (message/global)
 */

import { type BoundaryMatch, PartTree } from './part-tree.ts';
import type { MessageStructure } from './structure.ts';

const LF = 10;
const CR = 13;
const DASH = 45;
/** Octets of a line kept when it is cut by a chunk's end: enough for the longest boundary. */
const longestBoundaryLine = 1024;
/** Octets of header kept in one message, all parts together; what is beyond is not looked at. */
const headerBudget = 1024 * 1024;
const nothing = Buffer.alloc(0);

export class MessageIndexer {
  readonly #tree = new PartTree();
  /** Octets before the current chunk. */
  #offset = 0;
  #lineStart = 0;
  /** Start of the line before, and length of its line end. */
  #previousStart = 0;
  #previousEol = 0;
  #newlines = 0;
  /** The last octet seen. */
  #last = 0;
  /** The beginning of an unfinished line (at most `longestBoundaryLine`). */
  #carry: Buffer = nothing;
  #inHeader = true;
  #header: Buffer[] = [];
  #budget = headerBudget;

  /** Takes the next bytes; they are not kept. */
  push(chunk: Uint8Array): void {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    let at = 0;
    while (at < bytes.length) {
      if (!this.#inHeader && !this.#tree.watching) at = this.#count(bytes, at);
      else at = this.#line(bytes, at);
    }
    if (bytes.length > 0) this.#last = bytes[bytes.length - 1]!;
    this.#offset += bytes.length;
  }

  /** The structure of what was pushed. The indexer is used up. */
  end(): MessageStructure {
    const total = this.#offset;
    const unfinished = total > this.#lineStart;
    const boundary = unfinished && this.#tree.watching ? this.#tree.match(lineText(nothing, 0, 0, this.#carry)) : undefined;
    if (boundary) {
      this.#boundary(boundary, this.#lineStart, total);
      this.#lineStart = total;
    }
    while (this.#inHeader) this.#endHeader(total);
    const rest = !boundary && unfinished;
    this.#tree.finish({ lineStart: total, end: total, newlines: this.#newlines, lastLineEmpty: !rest });
    return this.#tree.result();
  }

  /** Nobody waits for a boundary: only lines are counted. */
  #count(bytes: Buffer, from: number): number {
    let newlines = 0;
    let last = -1;
    for (let at = bytes.indexOf(LF, from); at >= 0; at = bytes.indexOf(LF, at + 1)) {
      newlines++;
      last = at;
    }
    this.#newlines += newlines;
    if (last >= 0) {
      this.#lineStart = this.#offset + last + 1;
      this.#carry = nothing;
    }
    return bytes.length;
  }

  #line(bytes: Buffer, from: number): number {
    const newline = bytes.indexOf(LF, from);
    if (newline < 0) {
      this.#keep(bytes, from, bytes.length);
      return bytes.length;
    }
    const next = newline + 1;
    const start = this.#lineStart;
    const before = newline > 0 ? bytes[newline - 1] : this.#last;
    const eol = before === CR && this.#offset + newline > start ? 2 : 1;
    const whole = this.#offset + from === start;
    const head = whole ? undefined : this.#carry;
    this.#lineStart = this.#offset + next;
    this.#carry = nothing;
    const first = head ? head[0] : bytes[from];
    const boundary = first === DASH && this.#tree.watching ? this.#tree.match(lineText(bytes, from, newline, head)) : undefined;
    if (boundary) this.#boundary(boundary, start, this.#lineStart);
    else if (this.#inHeader) this.#headerLine(bytes, from, next, this.#lineStart - start === eol);
    this.#newlines++;
    this.#previousStart = start;
    this.#previousEol = eol;
    return next;
  }

  /** Keeps the head of a line that the chunk's end cuts. */
  #keep(bytes: Buffer, from: number, to: number): void {
    if (this.#inHeader) this.#keepHeader(bytes, from, to);
    const room = longestBoundaryLine - this.#carry.length;
    if (room <= 0) return;
    const piece = bytes.subarray(from, Math.min(to, from + room));
    this.#carry = this.#carry.length === 0 ? Buffer.from(piece) : Buffer.concat([this.#carry, piece]);
  }

  #keepHeader(bytes: Buffer, from: number, to: number): void {
    const piece = bytes.subarray(from, Math.min(to, from + this.#budget));
    if (piece.length === 0) return;
    this.#budget -= piece.length;
    this.#header.push(Buffer.from(piece));
  }

  #headerLine(bytes: Buffer, from: number, next: number, empty: boolean): void {
    if (!empty) this.#keepHeader(bytes, from, next);
    // The line end of the empty line is not the body's.
    else this.#endHeader(this.#lineStart, this.#newlines + 1);
  }

  #endHeader(bodyStart: number, newlines = this.#newlines): void {
    const block = this.#header.length === 1 ? this.#header[0]! : Buffer.concat(this.#header);
    this.#header = [];
    this.#inHeader = this.#tree.header(block.toString('latin1'), bodyStart, newlines);
  }

  /** A line that is a boundary, from `start` up to `next`: the line end before it belongs to it (RFC 2046 §5.1.1). */
  #boundary(match: BoundaryMatch, start: number, next: number): void {
    const end = start - this.#previousEol;
    while (this.#inHeader) this.#endHeader(Math.max(end, this.#tree.headerStart));
    const cut = { lineStart: start, end, newlines: this.#newlines, lastLineEmpty: end <= this.#previousStart };
    this.#inHeader = this.#tree.boundary(match, cut, next, this.#newlines + 1);
  }
}

/** The head of a line as latin1, at most `longestBoundaryLine` octets. */
function lineText(bytes: Buffer, from: number, to: number, head: Buffer | undefined): string {
  const room = longestBoundaryLine - (head?.length ?? 0);
  const rest = bytes.toString('latin1', from, Math.min(to, from + room));
  return head ? head.toString('latin1') + rest : rest;
}

/** The structure of a whole message. */
export async function indexMessage(source: Uint8Array | AsyncIterable<Uint8Array>): Promise<MessageStructure> {
  const indexer = new MessageIndexer();
  if (source instanceof Uint8Array) indexer.push(source);
  else for await (const chunk of source) indexer.push(chunk);
  return indexer.end();
}
