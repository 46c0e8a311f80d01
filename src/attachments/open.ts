/**
 * A part's content with its transfer encoding taken off.
 *
 * Promise: it is read once to be counted and judged, and again whenever somebody wants it; it is never in memory as a whole.
 */

import { type Bytes, made, through } from './bytes.ts';
import { decoderOf, encodingOf } from './codecs/transfer.ts';

/** With `flaw` the octets may not be what was meant; for people. */
export interface Opened {
  readonly content: Bytes;
  readonly flaw?: string | undefined;
}

/** What a stranger calls something, for people. */
export const shown = (text: string): string => text.slice(0, 40).replace(/[^ -~]/g, '?');

/** `encoding` as the header has it; `look` sees what is decoded go by. BinHex is left as it is: a file, and not octets. */
export async function opened(raw: Bytes, encoding: string, look?: (chunk: Uint8Array) => void): Promise<Opened> {
  const known = encodingOf(encoding);
  if (known === undefined) return { content: raw, flaw: `it is encoded in a way that is not known here (${shown(encoding)})` };
  if (!look && (known === 'plain' || known === 'binhex')) return { content: raw };
  const first = decoderOf(known);
  let size = 0;
  for await (const chunk of through(raw.stream(), first)) {
    size += chunk.length;
    look?.(chunk);
  }
  const content = known === 'plain' || known === 'binhex' ? raw : made(size, () => through(raw.stream(), decoderOf(known)));
  return { content, flaw: first.flaw };
}
