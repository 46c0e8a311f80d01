/**
 * Parts written anew: what their header says of their content is replaced, everything else in it stays.
 *
 * Promise: header fields that say nothing of the content stay byte for byte and in their order. A header with lines in it that are no
 * fields is left alone (`Cannot`).
 * Spec: RFC 2045 §3–6; RFC 2183
 */

import { randomBytes } from 'node:crypto';
import { Cannot, type MimePart, splitHeader } from '../../mail/index.ts';
import { type Bytes, bytesOf, joined, octetsOf } from '../bytes.ts';

/** Said of the content as it was. */
const ofContent = /^content-(?:type|transfer-encoding|disposition|md5|length)$/;
const headerAtMost = 1_048_576;

export interface Place {
  readonly source: Bytes;
  readonly part: MimePart;
  /** Its header is a whole message's. */
  readonly whole: boolean;
}

/** A header field as it stands, folds and line end and all, an octet a character. */
export interface Field {
  /** Lower case; empty for a line of a mailbox file. */
  readonly name: string;
  readonly text: string;
}

export const isOfContent = ({ name }: Field): boolean => ofContent.test(name);
export const textOf = (fields: readonly Field[]): string => fields.map(({ text }) => text).join('');

export async function headerOf({ source, part }: Pick<Place, 'source' | 'part'>): Promise<readonly Field[]> {
  if (part.bodyStart - part.headerStart > headerAtMost) throw new Cannot('its header is too large');
  const { fields } = splitHeader(await octetsOf(source, part.headerStart, part.bodyStart));
  return fields.map(({ name, raw, start }) => {
    const text = Buffer.from(raw).toString('latin1');
    // What mailbox files put in front of a message is no field, but harmless there.
    if (name === '' && !(start === 0 && /^>?From /.test(text))) throw new Cannot('its header is broken');
    return { name: name.toLowerCase(), text: text.endsWith('\n') ? text : `${text}\r\n` };
  });
}

/** `header`: what it says of the content is left out. `content`: lines that say what the body is now. */
export async function partOf({ source, part, whole }: Place, header: readonly Field[], content: string, body: Bytes): Promise<Bytes> {
  const kept = textOf(header.filter((field) => !isOfContent(field)));
  const version = whole && !header.some(({ name }) => name === 'mime-version') ? 'MIME-Version: 1.0\r\n' : '';
  // The line end before a boundary is the boundary's. Behind a part without a body, and at the end of a message, there is none.
  const behind = (await octetsOf(source, part.end, part.end + 2)).toString('latin1');
  return joined([bytesOf(`${kept}${version}${content}\r\n`), body, bytesOf(/^\r?\n/.test(behind) ? '' : '\r\n')]);
}

/** Nobody who wrote the message could know it. */
export const newBoundary = (): string => `=_mt_${randomBytes(15).toString('base64url')}`;

/** `parts`: header and body each. */
export function multipart(boundary: string, parts: readonly Bytes[]): Bytes {
  return joined([
    ...parts.flatMap((part, n) => [bytesOf(`${n === 0 ? '' : '\r\n'}--${boundary}\r\n`), part]),
    bytesOf(`\r\n--${boundary}--`),
  ]);
}
