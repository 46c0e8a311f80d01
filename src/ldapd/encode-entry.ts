/**
 * Entries as octets, encoded once.
 *
 * Promise: an Entry or Attribute object that is sent again costs a copy at most. What is remembered lives as long as the object
 * itself; large ones are not remembered.
 * Spec: RFC 4511 §4.5.2
 */

import type { Attribute, Entry } from '../directory/index.ts';
import { BerWriter, responseTags, writeAttribute } from '../ldap-wire/index.ts';

const attributes = new WeakMap<Attribute, Buffer>();
const entries = new WeakMap<Entry, Buffer>();
/** Octets of one attribute and of one entry that are remembered at most. */
const largestAttribute = 4_096;
const largestEntry = 16_384;

function attributeOctets(attribute: Attribute): Buffer {
  const known = attributes.get(attribute);
  if (known) return known;
  const writer = new BerWriter(64);
  writeAttribute(writer, attribute);
  const octets = writer.done();
  // A copy of the right size: the writer's buffer has room to spare.
  if (octets.length <= largestAttribute) attributes.set(attribute, Buffer.from(octets));
  return octets;
}

/** The SearchResultEntry operation of an entry, without message id. */
export function entryOperation(entry: Entry, typesOnly: boolean): Buffer {
  if (!typesOnly) {
    const known = entries.get(entry);
    if (known) return known;
  }
  const writer = new BerWriter(1_024);
  const begun = writer.begin(responseTags.entry);
  writer.text(entry.dn.toString());
  const list = writer.begin();
  for (const attribute of entry.attributes.values()) {
    if (typesOnly) writeAttribute(writer, attribute, true);
    else writer.raw(attributeOctets(attribute));
  }
  writer.end(list);
  const octets = writer.end(begun).done();
  if (!typesOnly && octets.length <= largestEntry) entries.set(entry, Buffer.from(octets));
  return octets;
}
