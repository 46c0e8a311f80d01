/** AUTHENTICATE PLAIN, with or without an initial response. */

import { Fault } from '../../base/index.ts';
import { loggedOut } from '../command.ts';
import { type Completion, mayLogIn, no } from '../session.ts';
import { logIn } from './login.ts';

const cancelled: Completion = { status: 'BAD', text: 'AUTHENTICATE cancelled' };

export const authenticate = loggedOut({
  name: 'AUTHENTICATE',
  spec: 'RFC 3501 §6.2.2, RFC 4616 (PLAIN), RFC 4959 (SASL-IR)',
  parse(args) {
    const mechanism = args.keyword('a mechanism');
    return { mechanism, initial: args.take(' ') ? args.astring('an initial response') : undefined };
  },
  async run(session, _state, { mechanism, initial }) {
    if (mechanism !== 'PLAIN') return no('mechanism not supported', 'CANNOT');
    if (!mayLogIn(session)) return no('a password is taken over an encrypted connection only', 'PRIVACYREQUIRED');
    const response = initial ?? (await session.dialog.ask(''));
    if (response === '*') return cancelled;
    const plain = decodePlain(response === '=' ? '' : response);
    if (!plain) return { status: 'BAD', text: 'not a PLAIN response' };
    if (plain.authorize !== '' && plain.authorize.toLowerCase() !== plain.name.toLowerCase())
      return no('you may log in as yourself only', 'AUTHORIZATIONFAILED');
    return logIn(session, plain.name, plain.password);
  },
});

/** RFC 4616 §2: [authzid] NUL authcid NUL passwd, UTF-8, in base64. */
function decodePlain(base64: string): { authorize: string; name: string; password: string } | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64) || base64.length % 4 !== 0) return undefined;
  const text = Buffer.from(base64, 'base64').toString('utf8');
  if (text.includes('\ufffd')) throw new Fault('bad-credentials', 'wrong user name or password');
  const [authorize, name, password, ...rest] = text.split('\0');
  return authorize === undefined || name === undefined || password === undefined || rest.length > 0
    ? undefined
    : { authorize, name, password };
}
