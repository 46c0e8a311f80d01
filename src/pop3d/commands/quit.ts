/** QUIT: removes what is marked (after a log-in) and ends. */

import { always } from '../command.ts';
import { err, ok } from '../session.ts';

export const quit = always({
  name: 'QUIT',
  spec: 'RFC 1939 §5, §6',
  async run(_session, state) {
    const next = { name: 'closed' } as const;
    if (state.name === 'authorization') return ok('bye', { next });
    const { maildrop } = state;
    try {
      await maildrop.update();
    } catch (thrown) {
      return { ...err('the marked messages are not removed', 'SYS/TEMP'), next, cause: thrown };
    }
    return ok(maildrop.marked > 0 ? `bye, ${maildrop.marked} messages removed` : 'bye', { next });
  },
});
