/** EXPUNGE and UID EXPUNGE: removes what is marked \Deleted. Each is told by the report that follows every command. */

import { none, selected } from '../command.ts';
import { byUid, positions } from '../mailbox/runs.ts';
import { no, ok } from '../session.ts';

export const expunge = selected({
  name: 'EXPUNGE',
  spec: 'RFC 3501 §6.4.3',
  parse: none,
  async run(session, { mailbox }) {
    if (mailbox.readOnly) return no('mailbox is open for reading only', 'NOPERM');
    await session.store.expunge(mailbox.account, mailbox.info.id);
    mailbox.touch();
    return ok('EXPUNGE completed');
  },
});

export const uidExpunge = selected({
  name: 'UID EXPUNGE',
  spec: 'RFC 4315 §2.1',
  parse: (args) => args.sequenceSet(),
  async run(session, { mailbox }, set) {
    if (mailbox.readOnly) return no('mailbox is open for reading only', 'NOPERM');
    const { table } = mailbox;
    const marked = [...positions(byUid(set, table, mailbox.saved))].map((position) => table.uid(position));
    if (marked.length > 0) await session.store.expunge(mailbox.account, mailbox.info.id, marked);
    mailbox.touch();
    return ok('UID EXPUNGE completed');
  },
});
