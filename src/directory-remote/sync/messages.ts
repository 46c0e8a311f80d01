/**
 * The messages of content synchronisation, as a consumer writes and reads them.
 *
 * Promise: what a server sends is read strictly; anything else is a Fault `malformed`.
 * Spec: RFC 4533 §2
 */

import { Fault } from '../../base/index.ts';
import { BerReader, BerWriter, ber, type Control } from '../../ldap-wire/index.ts';

export const syncRequestOid = '1.3.6.1.4.1.4203.1.9.1.1';
const syncStateOid = '1.3.6.1.4.1.4203.1.9.1.2';
const syncDoneOid = '1.3.6.1.4.1.4203.1.9.1.3';
export const syncInfoOid = '1.3.6.1.4.1.4203.1.9.1.4';
/** e-syncRefreshRequired */
export const refreshRequired = 4096;

export type Cookie = Buffer;

export interface SyncState {
  readonly state: 'present' | 'add' | 'modify' | 'delete';
  /** The 16 octets as a latin1 string: small, and a key. */
  readonly uuid: string;
  readonly cookie: Cookie | undefined;
}

export type SyncInfo =
  | { readonly kind: 'cookie'; readonly cookie: Cookie }
  | { readonly kind: 'refreshDelete' | 'refreshPresent'; readonly cookie: Cookie | undefined; readonly done: boolean }
  | { readonly kind: 'ids'; readonly cookie: Cookie | undefined; readonly deletes: boolean; readonly uuids: readonly string[] };

const modes = { refreshOnly: 1, refreshAndPersist: 3 } as const;
const states = ['present', 'add', 'modify', 'delete'] as const;
/** A cookie is opaque, and short. */
const longestCookie = 8192;
/** Tags of SyncInfoValue. */
const info = { cookie: 0x80, refreshDelete: 0xa1, refreshPresent: 0xa2, ids: 0xa3 } as const;

export function syncRequest(mode: keyof typeof modes, cookie: Cookie | undefined): Control {
  const writer = new BerWriter();
  const begun = writer.begin();
  writer.integer(modes[mode], ber.enumerated);
  if (cookie) writer.octets(cookie);
  return { oid: syncRequestOid, critical: true, value: writer.end(begun).done() };
}

function cookieFrom(reader: BerReader, tag: number = ber.octets): Cookie | undefined {
  if (!reader.is(tag)) return undefined;
  const octets = reader.octets(tag);
  if (octets.length > longestCookie) throw new Fault('malformed', `a synchronisation cookie of ${octets.length} octets`);
  return Buffer.from(octets);
}

function uuidFrom(reader: BerReader): string {
  const octets = reader.octets();
  if (octets.length !== 16) throw new Fault('malformed', `an entryUUID of ${octets.length} octets`);
  return octets.toString('latin1');
}

const controlValue = (controls: readonly Control[], oid: string): Uint8Array | undefined =>
  controls.find((each) => each.oid === oid)?.value;

/** The Sync State Control of an entry. */
export function syncState(controls: readonly Control[]): SyncState | undefined {
  const value = controlValue(controls, syncStateOid);
  if (!value) return undefined;
  const reader = new BerReader(value);
  reader.enter(ber.sequence);
  const state = states[reader.integer(0, 3, ber.enumerated)]!;
  return { state, uuid: uuidFrom(reader), cookie: cookieFrom(reader) };
}

/** The Sync Done Control of a result. */
export function syncDone(
  controls: readonly Control[],
): { readonly cookie: Cookie | undefined; readonly refreshDeletes: boolean } | undefined {
  const value = controlValue(controls, syncDoneOid);
  if (!value) return undefined;
  const reader = new BerReader(value);
  reader.enter(ber.sequence);
  const cookie = cookieFrom(reader);
  return { cookie, refreshDeletes: reader.is(ber.boolean) && reader.boolean() };
}

/** The value of a Sync Info Message. */
export function syncInfo(value: Uint8Array): SyncInfo {
  const reader = new BerReader(value);
  const cookie = cookieFrom(reader, info.cookie);
  if (cookie) return { kind: 'cookie', cookie };
  for (const kind of ['refreshDelete', 'refreshPresent'] as const) {
    if (!reader.is(info[kind])) continue;
    reader.enter(info[kind]);
    const inside = cookieFrom(reader);
    return { kind, cookie: inside, done: reader.is(ber.boolean) ? reader.boolean() : true };
  }
  reader.enter(info.ids);
  const inside = cookieFrom(reader);
  const deletes = reader.is(ber.boolean) && reader.boolean();
  reader.enter(ber.set);
  const uuids: string[] = [];
  while (reader.more) uuids.push(uuidFrom(reader));
  return { kind: 'ids', cookie: inside, deletes, uuids };
}

/** `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, as entryUUID has it. */
export function uuidText(octets: string): string {
  const hex = Buffer.from(octets, 'latin1').toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The other way; undefined where the text is no UUID. */
export function uuidOctets(text: string | undefined): string | undefined {
  if (text === undefined || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return undefined;
  return Buffer.from(text.replaceAll('-', ''), 'hex').toString('latin1');
}
