/** LOGOUT: the end of the connection, in words. */

import { none, whenever } from '../command.ts';
import { ok } from '../session.ts';

export const logout = whenever({
  name: 'LOGOUT',
  spec: 'RFC 3501 §6.1.3',
  parse: none,
  run(session) {
    session.out.text('* BYE logging out\r\n');
    return ok('LOGOUT completed', { next: { name: 'logout' } });
  },
});
