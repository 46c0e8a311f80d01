/** STLS: goes on encrypted. What came in plaintext behind the command is thrown away by the dispatcher. */

import { beforeLogin } from '../command.ts';
import { err, ok } from '../session.ts';

export const stls = beforeLogin({
  name: 'STLS',
  spec: 'RFC 2595 §4',
  run(session) {
    if (session.peer.encrypted) return err('TLS is active already');
    if (!session.canStartTls()) return err('there is no certificate', 'SYS/TEMP');
    return ok('begin TLS negotiation', { next: { name: 'authorization' }, follow: 'start-tls' });
  },
});
