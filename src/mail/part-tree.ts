/**
 * The growing MIME tree behind the indexer: which parts are open, which boundaries are waited for.
 *
 * Promise: children are ordered and lie inside their parent; at most `deepest` levels and `most` parts are made, what is beyond stays
 * inside its parent unseen. No recursion. Finding lines is the indexer's business.
 * Spec: RFC 2046 §5.1; RFC 3501 §6.4.5 (what can be addressed)
 */

import { boundaryOf } from './content-type.ts';
import { envelopeOf, partFields, readFields, sentAtOf } from './part-header.ts';
import type { Envelope, MessageStructure, MimePart } from './structure.ts';

const deepest = 50;
const most = 10_000;
/** RFC 2046 §5.1.1 says 70; mailers that write longer ones exist. */
const longestBoundary = 500;

type Building = { -readonly [K in keyof MimePart]: MimePart[K] };

interface Frame {
  readonly part: Building;
  /** Line ends before the body. */
  newlines: number;
  /** The header is the header of a whole message. */
  readonly whole: boolean;
  readonly inDigest: boolean;
  kind: 'header' | 'leaf' | 'multipart' | 'message';
  /** Waited for; undefined once closed, and for parts that have none. */
  boundary: string | undefined;
  children: Building[];
  setMessage: ((envelope: Envelope) => void) | undefined;
}

export interface BoundaryMatch {
  readonly frame: number;
  readonly closing: boolean;
}

/** A place where parts end. */
export interface Cut {
  /** First octet of the boundary line (the end of input without one). */
  readonly lineStart: number;
  /** The same without the line end that belongs to the boundary. */
  readonly end: number;
  /** Line ends before `lineStart`. */
  readonly newlines: number;
  /** Nothing stands between the last two line ends (at the end of input: after the last one). */
  readonly lastLineEmpty: boolean;
}

function emptyPart(headerStart: number): Building {
  return { headerStart, bodyStart: headerStart, end: headerStart, lines: 0, ...partFields(new Map(), false) };
}

export class PartTree {
  readonly #root = emptyPart(0);
  #stack: Frame[] = [];
  #parts = 1;
  #waiting = 0;
  #envelope: Envelope | undefined;
  #sentAt: number | null = null;

  constructor() {
    this.#stack.push(frame(this.#root, true, false));
  }

  /** Whether any boundary is waited for. */
  get watching(): boolean {
    return this.#waiting > 0;
  }

  get headerStart(): number {
    return this.#stack.at(-1)!.part.headerStart;
  }

  /** `line` as latin1, perhaps with its line end. */
  match(line: string): BoundaryMatch | undefined {
    if (!line.startsWith('--')) return undefined;
    const text = withoutBlanks(line.slice(2));
    for (let at = this.#stack.length - 1; at >= 0; at--) {
      const boundary = this.#stack[at]!.boundary;
      if (boundary === undefined || !text.startsWith(boundary)) continue;
      if (text.length === boundary.length) return { frame: at, closing: false };
      if (text.length === boundary.length + 2 && text.endsWith('--')) return { frame: at, closing: true };
    }
    return undefined;
  }

  /** The header of the innermost part is complete. True: what follows is a header again (of the message inside). */
  header(latin1: string, bodyStart: number, newlines: number): boolean {
    const top = this.#stack.at(-1)!;
    const { part } = top;
    const fields = readFields(latin1);
    Object.assign(part, partFields(fields, top.inDigest));
    part.bodyStart = Math.max(part.headerStart, bodyStart);
    top.newlines = newlines;
    top.kind = 'leaf';
    if (top.whole) {
      const envelope = envelopeOf(fields);
      if (this.#stack.length === 1) {
        this.#envelope = envelope;
        this.#sentAt = sentAtOf(fields);
      } else top.setMessage?.(envelope);
    }
    if (this.#stack.length >= deepest) return false;
    if (part.type === 'multipart') this.#openMultipart(top);
    else if (part.type === 'message' && (part.subtype === 'rfc822' || part.subtype === 'global')) return this.#openMessage(top);
    return false;
  }

  #openMultipart(top: Frame): void {
    const given = withoutBlanks(boundaryOf(top.part.parameters) ?? '');
    if (given === '' || given.length > longestBoundary) return;
    top.kind = 'multipart';
    // Lines are compared as octets.
    top.boundary = Buffer.from(given, 'utf8').toString('latin1');
    this.#waiting++;
  }

  #openMessage(top: Frame): boolean {
    // RFC 6532 §3.7 allows an encoded message/global: what is encoded cannot be addressed by octets.
    if (this.#parts >= most || !/^(?:7bit|8bit|binary)$/.test(top.part.encoding)) return false;
    top.kind = 'message';
    this.#parts++;
    const root = emptyPart(top.part.bodyStart);
    const inner = frame(root, true, false);
    inner.setMessage = (envelope) => {
      top.part.message = { envelope, root };
    };
    this.#stack.push(inner);
    return true;
  }

  /** Ends the parts inside the matched one and begins its next; true: a header follows. */
  boundary(match: BoundaryMatch, cut: Cut, next: number, newlines: number): boolean {
    this.#closeAbove(match.frame, cut);
    const parent = this.#stack[match.frame]!;
    if (match.closing) {
      parent.boundary = undefined;
      this.#waiting--;
      return false;
    }
    if (this.#parts >= most) return false;
    this.#parts++;
    const part = emptyPart(next);
    parent.children.push(part);
    const opened = frame(part, false, parent.part.subtype === 'digest');
    opened.newlines = newlines;
    this.#stack.push(opened);
    return true;
  }

  finish(cut: Cut): void {
    this.#closeAbove(-1, cut);
  }

  result(): MessageStructure {
    return { envelope: this.#envelope ?? envelopeOf(new Map()), root: this.#root, sentAt: this.#sentAt };
  }

  #closeAbove(frame: number, cut: Cut): void {
    // Innermost first, so that a parent reaches at least as far as what it contains.
    let inner = 0;
    while (this.#stack.length - 1 > frame) {
      const top = this.#stack.pop()!;
      if (top.boundary !== undefined) this.#waiting--;
      inner = close(top, cut, inner);
    }
  }
}

/** Trailing white space off: by hand, because a pattern would take quadratic time and `trimEnd` takes an octet of UTF-8 for a blank. */
function withoutBlanks(text: string): string {
  let end = text.length;
  while (end > 0 && ' \t\r\n'.includes(text[end - 1]!)) end--;
  return text.slice(0, end);
}

function frame(part: Building, whole: boolean, inDigest: boolean): Frame {
  return { part, whole, inDigest, newlines: 0, kind: 'header', boundary: undefined, children: [], setMessage: undefined };
}

function close(top: Frame, cut: Cut, inner: number): number {
  const { part } = top;
  part.end = Math.max(cut.end, part.bodyStart, inner);
  const newlines = cut.newlines - top.newlines;
  if (part.end === part.bodyStart) part.lines = 0;
  // The line end before a boundary is not the part's, unless the part reaches up to the boundary itself.
  else if (part.end === cut.lineStart) part.lines = newlines + (cut.end === cut.lineStart && !cut.lastLineEmpty ? 1 : 0);
  else part.lines = newlines - 1 + (cut.lastLineEmpty ? 0 : 1);
  if (top.kind === 'multipart' && top.children.length > 0) part.children = top.children;
  return part.end;
}
