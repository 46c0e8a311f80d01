/** COPY, MOVE and their UID forms. MOVE is one commit: a message is never in both mailboxes, nor in neither. */

import { Fault } from '../../base/index.ts';
import type { CopyResult } from '../../store/index.ts';
import { type Command, selected } from '../command.ts';
import { bySequence, byUid, positions } from '../mailbox/runs.ts';
import { type Completion, no, ok } from '../session.ts';
import { sequenceText } from '../wire/quote.ts';

export const copy = transferring('COPY', 'RFC 3501 §6.4.7', false, false);
export const uidCopy = transferring('UID COPY', 'RFC 3501 §6.4.8', true, false);
export const move = transferring('MOVE', 'RFC 6851 §3.1', false, true);
export const uidMove = transferring('UID MOVE', 'RFC 6851 §3.2', true, true);

function transferring(name: string, spec: string, uid: boolean, moves: boolean): Command {
  return selected({
    name,
    spec,
    parse(args) {
      const set = args.sequenceSet();
      args.space();
      return { set, to: args.mailbox() };
    },
    async run(session, { mailbox }, { set, to }) {
      if (moves && mailbox.readOnly) return no('mailbox is open for reading only', 'NOPERM');
      const { table } = mailbox;
      const uids = [...positions((uid ? byUid : bySequence)(set, table, mailbox.saved))].map((position) => table.uid(position));
      const { store } = session;
      let result: CopyResult;
      try {
        result = await (moves
          ? store.move(mailbox.account, mailbox.info.id, uids, to)
          : store.copy(mailbox.account, mailbox.info.id, uids, to));
      } catch (thrown) {
        return refusal(thrown);
      }
      mailbox.touch();
      const code = copyUid(result);
      if (!moves || code === undefined) return ok(`${name} completed`, code === undefined ? {} : { code });
      session.out.text(`* OK [${code}] moved\r\n`);
      return ok(`${name} completed`);
    },
  });
}

/** RFC 4315 §3: the sets are given pair by pair, so neither may be sorted on its own. */
function copyUid({ uidValidity, uids }: CopyResult): string | undefined {
  if (uids.length === 0) return undefined;
  return `COPYUID ${uidValidity} ${sequenceText(uids.map(([from]) => from))} ${sequenceText(uids.map(([, to]) => to))}`;
}

/** RFC 3501 §6.4.7: a mailbox that is missing is told as one that could be made. */
function refusal(thrown: unknown): Completion {
  if (thrown instanceof Fault && thrown.kind === 'not-found') return no('no such mailbox', 'TRYCREATE');
  throw thrown;
}
