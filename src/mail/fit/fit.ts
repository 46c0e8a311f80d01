/**
 * Making a message fit a host: 7 bit where it takes no more, and lines of a length that every host takes.
 *
 * Promise: who decodes the result sees the same message; parts that are right stay byte for byte; what is signed is not changed, and
 * where it would have to be the answer is no. The message is read in pieces (three times, where something has to be done), so that
 * memory does not grow with it. A message that cannot be converted without harm is not.
 * Spec: RFC 6152 §3; RFC 2045 §6; RFC 2046 §5; RFC 1847 §2.1; RFC 5321 §2.4, §4.5.3.1.6
 */

import { MessageIndexer } from '../indexer.ts';
import { type Action, type Decided, decide } from './decide.ts';
import { AsciiReplacer, Base64Encoder, Base64Mender, type Encoder, QuotedPrintableEncoder } from './encoders.ts';
import { Cannot, editedHeader } from './header-block.ts';
import { scan } from './scan.ts';
import { segmentsOf } from './segments.ts';

/** A message, trace header and all. Read as often as is needed. */
export interface FitSource {
  readonly size: number;
  stream(start: number, end: number): AsyncIterable<Uint8Array>;
}

export interface FitWishes {
  /** The host takes 7-bit messages only. */
  readonly sevenBit: boolean;
  /** This server's character set: what unlabelled text is taken to be in. */
  readonly charset: string;
}

export type Fit =
  | { readonly is: 'fit' }
  | { readonly is: 'changed'; readonly size: number; readonly content: () => AsyncIterable<Uint8Array>; readonly eightBit: boolean }
  /** For people: why not. */
  | { readonly is: 'cannot'; readonly text: string };

const encoders: Readonly<Record<Exclude<Action['how'], 'copy' | 'header'>, () => Encoder>> = {
  base64: () => new Base64Encoder(),
  'mend-base64': () => new Base64Mender(),
  qp: () => new QuotedPrintableEncoder(),
  'mend-qp': () => new QuotedPrintableEncoder(true),
  ascii: () => new AsciiReplacer(),
};

export async function fitMessage(source: FitSource, wishes: FitWishes): Promise<Fit> {
  const decided = await look(source, wishes);
  if (decided.is !== 'change') return decided;
  const content = (): AsyncIterable<Uint8Array> => converted(source, decided.actions);
  let size = 0;
  try {
    for await (const piece of content()) size += piece.length;
  } catch (thrown) {
    if (!(thrown instanceof Cannot)) throw thrown;
    // A long line is less harm than a message that comes back.
    return wishes.sevenBit ? { is: 'cannot', text: `${thrown.message}, so that it cannot be converted to 7 bit` } : { is: 'fit' };
  }
  return { is: 'changed', size, content, eightBit: decided.eightBit };
}

/** Whether header fields, of the message or of parts and messages in it, have other characters than ASCII. */
export async function hasInternationalHeader(source: FitSource): Promise<boolean> {
  const { segments } = segmentsOf(await structureOf(source), source.size);
  const counts = await scan(segments, source.stream(0, source.size));
  return segments.some(({ kind }, n) => kind === 'header' && (counts[n]?.high ?? 0) > 0);
}

async function structureOf(source: FitSource) {
  const indexer = new MessageIndexer();
  for await (const chunk of source.stream(0, source.size)) indexer.push(chunk);
  return indexer.end();
}

async function look(source: FitSource, wishes: FitWishes): Promise<Decided> {
  const { segments, parts } = segmentsOf(await structureOf(source), source.size);
  return decide({ segments, parts }, await scan(segments, source.stream(0, source.size)), wishes);
}

async function* converted(source: FitSource, actions: readonly Action[]): AsyncIterable<Uint8Array> {
  for (const { how, start, end, edit } of actions) {
    const bytes = source.stream(start, end);
    if (how === 'copy') yield* bytes;
    else if (how === 'header') {
      const pieces: Uint8Array[] = [];
      for await (const piece of bytes) pieces.push(piece);
      if (edit) yield editedHeader(Buffer.concat(pieces), edit);
    } else {
      const encoder = encoders[how]();
      for await (const piece of bytes) {
        const out = encoder.push(piece);
        if (out.length > 0) yield out;
      }
      const rest = encoder.end();
      if (rest.length > 0) yield rest;
    }
  }
}
