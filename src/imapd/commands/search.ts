/** SEARCH and UID SEARCH, in the old form and in ESEARCH's, with SAVE. */

import { type Command, selected } from '../command.ts';
import type { SelectedMailbox } from '../mailbox/selected.ts';
import { Refusal } from '../refusal.ts';
import { readKeys, type SearchKey } from '../search/keys.ts';
import { search as runSearch, usesModSeq } from '../search/run.ts';
import { charsetDecoder } from '../search/text.ts';
import { ok, type Session } from '../session.ts';
import type { Cursor } from '../wire/cursor.ts';
import { quote, sequenceText } from '../wire/quote.ts';

export const search = searching('SEARCH', 'RFC 3501 §6.4.4, RFC 4731, RFC 5182', false);
export const uidSearch = searching('UID SEARCH', 'RFC 3501 §6.4.8, RFC 4731, RFC 5182', true);

const resultOptions = ['MIN', 'MAX', 'ALL', 'COUNT', 'SAVE'];

interface SearchArguments {
  /** Undefined: the untagged SEARCH response of RFC 3501. */
  readonly results: readonly string[] | undefined;
  readonly key: SearchKey;
}

function searching(name: string, spec: string, uid: boolean): Command {
  return selected({
    name,
    spec,
    expunge: uid,
    parse: readArguments,
    async run(session, { mailbox }, { results, key }) {
      const saves = results?.includes('SAVE') ?? false;
      const before = mailbox.saved;
      // RFC 5182 §2.1: a SEARCH with SAVE that fails leaves an empty result.
      if (saves) mailbox.saved = [];
      const withModSeq = usesModSeq(key);
      if (withModSeq) session.enabled.add('CONDSTORE');
      const found = await withSaved(mailbox, before, () => runSearch(session, mailbox, key));
      const { table } = mailbox;
      const modSeq =
        withModSeq && found.length > 0 ? found.reduce((most, position) => Math.max(most, table.modSeq(position)), 0) : undefined;
      if (saves) mailbox.saved = savedOf(results ?? [], found).map((position) => table.uid(position));
      const numbers = found.map((position) => (uid ? table.uid(position) : position + 1));
      if (results) await tellExtended(session, results, numbers, uid, modSeq);
      else await tell(session, numbers, modSeq);
      return ok(`${name} completed`);
    },
  });
}

/** `$` within the keys is the result before this search. */
async function withSaved<T>(mailbox: SelectedMailbox, before: readonly number[], run: () => Promise<T>): Promise<T> {
  const after = mailbox.saved;
  mailbox.saved = before;
  try {
    return await run();
  } finally {
    mailbox.saved = after;
  }
}

/** RFC 5182 §2.4: with MIN or MAX alone, only these are saved. */
function savedOf(results: readonly string[], found: readonly number[]): number[] {
  if (found.length === 0) return [];
  const [min, max] = [results.includes('MIN'), results.includes('MAX')];
  if (results.includes('ALL') || results.includes('COUNT') || (!min && !max)) return [...found];
  return [...new Set([...(min ? [found[0]!] : []), ...(max ? [found.at(-1)!] : [])])];
}

function readArguments(args: Cursor): SearchArguments {
  let results: string[] | undefined;
  if (args.takeWord('RETURN')) {
    args.space();
    results = args.list(10, () => args.keyword('a result option'), true);
    if (results.some((option) => !resultOptions.includes(option))) args.fail('a result option');
    if (results.length === 0) results = ['ALL'];
    args.space();
  }
  let charset = 'utf-8';
  if (args.takeWord('CHARSET')) {
    args.space();
    charset = args.astring('a charset');
    args.space();
  }
  const decoder = charsetDecoder(charset);
  if (!decoder) throw new Refusal('unsupported', 'BADCHARSET (US-ASCII UTF-8)', 'charset not supported');
  return { results, key: readKeys(args, (octets) => decoder.decode(Buffer.from(octets, 'latin1'))) };
}

const atOnce = 1000;

async function tell({ out }: Session, numbers: readonly number[], modSeq: number | undefined): Promise<void> {
  out.text('* SEARCH');
  for (let at = 0; at < numbers.length; at += atOnce) {
    out.text(` ${numbers.slice(at, at + atOnce).join(' ')}`);
    await out.room();
  }
  out.text(`${modSeq === undefined ? '' : ` (MODSEQ ${modSeq})`}\r\n`);
}

/** RFC 4731 §3.1: MIN, MAX and ALL are left out where nothing was found; COUNT is 0. */
async function tellExtended(
  { out, tag }: Session,
  results: readonly string[],
  numbers: readonly number[],
  uid: boolean,
  modSeq: number | undefined,
) {
  if (results.length === 1 && results[0] === 'SAVE') return;
  const parts = [`* ESEARCH (TAG ${quote(tag())})${uid ? ' UID' : ''}`];
  if (numbers.length > 0) {
    if (results.includes('MIN')) parts.push(`MIN ${numbers[0]}`);
    if (results.includes('MAX')) parts.push(`MAX ${numbers.at(-1)}`);
    if (results.includes('ALL')) parts.push(`ALL ${sequenceText(numbers)}`);
  }
  if (results.includes('COUNT')) parts.push(`COUNT ${numbers.length}`);
  if (modSeq !== undefined) parts.push(`MODSEQ ${modSeq}`);
  out.text(`${parts.join(' ')}\r\n`);
  await out.room();
}
