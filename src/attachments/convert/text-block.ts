/**
 * A text of a message that has no MIME: in the one character set of the message, or in ASCII.
 *
 * Promise: texts that have one character set keep their octets; texts of several become UTF-8. What ASCII cannot say is `lost`.
 */

import { type MimePart, needs8bit } from '../../mail/index.ts';
import { type Bytes, bytesOf, coded, made, octetsOf, sizeOf, through } from '../bytes.ts';
import type { Leaf } from '../walk.ts';
import { htmlText } from './html-text.ts';
import { chain, decoderFor, isPlainCharset, LineMender, Recoder } from './plain-text.ts';
import type { Wishes } from './wishes.ts';

export interface TextWishes {
  readonly ascii: boolean;
  /** Every text is turned into UTF-8: they are of several character sets. */
  readonly utf8: boolean;
  readonly charset: string;
  /** Text that has other octets than ASCII's, or is none of ASCII at all. */
  readonly wide: ReadonlySet<MimePart>;
}

export interface TextBlock {
  readonly text: Bytes;
  /** Not all of it can be said so. */
  readonly lost: boolean;
}

const labelOf = ({ parameters }: MimePart): string => (parameters.find(([name]) => name === 'charset')?.[1] ?? '').toLowerCase();
const asciiLabel = /^(?:|us-ascii|ascii|ansi_x3\.4-1968|unknown-8bit|x-unknown)$/;

/** Other characters than ASCII in ASCII octets. */
const shifts = /^(?:iso-2022-|hz-gb)/;

/** Of the texts that are to be written. */
export async function charsetsOf(leaves: readonly Leaf[], { eightBit, charset }: Wishes): Promise<TextWishes> {
  const wide = new Set<MimePart>();
  const shifting = new Set<MimePart>();
  const labels = new Set<string>();
  for (const { part, text } of leaves) {
    if (!text) continue;
    const label = labelOf(part);
    // What is read in a page is UTF-8.
    if (part.subtype === 'html') {
      labels.add('utf-8');
      continue;
    }
    if (shifts.test(label)) shifting.add(part);
    else if (!isPlainCharset(label) || (await hasHigh(text.content))) wide.add(part);
    else continue;
    labels.add(isPlainCharset(label) ? label : 'utf-8');
  }
  // What needs no 8 bit stays where there is no 8 bit.
  if (eightBit && labels.size > 1) for (const part of shifting) wide.add(part);
  return { ascii: !eightBit, utf8: labels.size > 1, charset, wide };
}

async function hasHigh(content: Bytes): Promise<boolean> {
  for await (const chunk of content.stream()) if (needs8bit(chunk)) return true;
  return false;
}

/** Larger pages are files and no more. */
const pageAtMost = 1_048_576;

export async function textBlock(words: Bytes, part: MimePart, wishes: TextWishes): Promise<TextBlock> {
  if (part.subtype === 'html') return page(words, part, wishes);
  const label = labelOf(part);
  const raw = !wishes.wide.has(part) || (!wishes.ascii && !wishes.utf8 && isPlainCharset(label));
  if (raw) return { text: await coded(words, () => new LineMender()), lost: false };
  const charset = asciiLabel.test(label) ? await guessed(words, wishes.charset) : label;
  let lost = false;
  const all = async function* (): AsyncIterable<Uint8Array> {
    const recoder = new Recoder(charset, wishes.ascii);
    yield* through(words.stream(), chain(recoder, new LineMender()));
    lost = recoder.lost;
  };
  return { text: made(await sizeOf(all()), all), lost };
}

/** What text that does not say so is in: UTF-8 where it is, else what is usual here. */
async function guessed(words: Bytes, local: string): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const fits = (chunk?: Uint8Array): boolean => {
    try {
      decoder.decode(chunk, { stream: chunk !== undefined });
      return true;
    } catch {
      return false;
    }
  };
  const otherwise = /^(?:|utf-?8|us-ascii)$/i.test(local) ? 'windows-1252' : local;
  for await (const chunk of words.stream()) if (!fits(chunk)) return otherwise;
  return fits() ? 'utf-8' : otherwise;
}

/** A page is read to people and goes with the text as a file. */
async function page(words: Bytes, part: MimePart, { ascii, charset }: TextWishes): Promise<TextBlock> {
  if (words.size > pageAtMost) return { text: bytesOf(''), lost: true };
  const label = labelOf(part);
  const octets = await octetsOf(words, 0, words.size);
  const text = htmlText(decoderFor(asciiLabel.test(label) ? await guessed(words, charset) : label).decode(octets));
  return {
    text: await coded(bytesOf(Buffer.from(text, 'utf8')), () =>
      ascii ? chain(new Recoder('utf-8', true), new LineMender()) : new LineMender(),
    ),
    lost: true,
  };
}
