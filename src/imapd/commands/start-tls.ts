/** STARTTLS: goes on encrypted. What came in plaintext behind the command is thrown away by the dispatcher. */

import { loggedOut, none } from '../command.ts';
import { no, ok } from '../session.ts';

export const startTls = loggedOut({
  name: 'STARTTLS',
  spec: 'RFC 3501 §6.2.1, RFC 2595',
  parse: none,
  run(session) {
    if (session.peer.encrypted) return { status: 'BAD', text: 'TLS is active already' };
    if (!session.canStartTls()) return no('there is no certificate', 'UNAVAILABLE');
    return ok('begin TLS negotiation now', { follow: 'start-tls' });
  },
});
