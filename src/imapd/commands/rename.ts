/** RENAME: a mailbox and all below it get another name; INBOX's messages move and INBOX stays. */

import { loggedIn } from '../command.ts';
import { ok } from '../session.ts';

export const rename = loggedIn({
  name: 'RENAME',
  spec: 'RFC 3501 §6.3.5',
  parse(args) {
    const from = args.mailbox();
    args.space();
    return { from, to: args.mailbox() };
  },
  async run(session, { account }, { from, to }) {
    const name = to.endsWith('/') ? to.slice(0, -1) : to;
    await session.store.renameMailbox(account.id, from, name);
    return ok('RENAME completed', { event: `mailbox ${from} renamed to ${name}` });
  },
});
