/** SUBSCRIBE and UNSUBSCRIBE: the client's list of names worth showing. */

import { type Command, loggedIn } from '../command.ts';
import { ok } from '../session.ts';

export const subscribe = subscribing('SUBSCRIBE', 'RFC 3501 §6.3.6', true);
export const unsubscribe = subscribing('UNSUBSCRIBE', 'RFC 3501 §6.3.7', false);

function subscribing(name: string, spec: string, on: boolean): Command {
  return loggedIn({
    name,
    spec,
    parse: (args) => args.mailbox(),
    async run(session, { account }, mailbox) {
      await session.store.subscribe(account.id, mailbox.endsWith('/') ? mailbox.slice(0, -1) : mailbox, on);
      return ok(`${name} completed`);
    },
  });
}
