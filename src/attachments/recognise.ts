/**
 * Files of a Macintosh, in the forms they are sent in.
 *
 * Promise: what says it is such a file is read as one, and why it cannot be is said; what says it is nothing in particular
 * (application/octet-stream, a file in text) is one where its header leaves no doubt.
 * Spec: RFC 1740; RFC 1741; content types application/macbinary and x-macbinary, as mailers of Macintoshes write them
 */

import type { MimePart } from '../mail/index.ts';
import { type Bytes, stretch, through } from './bytes.ts';
import { appleKind, readAppleFile } from './codecs/apple-file.ts';
import { readBinHex } from './codecs/binhex.ts';
import type { Read } from './codecs/mac-file.ts';
import { readMacBinary } from './codecs/macbinary.ts';
import { decoderOf, encodingOf } from './codecs/transfer.ts';
import { type Opened, opened } from './open.ts';
import type { Attachment } from './walk.ts';

export type AppleForm = 'applesingle' | 'appledouble' | 'binhex' | 'macbinary';

/** How many times larger a file may be than its BinHex. */
const largerAtMost = 8;
const spare = 1_048_576;

const binHexLimit = (text: Bytes): number => largerAtMost * text.size + spare;
/** As long as the longest header that is looked for. */
const headLength = 128;

/** `part`: or what kind of file in text it is; `source` is then its text. `open` is asked only where it may be such a file. */
export async function recognised(
  source: Bytes,
  part: MimePart | 'uuencode' | 'binhex',
  name: string,
  open: () => Promise<Opened>,
): Promise<Attachment['apple']> {
  if (part === 'binhex') return { form: 'binhex', read: await readBinHex(source, binHexLimit(source)) };
  if (part === 'uuencode') return guessed(open, name, (await open()).content);
  if (part.children) return { form: 'appledouble', read: await readDouble(source, part) };
  const raw = stretch(source, part.bodyStart, part.end);
  const encoding = encodingOf(part.encoding);
  if (encoding === 'binhex') return { form: 'binhex', read: await readBinHex(raw, binHexLimit(raw)) };
  if (encoding === undefined || part.type !== 'application') return undefined;
  const { subtype } = part;
  const whole = async (form: AppleForm, read: (content: Bytes) => Promise<Read>): Promise<Attachment['apple']> => {
    const { content, flaw } = await open();
    return { form, read: flaw === undefined ? await read(content) : { flaw } };
  };
  if (subtype === 'applefile') return whole('applesingle', (content) => readAppleFile(content, 'applesingle'));
  if (/^(?:x-)?mac-?binary$/.test(subtype)) return whole('macbinary', readMacBinary);
  if (/^(?:x-)?(?:mac-)?binhex(?:40)?$/.test(subtype)) return whole('binhex', (content) => readBinHex(content, binHexLimit(content)));
  if (subtype !== 'octet-stream') return undefined;
  return guessed(open, name, { size: headLength, stream: () => through(raw.stream(), decoderOf(encoding)) });
}

/** `start`: its first octets can be read from it. */
async function guessed(open: () => Promise<Opened>, name: string, start: Bytes): Promise<Attachment['apple']> {
  const head = await headOf(start.stream());
  const single = appleKind(head) === 'applesingle';
  // A zero, the length of a name, and zeros at two more places.
  const binary = head.length === headLength && head[0] === 0 && head[74] === 0 && (head[122] === 129 || head[122] === 130);
  const text = /\.hqx$/i.test(name) && /\(This file must be converted/.test(head.toString('latin1'));
  if (!single && !binary && !text) return undefined;
  const { content, flaw } = await open();
  if (flaw !== undefined) return undefined;
  const form = single ? 'applesingle' : binary ? 'macbinary' : 'binhex';
  const read = single
    ? await readAppleFile(content, 'applesingle')
    : binary
      ? await readMacBinary(content, true)
      : await readBinHex(content, binHexLimit(content));
  return read.flaw === undefined ? { form, read } : undefined;
}

async function headOf(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  for await (const chunk of bytes) {
    head = Buffer.concat([head, chunk.subarray(0, headLength - head.length)]);
    if (head.length >= headLength) break;
  }
  return head;
}

async function readDouble(source: Bytes, { children = [] }: MimePart): Promise<Read> {
  const forks: Bytes[] = [];
  for (const { bodyStart, end, encoding } of children) {
    const { content, flaw } = await opened(stretch(source, bodyStart, end), encoding);
    if (flaw !== undefined) return { flaw };
    forks.push(content);
  }
  const [header, data] = forks;
  return header && data ? readAppleFile(header, 'appledouble', data) : { flaw: 'it is no AppleDouble file' };
}
