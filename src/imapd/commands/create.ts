/** CREATE, with a special use where the client wants one. */

import { Fault } from '../../base/index.ts';
import { loggedIn } from '../command.ts';
import { specialUse } from '../list/special-use.ts';
import { ok } from '../session.ts';
import type { Cursor } from '../wire/cursor.ts';

/** `(USE (\Drafts \Sent))` */
function uses(args: Cursor) {
  args.expect('(');
  if (args.keyword() !== 'USE') args.fail('USE');
  args.space();
  const found = args.list(10, () => specialUse(args.flag()), true);
  args.expect(')');
  return found;
}

export const create = loggedIn({
  name: 'CREATE',
  spec: 'RFC 3501 §6.3.3, RFC 6154 §3',
  parse: (args) => ({ name: args.mailbox(), use: args.take(' ') ? uses(args) : [] }),
  async run(session, { account }, { name, use }) {
    // RFC 3501 §6.3.3: a trailing separator says that names below it will follow; the name itself is made without it.
    const plain = name.endsWith('/') ? name.slice(0, -1) : name;
    if (plain === 'INBOX') throw new Fault('exists', 'INBOX is there already');
    if (use.includes(undefined)) return { status: 'NO', code: 'USEATTR', text: 'special use not known' };
    await session.store.createMailbox(account.id, plain, use as NonNullable<(typeof use)[number]>[]);
    return ok('CREATE completed', { event: `mailbox ${plain} created` });
  },
});
