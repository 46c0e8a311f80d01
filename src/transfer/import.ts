/**
 * Importing LDIF into a directory: entries in batches, changes one by one in their place.
 *
 * Promise: every record is an ordinary checked write. An entry whose parent comes later in the file waits for it. Without `goOn` the import
 * stops at the first refusal, with it every refusal is told and the rest is done. Memory is bounded by a batch and by what waits.
 */

import { asFault, Fault } from '../base/index.ts';
import { type Attribute, DirectoryFault, Entry, type Schema } from '../directory/index.ts';
import { type Dn, type LdifBroken, LdifFault, type LdifRecord } from '../ldap-wire/index.ts';
import { additionOf, checkControls, type Entered, isEntry, replacing, withoutUnknown, writeOf } from './records.ts';
import { type Addition, asRefusal, type Target, type Write } from './target.ts';

export interface ImportOptions {
  readonly target: Target;
  readonly schema: Schema;
  /** Name of the file, for messages. */
  readonly file?: string;
  /** Content records of entries that are there take their place instead of being refused. */
  readonly replace?: boolean;
  /** Of entries that are replaced: passwords of the file count for new entries alone. */
  readonly keepPasswords?: boolean;
  /** Entries written together at most (default 300). */
  readonly batch?: number;
  /** Attributes and object classes of entries that the schema does not have are left out, and told, instead of being refused. */
  readonly dropUnknown?: (say: string) => void;
  /** A refused record does not end the import. */
  readonly goOn?: boolean;
  /** Told what every write did; asks for the entries before and after. */
  readonly onDone?: (done: Done) => void;
  readonly onRefused?: (record: LdifRecord | LdifBroken, fault: LdifFault) => void;
  /** Called now and then with the number of records dealt with. */
  readonly progress?: (records: number) => void;
}

/** What one record did. */
export interface Done {
  readonly kind: 'add' | 'modify' | 'rename' | 'delete' | 'unchanged';
  readonly line: number;
  readonly dn: Dn;
  readonly before: Entry | undefined;
  readonly after: Entry | undefined;
}

export interface ImportSummary {
  readonly counts: Readonly<Record<Done['kind'], number>>;
  readonly refused: number;
  /** The refusal at which the import stopped. */
  readonly stopped: Fault | undefined;
  /** Line of the last record behind the refused one that was under way and is done all the same. */
  readonly behind: number | undefined;
  /** Attributes that the server maintains itself and did not take, with the number of entries that had them. */
  readonly notTaken: ReadonlyMap<string, number>;
}

const batch = 300;
const batchOctets = 4 * 1024 * 1024;
/** What may wait for parents. */
const waitingOctets = 256 * 1024 * 1024;
const mostPresent = 50_000;

interface Pending {
  readonly record: Entered;
  readonly addition: Addition;
  readonly size: number;
}

class Stopped extends Error {}

export async function importRecords(
  records: AsyncIterable<LdifRecord | LdifBroken> | Iterable<LdifRecord | LdifBroken>,
  options: ImportOptions,
): Promise<ImportSummary> {
  const run = new Import(options);
  try {
    for await (const record of records) await run.take(record);
    await run.end();
  } catch (thrown) {
    if (!(thrown instanceof Stopped)) throw thrown;
  }
  return run.summary();
}

class Import {
  readonly #options: ImportOptions;
  readonly #counts = { add: 0, modify: 0, rename: 0, delete: 0, unchanged: 0 };
  readonly #notTaken = new Map<string, number>();
  #refused = 0;
  #stopped: LdifFault | undefined;
  #behind: number | undefined;
  readonly #pending: Pending[] = [];
  readonly #pendingNames = new Set<string>();
  #pendingOctets = 0;
  /** Entries by the key of the parent that they wait for. */
  readonly #waiting = new Map<string, Pending[]>();
  #waitingOctets = 0;
  /** Keys of entries that are known to be there. */
  readonly #present = new Set<string>();

  constructor(options: ImportOptions) {
    this.#options = options;
  }

  summary(): ImportSummary {
    return { counts: this.#counts, refused: this.#refused, stopped: this.#stopped, behind: this.#behind, notTaken: this.#notTaken };
  }

  async take(record: LdifRecord | LdifBroken): Promise<void> {
    if (record.kind === 'broken') {
      await this.#flush();
      this.#refuse(record, record.fault);
      return;
    }
    try {
      checkControls(record);
    } catch (thrown) {
      await this.#flush();
      this.#refuseWrite(record, asRefusal(thrown));
      return;
    }
    if (isEntry(record)) await this.#entry(record);
    else await this.#change(record, writeOf(record));
  }

  async end(): Promise<void> {
    await this.#flush();
    for (const pending of [...this.#waiting.values()].flat().sort((a, b) => a.record.line - b.record.line)) {
      this.#refuseWrite(pending.record, new DirectoryFault('noSuchObject', 'the parent entry does not exist'));
    }
  }

  async #entry(record: Entered): Promise<void> {
    const { schema, target, replace } = this.#options;
    const addition = additionOf(schema, this.#known(record), target.takesOperational, (name) =>
      this.#notTaken.set(name, (this.#notTaken.get(name) ?? 0) + 1),
    );
    if (this.#pendingNames.has(record.dn.key)) await this.#flush();
    if (replace && record.kind === 'content') {
      const before = await target.read(record.dn);
      if (before) return this.#replace(record, addition, before);
    }
    const pending = { record, addition, size: sizeOf(addition) };
    const parent = record.dn.parent;
    if (parent && parent.rdns.length > 0 && !(await this.#isThere(parent))) await this.#orphan(pending, parent);
    else await this.#queue(pending);
  }

  #known(record: Entered): Entered {
    const { schema, dropUnknown, file } = this.#options;
    if (!dropUnknown) return record;
    const at = `${file === undefined ? '' : `${file}:`}${record.line}: ${record.dn.toString()}`;
    return withoutUnknown(schema, record, (what) => dropUnknown(`${at}: ${what} is not defined in the schema and is left out`));
  }

  async #queue(pending: Pending): Promise<void> {
    this.#pending.push(pending);
    this.#pendingNames.add(pending.addition.dn.key);
    this.#pendingOctets += pending.size;
    if (this.#pending.length >= (this.#options.batch ?? batch) || this.#pendingOctets >= batchOctets) await this.#flush();
  }

  async #isThere(dn: Dn): Promise<boolean> {
    if (this.#pendingNames.has(dn.key) || this.#present.has(dn.key)) return true;
    if (!(await this.#options.target.read(dn))) return false;
    this.#know(dn.key);
    return true;
  }

  #know(key: string): void {
    if (this.#present.size >= mostPresent) this.#present.clear();
    this.#present.add(key);
  }

  /** The entry above is not there: the target may do without it (a naming context), or the entry waits. */
  async #orphan(pending: Pending, parent: Dn): Promise<void> {
    const waiting = this.#waiting.get(parent.key);
    if (!waiting) {
      await this.#flush();
      const [outcome] = await this.#options.target.addAll([pending.addition], true);
      if (!(outcome instanceof DirectoryFault && outcome.result === 'noSuchObject')) return this.#settle(pending, outcome ?? 'not tried');
    }
    this.#waitingOctets += pending.size;
    if (this.#waitingOctets > waitingOctets)
      throw new Fault('too-large', `more than ${waitingOctets / 1_048_576} MB of entries come before their parents`);
    if (waiting) waiting.push(pending);
    else this.#waiting.set(parent.key, [pending]);
  }

  async #flush(): Promise<void> {
    while (this.#pending.length > 0) {
      // What waited for one parent may be any number.
      const these = this.#pending.splice(0, this.#options.batch ?? batch);
      for (const { addition, size } of these) {
        this.#pendingNames.delete(addition.dn.key);
        this.#pendingOctets -= size;
      }
      const outcomes = await this.#options.target.addAll(
        these.map(({ addition }) => addition),
        this.#options.goOn ?? false,
      );
      // What is behind a refused one may be done: it is counted before the import stops.
      const order = [...these.keys()].sort((a, b) => Number(outcomes[a] !== 'done') - Number(outcomes[b] !== 'done') || a - b);
      const refused = these.find((_, n) => outcomes[n] instanceof DirectoryFault);
      for (const n of order) {
        const pending = these[n]!;
        if (outcomes[n] === 'done' && refused && !this.#options.goOn && pending.record.line > refused.record.line)
          this.#behind = pending.record.line;
        this.#settle(pending, outcomes[n] ?? 'not tried');
      }
      this.#progress();
    }
  }

  /** Counts an addition; what waited for it is next. */
  #settle(pending: Pending, outcome: 'done' | 'not tried' | DirectoryFault): void {
    const { record, addition } = pending;
    if (outcome === 'not tried') return;
    if (outcome !== 'done') {
      this.#refuseWrite(record, outcome);
      return;
    }
    this.#done({ kind: 'add', line: record.line, dn: record.dn, before: undefined, after: undefined }, addition);
    this.#know(record.dn.key);
    const waiting = this.#waiting.get(record.dn.key);
    if (!waiting) return;
    this.#waiting.delete(record.dn.key);
    for (const child of waiting) {
      this.#waitingOctets -= child.size;
      this.#pending.push(child);
      this.#pendingNames.add(child.addition.dn.key);
      this.#pendingOctets += child.size;
    }
  }

  async #replace(record: Entered, addition: Addition, before: Entry): Promise<void> {
    const modifications = replacing(this.#options.schema, before, await this.#withoutKnownPasswords(before, addition.attributes));
    if (modifications.length === 0) this.#done({ kind: 'unchanged', line: record.line, dn: record.dn, before, after: before });
    else await this.#write(record, { kind: 'modify', dn: record.dn, modifications }, before);
    this.#progress();
  }

  /** A verifier does not show whether the password of the file is the one it was made of: that is asked. */
  async #withoutKnownPasswords(before: Entry, attributes: readonly Attribute[]): Promise<readonly Attribute[]> {
    const { schema, target, keepPasswords } = this.#options;
    const isPassword = ({ name }: Attribute): boolean => schema.describe(name)?.type.lower === 'userpassword';
    const given = attributes.filter(isPassword).flatMap(({ values }) => values);
    if (given.length === 0 || !(keepPasswords || (await target.hasPasswords(before, given)))) return attributes;
    return attributes.filter((attribute) => !isPassword(attribute));
  }

  async #change(record: LdifRecord, write: Exclude<Write, Addition>): Promise<void> {
    await this.#flush();
    const { target, onDone } = this.#options;
    await this.#write(record, write, onDone ? await target.read(write.dn) : undefined);
    this.#progress();
  }

  async #write(record: LdifRecord, write: Exclude<Write, Addition>, before: Entry | undefined): Promise<void> {
    const { target, onDone } = this.#options;
    try {
      await target.write(write);
    } catch (thrown) {
      return this.#refuseWrite(record, asRefusal(thrown));
    }
    if (write.kind !== 'modify') this.#present.clear();
    const now = write.kind === 'rename' ? (write.to.newSuperior ?? write.dn.parent)?.child(write.to.rdn) : write.dn;
    const after = onDone && write.kind !== 'delete' && now ? await target.read(now) : undefined;
    this.#done({ kind: write.kind, line: record.line, dn: record.dn, before, after });
  }

  #done(done: Done, addition?: Addition): void {
    this.#counts[done.kind] += 1;
    const { onDone } = this.#options;
    if (onDone) onDone(addition ? { ...done, after: new Entry(addition.dn, addition.attributes) } : done);
  }

  #refuseWrite(record: LdifRecord, fault: DirectoryFault): void {
    const at = { file: this.#options.file, line: record.line, dn: record.dn.toString() };
    this.#refuse(record, new LdifFault(at, fault.say, asFault(fault).kind, fault));
  }

  #refuse(record: LdifRecord | LdifBroken, fault: LdifFault): void {
    this.#refused += 1;
    this.#options.onRefused?.(record, fault);
    if (this.#options.goOn) return;
    this.#stopped = fault;
    throw new Stopped();
  }

  #progress(): void {
    const { add, modify, rename, delete: deleted, unchanged } = this.#counts;
    this.#options.progress?.(add + modify + rename + deleted + unchanged + this.#refused);
  }
}

function sizeOf({ attributes }: Addition): number {
  let size = 100;
  for (const { name, values } of attributes) for (const value of values) size += name.length + value.length;
  return size;
}
