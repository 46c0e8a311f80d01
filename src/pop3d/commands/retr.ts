/** RETR and TOP: a whole message, or its header and the first lines of its body. */

import { afterLogin, numbers } from '../command.ts';
import { err, ok } from '../session.ts';
import { firstLines } from '../wire/first-lines.ts';
import { noSuchMessage } from './list.ts';

const gone = err('the message was removed by another session');

export const retr = afterLogin({
  name: 'RETR',
  spec: 'RFC 1939 §5',
  async run(_session, { maildrop }, args) {
    const [number] = numbers(args, 1) ?? [];
    if (number === undefined) return err('a message number is expected');
    const entry = maildrop.entry(number);
    if (!entry) return noSuchMessage;
    const octets = await maildrop.octets(entry);
    return octets ? ok(`${entry.size} octets`, { body: { octets } }) : gone;
  },
});

export const top = afterLogin({
  name: 'TOP',
  spec: 'RFC 1939 §7',
  async run(_session, { maildrop }, args) {
    const [number, lines] = numbers(args, 2) ?? [];
    if (number === undefined || lines === undefined) return err('a message number and a number of lines are expected');
    const entry = maildrop.entry(number);
    if (!entry) return noSuchMessage;
    const octets = await maildrop.octets(entry);
    return octets ? ok('top of message follows', { body: { octets: firstLines(octets, lines) } }) : gone;
  },
});
