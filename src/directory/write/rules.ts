/**
 * Rules of the platform, asked in the transaction of every write: what they read is what the write stands on, so two writes at
 * the same moment cannot both slip through. `main` adds those of other rooms.
 */

import { type Dn, type Rdn, rdnKey, rebased } from '../../ldap-wire/index.ts';
import { Entry } from '../entry.ts';
import { type Actor, DirectoryFault } from '../port.ts';

export interface RuleReader {
  /** Entries with this value, from the equality index, at most `most` (100). None for attributes without such an index. */
  find(attribute: string, value: string, most?: number): Promise<Entry[]>;
  read(dn: Dn): Promise<Entry | undefined>;
  /** Everything below an entry. DirectoryFault adminLimitExceeded where that is more than is moved at once. */
  below(dn: Dn): Promise<Entry[]>;
}

export interface WriteAttempt {
  readonly kind: 'add' | 'modify' | 'rename' | 'delete';
  readonly before: Entry | undefined;
  readonly after: Entry | undefined;
  readonly actor: Actor;
}

/** Throws a DirectoryFault to refuse. Pure: it may be asked again about the same write. */
export type WriteRule = (attempt: WriteAttempt, reader: RuleReader) => Promise<void>;

export interface UniqueAddresses {
  /** Attributes that hold addresses; each needs an equality index. */
  readonly attributes: readonly string[];
  /** Entries that only mention somebody else's address: members of lists. */
  readonly except: (entry: Entry) => boolean;
}

/** So many lists may mention one address, and its owner is still found among them. */
const mostMentions = 10_000;

const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

/** An address is unique in the whole tree, whatever attribute it stands in, without regard to case. */
export function uniqueAddresses(options: UniqueAddresses): WriteRule {
  const addressesOf = (entry: Entry): { attribute: string; address: string }[] =>
    options.attributes.flatMap((attribute) => entry.texts(attribute).map((address) => ({ attribute, address })));
  const names = new Set(options.attributes.map((name) => name.toLowerCase()));
  const check = async (before: Entry | undefined, after: Entry, reader: RuleReader): Promise<void> => {
    // Searches find a value with options as well, and whose address it is must not depend on who looks how.
    for (const { name } of after.attributes.values()) {
      if (!name.includes(';')) continue;
      const [base = ''] = name.toLowerCase().split(';');
      if (names.has(base) && !before?.has(name))
        throw new DirectoryFault('constraintViolation', `attribute ${name}: an address takes no attribute options`);
    }
    if (options.except(after)) return;
    const old = before && !options.except(before) ? addressesOf(before) : [];
    const uuid = after.text('entryUUID');
    for (const { attribute, address } of addressesOf(after)) {
      if (old.some((known) => same(known.address, address))) continue;
      for (const other of options.attributes) {
        const holders = await reader.find(other, address, mostMentions);
        const taken = holders.some((entry) => entry.text('entryUUID') !== uuid && !options.except(entry));
        if (taken)
          throw new DirectoryFault(
            'constraintViolation',
            `attribute ${attribute}: the address "${address.slice(0, 320)}" belongs to another entry`,
          );
      }
    }
  };
  /** Whether a modify has anything to do with addresses: attributes it has left alone are the same objects. */
  const touches = (before: Entry, after: Entry): boolean => {
    for (const [lower, attribute] of after.attributes) {
      if (before.attributes.get(lower) !== attribute && names.has(lower.split(';')[0] ?? '')) return true;
    }
    return false;
  };
  const below = (dn: Dn): Entry => new Entry(dn.child([{ type: 'cn', value: 'entry' }]), []);
  return async ({ kind, before, after }, reader) => {
    if (!after || kind === 'delete') return;
    if (kind === 'modify' && before && !touches(before, after)) return;
    await check(before, after, reader);
    if (kind !== 'rename' || !before || !options.except(below(before.dn)) || options.except(below(after.dn))) return;
    // What stands below mentioned addresses, and will own them.
    for (const entry of await reader.below(before.dn))
      await check(undefined, new Entry(rebased(entry.dn, before.dn, after.dn), entry.attributes.values()), reader);
  };
}

/** Whether entries below one of this relative name are members of a list. */
export const namesList = (rdn: Rdn): boolean => rdnKey(rdn).startsWith('mail=');

/** A member of a list stands below the list and is named by an address that is not its own. */
export function isListMember(entry: Entry): boolean {
  const [, above] = entry.dn.rdns;
  return above !== undefined && namesList(above);
}
