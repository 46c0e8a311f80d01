/**
 * The simple paged results control.
 * Spec: RFC 2696 §2
 */

import { BerReader, BerWriter, ber, type Control } from '../ldap-wire/index.ts';

export const pagedResults = '1.2.840.113556.1.4.319';

export interface Page {
  readonly size: number;
  readonly cookie: Uint8Array;
}

/** Throws Fault `malformed`. */
export function readPaged(control: Control): Page {
  const reader = new BerReader(control.value ?? new Uint8Array(0));
  reader.enter(ber.sequence);
  return { size: reader.integer(0, 0x7fffffff), cookie: Uint8Array.from(reader.octets()) };
}

/** The control of an answer; without a cookie it says that there is no further page. The total is not estimated (0). */
export function pagedControl(cookie: Uint8Array | undefined): Control {
  const writer = new BerWriter(64);
  const begun = writer.begin();
  writer.integer(0).octets(cookie ?? new Uint8Array(0));
  return { oid: pagedResults, critical: false, value: writer.end(begun).done() };
}
