/** AUTH PLAIN, with or without an initial response; AUTH alone lists the mechanisms, as old clients expect. */

import { Fault } from '../../base/index.ts';
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
    if (plain.authorize !== '' && plain.authorize.toLowerCase() !== plain.name.toLowerCase()) {
      throw new Fault('bad-credentials', 'you may log in as yourself only');
    }
    return logIn(session, plain.name, plain.password);
  },
});

/** RFC 4616 §2: [authzid] NUL authcid NUL passwd, UTF-8, in base64. */
function decodePlain(base64: string): { authorize: string; name: string; password: string } | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64) || base64.length % 4 !== 0) return undefined;
  const [authorize, name, password, ...rest] = Buffer.from(base64, 'base64').toString('utf8').split('\0');
  if (authorize === undefined || !name || password === undefined || rest.length > 0) return undefined;
  return { authorize, name, password };
}
