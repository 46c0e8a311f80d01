/**
 * From a section to octets: which range of the stored message, prefix included, it stands for. Pure.
 *
 * A part number walks down multiparts; into a message/rfc822 it goes on with that message's parts. A message that is not a
 * multipart has one part, number 1, its body.
 * Spec: RFC 3501 §6.4.5 "BODY[<section>]"
 */

import type { MimePart } from '../../mail/index.ts';
import type { StoredMessage } from '../../store/index.ts';
import type { Section } from './items.ts';

/** Octets of prefix + bytes, from inclusive, to exclusive. */
export interface OctetRange {
  readonly start: number;
  readonly end: number;
}

/** Undefined: there is no such part, or it has no such thing (answered with NIL). */
export function octetsOf(message: Pick<StoredMessage, 'prefix' | 'structure' | 'size'>, section: Section): OctetRange | undefined {
  const ahead = Buffer.byteLength(message.prefix);
  const { root } = message.structure;
  if (section.part.length === 0) {
    if (section.what === 'all') return { start: 0, end: message.size };
    if (section.what === 'text') return { start: ahead + root.bodyStart, end: message.size };
    return { start: 0, end: ahead + root.bodyStart };
  }
  const found = findPart(root, section.part);
  if (!found) return undefined;
  const range = rangeIn(found, section.what);
  if (!range) return undefined;
  // The message's own header, seen as part 1's MIME header, begins with the prefix.
  const start = found === root && section.what === 'mime' ? 0 : ahead + range.start;
  return { start, end: ahead + range.end };
}

function rangeIn(part: MimePart, what: Section['what']): OctetRange | undefined {
  if (what === 'all') return { start: part.bodyStart, end: part.end };
  if (what === 'mime') return { start: part.headerStart, end: part.bodyStart };
  const inner = part.message?.root;
  if (!inner) return undefined;
  return what === 'text' ? { start: inner.bodyStart, end: inner.end } : { start: inner.headerStart, end: inner.bodyStart };
}

const hasChildren = (part: MimePart): boolean => (part.children?.length ?? 0) > 0;

function findPart(root: MimePart, numbers: readonly number[]): MimePart | undefined {
  let whole: MimePart | undefined = root;
  let found: MimePart | undefined;
  for (const number of numbers) {
    // Within a found part, numbers count its children, or those of the message it holds.
    if (found) whole = hasChildren(found) ? found : found.message?.root;
    if (!whole) return undefined;
    found = hasChildren(whole) ? whole.children?.[number - 1] : number === 1 ? whole : undefined;
    if (!found) return undefined;
  }
  return found;
}
