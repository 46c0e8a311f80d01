/**
 * SASL mechanisms: EXTERNAL on the Unix socket, PLAIN with a name or an address.
 *
 * Promise: a refusal says the same, whatever of name, password and identity was wrong. PLAIN is offered where a simple bind may
 * carry a password. Acting for somebody else is not offered.
 * Spec: RFC 4513 §5.2, RFC 4422 Appendix A (EXTERNAL), RFC 4616 (PLAIN)
 */

import { readPlain } from '../../base/index.ts';
import { DirectoryFault, resultCodes } from '../../directory/index.ts';
import { type Dn, parseDn, success } from '../../ldap-wire/index.ts';
import type { Answer, Context } from '../command.ts';

type Mechanism = (credentials: Uint8Array | undefined, context: Context) => Promise<Answer>;

const wrong = (): DirectoryFault => new DirectoryFault('invalidCredentials', 'the name or the password is wrong');

/** RFC 4513 §5.2.1.8: `dn:…` or `u:…`; without either it is what `u:` says. Undefined where it is the name of nobody. */
async function dnOf(identity: string, context: Context): Promise<Dn | undefined> {
  if (/^dn:/i.test(identity)) {
    try {
      return parseDn(identity.slice(3));
    } catch {
      return undefined;
    }
  }
  return context.userNamed?.(identity.replace(/^u:/i, ''));
}

const plain: Mechanism = async (credentials, context) => {
  if (!passwordsAllowed(context)) throw new DirectoryFault('confidentialityRequired', 'a password is accepted over TLS only');
  // RFC 4513 §5.2.1.2: a client that sends nothing yet waits to be asked.
  if (!credentials) return { result: { ...success, code: resultCodes.saslBindInProgress }, credentials: new Uint8Array(0) };
  const given = readPlain(credentials);
  if (!given) throw new DirectoryFault('protocolError', 'the credentials are not those of SASL PLAIN');
  const dn = await dnOf(given.name, context);
  if (!dn || dn.rdns.length === 0 || given.password === '') throw wrong();
  const actor = await context.directory.authenticate(dn, given.password, {
    door: 'ldap',
    name: given.name,
    ...(context.address ? { address: context.address } : {}),
  });
  // Only now: whether two names belong to one entry is nobody's business before.
  if (given.authorize !== '' && (await dnOf(given.authorize, context))?.key !== actor.dn?.key) throw wrong();
  return { result: success, actor };
};

const external: Mechanism = async (credentials, context) => {
  if (!context.external) throw new DirectoryFault('authMethodNotSupported', 'nothing outside LDAP says who this connection is');
  // An authorisation identity would be somebody else's.
  if (credentials && credentials.length > 0) throw new DirectoryFault('invalidCredentials', 'no other identity can be taken on');
  return { result: success, actor: context.external };
};

const mechanisms = new Map<string, Mechanism>([
  ['EXTERNAL', external],
  ['PLAIN', plain],
]);

export const passwordsAllowed = ({ settings, confidential }: Pick<Context, 'settings' | 'confidential'>): boolean =>
  confidential || !settings.passwordNeedsTls;

/** What this connection may use, for `supportedSASLMechanisms` of the root DSE. */
export function saslMechanisms(context: Pick<Context, 'settings' | 'confidential' | 'external'>): string[] {
  return [...(context.external ? ['EXTERNAL'] : []), ...(passwordsAllowed(context) ? ['PLAIN'] : [])];
}

export async function saslBind(mechanism: string, credentials: Uint8Array | undefined, context: Context): Promise<Answer> {
  const run = mechanisms.get(mechanism);
  if (!run) throw new DirectoryFault('authMethodNotSupported', 'this SASL mechanism is not supported here');
  return run(credentials, context);
}
