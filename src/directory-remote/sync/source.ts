/** What the two ways to hear of changes have in common, and what they leave behind for the next connection. */

import type { Clock, Log } from '../../base/index.ts';
import type { Attribute, Change } from '../../directory/index.ts';
import { Entry } from '../../directory/index.ts';
import type { Dn } from '../../ldap-wire/index.ts';
import type { Feed } from '../feed.ts';
import { nameFrom } from '../results.ts';
import type { Upstream } from '../upstream.ts';
import { Image, printOf } from './image.ts';
import { type Cookie, uuidText } from './messages.ts';

/** What is known of the tree below one base, whichever server told it. */
export class Replica {
  readonly base: Dn;
  readonly image = new Image();
  /** Where the feed of RFC 4533 goes on. */
  cookie: Cookie | undefined;
  /** Whether the image was filled: only then do changes mean anything. */
  filled = false;
  /** Polling: what stood for the last change of each entry. */
  readonly stamps = new Map<string, number>();

  constructor(base: Dn) {
    this.base = base;
  }
}

export interface SourceParts {
  readonly upstream: Upstream;
  readonly replica: Replica;
  readonly feed: Feed;
  readonly clock: Clock;
  readonly log: Log;
  readonly timeoutMs: number;
  readonly pollMs: number;
}

/** Tells the feed of changes below one base. */
export interface Source {
  /** Resolves once the feed is current (or the base does not exist yet: it is waited for). */
  start(): Promise<void>;
  /** Looks at once for a base that did not exist. */
  kick(): void;
  stop(): void;
}

/** Never in the feed, as in the bundled directory's. */
const secrets = new Set(['userpassword', 'mtdkimprivatekey']);

/** Notes an entry that was added, changed or renamed, and tells of it. */
export function upsert({ replica, feed, clock }: SourceParts, uuid: string, entry: Entry): void {
  const print = printOf(entry.dn);
  const known = replica.image.get(uuid);
  replica.image.put(uuid, print);
  replica.image.mark(uuid);
  if (!replica.filled) return;
  const kind = known === undefined ? 'add' : known === print ? 'modify' : 'rename';
  feed.emit({ ...stampOf(entry, clock), kind, uuid: uuidText(uuid), before: undefined, after: withoutSecrets(entry) });
}

/** Notes that an entry is gone, and tells of it. */
export function remove({ replica, feed, clock }: SourceParts, uuid: string): void {
  replica.image.remove(uuid);
  replica.stamps.delete(uuid);
  if (replica.filled)
    feed.emit({ ...stampOf(undefined, clock), kind: 'delete', uuid: uuidText(uuid), before: undefined, after: undefined });
}

function withoutSecrets(entry: Entry): Entry {
  if (![...secrets].some((name) => entry.has(name))) return entry;
  const shown: Attribute[] = [...entry.attributes].filter(([lower]) => !secrets.has(lower)).map(([, attribute]) => attribute);
  return new Entry(entry.dn, shown);
}

/** Who and when, as far as the entry says. */
function stampOf(entry: Entry | undefined, clock: Clock): Pick<Change, 'at' | 'actor'> {
  const name = entry?.text('modifiersName');
  return {
    at: timeOf(entry?.text('modifyTimestamp')) ?? clock.now(),
    actor: { dn: name === undefined ? undefined : nameFrom(name), as: 'bound', door: 'ldap' },
  };
}

/** Milliseconds of `20300101000000Z`. */
export function timeOf(text: string | undefined): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)/.exec(text ?? '');
  if (!match) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}
