/**
 * What this server, or a scanner before it, wrote into a message's header about spam and about who really sent it.
 *
 * Promise: of `prefix`, which only this server writes, everything counts; of the message's own header, which anybody can write, only
 * what makes the message look worse. Fields of ours can be taken out again.
 * Source: checklist MTA-17, MTA-24, SMTPC-10, SMTPC-14; RFC 8601; RFC 3834 §2, §5
 */

import { headerValue, headerValues, splitHeader, withoutFields } from './header.ts';

const isOurs = (name: string): boolean => /^x-mailtree-(?:dnsbl|spam|authentication)/i.test(name);
/** In front of a message the usual names are ours, too. */
const isOursInPrefix = (name: string): boolean => isOurs(name) || /^x-spam-/i.test(name);

/** Tagged as spam, by a DNS blacklist of ours or a content filter. */
export function isSpamTagged(prefix: string, header: Uint8Array): boolean {
  const own = splitHeader(Buffer.from(prefix));
  if (own.fields.some(({ name }) => /^x-mailtree-dnsbl$/i.test(name))) return true;
  return [own, splitHeader(header)].some(
    (block) =>
      headerValues(block, 'x-spam-status').some((value) => /^yes\b/i.test(value)) ||
      headerValues(block, 'x-spam-flag').some((value) => /^yes\b/i.test(value)) ||
      headerValues(block, 'x-mailtree-spam').some((value) => /^yes\b/i.test(value)),
  );
}

/**
 * The domain the message says it is from disowns it: by our own Authentication-Results DMARC failed, or SPF did and no DMARC said that
 * it is right all the same. A report to its sender would go to somebody who did not send it.
 */
export function isForged(prefix: string): boolean {
  if (!/^authentication-results:/im.test(prefix)) return false;
  const results = headerValues(splitHeader(Buffer.from(prefix)), 'authentication-results').join('; ');
  if (/(?:^|[;\s])dmarc\s*=\s*fail\b/i.test(results)) return true;
  return /(?:^|[;\s])spf\s*=\s*fail\b/i.test(results) && !/(?:^|[;\s])dmarc\s*=\s*pass\b/i.test(results);
}

/** The message is itself an answer of a machine, or a report: answering it could go on for ever. */
export function isAutomaticAnswer(header: Uint8Array): boolean {
  const block = splitHeader(header);
  if (/^auto-replied\b/i.test(headerValue(block, 'auto-submitted') ?? '')) return true;
  return /^multipart\/report\b.*\breport-type\s*=\s*"?(?:global-)?(?:delivery-status|disposition-notification)\b/i.test(
    headerValue(block, 'content-type') ?? '',
  );
}

/** The fields a server puts in front of a message, without what it noted about spam. */
export function prefixWithoutVerdicts(prefix: string): string {
  if (!/^x-(?:mailtree|spam)-/im.test(prefix)) return prefix;
  const { fields } = splitHeader(Buffer.from(prefix));
  return fields
    .filter(({ name }) => !isOursInPrefix(name))
    .map(({ raw }) => Buffer.from(raw).toString())
    .join('');
}

/** How much of a message is looked at for its header. */
const headerAtMost = 262_144;
const marker = /^x-mailtree-/im;

/** A message without what a server of our kind noted about spam in its header; everything else byte for byte. */
export async function* withoutVerdicts(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let head: Uint8Array | undefined = new Uint8Array(0);
  for await (const chunk of source) {
    if (head === undefined) {
      yield chunk;
      continue;
    }
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    const end = headerEnd(head);
    if (end < 0 && head.length < headerAtMost) continue;
    // A header without end is left alone.
    yield end < 0 ? head : stripped(head, end);
    head = undefined;
  }
  if (head !== undefined && head.length > 0) yield stripped(head, head.length);
}

/** Where the empty line stands; -1 where there is none yet. */
function headerEnd(bytes: Uint8Array): number {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (buffer[0] === 10 || (buffer[0] === 13 && buffer[1] === 10)) return 0;
  const crlf = buffer.indexOf('\r\n\r\n');
  const lf = buffer.subarray(0, crlf < 0 ? buffer.length : crlf).indexOf('\n\n');
  return lf >= 0 ? lf : crlf;
}

function stripped(head: Uint8Array, end: number): Uint8Array {
  if (!marker.test(Buffer.from(head.buffer, head.byteOffset, end).toString('latin1'))) return head;
  const names = splitHeader(head).fields.flatMap(({ name }) => (isOurs(name) ? [name] : []));
  return names.length === 0 ? head : withoutFields(head, names);
}
