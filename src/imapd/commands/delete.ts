/** DELETE: removes a mailbox. */

import { loggedIn } from '../command.ts';
import { no, ok } from '../session.ts';

export const deleteMailbox = loggedIn({
  name: 'DELETE',
  spec: 'RFC 3501 §6.3.4',
  parse: (args) => args.mailbox(),
  async run(session, { account }, name) {
    if (name === 'INBOX') return no('INBOX cannot be deleted', 'CANNOT');
    await session.store.deleteMailbox(account.id, name);
    return ok('DELETE completed', { event: `mailbox ${name} deleted` });
  },
});
