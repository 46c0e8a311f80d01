/** CLOSE, which removes what is marked \Deleted without a word, and UNSELECT, which removes nothing. */

import { none, selected } from '../command.ts';
import { ok } from '../session.ts';

export const close = selected({
  name: 'CLOSE',
  spec: 'RFC 3501 §6.4.2',
  parse: none,
  async run(session, { account, mailbox }) {
    if (!mailbox.readOnly) await session.store.expunge(account.id, mailbox.info.id);
    return ok('CLOSE completed', { next: { name: 'authenticated', account } });
  },
});

export const unselect = selected({
  name: 'UNSELECT',
  spec: 'RFC 3691 §2',
  parse: none,
  run: (_session, { account }) => ok('UNSELECT completed', { next: { name: 'authenticated', account } }),
});
