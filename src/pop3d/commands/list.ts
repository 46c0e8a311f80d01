/** LIST and UIDL: one message's scan or unique-id listing, or everybody's. */

import type { IndexEntry } from '../../store/index.ts';
import { afterLogin, type Command, numbers } from '../command.ts';
import type { Maildrop } from '../maildrop.ts';
import { err, ok } from '../session.ts';

export const noSuchMessage = err('no such message');

function listing(name: string, spec: string, value: (maildrop: Maildrop, entry: IndexEntry) => string): Command {
  return afterLogin({
    name,
    spec,
    run(_session, { maildrop }, args) {
      if (args.trim() === '') {
        const { count, octets } = maildrop.total;
        return ok(`${count} messages (${octets} octets)`, { body: { lines: lines(maildrop, value) } });
      }
      const [number] = numbers(args, 1) ?? [];
      if (number === undefined) return err('a message number is expected');
      const entry = maildrop.entry(number);
      return entry ? ok(`${number} ${value(maildrop, entry)}`) : noSuchMessage;
    },
  });
}

function* lines(maildrop: Maildrop, value: (maildrop: Maildrop, entry: IndexEntry) => string): Iterable<string> {
  for (const [number, entry] of maildrop.entries()) yield `${number} ${value(maildrop, entry)}`;
}

export const list = listing('LIST', 'RFC 1939 §5', (_maildrop, entry) => String(entry.size));
export const uidl = listing('UIDL', 'RFC 1939 §7', (maildrop, entry) => maildrop.uniqueId(entry));
