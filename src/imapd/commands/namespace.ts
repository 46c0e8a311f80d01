/** NAMESPACE: everything is personal, without a prefix. */

import { loggedIn, none } from '../command.ts';
import { ok } from '../session.ts';

export const namespace = loggedIn({
  name: 'NAMESPACE',
  spec: 'RFC 2342 §5',
  parse: none,
  run(session) {
    session.out.text('* NAMESPACE (("" "/")) NIL NIL\r\n');
    return ok('NAMESPACE completed');
  },
});
