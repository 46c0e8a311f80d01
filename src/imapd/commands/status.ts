/** STATUS: counts of a mailbox without opening it. */

import { loggedIn } from '../command.ts';
import { readStatusItems, statusLine } from '../list/status-items.ts';
import { no, ok } from '../session.ts';

export const status = loggedIn({
  name: 'STATUS',
  spec: 'RFC 3501 §6.3.10, RFC 7162 §3.1.7, RFC 8438',
  parse(args) {
    const mailbox = args.mailbox();
    args.space();
    return { mailbox, items: readStatusItems(args) };
  },
  async run(session, { account }, { mailbox, items }) {
    const info = await session.store.mailbox(account.id, mailbox);
    if (!info) return no('no such mailbox', 'NONEXISTENT');
    if (!info.selectable) return no('this name only holds other mailboxes', 'CANNOT');
    if (items.includes('HIGHESTMODSEQ')) session.enabled.add('CONDSTORE');
    session.out.text(await statusLine(session.store, account.id, info, items));
    return ok('STATUS completed');
  },
});
