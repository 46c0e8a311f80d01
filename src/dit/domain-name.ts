/** Where the entry of a domain stands: one `dc` level a label (RFC 2247). */

import { type Dn, makeDn } from '../ldap-wire/index.ts';

export function domainName(labels: readonly string[], base: Dn): Dn {
  return makeDn([...labels.map((label) => [{ type: 'dc', value: label }]), ...base.rdns]);
}
