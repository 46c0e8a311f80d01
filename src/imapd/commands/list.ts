/** LIST, with LIST-EXTENDED and LIST-STATUS, and LSUB. */

import { loggedIn } from '../command.ts';
import { listLine, list as listNames, lsub as subscribedNames } from '../list/names.ts';
import { readListArguments } from '../list/select-options.ts';
import { statusLine } from '../list/status-items.ts';
import { pace } from '../pace.ts';
import { ok } from '../session.ts';

/** Matching a name takes time in proportion to the patterns. */
const paceOf = (patterns: readonly string[]) =>
  pace(Math.max(1, Math.floor(10_000 / patterns.reduce((sum, { length }) => sum + length, 1))));

export const list = loggedIn({
  name: 'LIST',
  spec: 'RFC 3501 §6.3.8, RFC 5258, RFC 5819, RFC 6154',
  parse: readListArguments,
  async run(session, { account }, wanted) {
    const { store, out } = session;
    if (wanted.basic && wanted.patterns[0] === '') {
      out.text(listLine('LIST', ['\\Noselect'], ''));
      return ok('LIST completed');
    }
    if (wanted.status.includes('HIGHESTMODSEQ')) session.enabled.add('CONDSTORE');
    const [mailboxes, subscriptions] = await Promise.all([store.mailboxes(account.id), store.subscriptions(account.id)]);
    const step = paceOf(wanted.patterns);
    for (const listed of listNames(mailboxes, subscriptions, wanted)) {
      await step();
      if (!listed) continue;
      const { line, info } = listed;
      out.text(line);
      if (info?.selectable && wanted.status.length > 0) out.text(await statusLine(store, account.id, info, wanted.status));
      await out.room();
    }
    return ok('LIST completed');
  },
});

export const lsub = loggedIn({
  name: 'LSUB',
  spec: 'RFC 3501 §6.3.9',
  parse(args) {
    const reference = args.listMailbox();
    args.space();
    return reference + args.listMailbox();
  },
  async run(session, { account }, pattern) {
    const { store, out } = session;
    if (pattern === '') {
      out.text(listLine('LSUB', ['\\Noselect'], ''));
      return ok('LSUB completed');
    }
    const [mailboxes, subscriptions] = await Promise.all([store.mailboxes(account.id), store.subscriptions(account.id)]);
    const step = paceOf([pattern]);
    for (const line of subscribedNames(mailboxes, subscriptions, pattern)) {
      await step();
      if (line === undefined) continue;
      out.text(line);
      await out.room();
    }
    return ok('LSUB completed');
  },
});
