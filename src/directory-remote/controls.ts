/**
 * Controls that carry what the port promises beyond plain operations, as a client writes and reads them.
 *
 * Promise: a control the server does not know is never left out silently: unavailableCriticalExtension says what is missing.
 * Spec: RFC 4528 (assertion), RFC 4527 (pre-read, post-read), RFC 2891 (sorting), draft-armijo-ldap-treedelete
 */

import {
  type DeleteOptions,
  DirectoryFault,
  type Entry,
  SortFault,
  type SortKey,
  type WriteOptions,
  type WriteResult,
} from '../directory/index.ts';
import { BerReader, BerWriter, ber, type Control, type Filter, responseTags, writeFilter } from '../ldap-wire/index.ts';
import { treeDelete } from './client.ts';
import { entryFrom } from './results.ts';

const assertionOid = '1.3.6.1.1.12';
const preReadOid = '1.3.6.1.1.13.1';
const postReadOid = '1.3.6.1.1.13.2';
const sortOid = '1.2.840.113556.1.4.473';
const sortResultOid = '1.2.840.113556.1.4.474';

type Known = ReadonlySet<string>;

function needed(known: Known, oid: string, what: string): void {
  if (!known.has(oid)) throw new DirectoryFault('unavailableCriticalExtension', `the directory server knows no ${what} (${oid})`);
}

export function assertionControl(known: Known, filter: Filter): Control {
  needed(known, assertionOid, 'assertion');
  const writer = new BerWriter();
  writeFilter(writer, filter);
  return { oid: assertionOid, critical: true, value: writer.done() };
}

function readControl(known: Known, oid: string, attributes: readonly string[]): Control {
  needed(known, oid, 'reading of entries along with a write');
  const writer = new BerWriter();
  const begun = writer.begin();
  for (const attribute of attributes) writer.text(attribute);
  return { oid, critical: true, value: writer.end(begun).done() };
}

/** What goes along with a write. */
export function writeControls(known: Known, options: DeleteOptions | WriteOptions = {}): Control[] {
  const { assertion, preRead, postRead } = options;
  return [
    ...(assertion ? [assertionControl(known, assertion)] : []),
    ...(preRead ? [readControl(known, preReadOid, preRead)] : []),
    ...(postRead ? [readControl(known, postReadOid, postRead)] : []),
    ...('subtree' in options && options.subtree ? [treeDelete] : []),
  ];
}

function entryOf(controls: readonly Control[], oid: string): Entry | undefined {
  const value = controls.find((each) => each.oid === oid)?.value;
  if (!value) return undefined;
  const reader = new BerReader(value);
  // The whole SearchResultEntry, with its application tag (RFC 4527 §3.1).
  reader.enter(reader.is(responseTags.entry) ? responseTags.entry : ber.sequence);
  const dn = reader.text();
  const list = reader.enter(ber.sequence);
  const attributes: { name: string; values: (string | Uint8Array)[] }[] = [];
  while (reader.more) {
    const one = reader.enter(ber.sequence);
    const name = reader.text();
    const set = reader.enter(ber.set);
    const values: (string | Uint8Array)[] = [];
    while (reader.more) values.push(reader.value());
    reader.leave(set);
    reader.leave(one);
    attributes.push({ name, values });
  }
  reader.leave(list);
  return entryFrom(dn, attributes);
}

/** What a write's answer tells. */
export function writeResult(controls: readonly Control[]): WriteResult {
  const before = entryOf(controls, preReadOid);
  const after = entryOf(controls, postReadOid);
  return { ...(before ? { before } : {}), ...(after ? { after } : {}) };
}

export function sortControl(known: Known, keys: readonly SortKey[]): Control {
  if (!known.has(sortOid)) throw new SortFault('unwillingToPerform', `the directory server sorts no answers (${sortOid})`);
  const writer = new BerWriter();
  const list = writer.begin();
  for (const { attribute, rule, reverse } of keys) {
    const one = writer.begin();
    writer.text(attribute);
    if (rule !== undefined) writer.text(rule, 0x80);
    if (reverse) writer.boolean(true, 0x81);
    writer.end(one);
  }
  return { oid: sortOid, critical: true, value: writer.end(list).done() };
}

const sortResults: Readonly<Record<number, ConstructorParameters<typeof SortFault>[0]>> = {
  11: 'adminLimitExceeded',
  16: 'noSuchAttribute',
  18: 'inappropriateMatching',
  51: 'busy',
};

/** Throws SortFault where the answer says that it is not sorted. */
export function checkSorted(controls: readonly Control[]): void {
  const value = controls.find((each) => each.oid === sortResultOid)?.value;
  if (!value) return;
  const reader = new BerReader(value);
  reader.enter(ber.sequence);
  const code = reader.integer(0, 0x7fffffff, ber.enumerated);
  if (code === 0) return;
  const attribute = reader.is(0x80) ? reader.text(0x80) : undefined;
  throw new SortFault(sortResults[code] ?? 'unwillingToPerform', `the directory server does not sort this (result ${code})`, attribute);
}
