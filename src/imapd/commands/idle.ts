/**
 * IDLE: the client listens, and is told at once what happens in its mailbox, until it says DONE.
 *
 * Any line ends it; one that is not DONE is an error. The idle time-out of the session goes on counting (RFC 2177 §3).
 */

import { loggedIn, none } from '../command.ts';
import type { SelectedMailbox } from '../mailbox/selected.ts';
import { ok, type Session } from '../session.ts';

export const idle = loggedIn({
  name: 'IDLE',
  spec: 'RFC 2177 §3',
  parse: none,
  async run(session, state) {
    let line: string | undefined;
    const answered = session.dialog.ask('idling').then((text) => {
      line = text;
    });
    // Whatever goes wrong on the way, the client's line is read before the reply.
    const [told] = await Promise.allSettled([
      state.name === 'selected' ? tell(session, state.mailbox, answered, () => line !== undefined) : undefined,
      answered,
    ]);
    if (told.status === 'rejected') throw told.reason;
    await answered;
    return line?.toUpperCase() === 'DONE' ? ok('IDLE completed') : { status: 'BAD', text: 'expected DONE' };
  },
});

async function tell(session: Session, mailbox: SelectedMailbox, answered: Promise<void>, done: () => boolean): Promise<void> {
  while (!mailbox.gone) {
    await Promise.race([answered, mailbox.changed()]);
    if (done()) return;
    await mailbox.sync();
    mailbox.report(session.out, { expunge: true, modSeq: session.enabled.has('CONDSTORE') });
    session.out.flush();
    await session.out.room();
  }
}
