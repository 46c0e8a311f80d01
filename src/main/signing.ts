/**
 * Who may have mail signed: what mail authentication does not know of, and the directory says.
 *
 * A user's message is signed in the name of domains in which the user has an address; what this host and hosts that may relay send, in any
 * that has keys here. What came from strangers and is only passed on is not.
 */

import type { Clock, Live } from '../base/index.ts';
import type { Dit } from '../dit/index.ts';
import { domainOf } from '../mail/index.ts';
import { createSigner, type MailAuthSettings } from '../mail-auth/index.ts';
import type { QueuedMessage } from '../queue/index.ts';

type Directory = Pick<Dit, 'recipient' | 'domain' | 'signingKeys' | 'signs'>;
type Sign = (message: QueuedMessage, content: () => AsyncIterable<Uint8Array>) => Promise<string>;

export function createSigning(dit: Directory, settings: Live<MailAuthSettings>, clock: Clock): Sign {
  const signer = createSigner({ clock, settings, keysOf: (domain) => dit.signingKeys(domain), any: () => dit.signs });
  return async (message, content) => {
    const { login, user } = message.origin;
    const own = login === undefined && user === undefined && isOurs(message);
    if (login === undefined && !own) return '';
    return signer.sign(content, async (domain) => login === undefined || (await hasAddressIn(dit, login, domain)));
  };
}

/** Written here, or handed in by who is trusted. */
function isOurs({ inputChannel, origin, authentication }: QueuedMessage): boolean {
  return inputChannel !== 'SMTPD' || origin.protocol === 'local' || authentication === 'trusted';
}

async function hasAddressIn(dit: Directory, login: string, domain: string): Promise<boolean> {
  const account = await dit.recipient(login);
  if (!account) return false;
  const own = new Set([account.mail, ...account.aliases].map(domainOf));
  if (own.has(domain)) return true;
  // Domain aliases, and sub-domains that are local with the domain above them.
  const local = await dit.domain(domain);
  return local !== undefined && (own.has(local.name) || (local.aliasOf !== undefined && own.has(local.aliasOf)));
}
