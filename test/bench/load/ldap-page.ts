/** A request for the first page of a one-level search (RFC 2696). */

import { BerWriter, encodeRequest } from '../../../src/ldap-wire/index.ts';

const pagedResults = '1.2.840.113556.1.4.319';

export function pageRequest(id: number, base: string, size: number): Buffer {
  const writer = new BerWriter(64);
  const begun = writer.begin();
  const value = writer.integer(size).octets(new Uint8Array(0)).end(begun).done();
  return encodeRequest(
    id,
    {
      op: 'search',
      base,
      scope: 'one',
      derefAliases: 0,
      sizeLimit: 0,
      timeLimit: 0,
      typesOnly: false,
      filter: { type: 'present', attribute: 'objectClass' },
      attributes: [],
    },
    [{ oid: pagedResults, critical: true, value }],
  );
}
