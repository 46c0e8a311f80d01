/**
 * What the indexer takes from a header block: the MIME fields of a part, and the envelope of a message.
 *
 * Only the fields that are needed are decoded. The first of a repeated field counts; To, Cc and Bcc are joined.
 * Spec: RFC 2045 §3; RFC 3501 §7.4.2 (envelope); RFC 2557 §4.2
 */

import { isUtf8 } from 'node:buffer';
import { parseAddressList } from './address-list.ts';
import { type ContentType, parseContentType, parseDisposition, parseEncoding, parseLanguages, plainText } from './content-type.ts';
import { parseDate } from './date.ts';
import { unfold } from './header.ts';
import type { Envelope, EnvelopeAddress, MimePart } from './structure.ts';

export type PartFields = Pick<
  MimePart,
  'type' | 'subtype' | 'parameters' | 'id' | 'description' | 'encoding' | 'md5' | 'disposition' | 'language' | 'location'
>;

/** Lower-case name to unfolded value. */
export type Fields = ReadonlyMap<string, string>;

const mimeNames = [
  'content-type',
  'content-transfer-encoding',
  'content-id',
  'content-description',
  'content-disposition',
  'content-language',
  'content-location',
  'content-md5',
];
const envelopeNames = ['date', 'subject', 'from', 'sender', 'reply-to', 'to', 'cc', 'bcc', 'in-reply-to', 'message-id'];
const wanted = new Set([...mimeNames, ...envelopeNames]);
const repeatable = new Set(['to', 'cc', 'bcc']);
/** `Content-Transfer-Encoding` is the longest. */
const longestName = 25;

/** The fields of `block` that matter here. `latin1` is the block, an octet a character. */
export function readFields(latin1: string): Fields {
  const found = new Map<string, string>();
  for (let at = 0; at < latin1.length; ) {
    const end = fieldEnd(latin1, at);
    // Within the line alone: else each of many lines without a colon would cost the whole rest.
    const length = latin1.slice(at, Math.min(end, at + longestName + 6)).indexOf(':');
    if (length > 0) {
      const name = latin1
        .slice(at, at + length)
        .trimEnd()
        .toLowerCase();
      if (wanted.has(name)) remember(found, name, text(latin1.slice(at + length + 1, end)));
    }
    at = end;
  }
  return found;
}

function remember(found: Map<string, string>, name: string, value: string): void {
  const before = found.get(name);
  if (before === undefined) found.set(name, value);
  else if (repeatable.has(name)) found.set(name, `${before}, ${value}`);
}

/** After the line end that is not followed by a fold. */
function fieldEnd(latin1: string, from: number): number {
  for (let at = from; ; ) {
    const newline = latin1.indexOf('\n', at);
    if (newline < 0) return latin1.length;
    const next = latin1.charCodeAt(newline + 1);
    if (next !== 32 && next !== 9) return newline + 1;
    at = newline + 1;
  }
}

function text(latin1: string): string {
  const value = unfold(latin1);
  if (!/[\x80-\xff]/.test(value)) return value;
  const bytes = Buffer.from(value, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : value;
}

const digestDefault: ContentType = { type: 'message', subtype: 'rfc822', parameters: [] };

/** `inDigest`: the part's parent is multipart/digest (RFC 2046 §5.1.5). */
export function partFields(fields: Fields, inDigest: boolean): PartFields {
  const given = fields.get('content-type');
  const content = given === undefined ? (inDigest ? digestDefault : plainText) : parseContentType(given);
  const disposition = fields.get('content-disposition');
  const language = fields.get('content-language');
  return {
    type: content.type,
    subtype: content.subtype,
    parameters: content.parameters,
    id: orNull(fields, 'content-id'),
    description: orNull(fields, 'content-description'),
    encoding: parseEncoding(fields.get('content-transfer-encoding') ?? ''),
    md5: orNull(fields, 'content-md5'),
    disposition: disposition === undefined ? null : parseDisposition(disposition),
    language: language === undefined ? null : parseLanguages(language),
    location: orNull(fields, 'content-location'),
  };
}

function orNull(fields: Fields, name: string): string | null {
  return fields.get(name) || null;
}

export function envelopeOf(fields: Fields): Envelope {
  const addresses = (name: string): readonly EnvelopeAddress[] => {
    const value = fields.get(name);
    return value ? parseAddressList(value) : [];
  };
  const from = addresses('from');
  const orFrom = (name: string): readonly EnvelopeAddress[] => {
    const own = addresses(name);
    return own.length > 0 ? own : from;
  };
  return {
    date: orNull(fields, 'date'),
    subject: fields.get('subject') ?? null,
    from,
    sender: orFrom('sender'),
    replyTo: orFrom('reply-to'),
    to: addresses('to'),
    cc: addresses('cc'),
    bcc: addresses('bcc'),
    inReplyTo: orNull(fields, 'in-reply-to'),
    messageId: orNull(fields, 'message-id'),
  };
}

export function sentAtOf(fields: Fields): number | null {
  const date = fields.get('date');
  return date ? (parseDate(date) ?? null) : null;
}
