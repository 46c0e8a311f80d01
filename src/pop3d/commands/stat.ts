/** STAT: the drop listing. */

import { afterLogin } from '../command.ts';
import { ok } from '../session.ts';

export const stat = afterLogin({
  name: 'STAT',
  spec: 'RFC 1939 §5',
  run(_session, { maildrop }) {
    const { count, octets } = maildrop.total;
    return ok(`${count} ${octets}`);
  },
});
