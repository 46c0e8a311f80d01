/**
 * Bind: simple (name and password, anonymous); SASL is sasl.ts's business.
 *
 * A failed bind leaves the connection anonymous. Who a name and password are is the directory's business.
 * Spec: RFC 4511 §4.2, RFC 4513 §5.1
 */

import { isUtf8 } from 'node:buffer';
import { type Actor, anonymous, DirectoryFault } from '../../directory/index.ts';
import { success } from '../../ldap-wire/index.ts';
import type { Command, Context, RequestOf } from '../command.ts';
import { passwordPolicy } from '../controls/password-policy.ts';
import { nameOf } from '../results.ts';
import { passwordsAllowed, saslBind } from './sasl.ts';

export const bind: Command<'bind'> = {
  op: 'bind',
  spec: 'RFC 4511 §4.2',
  controls: [passwordPolicy],
  alone: true,
  async run(request, context) {
    if (request.version !== 3) throw new DirectoryFault('protocolError', 'only LDAP version 3 is spoken here');
    switch (request.method.type) {
      case 'simple':
        return { result: success, actor: await simple(request, request.method.password, context) };
      case 'sasl':
        return saslBind(request.method.mechanism, request.method.credentials, context);
      default:
        throw new DirectoryFault('authMethodNotSupported', 'this way of logging in is not supported');
    }
  },
};

async function simple(request: RequestOf<'bind'>, password: Uint8Array, context: Context): Promise<Actor> {
  const dn = nameOf(request.name);
  if (password.length === 0) {
    // RFC 4513 §5.1.2: a name without a password proves nothing, and clients take success for proof.
    if (dn.rdns.length > 0) throw new DirectoryFault('unwillingToPerform', 'a name needs a password (unauthenticated bind is not offered)');
    return anonymous('ldap', context.address);
  }
  if (!passwordsAllowed(context)) throw new DirectoryFault('confidentialityRequired', 'a password is accepted over TLS only');
  if (dn.rdns.length === 0 || !isUtf8(password)) throw new DirectoryFault('invalidCredentials', 'the name or the password is wrong');
  return context.directory.authenticate(dn, Buffer.from(password).toString('utf8'), {
    door: 'ldap',
    ...(context.address ? { address: context.address } : {}),
  });
}
