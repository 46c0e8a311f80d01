/**
 * The simple paged results control.
 * Spec: RFC 2696 §2
 */

import { BerWriter, ber, type Control } from '../../ldap-wire/index.ts';
import { type ControlKind, whole } from './control.ts';

export interface Page {
  /** Entries wanted; 0 ends the search. */
  readonly size: number;
  readonly cookie: Uint8Array;
}

const most = 0x7fffffff;

export const pagedResults: ControlKind<Page> = {
  oid: '1.2.840.113556.1.4.319',
  name: 'paged results',
  spec: 'RFC 2696 §2',
  read: (value) =>
    whole(value, (reader) => {
      const outer = reader.enter(ber.sequence);
      const page = { size: reader.integer(0, most), cookie: Uint8Array.from(reader.octets()) };
      reader.leave(outer);
      return page;
    }),
};

/**
 * The control of an answer: about how many entries there are (0: nobody knows); without a cookie there is no further page.
 */
export function pagedControl(cookie: Uint8Array | undefined, total: number): Control {
  const writer = new BerWriter(64);
  const begun = writer.begin();
  writer.integer(Math.min(total, most)).octets(cookie ?? new Uint8Array(0));
  return { oid: pagedResults.oid, critical: false, value: writer.end(begun).done() };
}
