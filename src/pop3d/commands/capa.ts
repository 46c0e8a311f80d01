/** CAPA: what this server can do, on this connection and in this state. */

import { always } from '../command.ts';
import { mayLogIn, ok } from '../session.ts';

export const capa = always({
  name: 'CAPA',
  spec: 'RFC 2449 §5; RFC 3206 (AUTH-RESP-CODE); RFC 6856 §2 (UTF8)',
  run(session, state) {
    const lines = ['TOP', 'UIDL', 'RESP-CODES', 'AUTH-RESP-CODE', 'PIPELINING', 'EXPIRE NEVER', 'UTF8 USER'];
    if (mayLogIn(session)) lines.push('USER', 'SASL PLAIN');
    if (state.name === 'authorization' && !session.peer.encrypted && session.canStartTls()) lines.push('STLS');
    if (state.name === 'transaction') lines.push('IMPLEMENTATION Mailtree');
    return ok('capabilities follow', { body: { lines } });
  },
});
