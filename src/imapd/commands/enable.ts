/** ENABLE: switches extensions on. CONDSTORE is the one there is; others are passed over. */

import { loggedIn } from '../command.ts';
import { ok } from '../session.ts';
import type { Cursor } from '../wire/cursor.ts';

const mostNames = 50;

export const enable = loggedIn({
  name: 'ENABLE',
  spec: 'RFC 5161 §3.1',
  parse(args: Cursor) {
    const names = [args.keyword('an extension')];
    while (args.take(' ')) {
      if (names.length >= mostNames) args.fail('fewer extensions');
      names.push(args.keyword('an extension'));
    }
    return names;
  },
  run(session, state, names) {
    const condStore = names.includes('CONDSTORE');
    if (condStore) session.enabled.add('CONDSTORE');
    session.out.text(`* ENABLED${condStore ? ' CONDSTORE' : ''}\r\n`);
    if (condStore && state.name === 'selected') session.out.text(`* OK [HIGHESTMODSEQ ${state.mailbox.highestModSeq}] highest\r\n`);
    return ok('ENABLE completed');
  },
});
