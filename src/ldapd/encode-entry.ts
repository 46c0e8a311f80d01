/**
 * Entries as octets, encoded once.
 *
 * Promise: an Entry object that is sent again costs a copy at most. What is remembered lives as long as the object itself (the
 * directory hands out the same object for the same entry, rights and selection); large ones are not remembered.
 * Spec: RFC 4511 §4.5.2
 */

import type { Entry } from '../directory/index.ts';
import { BerWriter, responseTags, writeAttribute } from '../ldap-wire/index.ts';

/** Octets of an entry that are remembered at most. */
const largest = 16_384;

/** The SearchResultEntry operation of an entry, without message id. */
export function entryOperation(entry: Entry, typesOnly: boolean): Buffer {
  const known = typesOnly ? undefined : entry.beside;
  if (known) return known as Buffer;
  const writer = new BerWriter(1_024);
  const begun = writer.begin(responseTags.entry);
  writer.text(entry.dn.toString());
  const list = writer.begin();
  for (const attribute of entry.attributes.values()) writeAttribute(writer, attribute, typesOnly);
  writer.end(list);
  const octets = writer.end(begun).done();
  // A copy of the right size: the writer's buffer has room to spare.
  if (!typesOnly && octets.length <= largest) entry.beside = Buffer.from(octets);
  return octets;
}
