/** SELECT and EXAMINE: opens a mailbox. Whatever was open is closed first, also when this fails. */

import { asFault, type Fault } from '../../base/index.ts';
import { type Command, loggedIn } from '../command.ts';
import { flagList, systemFlags } from '../mailbox/flags.ts';
import { SelectedMailbox } from '../mailbox/selected.ts';
import { type Completion, ok, type Session, type SessionState } from '../session.ts';
import type { Cursor } from '../wire/cursor.ts';

export const select = opening('SELECT', 'RFC 3501 §6.3.1', false);
export const examine = opening('EXAMINE', 'RFC 3501 §6.3.2', true);

function opening(name: string, spec: string, readOnly: boolean): Command {
  return loggedIn({
    name,
    spec,
    parse: (args) => ({ mailbox: args.mailbox(), condStore: args.take(' ') && parameters(args) }),
    async run(session, state, { mailbox, condStore }) {
      if (condStore) session.enabled.add('CONDSTORE');
      const account = state.account;
      const leave: SessionState = { name: 'authenticated', account };
      if (state.name === 'selected') session.out.text('* OK [CLOSED] previous mailbox closed\r\n');
      try {
        const info = await session.store.mailbox(account.id, mailbox);
        if (!info) return { status: 'NO', code: 'NONEXISTENT', text: 'no such mailbox', next: leave };
        if (!info.selectable) return { status: 'NO', code: 'CANNOT', text: 'this name only holds other mailboxes', next: leave };
        const opened = await SelectedMailbox.open(session.store, account.id, info, readOnly);
        announce(session, opened);
        const next: SessionState = { name: 'selected', account, mailbox: opened };
        return ok(`${name} completed`, { code: readOnly ? 'READ-ONLY' : 'READ-WRITE', next });
      } catch (thrown) {
        // RFC 3501 §6.3.1: after a SELECT that fails, for whatever reason, no mailbox is open.
        return refusal(asFault(thrown), leave);
      }
    },
  });
}

function refusal(fault: Fault, next: SessionState): Completion {
  return fault.kind === 'not-found'
    ? { status: 'NO', code: 'NONEXISTENT', text: 'no such mailbox', next }
    : { status: 'NO', code: fault.kind === 'bug' ? 'SERVERBUG' : 'UNAVAILABLE', text: fault.say, next, cause: fault };
}

/** `(CONDSTORE)` (RFC 7162 §3.1.8); other parameters are not ours. */
function parameters(args: Cursor): boolean {
  const names = args.list(10, () => args.keyword('a parameter'));
  if (names.some((name) => name !== 'CONDSTORE')) args.fail('no parameter but CONDSTORE');
  return true;
}

function announce(session: Session, opened: SelectedMailbox): void {
  const { table, info } = opened;
  const { out } = session;
  let firstUnseen = 0;
  while (firstUnseen < table.length && table.flags(firstUnseen).includes('\\Seen')) firstUnseen += 1;
  const next = Math.max(info.uidNext, table.length === 0 ? 1 : table.uid(table.length - 1) + 1);
  out.text(`* FLAGS ${flagList(opened.keywords)}\r\n`);
  const permanent = opened.readOnly ? '()' : `(${[...systemFlags, ...opened.keywords, '\\*'].join(' ')})`;
  out.text(`* OK [PERMANENTFLAGS ${permanent}] flags that can be changed\r\n`);
  out.text(`* ${table.length} EXISTS\r\n* ${opened.recentCount} RECENT\r\n`);
  if (firstUnseen < table.length) out.text(`* OK [UNSEEN ${firstUnseen + 1}] first unseen\r\n`);
  out.text(`* OK [UIDVALIDITY ${info.uidValidity}] UIDs are valid\r\n* OK [UIDNEXT ${next}] next UID\r\n`);
  out.text(`* OK [HIGHESTMODSEQ ${opened.highestModSeq}] highest\r\n`);
}
