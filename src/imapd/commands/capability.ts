/** CAPABILITY: what this server can do, in this state. */

import { capabilities } from '../capabilities.ts';
import { none, whenever } from '../command.ts';
import { ok } from '../session.ts';

export const capability = whenever({
  name: 'CAPABILITY',
  spec: 'RFC 3501 §6.1.1',
  parse: none,
  run(session, state) {
    session.out.text(`* CAPABILITY ${capabilities(session, state)}\r\n`);
    return ok('CAPABILITY completed');
  },
});
