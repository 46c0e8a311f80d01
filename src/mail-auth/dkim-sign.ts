/**
 * Signing a message.
 *
 * Promise: the message is read once, in pieces. Fields that readers go by are signed once more than they occur, so that none can be
 * added; the body as a whole.
 * Spec: RFC 6376 §3.5, §3.7, §5; RFC 8463
 */

import { createHash, type KeyObject, sign } from 'node:crypto';
import { BodyHash, canonicalField } from './canonical.ts';
import type { KeyType } from './dkim-key.ts';
import { byName, type FieldsByName, selectedText } from './dkim-verify.ts';
import { type Field, fieldsOf, HeaderGate } from './header.ts';

export interface SigningKey {
  /** A-labels. */
  readonly domain: string;
  readonly selector: string;
  readonly type: KeyType;
  readonly key: KeyObject;
}

export interface SignOptions {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Seconds the signature is valid; undefined: for ever. */
  readonly validFor?: number | undefined;
}

/** What readers see: signed once more than it is there. RFC 6376 §8.15 */
const guarded = [
  'from',
  'to',
  'cc',
  'subject',
  'date',
  'message-id',
  'reply-to',
  'in-reply-to',
  'references',
  'mime-version',
  'content-type',
  'content-transfer-encoding',
];
/** Signed where it is there. RFC 6376 §5.4.1 */
const further = [
  'sender',
  'content-id',
  'content-description',
  'resent-date',
  'resent-from',
  'resent-to',
  'resent-cc',
  'resent-message-id',
  'list-id',
  'list-help',
  'list-unsubscribe',
  'list-unsubscribe-post',
  'list-subscribe',
  'list-post',
  'list-owner',
  'list-archive',
  'autocrypt',
];
const mostOfOneName = 20;

/** A message that was read: what signatures are made of. */
export interface Digested {
  readonly fields: readonly Field[];
  readonly body: string;
}

/** Undefined where the header is too long to be signed. */
export async function digest(content: AsyncIterable<Uint8Array>): Promise<Digested | undefined> {
  const hash = new BodyHash('relaxed');
  let fields: Field[] = [];
  const gate = new HeaderGate({
    header: (found) => {
      fields = fieldsOf(found);
    },
    body: (bytes) => hash.update(bytes),
  });
  for await (const bytes of content) gate.push(bytes);
  gate.end();
  return gate.tooLong ? undefined : { fields, body: hash.end().hash };
}

/** The signature as a field of the header, folded, with its line end. */
export function signature(message: Digested, key: SigningKey, options: SignOptions): string {
  const fields = byName(message.fields);
  const names = signedNames(fields);
  const seconds = Math.floor(options.now / 1_000);
  const until = options.validFor === undefined ? '' : ` x=${seconds + options.validFor};`;
  const field = [
    `DKIM-Signature: v=1; a=${key.type}-sha256; c=relaxed/relaxed; d=${key.domain};`,
    ` s=${key.selector}; t=${seconds};${until}`,
    ` h=${foldedList(names)};`,
    ` bh=${message.body};`,
    ' b=',
  ].join('\r\n');
  const text = `${selectedText(names, fields, 'relaxed')}${canonicalField(field, 'relaxed')}`;
  const bytes = Buffer.from(text, 'latin1');
  const made = key.type === 'rsa' ? sign('sha256', bytes, key.key) : sign(null, createHash('sha256').update(bytes).digest(), key.key);
  const value = made.toString('base64').match(/.{1,72}/g) ?? [];
  return `${field}${value.join('\r\n  ')}\r\n`;
}

function signedNames(fields: FieldsByName): string[] {
  const times = (name: string): number => Math.min(mostOfOneName, fields.get(name)?.length ?? 0);
  const repeat = (name: string, n: number): string[] => Array.from({ length: n }, () => name);
  return [...guarded.flatMap((name) => repeat(name, times(name) + 1)), ...further.flatMap((name) => repeat(name, times(name)))];
}

function foldedList(names: readonly string[]): string {
  let text = '';
  let width = 3;
  for (const [n, name] of names.entries()) {
    const word = n === names.length - 1 ? name : `${name}:`;
    if (width + word.length > 76) {
      text += '\r\n  ';
      width = 2;
    }
    text += word;
    width += word.length;
  }
  return text;
}
