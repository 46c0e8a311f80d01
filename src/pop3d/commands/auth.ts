/** AUTH PLAIN, with or without an initial response; AUTH alone lists the mechanisms, as old clients expect. */

import { actsForAnother, decodePlain, Fault } from '../../base/index.ts';
import { beforeLogin } from '../command.ts';
import { err, mayLogIn, ok } from '../session.ts';
import { encryptFirst, logIn } from './log-in.ts';

export const auth = beforeLogin({
  name: 'AUTH',
  spec: 'RFC 5034 §4; RFC 4616 (PLAIN)',
  async run(session, _state, args) {
    const [mechanism = '', initial] = args.trim().split(/ +/, 2);
    if (mechanism === '') return ok('mechanisms follow', { body: { lines: mayLogIn(session) ? ['PLAIN'] : [] } });
    if (mechanism.toUpperCase() !== 'PLAIN') return err('mechanism not supported');
    if (!mayLogIn(session)) return encryptFirst;
    const response = initial ?? (await session.ask(''));
    if (response === '*') return err('cancelled');
    const plain = decodePlain(response === '=' ? '' : response);
    if (!plain) return err('not a PLAIN response');
    if (actsForAnother(plain)) {
      throw new Fault('bad-credentials', 'you may log in as yourself only');
    }
    return logIn(session, plain.name, plain.password);
  },
});
