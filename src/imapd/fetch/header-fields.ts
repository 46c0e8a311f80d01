/**
 * Some fields of a header, or all but some, octet for octet. Pure.
 * Spec: RFC 3501 §6.4.5 "HEADER.FIELDS"
 */

import { splitHeader } from '../../mail/index.ts';

/** A longer header is looked at up to here, in octets. */
export const longestHeader = 4 * 1024 * 1024;

/** The chosen fields in their order, with the empty line that ends the header where there is one. `names` are lower-case. */
export function chooseFields(header: Uint8Array, names: readonly string[], not: boolean): Uint8Array {
  const wanted = new Set(names);
  const { fields, end, bodyStart } = splitHeader(header);
  const chosen = fields.filter(({ name }) => wanted.has(name.toLowerCase()) !== not).map(({ raw }) => raw);
  return Buffer.concat([...chosen, header.subarray(end, bodyStart)]);
}
