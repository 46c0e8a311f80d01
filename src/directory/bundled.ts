/**
 * The bundled directory: the Directory port on an embedded database.
 *
 * Promise: every write is one durable transaction with its indexes and its change record; a reader sees what is durable; rights
 * are judged here for every door. Building the parts is open.ts's business.
 * Spec: RFC 4511
 */

import { randomUUID } from 'node:crypto';
import { type Clock, type Log, severalAtOnce } from '../base/index.ts';
import { type Dn, parseDn } from '../ldap-wire/index.ts';
import type { Key, KeyValue, PartReader } from '../storage/index.ts';
import { type AccessAnswer, type AccessQuestion, explainAccess } from './access/explain.ts';
import type { Judge, Subject } from './access/judge.ts';
import { isRule, ruleOf } from './access/rules.ts';
import { deniedChange } from './access/self-write.ts';
import { type ComputedReader, notFollowed, readOnly } from './computed/reader.ts';
import type { ComputedTree } from './computed/tree.ts';
import type { Attribute, AttributeValue, Entry } from './entry.ts';
import type { Recorded } from './history/change-record.ts';
import { differences } from './history/differences.ts';
import type { Feed } from './history/feed.ts';
import type { History, HistoryItem, HistoryQuery } from './history/history.ts';
import { knownOf } from './history/known.ts';
import type { Logins } from './passwords/login.ts';
import type { Standings } from './passwords/standing.ts';
import { checkPasswords, hashAttributes, hashModifications, type PasswordWriting } from './passwords/writing.ts';
import {
  type Actor,
  type Change,
  type DeleteOptions,
  type Directory,
  DirectoryFault,
  type Login,
  type LoginFrom,
  type Modification,
  type NewName,
  type Position,
  type ScramExchange,
  type SearchRequest,
  system,
  type Watch,
  type WriteOptions,
  type WriteResult,
} from './port.ts';
import { decodeNumber } from './records/codec.ts';
import type { InFlight } from './records/in-flight.ts';
import type { Indexes } from './records/indexes.ts';
import { keys } from './records/keys.ts';
import type { Merger } from './records/merge.ts';
import { Transaction } from './records/transaction.ts';
import type { View } from './records/view.ts';
import { subschemaName } from './schema/publish.ts';
import type { Schema } from './schema/schema.ts';
import { compareValue } from './search/compare.ts';
import type { Compiler } from './search/evaluate.ts';
import { noSuchEntry, type Searcher } from './search/search.ts';
import type { Selector } from './search/select.ts';
import { Subschema } from './subschema.ts';
import type { Followed, NotifyEvent, NotifyRequest, SyncEvent, SyncRequest } from './sync/port.ts';
import { aroundOf, checkAssertion } from './write/around.ts';
import { addTogether, type NewEntry } from './write/batch.ts';
import { asGiven } from './write/check-entry.ts';
import type { References } from './write/references.ts';
import type { Undo, UndoOptions, UndoResult } from './write/undo.ts';
import type { Stamp, Writer } from './write/writer.ts';

/** Passwords of a batch under way: enough for every worker, few enough that log-ins come in between. */
const hashesAtOnce = 8;

export interface BundledParts {
  readonly keyValue: KeyValue;
  readonly view: View;
  readonly schema: Schema;
  readonly judge: Judge;
  readonly compiler: Compiler;
  readonly searcher: Searcher;
  readonly computed: ComputedReader;
  readonly selector: Selector;
  readonly writer: Writer;
  readonly indexes: Indexes;
  readonly merger: Merger;
  readonly inFlight: InFlight;
  readonly feed: Feed;
  readonly history: History;
  readonly undo: Undo;
  readonly references: References;
  readonly passwords: PasswordWriting;
  readonly standings: Standings;
  readonly systemBase: Dn;
  readonly clock: Clock;
  readonly log: Log;
  /** Entries one delete takes at most. */
  readonly subtreeLimit: () => number;
  readonly synchroniser: Followed;
  readonly closing: () => Promise<void>;
}

/** Administrators bring accounts from elsewhere along with their hashes; anybody else gives passwords. */
const mayGiveHashes = (subject: Subject): boolean => subject.root || subject.domain !== undefined;

const everything = ['*', '+'];

export class BundledDirectory implements Directory, Followed {
  readonly schema: Schema;
  readonly #parts: BundledParts;
  readonly #accessBase: Dn;
  readonly #subschema: Subschema;
  #logins: Logins | undefined;

  constructor(parts: BundledParts) {
    this.#parts = parts;
    this.schema = parts.schema;
    this.#accessBase = parseDn(`cn=access,${parts.systemBase.toString()}`);
    this.#subschema = new Subschema(parts);
  }

  /** Given once, by open.ts: logging in needs this directory itself. */
  useLogins(logins: Logins): void {
    this.#logins = logins;
  }

  /** Given once, by whoever knows how the server is: what stands at and below `cn=monitor`. */
  useMonitor(tree: ComputedTree): void {
    this.#parts.computed.use(tree);
  }

  search(actor: Actor, request: SearchRequest): AsyncIterable<Entry> {
    const { computed } = this.#parts;
    if (computed.has(request.base)) return computed.search(actor, request);
    if (this.#subschema.is(request.base)) return this.#subschema.search(request);
    return this.#parts.searcher.search(actor, request);
  }

  /** The whole answer at once where a few index records give it, else undefined: then `search`. */
  answerNow(actor: Actor, request: SearchRequest): readonly Entry[] | undefined {
    if (this.#subschema.is(request.base) || this.#parts.computed.has(request.base)) return undefined;
    return this.#parts.searcher.answerNow(actor, request);
  }

  subschemaEntry(): Entry {
    return this.#subschema.stored.entry;
  }

  /** What the root DSE says of this directory; the door adds what it speaks. */
  rootDse(): { readonly namingContexts: readonly string[]; readonly subschemaSubentry: string } {
    return { namingContexts: this.#contexts, subschemaSubentry: subschemaName };
  }

  #contexts: readonly string[] = [];

  /** Reads the naming contexts and the access rules; once at the start, and again when they have changed. */
  refresh(): Promise<void> {
    // One after the other, so that an older reading never overwrites a newer one.
    this.#refreshing = this.#refreshing
      .then(() => this.#reload())
      .catch((thrown: unknown) => this.#parts.log.error('the access rules could not be read anew', thrown));
    return this.#refreshing;
  }

  #refreshing: Promise<void> = Promise.resolve();

  async #reload(): Promise<void> {
    const { keyValue, view, judge, compiler, log } = this.#parts;
    const below = async (id: number): Promise<Entry[]> => {
      const found: Entry[] = [];
      for await (const [, octets] of keyValue.scan(keys.names(id))) {
        const stored = view.load(decodeNumber(octets));
        if (stored) found.push(stored.entry);
      }
      return found;
    };
    this.#contexts = (await below(0)).map((entry) => entry.dn.toString());
    const access = view.find(this.#accessBase);
    const rules = (access ? await below(access.id) : [])
      .filter((entry) => entry.isA('mtAccess'))
      .map((entry) => {
        const rule = ruleOf(entry, { schema: this.schema, compiler });
        if (!isRule(rule)) log.error(`the access rule ${entry.dn.toString()} is not used: attribute ${rule.attribute}: ${rule.say}`);
        return rule;
      });
    judge.setRules(rules.filter(isRule));
  }

  async read(actor: Actor, dn: Dn, attributes?: readonly string[]): Promise<Entry | undefined> {
    const { view, judge, selector, computed } = this.#parts;
    if (computed.has(dn)) return computed.read(actor, dn, attributes);
    if (this.#subschema.is(dn)) return this.#subschema.shown(attributes, false);
    const subject = judge.subject(actor);
    const stored = view.find(dn);
    if (!stored || !judge.knows(subject, stored.entry)) return undefined;
    return selector.select(stored, selector.selection(attributes, false), judge.verdict(subject, stored.entry));
  }

  async compare(
    actor: Actor,
    dn: Dn,
    attribute: string,
    value: AttributeValue,
    options: Pick<WriteOptions, 'assertion'> = {},
  ): Promise<boolean> {
    const { view, judge, compiler, computed } = this.#parts;
    const isSchema = this.#subschema.is(dn);
    const subject = isSchema ? this.#subschema.reader() : judge.subject(actor);
    const stored = isSchema ? this.#subschema.stored : computed.has(dn) ? await computed.stored(subject, dn) : view.find(dn);
    if (!stored || !judge.knows(subject, stored.entry)) throw noSuchEntry(dn, view, judge, subject);
    if (options.assertion) checkAssertion(judge, subject, compiler.compile(options.assertion), stored);
    const isPassword = (password: string, forms: readonly string[]): Promise<boolean> =>
      this.#isPassword(actor, stored.entry.dn, password, forms);
    return compareValue({ schema: this.schema, compiler, isPassword }, stored, judge.verdict(subject, stored.entry), attribute, value);
  }

  /** Whoever may compare passwords could guess them as well as by logging in: it counts as that. */
  async #isPassword(actor: Actor, dn: Dn, password: string, stored: readonly string[]): Promise<boolean> {
    if (actor.as === 'system') return (await this.#parts.passwords.hasher.check(password, stored)) >= 0;
    try {
      await this.authenticate(dn, password, actor);
      return true;
    } catch (thrown) {
      if (thrown instanceof DirectoryFault && thrown.result === 'invalidCredentials') return false;
      throw thrown;
    }
  }

  async add(actor: Actor, dn: Dn, attributes: readonly Attribute[], options?: WriteOptions): Promise<WriteResult> {
    const { judge, passwords, writer } = this.#parts;
    const subject = judge.subject(actor);
    // Before any hashing: a stranger must not be able to make work.
    if (!subject.root && !judge.mayEntry(subject, asGiven(this.schema, dn, attributes), 'add')) throw await this.#refusedAdd(subject, dn);
    checkPasswords(this.schema, attributes, !mayGiveHashes(subject));
    // An import brings over what was good enough elsewhere, in a batch or entry by entry.
    const hashed = await hashAttributes(passwords, attributes, actor.as === 'system' && actor.door === 'import');
    return this.#write([dn], actor, options, (tx, stamp) => writer.add(tx, stamp, dn, hashed));
  }

  async #refusedAdd(subject: Subject, dn: Dn): Promise<DirectoryFault> {
    const { view, judge } = this.#parts;
    const parent = dn.parent && view.find(dn.parent);
    if (parent && judge.knows(subject, parent.entry)) return new DirectoryFault('insufficientAccessRights', 'you may not add this entry');
    if (!dn.parent || dn.parent.rdns.length === 0)
      return new DirectoryFault('insufficientAccessRights', 'you may not add a naming context');
    return noSuchEntry(dn.parent, view, judge, subject);
  }

  async modify(actor: Actor, dn: Dn, modifications: readonly Modification[], options?: WriteOptions): Promise<WriteResult> {
    const { judge, view, passwords, standings, writer } = this.#parts;
    const subject = judge.subject(actor);
    const secret = modifications.some(({ attribute }) => this.schema.describe(attribute.name)?.type.secret);
    if (secret && !subject.root) {
      const stored = view.find(dn);
      if (!stored || !judge.knows(subject, stored.entry)) throw noSuchEntry(dn, view, judge, subject);
      const verdict = judge.verdict(subject, stored.entry);
      const denied = deniedChange(this.schema, verdict, subject, modifications);
      if (denied) throw new DirectoryFault('insufficientAccessRights', `attribute ${denied.name}: you may not change it`);
    }
    // A user's own hash might cost a log-in anything, or be of a password that is too short.
    const additions = modifications.filter(({ operation }) => operation !== 'delete').map(({ attribute }) => attribute);
    checkPasswords(this.schema, additions, !mayGiveHashes(subject));
    const removals = modifications.filter(({ operation }) => operation === 'delete').map(({ attribute }) => attribute);
    checkPasswords(this.schema, removals, false);
    // Naming the old password is guessing it, if it is wrong.
    const guess = async (clear: string, stored: readonly string[]): Promise<number> =>
      subject.root || !this.#logins ? passwords.hasher.check(clear, stored) : this.#logins.guess(dn, clear, stored, actor);
    const whose = { entry: () => view.find(dn)?.entry, own: subject.dn?.key === dn.key, guess };
    const hashed = await hashModifications(passwords, modifications, whose);
    const result = await standings.during(actor, dn, (changing) =>
      this.#write([dn], actor, options, async (tx, stamp) => changing(await writer.modify(tx, stamp, dn, hashed))),
    );
    if (actor.dn?.key !== dn.key && modifications.some(unlocks)) this.#logins?.pardon(dn);
    return result;
  }

  async rename(actor: Actor, dn: Dn, to: NewName, options?: WriteOptions): Promise<WriteResult> {
    // The entry may come from elsewhere into the access rules, or leave them.
    const target = (to.newSuperior ?? dn.parent)?.child(to.rdn);
    return this.#write([dn, ...(target ? [target] : [])], actor, options, (tx, stamp) => this.#parts.writer.rename(tx, stamp, dn, to));
  }

  async delete(actor: Actor, dn: Dn, options?: DeleteOptions): Promise<WriteResult> {
    const { writer, subtreeLimit } = this.#parts;
    return this.#write([dn], actor, options, (tx, stamp) =>
      options?.subtree ? writer.deleteTree(tx, stamp, dn, subtreeLimit()) : writer.delete(tx, stamp, dn),
    );
  }

  async authenticate(dn: Dn, password: string, from: LoginFrom): Promise<Login> {
    if (!this.#logins) throw new DirectoryFault('unavailable', 'log-ins are not possible yet');
    return this.#logins.authenticate(dn, password, from);
  }

  scram(dn: Dn, from: LoginFrom): ScramExchange {
    if (!this.#logins) throw new DirectoryFault('unavailable', 'log-ins are not possible yet');
    return this.#logins.scram(dn, from);
  }

  holds(actor: Actor): boolean {
    return this.#parts.standings.holds(actor);
  }

  /** What somebody may do with an entry, and which rule says so. DirectoryFault where there is no such name, entry, right or attribute. */
  async explainAccess(question: AccessQuestion): Promise<AccessAnswer> {
    const { judge, view, searcher } = this.#parts;
    const find = (name: string): Entry | undefined => view.find(parseDn(name))?.entry;
    return explainAccess({ schema: this.schema, judge, find, search: (request) => searcher.search(system('explain'), request) }, question);
  }

  async position(): Promise<Position> {
    return this.#parts.view.change();
  }

  async watch(from: Position | undefined, listener: (change: Change) => void, lost: () => void): Promise<Watch> {
    return this.#parts.feed.watch(from, listener, lost);
  }

  synchronise(actor: Actor, request: SyncRequest): AsyncIterable<SyncEvent> {
    if (this.#parts.computed.has(request.base)) throw notFollowed();
    return this.#parts.synchroniser.synchronise(actor, request);
  }

  notify(actor: Actor, request: NotifyRequest): AsyncIterable<NotifyEvent> {
    if (this.#parts.computed.has(request.base)) throw notFollowed();
    return this.#parts.synchroniser.notify(actor, request);
  }

  /** What the server notes about an account by itself: neither a new password nor a change that anybody made. */
  async note(dn: Dn, modifications: readonly Modification[]): Promise<void> {
    await this.#write([dn], system('login'), undefined, async (tx, stamp) => {
      await this.#parts.writer.modify(tx, { ...stamp, note: true }, dn, modifications);
    });
  }

  /** Adds many entries in one transaction, without a change record each: for an import. All or none of the batch. */
  async addBatch(actor: Actor, entries: readonly NewEntry[]): Promise<void> {
    const { passwords, writer, computed } = this.#parts;
    for (const { dn } of entries) if (computed.has(dn)) throw readOnly(dn);
    const hashed = await severalAtOnce(entries, hashesAtOnce, async ({ dn, attributes }) => {
      return { dn, attributes: await hashAttributes(passwords, attributes, true), stamp: this.#stamp(actor, false) };
    });
    await this.#commit(
      (tx) => addTogether(tx, writer, hashed),
      hashed.map(({ dn }) => dn),
    );
  }

  #stamp(actor: Actor, history: boolean, options?: WriteOptions): Stamp {
    const uuids: string[] = [];
    const uuid = (n: number): string => {
      uuids[n] ??= randomUUID();
      return uuids[n];
    };
    const around = aroundOf(this.#parts, this.#parts.judge.subject(actor), options);
    return { actor, at: this.#parts.clock.now(), uuid, history, around };
  }

  async #write(
    names: readonly Dn[],
    actor: Actor,
    options: WriteOptions | undefined,
    what: (tx: Transaction, stamp: Stamp) => Promise<void>,
  ): Promise<WriteResult> {
    await this.#parts.computed.refuseWrite(actor, names);
    const stamp = this.#stamp(actor, true, options);
    await this.#commit(async (tx) => {
      await what(tx, stamp);
      await this.#parts.references.follow(tx, stamp);
    }, names);
    return stamp.around?.result ?? {};
  }

  async #commit(what: (tx: Transaction) => Promise<void>, names: readonly Dn[]): Promise<void> {
    const run = async (read: PartReader): Promise<{ tx: Transaction; result: undefined }> => {
      const tx = new Transaction(read, this.#parts.inFlight);
      await what(tx);
      return { tx, result: undefined };
    };
    await this.#run(run, names, true);
  }

  /** Without `write` everything is done and nothing kept. */
  async #run<T>(
    run: (read: PartReader) => Promise<{ readonly tx: Transaction; readonly result: T }>,
    names: readonly Dn[],
    write: boolean,
  ): Promise<T> {
    const { keyValue, inFlight, merger, judge, feed } = this.#parts;
    const runs: Transaction[] = [];
    let result: T;
    try {
      result = await keyValue.transact(async (read) => {
        const { tx, result } = await run(read);
        if (!write) return { result };
        runs.push(tx);
        inFlight.add(tx);
        return tx.changes(result);
      }, 'durable');
    } finally {
      for (const tx of runs) inFlight.delete(tx);
    }
    const done = runs.at(-1);
    if (!done) return result;
    inFlight.keep(done);
    feed.committed(done.logged);
    const behind = done.pending.size > 0 ? merger.noted(done.pending) : undefined;
    judge.changed();
    const system = names.some((dn) => dn.isWithin(this.#accessBase) || this.#parts.systemBase.isWithin(dn) || dn.rdns.length <= 1);
    // A whole tree may have been made on the way (missing dc levels).
    if (system || done.contexts) await this.refresh();
    await behind;
    return result;
  }

  /** The change log, newest first, as far as the actor may know it: super administrators all, domain administrators their domain's. */
  async *history(actor: Actor, query: HistoryQuery): AsyncGenerator<HistoryItem> {
    const { history, judge } = this.#parts;
    const subject = judge.subject(actor);
    if (!subject.root && !subject.domain) throw new DirectoryFault('insufficientAccessRights', 'you may not read the history');
    yield* history.list(query, (record) => knownOf({ judge, schema: this.schema }, subject, record));
  }

  /**
   * Undoes the operation that a change belongs to (write/undo.ts). Throws DirectoryFault unwillingToPerform with the reason where
   * later changes stand in the way or nothing is left to undo, else what the checks of ordinary writes throw.
   */
  async undo(actor: Actor, position: Position, options: UndoOptions = {}): Promise<UndoResult> {
    const { undo, judge } = this.#parts;
    const subject = judge.subject(actor);
    const undoable = await undo.prepare(position);
    const isKnown = (record: Recorded): boolean => {
      const known = knownOf({ judge, schema: this.schema }, subject, record);
      // What would be set back is told, so all of it must be known.
      return known?.kind === 'change' && differences(this.schema, known).length === differences(this.schema, record).length;
    };
    if (!undoable.records.every(isKnown)) throw new DirectoryFault('insufficientAccessRights', `you may not undo change ${position}`);
    const stamp = { ...this.#stamp(actor, true), undoes: undoable.operation };
    const gather = Boolean(options.dryRun || options.force);
    const names = undoable.records.flatMap(({ change }) => [change.before, change.after].flatMap((entry) => entry?.dn ?? []));
    return this.#run((read) => undo.run(read, stamp, undoable, gather, !options.dryRun), names, !options.dryRun);
  }

  /**
   * Writes at once what was prepared on a copy of this database (`changes`: undefined removes), if nothing has been written here since
   * position `from`. False where something was.
   */
  async adopt(from: Position, changes: readonly (readonly [Key, Uint8Array | undefined])[]): Promise<boolean> {
    const { indexes } = this.#parts;
    const adopt = async (read: PartReader): Promise<{ tx: Transaction; result: Transaction | undefined }> => {
      const tx = new Transaction(read);
      if (new Transaction(read).counters().change !== from) return { tx, result: undefined };
      indexes.adopt(tx, changes, from + 1);
      // Anything may mean something else.
      tx.renamed = true;
      return { tx, result: tx };
    };
    const adopted = await this.#run(adopt, [], true);
    if (!adopted) return false;
    await this.refresh();
    return true;
  }

  /** Brings the indexes wholly up to date; searches do not need it. For the end of an import. */
  async settle(): Promise<void> {
    await this.#parts.merger.drain();
  }

  /** The system's own view: every attribute, secrets included. For export and checks. */
  async readAll(dn: Dn): Promise<Entry | undefined> {
    return this.read(system('directory'), dn, everything);
  }

  async close(): Promise<void> {
    this.#parts.feed.close();
    this.#parts.inFlight.close();
    this.#logins?.close();
    await this.#parts.closing();
  }
}

/** A lock that is taken away, or a password that is given. */
function unlocks({ operation, attribute: { name, values } }: Modification): boolean {
  const lifted = operation === 'delete' || (operation === 'replace' && values.length === 0);
  return lifted ? /^pwdAccountLockedTime$/i.test(name) : /^userPassword$/i.test(name);
}
