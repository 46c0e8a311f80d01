/**
 * Opens the message store on a key-value engine and a blob engine, and puts the verbs of this room together.
 *
 * Several processes may have the same engines open: nothing rests on memory of this process alone.
 */

import { type Clock, constant, type Live, type Log, silentLog } from '../base/index.ts';
import { defaultsOf } from '../settings/index.ts';
import type { Blobs, KeyValue } from '../storage/index.ts';
import { Accounts } from './accounts.ts';
import { append, deliverPart } from './arrivals.ts';
import { read, stream } from './bytes.ts';
import type { Context } from './context.ts';
import { expunge, remove } from './departures.ts';
import { changeFlags } from './flag-changes.ts';
import { Housekeeping } from './housekeeping.ts';
import { inboxId } from './keys.ts';
import { MailboxNames } from './mailbox-names.ts';
import { messages, source } from './messages.ts';
import { knownName } from './names.ts';
import type { Store } from './port.ts';
import { type StoreSettings, storeSettings } from './settings.ts';
import { copy, move, moveAll } from './transfers.ts';
import { changes, claimRecent, index } from './views.ts';
import { Watchers } from './watchers.ts';

export interface StoreOptions {
  readonly keyValue: KeyValue;
  readonly blobs: Blobs;
  readonly clock: Clock;
  readonly log?: Log;
  /** The defaults where none are given. */
  readonly settings?: Live<StoreSettings>;
}

/** A store that somebody opened and will close. */
export interface OpenStore extends Store {
  /** Does now what is otherwise done a little later: clearing deleted mailboxes away. */
  drained(): Promise<void>;
  /** Forgets delivery ids older than the setting says; done every six hours anyway. */
  forgetDeliveries(): Promise<void>;
  /** Ends background work and subscriptions. The engines stay open: they belong to whoever opened them. */
  close(): Promise<void>;
}

export async function openStore(options: StoreOptions): Promise<OpenStore> {
  const { keyValue, blobs, clock, log = silentLog, settings = constant(defaultsOf(storeSettings)) } = options;
  const housekeeping = new Housekeeping({ keyValue, clock, log, settings });
  const ctx: Context = { keyValue, blobs, clock, log, settings, housekeeping };
  const accounts = new Accounts(ctx);
  const names = new MailboxNames(ctx);
  const watchers = new Watchers(keyValue, log);
  // What the last process left undone.
  housekeeping.wake();
  return {
    ensureAccount: (account) => accounts.ensure(account),
    deleteAccount: (account) => accounts.remove(account),
    accounts: () => accounts.list(),
    usage: (account) => accounts.usage(account),
    mailboxes: (account) => names.list(account),
    mailbox: (account, name) => names.find(account, name),
    createMailbox: (account, name, specialUse) => names.create(account, name, specialUse),
    deleteMailbox: (account, name) => names.delete(account, name),
    async renameMailbox(account, from, to) {
      if (knownName(from) !== 'INBOX') return names.rename(account, from, to);
      // RFC 3501 §6.3.5: INBOX stays, its messages go; its children are not affected.
      await names.create(account, to);
      await moveAll(ctx, account, inboxId, to.replace(/\/$/, ''));
    },
    subscribe: (account, name, on) => names.subscribe(account, name, on),
    subscriptions: (account) => names.subscriptions(account),
    index: (account, mailbox) => index(ctx, account, mailbox),
    changes: (account, mailbox, since) => changes(ctx, account, mailbox, since),
    watch: (account, mailbox, listener) => watchers.watch(account, mailbox, listener),
    claimRecent: (account, mailbox) => claimRecent(ctx, account, mailbox),
    message: async (account, mailbox, uid) => (await messages(ctx, account, mailbox, [uid]))[0],
    messages: (account, mailbox, uids) => messages(ctx, account, mailbox, uids),
    source: (account, mailbox, uid) => source(ctx, account, mailbox, uid),
    read: (message, start, end) => read(blobs, message, start, end),
    stream: (message, start, end) => stream(blobs, message, start, end),
    deliverPart: (account, message, how) => deliverPart(ctx, account, message, how),
    append: (account, mailbox, added) => append(ctx, account, mailbox, added),
    copy: (account, from, uids, to) => copy(ctx, account, from, uids, to),
    move: (account, from, uids, to) => move(ctx, account, from, uids, to),
    changeFlags: (account, mailbox, uids, change, unchangedSince) => changeFlags(ctx, account, mailbox, uids, change, unchangedSince),
    expunge: (account, mailbox, uids) => expunge(ctx, account, mailbox, uids),
    remove: (account, mailbox, uids) => remove(ctx, account, mailbox, uids),
    drained: () => housekeeping.drained(),
    forgetDeliveries: () => housekeeping.forgetDeliveries(),
    async close() {
      accounts.close();
      watchers.close();
      await housekeeping.close();
    },
  };
}
