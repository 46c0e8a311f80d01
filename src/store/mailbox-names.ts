/**
 * The names of an account's mailboxes: listing, creating, deleting, renaming, subscribing.
 *
 * Promise: a UIDVALIDITY is given out once per account and grows; a name never has a mailbox with a smaller one than it had before.
 * A deleted mailbox is gone with the commit; its messages are cleared away afterwards (housekeeping.ts).
 * Spec: RFC 3501 §6.3.3–6.3.7, RFC 6154 §3
 */

import { Fault } from '../base/index.ts';
import { type Context, checkAccount, noAccount, noMailbox, transact } from './context.ts';
import { type Counters, decodeCounters, encodeCounters, freshCounters } from './counters.ts';
import type { Draft } from './draft.ts';
import {
  accountKey,
  childRange,
  countersKey,
  inboxId,
  keywordsKey,
  lastSegment,
  mailboxTopic,
  nameKey,
  nameRange,
  purgeKey,
  subscriptionKey,
  subscriptionRange,
} from './keys.ts';
import { checkedName, compareNames, knownName, nameHash, parentsOf } from './names.ts';
import type { AccountId, MailboxInfo, SpecialUse } from './port.ts';
import type { AccountRecord, NameRecord } from './records.ts';
import { fromJson } from './wire.ts';

const nothing = new Uint8Array(0);
const mostRetired = 256;
/** RFC 6154 uses that a mailbox of ours can have; `\All` and `\Flagged` would be views. */
const usable: readonly SpecialUse[] = ['\\Archive', '\\Drafts', '\\Junk', '\\Sent', '\\Trash'];

const wholeSeconds = (ms: number): number => Math.max(1, Math.floor(ms / 1000));

/** A UIDVALIDITY of its own: the time in seconds, or more where that is taken. */
function nextValidity(record: AccountRecord, now: number): number {
  const next = Math.max(record.lastUidValidity + 1, wholeSeconds(now));
  if (next >= 2 ** 32) throw new Fault('too-many', 'this account has used up all mailbox identifiers');
  return next;
}

/** Adds a mailbox that is not there; returns the account record with it counted (not yet put). */
export function makeMailbox(
  draft: Draft,
  record: AccountRecord,
  name: string,
  specialUse: readonly SpecialUse[],
  now: number,
): AccountRecord {
  const uidValidity = nextValidity(record, now);
  const id = name === 'INBOX' ? inboxId : record.nextMailbox;
  draft.putName({ id, name, selectable: true, specialUse });
  draft.put(countersKey(draft.account, id), encodeCounters(freshCounters(uidValidity)));
  return {
    ...record,
    mailboxes: record.mailboxes + 1,
    nextMailbox: Math.max(record.nextMailbox, id + 1),
    lastUidValidity: uidValidity,
  };
}

/** Remembers which UIDVALIDITY a name had when it was given up. */
function retire(record: AccountRecord, name: string, uidValidity: number): AccountRecord {
  const hash = nameHash(name);
  const retired = [...record.retired.filter(([other]) => other !== hash), [hash, uidValidity] as const];
  const [dropped] = retired.length > mostRetired ? retired.splice(0, 1) : [];
  return { ...record, retired, retiredFloor: Math.max(record.retiredFloor, dropped?.[1] ?? 0) };
}

/** Undefined for a mailbox whose counters went between two reads: it was deleted. */
function infoOf(record: NameRecord, counters: Counters | undefined, subscribed: boolean): MailboxInfo | undefined {
  if (record.selectable && !counters) return undefined;
  return {
    id: record.id,
    name: record.name,
    subscribed,
    specialUse: record.specialUse,
    selectable: record.selectable,
    uidValidity: counters?.uidValidity ?? 0,
    uidNext: counters?.uidNext ?? 1,
    messages: counters?.messages ?? 0,
    unseen: counters?.unseen ?? 0,
    recentFrom: counters?.recentFrom ?? 1,
    deleted: counters?.deleted ?? 0,
    size: counters?.size ?? 0,
    highestModSeq: counters?.highestModSeq ?? 1,
  };
}

export class MailboxNames {
  readonly #ctx: Context;

  constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  async list(account: AccountId): Promise<MailboxInfo[]> {
    const { keyValue } = this.#ctx;
    const records: NameRecord[] = [];
    for await (const [, bytes] of keyValue.scan(nameRange(account))) records.push(fromJson<NameRecord>(bytes));
    const subscribed = new Set(await this.subscriptions(account));
    const counters = await keyValue.getMany(records.map((record) => countersKey(account, record.id)));
    return records
      .map((record, n) => infoOf(record, counters[n] && decodeCounters(counters[n]), subscribed.has(record.name)))
      .filter((info) => info !== undefined)
      .sort((a, b) => compareNames(a.name, b.name));
  }

  async find(account: AccountId, anyName: string): Promise<MailboxInfo | undefined> {
    const { keyValue } = this.#ctx;
    const name = knownName(anyName);
    if (name === undefined) return undefined;
    const [bytes, subscription] = await keyValue.getMany([nameKey(account, name), subscriptionKey(account, name)]);
    if (!bytes) return undefined;
    const record = fromJson<NameRecord>(bytes);
    const counters = record.selectable ? await keyValue.get(countersKey(account, record.id)) : undefined;
    return infoOf(record, counters && decodeCounters(counters), subscription !== undefined);
  }

  async create(account: AccountId, anyName: string, specialUse: readonly SpecialUse[] = []): Promise<MailboxInfo> {
    checkAccount(account);
    // A separator at the end only says that children will follow (RFC 3501 §6.3.3).
    const name = checkedName(anyName.replace(/\/$/, ''));
    const uses = [...new Set(specialUse)].sort();
    if (uses.some((use) => !usable.includes(use))) throw new Fault('refused', 'a mailbox cannot have this special use');
    const now = this.#ctx.clock.now();
    await transact(this.#ctx, account, 'durable', (draft) => this.#create(draft, name, uses, now));
    const made = await this.find(account, name);
    if (!made) throw noMailbox();
    return made;
  }

  async #create(draft: Draft, name: string, specialUse: readonly SpecialUse[], now: number): Promise<void> {
    const before = await liveAccount(draft);
    const there = await draft.named(name);
    if (there?.selectable || name === 'INBOX') throw new Fault('exists', 'there is a mailbox of this name');
    let record = await this.#makeParents(draft, before, name, now);
    record = makeMailbox(draft, record, name, specialUse, now);
    // A name that only held children was counted before.
    if (there) record = { ...record, mailboxes: record.mailboxes - 1 };
    this.#checkCount(record);
    draft.putAccount(record);
  }

  async #makeParents(draft: Draft, record: AccountRecord, name: string, now: number): Promise<AccountRecord> {
    let made = record;
    for (const parent of parentsOf(name)) if (!(await draft.named(parent))) made = makeMailbox(draft, made, parent, [], now);
    return made;
  }

  #checkCount(record: AccountRecord): void {
    if (record.mailboxes > this.#ctx.settings.value.mailboxLimit) throw new Fault('too-many', 'this account has too many mailboxes');
  }

  async delete(account: AccountId, anyName: string): Promise<void> {
    checkAccount(account);
    const name = knownName(anyName);
    if (name === undefined) throw noMailbox();
    if (name === 'INBOX') throw new Fault('refused', 'INBOX cannot be deleted');
    await transact(this.#ctx, account, 'durable', async (draft) => {
      const record = await liveAccount(draft);
      const there = await draft.named(name);
      if (!there) throw noMailbox();
      const hasChildren = (await draft.read.scan(childRange(account, name), 1)).length > 0;
      if (hasChildren && !there.selectable) throw new Fault('refused', 'this name has mailboxes below it');
      let after = record;
      if (there.selectable) after = retire(after, name, await dropContents(draft, there));
      if (hasChildren) draft.putName({ ...there, selectable: false, specialUse: [] });
      else {
        draft.delete(nameKey(account, name));
        after = { ...after, mailboxes: after.mailboxes - 1 };
      }
      draft.putAccount(after);
    });
    this.#ctx.housekeeping.wake();
  }

  /** Everything but INBOX; what INBOX's renaming needs is `createForMove`. */
  async rename(account: AccountId, anyFrom: string, anyTo: string): Promise<void> {
    const from = knownName(anyFrom);
    if (from === undefined) throw noMailbox();
    const to = checkedName(anyTo.replace(/\/$/, ''));
    if (to.startsWith(`${from}/`)) throw new Fault('refused', 'a mailbox cannot be moved below itself');
    const now = this.#ctx.clock.now();
    await transact(this.#ctx, account, 'durable', async (draft) => {
      let record = await liveAccount(draft);
      const there = await draft.named(from);
      if (!there) throw noMailbox();
      if (to === 'INBOX' || (await draft.named(to))) throw new Fault('exists', 'there is a mailbox of this name');
      record = await this.#makeParents(draft, record, to, now);
      const below = await draft.read.scan(childRange(account, from));
      for (const moved of [there, ...below.map(([, bytes]) => fromJson<NameRecord>(bytes))]) {
        record = await this.#renameOne(draft, record, moved, to + moved.name.slice(from.length), now);
      }
      this.#checkCount(record);
      draft.putAccount(record);
    });
  }

  async #renameOne(draft: Draft, record: AccountRecord, moved: NameRecord, name: string, now: number): Promise<AccountRecord> {
    checkedName(name);
    draft.delete(nameKey(draft.account, moved.name));
    draft.putName({ ...moved, name });
    const mailbox = moved.selectable ? await draft.mailbox(moved.id) : undefined;
    if (!mailbox) return record;
    let after = retire(record, moved.name, mailbox.counters.uidValidity);
    const hash = nameHash(name);
    const least = Math.max(record.retiredFloor, record.retired.find(([other]) => other === hash)?.[1] ?? 0);
    if (mailbox.counters.uidValidity <= least) {
      // The name once stood for another mailbox; clients must see a greater UIDVALIDITY (RFC 3501 §2.3.1.1).
      mailbox.counters.uidValidity = nextValidity(after, now);
      after = { ...after, lastUidValidity: mailbox.counters.uidValidity };
      mailbox.touchCounters();
    }
    return after;
  }

  async subscribe(account: AccountId, anyName: string, on: boolean): Promise<void> {
    checkAccount(account);
    const name = on ? checkedName(anyName) : knownName(anyName);
    if (name === undefined) return;
    const key = subscriptionKey(account, name);
    await transact(this.#ctx, account, 'durable', async (draft) => {
      const record = await liveAccount(draft);
      const there = (await draft.read.get(key)) !== undefined;
      if (there === on) return;
      if (on && record.subscriptions >= 2 * this.#ctx.settings.value.mailboxLimit) {
        throw new Fault('too-many', 'this account has too many subscriptions');
      }
      if (on) draft.put(key, nothing);
      else draft.delete(key);
      draft.putAccount({ ...record, subscriptions: Math.max(0, record.subscriptions + (on ? 1 : -1)) });
    });
  }

  async subscriptions(account: AccountId): Promise<string[]> {
    const names: string[] = [];
    for await (const [key] of this.#ctx.keyValue.scan(subscriptionRange(account), { keysOnly: true })) names.push(lastSegment(key));
    return names.sort(compareNames);
  }
}

async function liveAccount(draft: Draft): Promise<AccountRecord> {
  const bytes = await draft.read.get(accountKey(draft.account));
  if (!bytes) throw noAccount();
  const record = fromJson<AccountRecord>(bytes);
  if (record.removing) throw new Fault('busy', 'this account is being removed');
  return record;
}

/** Takes a mailbox's contents out of sight and leaves their clearing to housekeeping; returns the UIDVALIDITY it had. */
export async function dropContents(draft: Draft, there: NameRecord): Promise<number> {
  const mailbox = await draft.mailbox(there.id);
  if (!mailbox) return 0;
  const { counters } = mailbox;
  draft.use(-counters.size, -counters.messages);
  draft.delete(countersKey(draft.account, there.id));
  draft.delete(keywordsKey(draft.account, there.id));
  draft.put(purgeKey(draft.account, there.id), nothing);
  draft.wake(mailboxTopic(draft.account, there.id));
  return counters.uidValidity;
}
