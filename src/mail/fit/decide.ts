/**
 * What is done with each piece of a message so that it fits a host.
 *
 * Pure. Spec: RFC 2045 §6.2–6.4; RFC 2046 §5; RFC 3464 §2.1 and RFC 8098 §3.1 (7-bit types); RFC 6532 §3.7 (message/global)
 */

import type { MimePart } from '../structure.ts';
import { longestLine } from './encoders.ts';
import { charsetOf } from './field-words.ts';
import type { FitWishes } from './fit.ts';
import { Cannot, type HeaderEdit } from './header-block.ts';
import type { Counts } from './scan.ts';
import { partsAtMost, type Segment } from './segments.ts';

export interface Action {
  readonly how: 'copy' | 'header' | 'qp' | 'mend-qp' | 'base64' | 'mend-base64' | 'ascii';
  readonly start: number;
  readonly end: number;
  /** For `header`. */
  readonly edit?: HeaderEdit;
}

export type Decided =
  | { readonly is: 'fit' }
  | { readonly is: 'change'; readonly actions: readonly Action[]; readonly eightBit: boolean }
  | { readonly is: 'cannot'; readonly text: string };

/** Headers beyond this, all of a message together, are not understood by the indexer. */
const headersAtMost = 1_048_576;
/** Parts of lines that only programs read, which may not be encoded. */
const fieldsOfReports = /^(?:delivery-status|disposition-notification|feedback-report|tracking-status)$/;
const codable = /^global(?:-headers|-delivery-status|-disposition-notification)?$/;

/** What a stranger calls something, for people. */
const named = (text: string): string => text.slice(0, 40).replace(/[^!-~]/g, '?');

type Encoding = NonNullable<HeaderEdit['encoding']>;
interface Body {
  readonly how: Action['how'];
  /** What the part's header has to say of it; undefined: what it says is right. */
  readonly encoding?: Encoding;
}

export interface Pieces {
  readonly segments: readonly Segment[];
  readonly parts: number;
}

export function decide(pieces: Pieces, counts: readonly Counts[], wishes: FitWishes): Decided {
  try {
    return tryDecide(pieces, counts, wishes);
  } catch (thrown) {
    if (thrown instanceof Cannot) return { is: 'cannot', text: thrown.message };
    throw thrown;
  }
}

function tryDecide({ segments, parts }: Pieces, counts: readonly Counts[], wishes: FitWishes): Decided {
  const { sevenBit } = wishes;
  const trouble = segments.map((_, n) => isTrouble(counts[n], sevenBit));
  if (!trouble.includes(true)) return { is: 'fit' };
  const high = counts.some((one) => one.high > 0);
  const headers = segments.reduce((sum, { kind, start, end }) => sum + (kind === 'header' ? end - start : 0), 0);
  if (parts >= partsAtMost || headers > headersAtMost) {
    if (sevenBit && high) throw new Cannot('the message has too many parts, or too large a header, to be converted to 7 bit');
    return { is: 'fit' };
  }
  const bodies = new Map<MimePart, Body & { readonly counts: Counts }>();
  for (const [n, segment] of segments.entries()) {
    const count = counts[n];
    if (count && segment.kind === 'body') bodies.set(segment.part, { ...bodyAction(segment, count, wishes), counts: count });
  }
  const actions: Action[] = [];
  for (const [n, segment] of segments.entries()) {
    const count = counts[n];
    const { start, end, kind, part, signed } = segment;
    let action: Action = { how: 'copy', start, end };
    if (count && kind === 'header') action = headerAction(segment, count, bodies.get(part), wishes);
    else if (kind === 'body') action = { how: bodies.get(part)?.how ?? 'copy', start, end };
    else if (trouble[n] && !signed) action = { how: 'ascii', start, end };
    else if (trouble[n]) mustStay(count, sevenBit);
    const last = actions.at(-1);
    // Neighbours that stay are read in one go.
    if (action.how === 'copy' && last?.how === 'copy') actions[actions.length - 1] = { ...last, end };
    else actions.push(action);
  }
  if (actions.every(({ how }) => how === 'copy')) return { is: 'fit' };
  return { is: 'change', actions, eightBit: !sevenBit && high };
}

const isTrouble = (count: Counts | undefined, sevenBit: boolean): boolean =>
  count !== undefined && (count.longest > longestLine || (sevenBit && count.high > 0));

/** What is signed is sent as it is, long lines and all, or not at all. */
function mustStay(count: Counts | undefined, sevenBit: boolean): void {
  if (sevenBit && count && count.high > 0)
    throw new Cannot('the message is signed, and to convert it to 7 bit would make the signature void');
}

function bodyAction({ part, signed }: Segment, count: Counts, { sevenBit }: FitWishes): Body {
  const { encoding, type, subtype } = part;
  const high = sevenBit && count.high > 0;
  if (signed) {
    mustStay(count, sevenBit);
    return { how: 'copy' };
  }
  const natural = encoding === '7bit' || encoding === '8bit' || encoding === 'binary';
  if (!isTrouble(count, sevenBit)) return natural && encoding !== '7bit' && sevenBit ? { how: 'copy', encoding: '7bit' } : { how: 'copy' };
  if (encoding === 'quoted-printable') return { how: 'mend-qp' };
  if (encoding === 'base64') return { how: 'mend-base64' };
  const stays = (why: string): Body => {
    if (high) throw new Cannot(`${why}, so that it cannot be converted to 7 bit`);
    return { how: 'copy' };
  };
  if (!natural) return stays(`a part is encoded in a way that is not known here (${named(encoding)})`);
  if (type === 'multipart') return stays('the structure of the message is broken or too deep');
  if (type === 'message' && fieldsOfReports.test(subtype)) return high ? { how: 'ascii', encoding: '7bit' } : { how: 'copy' };
  if (type === 'message' && !codable.test(subtype)) return stays(`a part of type message/${named(subtype)} may not be encoded`);
  // Quoted-printable as long as it is the shorter one, for text can be read in it.
  const readable = type === 'text' && encoding !== 'binary' && count.escaped * 2 <= (part.end - part.bodyStart) / 3;
  return readable ? { how: 'qp', encoding: 'quoted-printable' } : { how: 'base64', encoding: 'base64' };
}

function headerAction(
  { part, start, end, whole, signed }: Segment,
  count: Counts,
  body: (Body & { counts: Counts }) | undefined,
  wishes: FitWishes,
): Action {
  const { sevenBit, charset } = wishes;
  if (signed) {
    mustStay(count, sevenBit);
    return { how: 'copy', start, end };
  }
  const composite = body === undefined && sevenBit && (part.encoding === '8bit' || part.encoding === 'binary');
  const encoding = composite ? '7bit' : body?.encoding;
  const coded = encoding === 'quoted-printable' || encoding === 'base64';
  const ascii = sevenBit && count.high > 0;
  if (encoding === undefined && !ascii && count.longest <= longestLine) return { how: 'copy', start, end };
  const contentType = coded && body ? `text/plain; charset=${unlabelled(body.counts, charset)}` : undefined;
  return { how: 'header', start, end, edit: { encoding, contentType, mime: whole, ascii, charset } };
}

/** What text is in that says nothing about itself. RFC 1428 §3 */
function unlabelled({ high, utf8 }: Counts, local: string): string {
  if (high === 0) return 'us-ascii';
  if (local !== '' && (utf8 || !/^(utf-?8|us-ascii)$/i.test(local))) return /^us-ascii$/i.test(local) ? 'utf-8' : local;
  return utf8 ? 'utf-8' : charsetOf('\xff', local);
}
