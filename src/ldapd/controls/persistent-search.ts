/**
 * The persistent search control, and the entry change notification control of its answers.
 * Spec: draft-ietf-ldapext-psearch-03 §4, §5
 */

import { Fault } from '../../base/index.ts';
import type { Change, NotifyEvent } from '../../directory/index.ts';
import { BerWriter, ber, type Control } from '../../ldap-wire/index.ts';
import { type ControlKind, whole } from './control.ts';

export interface PersistentWish {
  readonly kinds: ReadonlySet<Change['kind']>;
  readonly changesOnly: boolean;
  /** Whether each change comes with a notification control. */
  readonly notices: boolean;
}

const bits = { add: 1, delete: 2, modify: 4, rename: 8 } as const satisfies Record<Change['kind'], number>;
const allBits = 15;

export const persistentSearch: ControlKind<PersistentWish> = {
  oid: '2.16.840.1.113730.3.4.3',
  name: 'persistent search',
  spec: 'draft-ietf-ldapext-psearch-03 §4',
  read: (value) =>
    whole(value, (reader) => {
      const outer = reader.enter(ber.sequence);
      const types = reader.integer(0, 0x7fffffff);
      const changesOnly = reader.boolean();
      const notices = reader.boolean();
      reader.leave(outer);
      if (types === 0 || (types & ~allBits) !== 0) throw new Fault('malformed', `${types} is no sum of the change types 1, 2, 4 and 8`);
      const kinds = (Object.keys(bits) as Change['kind'][]).filter((kind) => (types & bits[kind]) !== 0);
      return { kinds: new Set(kinds), changesOnly, notices };
    }),
};

/** What has happened to the entry of a message. */
export function changeNotice({ kind, previous, position }: NonNullable<NotifyEvent['change']>): Control {
  const writer = new BerWriter(128);
  const begun = writer.begin();
  writer.integer(bits[kind], ber.enumerated);
  if (previous) writer.text(previous.toString());
  writer.octets(wholeNumber(position), ber.integer);
  return { oid: '2.16.840.1.113730.3.4.7', critical: false, value: writer.end(begun).done() };
}

/** The content of an INTEGER, as short as it can be; for numbers that 32 bits do not hold, too. */
function wholeNumber(n: number): Buffer {
  const hex = n.toString(16);
  const octets = Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex');
  return (octets[0] ?? 0) < 0x80 ? octets : Buffer.concat([Buffer.of(0), octets]);
}
