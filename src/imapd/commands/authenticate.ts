/** AUTHENTICATE PLAIN, with or without an initial response. */

import { actsForAnother, decodePlain, Fault } from '../../base/index.ts';
import { loggedOut } from '../command.ts';
import { type Completion, mayLogIn, no } from '../session.ts';
import { logIn } from './login.ts';

const cancelled: Completion = { status: 'BAD', text: 'AUTHENTICATE cancelled' };

export const authenticate = loggedOut({
  name: 'AUTHENTICATE',
  spec: 'RFC 3501 §6.2.2, RFC 4616 (PLAIN), RFC 4959 (SASL-IR)',
  parse(args) {
    const mechanism = args.keyword('a mechanism');
    return { mechanism, initial: args.take(' ') ? args.astring('an initial response') : undefined };
  },
  async run(session, _state, { mechanism, initial }) {
    if (mechanism !== 'PLAIN') return no('mechanism not supported', 'CANNOT');
    if (!mayLogIn(session)) return no('a password is taken over an encrypted connection only', 'PRIVACYREQUIRED');
    const response = initial ?? (await session.dialog.ask(''));
    if (response === '*') return cancelled;
    const plain = decodePlain(response === '=' ? '' : response);
    if (!plain) return { status: 'BAD', text: 'not a PLAIN response' };
    if (plain.name.includes('\ufffd') || plain.password.includes('\ufffd'))
      throw new Fault('bad-credentials', 'wrong user name or password');
    if (actsForAnother(plain)) return no('you may log in as yourself only', 'AUTHORIZATIONFAILED');
    return logIn(session, plain.name, plain.password);
  },
});
