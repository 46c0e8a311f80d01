/** Who may work the queue from the network: a super administrator, with the password. */

import { Fault } from '../../base/index.ts';
import type { Directory } from '../../directory/index.ts';
import { type Dn, parseDn } from '../../ldap-wire/index.ts';
import type { QueueDoor } from '../../web/index.ts';

/** A name is a DN, or what stands in it before `cn=admins`: `admin`. */
export function administratorLogin(directory: Pick<Directory, 'authenticate'>, systemBase: string): QueueDoor['logIn'] {
  const admins = parseDn(`cn=admins,${systemBase}`);
  return async (name, password, address) => {
    const dn = dnOf(name, admins);
    // Whose password it is does not matter to anybody else: nothing is said about it.
    if (!dn?.isWithin(admins) || dn.key === admins.key) throw new Fault('not-permitted', 'administrators alone may work the queue');
    const login = await directory.authenticate(dn, password, { door: 'web', address, name });
    if (login.mustChange) throw new Fault('not-permitted', 'the password must be changed first');
    return dn.toString();
  };
}

function dnOf(name: string, admins: Dn): Dn | undefined {
  if (!name.includes('=')) return admins.child([{ type: 'cn', value: name }]);
  try {
    return parseDn(name);
  } catch {
    return undefined;
  }
}
