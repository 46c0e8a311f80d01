/**
 * Header blocks: finding the fields, reading their text, taking fields out.
 *
 * Promise: bytes that nobody asked to change stay byte for byte; any input splits (lines without a colon, bare LF, no empty
 * line at all); linear time. Decoding for people is in words.ts.
 * Spec: RFC 5322 §2.2, §4.5; RFC 6532
 */

import { isUtf8 } from 'node:buffer';

export interface HeaderField {
  /** As written, without trailing blanks; empty for a line that is no field. */
  readonly name: string;
  /** With its folds and line end. */
  readonly raw: Uint8Array;
  /** Where `raw` begins in the block. */
  readonly start: number;
}

export interface HeaderBlock {
  readonly fields: readonly HeaderField[];
  /** Where the empty line begins (or the end of the input). */
  readonly end: number;
  /** After the empty line. */
  readonly bodyStart: number;
}

const LF = 10;
const CR = 13;

/** Splits the header of `bytes`, up to and including the empty line. */
export function splitHeader(bytes: Uint8Array): HeaderBlock {
  const fields: HeaderField[] = [];
  let at = 0;
  let start = 0;
  const finish = (end: number): void => {
    if (end > start) fields.push({ name: nameOf(bytes, start, end), raw: bytes.subarray(start, end), start });
  };
  while (at < bytes.length) {
    const first = bytes[at];
    if (first === LF || (first === CR && bytes[at + 1] === LF)) {
      finish(at);
      return { fields, end: at, bodyStart: at + (first === CR ? 2 : 1) };
    }
    if (first !== 32 && first !== 9) {
      finish(at);
      start = at;
    }
    const newline = bytes.indexOf(LF, at);
    at = newline < 0 ? bytes.length : newline + 1;
  }
  finish(at);
  return { fields, end: at, bodyStart: at };
}

const longestName = 1_000;

function nameOf(bytes: Uint8Array, start: number, end: number): string {
  // Looked for within the line alone: else each of many lines without a colon would cost the whole rest.
  const most = Math.min(end, start + longestName + 1);
  let stop = start;
  while (stop < most && isNameOctet(bytes[stop] as number)) stop++;
  let colon = stop;
  while (colon < most && isBlank(bytes[colon] as number)) colon++;
  return colon < most && bytes[colon] === 58 ? Buffer.from(bytes.buffer, bytes.byteOffset + start, stop - start).toString('latin1') : '';
}

/** RFC 5322 §2.2: printable, and no colon. */
const isNameOctet = (octet: number): boolean => octet > 32 && octet < 127 && octet !== 58;
/** Blanks between name and colon (RFC 5322 §4.5): what `trim` takes for such in latin1. */
const isBlank = (octet: number): boolean => octet === 32 || (octet >= 9 && octet <= 13) || octet === 160;

/** Octets as text: UTF-8 where they are valid UTF-8, else a character an octet. */
export function textOfBytes(bytes: Uint8Array): string {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return isUtf8(view) ? view.toString('utf8') : view.toString('latin1');
}

/** A field's text: unfolded, trimmed, encoded words as they are. */
export function fieldValue(field: HeaderField): string {
  const text = textOfBytes(field.raw);
  return unfold(text.slice(text.indexOf(':') + 1));
}

/** Folds removed, NULs and stray line breaks too; trimmed. RFC 5322 §2.2.3 */
export function unfold(text: string): string {
  return text
    .replace(/\r?\n(?=[ \t])/g, '')
    .replace(/[\0\r\n]+/g, ' ')
    .trim();
}

const named = (field: HeaderField, name: string): boolean =>
  field.name.length === name.length && field.name.toLowerCase() === name.toLowerCase();

/** The text of the first field of that name. */
export function headerValue(block: HeaderBlock, name: string): string | undefined {
  const field = block.fields.find((f) => named(f, name));
  return field && fieldValue(field);
}

export function headerValues(block: HeaderBlock, name: string): string[] {
  return block.fields.filter((f) => named(f, name)).map(fieldValue);
}

/** The block without the fields of these names; everything else, the empty line included, byte for byte. */
export function withoutFields(bytes: Uint8Array, names: readonly string[]): Uint8Array {
  const gone = new Set(names.map((name) => name.toLowerCase()));
  const block = splitHeader(bytes);
  if (!block.fields.some((f) => gone.has(f.name.toLowerCase()))) return bytes;
  const kept = block.fields.filter((f) => !gone.has(f.name.toLowerCase())).map((f) => f.raw);
  return Buffer.concat([...kept, bytes.subarray(block.end)]);
}

/**
 * The first field of that name gets a new value at its place and others of the name go; where there is none it is added at the
 * end of the header. The value is written as one line: fold long ones before (see `foldField`).
 */
export function withField(bytes: Uint8Array, name: string, value: string): Uint8Array {
  const block = splitHeader(bytes);
  const line = Buffer.from(`${name}: ${value.replace(/[\0\r\n]+(?![ \t])/g, ' ')}\r\n`);
  const out: Uint8Array[] = [];
  let done = false;
  for (const field of block.fields) {
    if (!named(field, name)) out.push(field.raw);
    else if (!done) {
      out.push(line);
      done = true;
    }
  }
  if (!done) {
    const last = out.at(-1);
    if (last && last[last.length - 1] !== LF) out.push(Buffer.from('\r\n'));
    out.push(line);
  }
  return Buffer.concat([...out, bytes.subarray(block.end)]);
}
