/**
 * Controls that belong to an update: assertion, entry before and after, everything below; and ManageDsaIT.
 * Spec: RFC 4528 §3, RFC 4527 §3, draft-armijo-ldap-treedelete, RFC 3296 §3
 */

import { Fault } from '../../base/index.ts';
import type { WriteOptions, WriteResult } from '../../directory/index.ts';
import { type BerReader, ber, type Control, type Filter, messageLimits, readFilter } from '../../ldap-wire/index.ts';
import { entryOperation } from '../encode-entry.ts';
import { asked, bare, type ControlKind, whole } from './control.ts';

export const assertion: ControlKind<Filter> = {
  oid: '1.3.6.1.1.12',
  name: 'assertion',
  spec: 'RFC 4528 §3',
  read: (value) => whole(value, readFilter),
};

function selection(reader: BerReader): readonly string[] {
  const outer = reader.enter(ber.sequence);
  const names: string[] = [];
  while (reader.more) {
    if (names.length >= messageLimits.attributes) throw new Fault('malformed', `more than ${messageLimits.attributes} attributes`);
    names.push(reader.text());
  }
  reader.leave(outer);
  return names;
}

export const preRead: ControlKind<readonly string[]> = {
  oid: '1.3.6.1.1.13.1',
  name: 'pre-read',
  spec: 'RFC 4527 §3.1',
  read: (value) => whole(value, selection),
};

export const postRead: ControlKind<readonly string[]> = {
  oid: '1.3.6.1.1.13.2',
  name: 'post-read',
  spec: 'RFC 4527 §3.2',
  read: (value) => whole(value, selection),
};

export const subtreeDelete = bare('1.2.840.113556.1.4.805', 'subtree delete', 'draft-armijo-ldap-treedelete');

/** There are no referral objects, so it is always obeyed. */
export const manageDsaIt = bare('2.16.840.1.113730.3.4.2', 'ManageDsaIT', 'RFC 3296 §3');

/** What the controls of an update ask of the directory. */
export function writeOptions(controls: readonly Control[]): WriteOptions {
  if (controls.length === 0) return {};
  const condition = asked(assertion, controls);
  const before = asked(preRead, controls);
  const after = asked(postRead, controls);
  return {
    ...(condition ? { assertion: condition.value } : {}),
    ...(before ? { preRead: before.value } : {}),
    ...(after ? { postRead: after.value } : {}),
  };
}

/** The controls that carry what the directory gave back. */
export function readControls({ before, after }: WriteResult): readonly Control[] {
  const control = (oid: string, entry: Exclude<typeof before, undefined>): Control => ({
    oid,
    critical: false,
    value: entryOperation(entry, false),
  });
  return [...(before ? [control(preRead.oid, before)] : []), ...(after ? [control(postRead.oid, after)] : [])];
}
