/**
 * What programs hand in, made a message: many of them give a text without a header, or one out of a mailbox file.
 *
 * Pure. Spec: RFC 5322 §2.1 (header, empty line, body); RFC 4155 (the `From ` line of a mailbox file is none of the message)
 */

const lineFeed = 10;
const fieldAtMost = 1_000;

/**
 * The message from its header on, with an empty line where the header ends: behind the last line that is one of a field, or the continuation
 * of one. `From ` lines in front go.
 */
export function asMessage(given: Uint8Array): Uint8Array {
  const text = Buffer.from(given.buffer, given.byteOffset, given.byteLength);
  let start = 0;
  while (/^>?From (?! *:)/.test(text.toString('latin1', start, start + fieldAtMost))) {
    const end = text.indexOf(lineFeed, start);
    if (end < 0) return text.subarray(text.length);
    start = end + 1;
  }
  for (let at = start; at < text.length; ) {
    const line = text.toString('latin1', at, at + fieldAtMost);
    if (/^\r?\n/.test(line)) break;
    const isField = /^[!-9;-~]+[ \t]*:/.test(line) || (at > start && /^[ \t]/.test(line));
    if (!isField) return Buffer.concat([text.subarray(start, at), Buffer.from('\n'), text.subarray(at)]);
    const end = text.indexOf(lineFeed, at);
    at = end < 0 ? text.length : end + 1;
  }
  return text.subarray(start);
}
