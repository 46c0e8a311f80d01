/** FETCH and UID FETCH. */

import { asFault } from '../../base/index.ts';
import { type Command, selected } from '../command.ts';
import { type FetchItem, readFetchItems } from '../fetch/items.ts';
import { type FetchOutcome, fetchMessages } from '../fetch/run.ts';
import { bySequence, byUid, positions } from '../mailbox/runs.ts';
import { type Completion, ok } from '../session.ts';
import type { Cursor } from '../wire/cursor.ts';

export const fetch = fetching('FETCH', 'RFC 3501 §6.4.5, RFC 7162 §3.1.4', false);
export const uidFetch = fetching('UID FETCH', 'RFC 3501 §6.4.8, RFC 7162 §3.1.4', true);

function fetching(name: string, spec: string, uid: boolean): Command {
  return selected({
    name,
    spec,
    expunge: uid,
    parse(args) {
      const set = args.sequenceSet();
      args.space();
      const items = readFetchItems(args);
      return { set, items, changedSince: args.take(' ') ? readModifiers(args) : undefined };
    },
    async run(session, { mailbox }, { set, items, changedSince }) {
      const runs = (uid ? byUid : bySequence)(set, mailbox.table, mailbox.saved);
      const wanted = complete(items, uid, changedSince !== undefined);
      if (wanted.some((item) => item.kind === 'MODSEQ')) session.enabled.add('CONDSTORE');
      const at = changedSince === undefined ? positions(runs) : newer(positions(runs), (p) => mailbox.table.modSeq(p) > changedSince);
      return outcome(name, await fetchMessages(session, mailbox, at, wanted));
    },
  });
}

function complete(items: readonly FetchItem[], uid: boolean, modSeq: boolean): FetchItem[] {
  const has = (kind: string): boolean => items.some((item) => item.kind === kind);
  return [
    ...(uid && !has('UID') ? [{ kind: 'UID' } as const] : []),
    ...items,
    ...(modSeq && !has('MODSEQ') ? [{ kind: 'MODSEQ' } as const] : []),
  ];
}

function* newer(at: Iterable<number>, wanted: (position: number) => boolean): Generator<number> {
  for (const position of at) if (wanted(position)) yield position;
}

/** `(CHANGEDSINCE n)` */
function readModifiers(args: Cursor): number {
  args.expect('(');
  if (args.name() !== 'CHANGEDSINCE') args.fail('CHANGEDSINCE');
  args.space();
  const since = args.number64('a mod-sequence');
  args.expect(')');
  return since;
}

const uidsNamed = 20;

function outcome(name: string, { missing, unreadable, cause }: FetchOutcome): Completion {
  if (unreadable.size > 0) {
    const named = [...unreadable].slice(0, uidsNamed).join(', ');
    const text = `could not be read: UID ${named}${unreadable.size > uidsNamed ? ' and more' : ''}`;
    return { status: 'NO', code: asFault(cause).kind === 'bug' ? 'SERVERBUG' : 'UNAVAILABLE', text, cause };
  }
  return missing > 0 ? ok('some of the messages no longer exist', { code: 'EXPUNGEISSUED' }) : ok(`${name} completed`);
}
