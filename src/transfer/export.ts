/**
 * An entry as LDIF for an export.
 *
 * Promise: `objectClass` first, then what people wrote in the order in which it is stored, then what the server maintains; what
 * is computed from other entries is left out. So an export that is loaded and exported again is the same, octet by octet.
 * No `version:` in front: slapadd does not take it.
 */

import type { Entry, Schema } from '../directory/index.ts';
import { formatLdifEntry, type LdifAttribute } from '../ldap-wire/index.ts';

export interface ExportFormat {
  readonly schema: Schema;
  /** With entryUUID, createTimestamp and the like, as restoring needs them. */
  readonly operational: boolean;
  /** With passwords and other secrets. */
  readonly secrets: boolean;
}

const computed = new Set(['hassubordinates', 'entrydn', 'subschemasubentry', 'numsubordinates']);

export function exportedEntry(entry: Entry, format: ExportFormat): string {
  const classes: LdifAttribute[] = [];
  const user: LdifAttribute[] = [];
  const operational: LdifAttribute[] = [];
  for (const [lower, attribute] of entry.attributes) {
    const type = format.schema.describe(attribute.name)?.type;
    if (computed.has(lower) || (type?.secret && !format.secrets)) continue;
    if (lower === 'objectclass') classes.push(attribute);
    // Some operational attributes are people's own to write: `ref` of a referral.
    else if (!type?.operational || type.userModifiable) user.push(attribute);
    else if (format.operational) operational.push(attribute);
  }
  return formatLdifEntry(entry.dn, [...classes, ...user, ...operational]);
}
