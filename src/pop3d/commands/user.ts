/** USER: the name; whether it exists is not told before the password (RFC 1939 §7 allows that). */

import { beforeLogin } from '../command.ts';
import { err, mayLogIn, ok } from '../session.ts';
import { encryptFirst } from './log-in.ts';

export const user = beforeLogin({
  name: 'USER',
  spec: 'RFC 1939 §7',
  run(session, _state, args) {
    if (!mayLogIn(session)) return encryptFirst;
    if (args.trim() === '') return err('a name is missing');
    return ok('and the password', { next: { name: 'authorization', user: args.trim() } });
  },
});
