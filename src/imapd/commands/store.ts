/** STORE and UID STORE: changes flags. */

import { type Command, selected } from '../command.ts';
import { canonicalFlags, readFlagList } from '../mailbox/flags.ts';
import { bySequence, byUid, positions } from '../mailbox/runs.ts';
import { batches } from '../pace.ts';
import { no, ok } from '../session.ts';
import type { Cursor } from '../wire/cursor.ts';
import { sequenceText } from '../wire/quote.ts';

export const store = storing('STORE', 'RFC 3501 §6.4.6, RFC 7162 §3.1.3', false);
export const uidStore = storing('UID STORE', 'RFC 3501 §6.4.8, RFC 7162 §3.1.3', true);

const batchSize = 500;
const operations = { FLAGS: 'replace', '+FLAGS': 'add', '-FLAGS': 'remove' } as const;

function storing(name: string, spec: string, uid: boolean): Command {
  return selected({
    name,
    spec,
    expunge: uid,
    parse: readArguments,
    async run(session, { mailbox }, { set, operation, silent, flags, unchangedSince }) {
      if (mailbox.readOnly) return no('mailbox is open for reading only', 'NOPERM');
      const { table } = mailbox;
      const change = { operation, flags: canonicalFlags(flags, (keyword) => mailbox.spelling(keyword)) };
      const runs = (uid ? byUid : bySequence)(set, table, mailbox.saved);
      if (unchangedSince !== undefined) session.enabled.add('CONDSTORE');
      const modSeq = session.enabled.has('CONDSTORE');
      const failed: number[] = [];
      for (const batch of batches(positions(runs), batchSize)) {
        const uids = batch.map((position) => table.uid(position));
        const result = await session.store.changeFlags(mailbox.account, mailbox.info.id, uids, change, unchangedSince);
        mailbox.touch();
        for (const entry of result.changed) silent ? mailbox.applySilently(entry, change) : mailbox.apply(entry);
        const refused = new Set(result.failed);
        failed.push(...result.failed);
        for (const position of batch) {
          if (refused.has(table.uid(position)) || (silent && !modSeq)) continue;
          const items = [
            ...(uid ? [`UID ${table.uid(position)}`] : []),
            ...(silent ? [] : [mailbox.flagsItem(position)]),
            ...(modSeq ? [`MODSEQ (${table.modSeq(position)})`] : []),
          ];
          session.out.text(`* ${position + 1} FETCH (${items.join(' ')})\r\n`);
        }
        await session.out.room();
      }
      if (failed.length === 0) return ok(`${name} completed`);
      const numbers = uid ? failed : failed.map((u) => table.positionOf(u) + 1).filter((n) => n > 0);
      return ok('some messages were changed meanwhile', { code: `MODIFIED ${sequenceText(numbers.sort((a, b) => a - b))}` });
    },
  });
}

function readArguments(args: Cursor) {
  const set = args.sequenceSet();
  args.space();
  const unchangedSince = args.peek() === '(' ? readModifiers(args) : undefined;
  const item = args.keyword('FLAGS, +FLAGS or -FLAGS');
  const silent = item.endsWith('.SILENT');
  const verb = silent ? item.slice(0, -'.SILENT'.length) : item;
  if (!isOperation(verb)) return args.fail('FLAGS, +FLAGS or -FLAGS');
  args.space();
  return { set, unchangedSince, operation: operations[verb], silent, flags: readFlags(args) };
}

function isOperation(verb: string): verb is keyof typeof operations {
  return Object.hasOwn(operations, verb);
}

/** In parentheses or without. */
function readFlags(args: Cursor): string[] {
  if (args.peek() === '(') return readFlagList(args);
  const flags = [args.flag()];
  while (args.take(' ')) {
    if (flags.length >= 100) args.fail('fewer flags');
    flags.push(args.flag());
  }
  return flags;
}

/** `(UNCHANGEDSINCE n) ` */
function readModifiers(args: Cursor): number {
  args.expect('(');
  if (args.name() !== 'UNCHANGEDSINCE') args.fail('UNCHANGEDSINCE');
  args.space();
  const since = args.number64('a mod-sequence');
  args.expect(')');
  args.space();
  return since;
}
