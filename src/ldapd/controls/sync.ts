/**
 * Content synchronisation on the wire: request, state and done controls, and the Sync Info message.
 * Spec: RFC 4533 §2
 */

import { Fault } from '../../base/index.ts';
import { BerWriter, ber, type Control, encodeResponseOperation } from '../../ldap-wire/index.ts';
import { type ControlKind, whole } from './control.ts';

export interface SyncWish {
  readonly persist: boolean;
  readonly cookie: Uint8Array | undefined;
  readonly reloadHint: boolean;
}

const refreshOnly = 1;
const refreshAndPersist = 3;

export const syncRequest: ControlKind<SyncWish> = {
  oid: '1.3.6.1.4.1.4203.1.9.1.1',
  name: 'Sync Request',
  spec: 'RFC 4533 §2.2',
  read: (value) =>
    whole(value, (reader) => {
      const outer = reader.enter(ber.sequence);
      const mode = reader.integer(0, 0x7fffffff, ber.enumerated);
      const cookie = reader.is(ber.octets) ? Uint8Array.from(reader.octets()) : undefined;
      const reloadHint = reader.is(ber.boolean) && reader.boolean();
      reader.leave(outer);
      if (mode !== refreshOnly && mode !== refreshAndPersist) throw new Fault('malformed', `there is no mode ${mode}`);
      return { persist: mode === refreshAndPersist, cookie, reloadHint };
    }),
};

const states = { add: 1, modify: 2, delete: 3 } as const;

/** What an entry message is about (§2.3). */
export function syncState(state: keyof typeof states, uuid: Buffer, cookie: Uint8Array | undefined): Control {
  const writer = new BerWriter(128);
  const begun = writer.begin();
  writer.integer(states[state], ber.enumerated).octets(uuid);
  if (cookie) writer.octets(cookie);
  return { oid: '1.3.6.1.4.1.4203.1.9.1.2', critical: false, value: writer.end(begun).done() };
}

/** The end of a synchronisation (§2.4). */
export function syncDone(cookie: Uint8Array | undefined, refreshDeletes: boolean): Control {
  const writer = new BerWriter(128);
  const begun = writer.begin();
  if (cookie) writer.octets(cookie);
  if (refreshDeletes) writer.boolean(true);
  return { oid: '1.3.6.1.4.1.4203.1.9.1.3', critical: false, value: writer.end(begun).done() };
}

const infoOid = '1.3.6.1.4.1.4203.1.9.1.4';
const tags = { newCookie: 0x80, refreshDelete: 0xa1, refreshPresent: 0xa2, idSet: 0xa3 } as const;

export type SyncInfo =
  | { readonly kind: 'newCookie'; readonly cookie: Uint8Array }
  /** The end of the refresh of a search that stays (refreshDone TRUE, which is the default). */
  | { readonly kind: 'refreshDelete' | 'refreshPresent'; readonly cookie: Uint8Array }
  | { readonly kind: 'idSet'; readonly deletes: boolean; readonly uuids: readonly Buffer[] };

/** A Sync Info message, without message id (§2.5). */
export function syncInfo(info: SyncInfo): Buffer {
  const writer = new BerWriter(256);
  if (info.kind === 'newCookie') writer.octets(info.cookie, tags.newCookie);
  else {
    const begun = writer.begin(tags[info.kind]);
    if (info.kind === 'idSet') {
      if (info.deletes) writer.boolean(true);
      const set = writer.begin(ber.set);
      for (const uuid of info.uuids) writer.octets(uuid);
      writer.end(set);
    } else writer.octets(info.cookie);
    writer.end(begun);
  }
  return encodeResponseOperation({ op: 'intermediate', oid: infoOid, value: writer.done() });
}

/** The 16 octets of a UUID (§2.1.1), or undefined for a text that is none. */
export function uuidOctets(text: string): Buffer | undefined {
  const octets = Buffer.from(text.replaceAll('-', ''), 'hex');
  return octets.length === 16 ? octets : undefined;
}
