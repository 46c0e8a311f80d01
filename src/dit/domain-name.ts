/** Where the entry of a domain stands: one `dc` level a label (RFC 2247), and for which names it speaks. */

import type { Entry } from '../directory/index.ts';
import { type Dn, makeDn } from '../ldap-wire/index.ts';

export function domainName(labels: readonly string[], base: Dn): Dn {
  return makeDn([...labels.map((label) => [{ type: 'dc', value: label }]), ...base.rdns]);
}

const isTrue = (entry: Entry, attribute: string): boolean => entry.text(attribute)?.toUpperCase() === 'TRUE';

/** Whether a mail domain's own name is local, and whether its sub-domains are (manual chapter 3, "Local Domains"). */
export function localityOf(entry: Entry): { readonly itself: boolean; readonly subdomains: boolean } {
  const only = isTrue(entry, 'mtSubdomainsOnly');
  return { itself: !only, subdomains: only || isTrue(entry, 'mtSubdomains') };
}
