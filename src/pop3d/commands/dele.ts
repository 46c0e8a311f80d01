/** DELE and RSET: marks for removal, and taking all of them back. */

import { afterLogin, numbers } from '../command.ts';
import { err, ok } from '../session.ts';
import { noSuchMessage } from './list.ts';

export const dele = afterLogin({
  name: 'DELE',
  spec: 'RFC 1939 §5',
  run(_session, { maildrop }, args) {
    const [number] = numbers(args, 1) ?? [];
    if (number === undefined) return err('a message number is expected');
    return maildrop.mark(number) ? ok(`message ${number} marked`) : noSuchMessage;
  },
});

export const rset = afterLogin({
  name: 'RSET',
  spec: 'RFC 1939 §5',
  run(_session, { maildrop }) {
    maildrop.unmarkAll();
    const { count, octets } = maildrop.total;
    return ok(`${count} messages (${octets} octets)`);
  },
});
