/**
 * Accounts: making one with its usual folders, counting what it uses, removing it.
 *
 * Promise: making is idempotent and costs nothing when this process has done it before. Removing is noted durably before it begins
 * and goes on at the next start if it was interrupted; until it is done the account answers `busy`.
 * Spec: RFC 6154 §2
 */

import { Fault } from '../base/index.ts';
import { type Context, checkAccount, transact } from './context.ts';
import { decodeUsage } from './counters.ts';
import type { Draft } from './draft.ts';
import { accountOf, accountRange, inboxId, nameRange, removalTopic, subscriptionKey, usageKey, validityFloorKey } from './keys.ts';
import { makeMailbox } from './mailbox-names.ts';
import { knownName } from './names.ts';
import type { AccountId, SpecialUse } from './port.ts';
import type { AccountRecord, NameRecord } from './records.ts';
import { fromJson } from './wire.ts';

const nothing = new Uint8Array(0);
/** Accounts known to be complete: two generations of this many, so that memory is bounded and what is in use stays. */
const generationSize = 32_768;

export class Accounts {
  readonly #ctx: Context;
  #young = new Set<AccountId>();
  #old = new Set<AccountId>();
  readonly #making = new Map<AccountId, Promise<void>>();
  readonly #unsubscribe: () => void;

  constructor(ctx: Context) {
    this.#ctx = ctx;
    // Another host may have removed an account that we remember.
    this.#unsubscribe = ctx.keyValue.subscribe(removalTopic, () => this.#forgetAll());
  }

  close(): void {
    this.#unsubscribe();
  }

  #forgetAll(): void {
    this.#young.clear();
    this.#old.clear();
  }

  #remember(account: AccountId): void {
    if (this.#young.size >= generationSize) {
      this.#old = this.#young;
      this.#young = new Set();
    }
    this.#young.add(account);
  }

  async ensure(account: AccountId): Promise<void> {
    if (this.#young.has(account)) return;
    if (this.#old.has(account)) return this.#remember(account);
    checkAccount(account);
    const running = this.#making.get(account);
    if (running) return running;
    const making = this.#make(account).finally(() => this.#making.delete(account));
    this.#making.set(account, making);
    return making;
  }

  async #make(account: AccountId): Promise<void> {
    const now = this.#ctx.clock.now();
    await transact(this.#ctx, account, 'durable', async (draft) => {
      const record = (await draft.accountRecord()) ?? (await freshAccount(draft, now));
      if (record.removing) throw new Fault('busy', 'this account is being removed');
      const names = (await draft.read.scan(nameRange(account))).map(([, bytes]) => fromJson<NameRecord>(bytes));
      const made = await this.#addFolders(draft, record, names, now);
      if (made !== record || names.length === 0) draft.putAccount(made);
    });
    this.#remember(account);
  }

  async #addFolders(draft: Draft, record: AccountRecord, names: readonly NameRecord[], now: number): Promise<AccountRecord> {
    let made = record;
    const added = new Set<string>();
    const add = async (name: string, use?: SpecialUse): Promise<void> => {
      // Two settings may say the same name.
      if (added.has(name)) return;
      added.add(name);
      made = makeMailbox(draft, made, name, use ? [use] : [], now);
      const subscription = subscriptionKey(draft.account, name);
      if (await draft.read.get(subscription)) return;
      draft.put(subscription, nothing);
      made = { ...made, subscriptions: made.subscriptions + 1 };
    };
    if (!names.some((mailbox) => mailbox.name === 'INBOX')) await add('INBOX');
    const { draftsName, sentName, junkName, trashName, archiveName } = this.#ctx.settings.value;
    const usual: [SpecialUse, string][] = [
      ['\\Drafts', draftsName],
      ['\\Sent', sentName],
      ['\\Junk', junkName],
      ['\\Trash', trashName],
      ['\\Archive', archiveName],
    ];
    for (const [use, wanted] of usual) {
      if (names.some((mailbox) => mailbox.specialUse.includes(use))) continue;
      const name = knownName(wanted) ?? use.slice(1);
      const there = names.find((mailbox) => mailbox.name === name);
      if (!there) await add(name, use);
      else if (there.selectable && name !== 'INBOX') draft.putName({ ...there, specialUse: [...there.specialUse, use] });
    }
    return made;
  }

  async remove(account: AccountId): Promise<void> {
    checkAccount(account);
    this.#young.delete(account);
    this.#old.delete(account);
    await this.#ctx.housekeeping.removeAccount(account);
  }

  async *list(): AsyncGenerator<AccountId> {
    for await (const [key] of this.#ctx.keyValue.scan(accountRange, { keysOnly: true })) yield accountOf(key);
  }

  async usage(account: AccountId): Promise<{ octets: number; messages: number }> {
    return decodeUsage(await this.#ctx.keyValue.get(usageKey(account)));
  }
}

async function freshAccount(draft: Draft, now: number): Promise<AccountRecord> {
  const floor = await draft.read.get(validityFloorKey);
  return {
    format: 1,
    createdAt: now,
    nextMailbox: inboxId + 1,
    lastUidValidity: floor ? fromJson<number>(floor) : 0,
    mailboxes: 0,
    subscriptions: 0,
    retired: [],
    retiredFloor: 0,
  };
}
