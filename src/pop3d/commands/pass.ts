/** PASS: everything behind the space is the password, blanks included. */

import { beforeLogin } from '../command.ts';
import { err } from '../session.ts';
import { logIn } from './log-in.ts';

export const pass = beforeLogin({
  name: 'PASS',
  spec: 'RFC 1939 §7',
  run(session, state, args) {
    if (state.user === undefined) return err('say USER first');
    return logIn(session, state.user, args);
  },
});
