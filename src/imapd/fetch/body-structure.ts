/**
 * BODY and BODYSTRUCTURE as they are sent. Pure.
 *
 * What the grammar has no words for is said in words it has: a multipart without parts shows its content as one text/plain, a
 * message/rfc822 that was not looked into an empty envelope and an empty text.
 * Spec: RFC 3501 §7.4.2 "BODYSTRUCTURE", §9 "body"
 */

import type { MimePart, Parameters } from '../../mail/index.ts';
import { quote, quoteOrNil } from '../wire/quote.ts';
import { emptyEnvelope, envelopeText } from './envelope.ts';

/** The indexer stops earlier; deeper trees are cut here whoever made them. */
const deepest = 200;
const emptyText = '("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 0 0)';

/** `extended` adds the extension data: BODYSTRUCTURE. */
export function bodyText(part: MimePart, extended: boolean, depth = 0): string {
  if (depth > deepest) return emptyText;
  return part.type === 'multipart' ? multipart(part, extended, depth) : single(part, extended, depth);
}

function multipart(part: MimePart, extended: boolean, depth: number): string {
  const children = part.children ?? [];
  const inside = children.length > 0 ? children.map((child) => bodyText(child, extended, depth + 1)).join('') : content(part, extended);
  const tail = extended ? ` ${parameters(part.parameters)} ${disposition(part)} ${language(part)} ${quoteOrNil(part.location)}` : '';
  return `(${inside} ${upper(part.subtype)}${tail})`;
}

/** The undivided content of a multipart. */
function content(part: MimePart, extended: boolean): string {
  const encoding = ['7bit', '8bit', 'binary'].includes(part.encoding) ? part.encoding : '8bit';
  return `("TEXT" "PLAIN" NIL NIL NIL ${upper(encoding)} ${part.end - part.bodyStart} ${part.lines}${extended ? ' NIL NIL NIL NIL' : ''})`;
}

function single(part: MimePart, extended: boolean, depth: number): string {
  const fields = [
    upper(part.type),
    upper(part.subtype),
    parameters(part.parameters),
    quoteOrNil(part.id),
    quoteOrNil(part.description),
    upper(part.encoding),
    `${part.end - part.bodyStart}`,
  ];
  if (part.type === 'message' && part.subtype === 'rfc822') {
    const { message } = part;
    fields.push(
      envelopeText(message?.envelope ?? emptyEnvelope),
      message ? bodyText(message.root, extended, depth + 1) : emptyText,
      `${part.lines}`,
    );
  } else if (part.type === 'text') fields.push(`${part.lines}`);
  if (extended) fields.push(quoteOrNil(part.md5), disposition(part), language(part), quoteOrNil(part.location));
  return `(${fields.join(' ')})`;
}

const upper = (text: string): string => quote(text.toUpperCase());

function parameters(list: Parameters): string {
  return list.length === 0 ? 'NIL' : `(${list.map(([name, value]) => `${upper(name)} ${quote(value)}`).join(' ')})`;
}

function disposition({ disposition: found }: MimePart): string {
  return found ? `(${upper(found.type)} ${parameters(found.parameters)})` : 'NIL';
}

function language({ language: found }: MimePart): string {
  if (!found || found.length === 0) return 'NIL';
  return found.length === 1 ? quote(found[0]!) : `(${found.map(quote).join(' ')})`;
}
