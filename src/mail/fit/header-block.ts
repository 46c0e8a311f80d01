/**
 * A header made fit: another encoding named, other characters than ASCII encoded, long lines folded.
 *
 * Promise: fields that need nothing stay byte for byte; nothing is added that was there. A header with lines in it that are no fields, which
 * some readers take for the end of it, is refused (`Cannot`): what was added behind them would be text for those.
 * Spec: RFC 2045 §4, §6; RFC 2047 §5; RFC 5322 §2.1.1
 */

import { splitHeader } from '../header.ts';
import { longestLine } from './encoders.ts';
import { addressList, freeText, isHigh, parameters, questionMarks } from './field-words.ts';

/** Why something cannot be converted without harm; for people. */
export class Cannot extends Error {}

export interface HeaderEdit {
  /** Content-Transfer-Encoding from now on. */
  readonly encoding?: '7bit' | 'quoted-printable' | 'base64' | undefined;
  /** Of a text that names none. */
  readonly contentType?: string | undefined;
  /** The header of a whole message, which has to say that it is MIME. */
  readonly mime: boolean;
  /** Everything is ASCII afterwards. */
  readonly ascii: boolean;
  /** This server's character set. */
  readonly charset: string;
}

const addresses = /^(?:resent-)?(?:from|to|cc|bcc|sender|reply-to)$/;
const withParameters = /^content-(?:type|disposition)$/;
/** Nothing in them may be encoded. */
const exact =
  /^(?:received|return-path|delivered-to|message-id|resent-message-id|in-reply-to|references|date|resent-date|mime-version|content-transfer-encoding|content-id|(?:arc-.*|dkim-signature|authentication-results|received-spf))$/;

export function editedHeader(bytes: Uint8Array, edit: HeaderEdit): Buffer {
  const { fields, end } = splitHeader(bytes);
  const out: string[] = [];
  const names = new Set(fields.map(({ name }) => name.toLowerCase()));
  let encoding = edit.encoding;
  for (const { name, raw, start } of fields) {
    if (name === '' && !(start === 0 && isMailboxLine(raw))) throw new Cannot('the header of the message is broken');
    const lower = name.toLowerCase();
    const text = Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString('latin1');
    if (lower === 'content-transfer-encoding' && edit.encoding !== undefined) {
      if (encoding !== undefined) out.push(`${name}: ${encoding}\r\n`);
      encoding = undefined;
    } else out.push(folded(edit.ascii && isHigh(text) ? asciiField(name, text, edit.charset) : text));
  }
  const last = out.at(-1);
  if (last !== undefined && !last.endsWith('\n')) out.push('\r\n');
  if (edit.mime && (edit.contentType ?? edit.encoding) !== undefined && !names.has('mime-version')) out.push('MIME-Version: 1.0\r\n');
  if (edit.contentType !== undefined && !names.has('content-type')) out.push(`Content-Type: ${edit.contentType}\r\n`);
  if (encoding !== undefined) out.push(`Content-Transfer-Encoding: ${encoding}\r\n`);
  const rest = Buffer.from(bytes.buffer, bytes.byteOffset + end, bytes.length - end).toString('latin1');
  // Without an empty line the body would be read as header.
  return Buffer.from(out.join('') + (rest === '' ? '\r\n' : rest), 'latin1');
}

/** What mailbox files put in front of a message. */
function isMailboxLine(raw: Uint8Array): boolean {
  return /^>?From /.test(Buffer.from(raw.buffer, raw.byteOffset, Math.min(raw.length, 6)).toString('latin1'));
}

function asciiField(name: string, text: string, charset: string): string {
  const colon = text.indexOf(':');
  // A line that is no field, or longer than anybody reads.
  if (name === '' || colon < 0 || text.length > 262_144) return questionMarks(text);
  const lower = name.toLowerCase();
  const end = /\r?\n?$/.exec(text)?.[0] ?? '';
  const value = text.slice(colon + 1, text.length - end.length);
  const head = text.slice(0, colon + 1);
  if (exact.test(lower)) return questionMarks(text);
  if (addresses.test(lower)) return `${head}${addressList(value, charset).trimEnd()}${end}`;
  if (withParameters.test(lower)) return `${head}${parameters(value, charset)}${end}`;
  return `${head}${freeText(value, charset)}${end}`;
}

/** Lines that are too long are folded at a blank; where there is none, one is put in. */
function folded(text: string): string {
  if (text.length <= longestLine) return text;
  return text.split('\r\n').map(foldedLine).join('\r\n');
}

/** Walks over the line: cutting the rest off and putting a blank before it would copy, and keep, the whole rest for every fold. */
function foldedLine(line: string): string {
  const lines: string[] = [];
  let from = 0;
  let lead = '';
  while (lead.length + line.length - from > longestLine) {
    const room = longestLine - lead.length;
    const near = line.slice(from, from + room + 1);
    const blank = Math.max(near.lastIndexOf(' '), near.lastIndexOf('\t'));
    // A line of blanks alone would end the header for some readers.
    const usable = lead.length + blank > 0 && near.slice(0, Math.max(blank, 0)).trim() !== '';
    const at = usable ? blank : room - 2;
    lines.push(lead + near.slice(0, at));
    from += at;
    lead = usable ? '' : ' ';
  }
  lines.push(lead + line.slice(from));
  return lines.join('\r\n');
}
