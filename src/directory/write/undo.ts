/**
 * Undoing an operation of the change log: everything it did is done the other way round, last change first, as ordinary checked
 * writes under the rights of whoever asks, in one transaction.
 *
 * Promise: what others have changed since is not overwritten: such a part is a conflict, and the undo is refused with its name
 * and the later change, or with `force` done without that part. An undo is an operation of its own and can be undone. An entry comes
 * back with its entryUUID and its secrets, which stand where nothing but this reads them and go with the change record.
 * Checking and writing is the Writer's business; what each kind of change needs is undo-steps.ts's.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Dn, rebased } from '../../ldap-wire/index.ts';
import type { KeyValue, PartReader } from '../../storage/index.ts';
import { decodeRecord, isRename, type Recorded } from '../history/change-record.ts';
import type { Difference } from '../history/differences.ts';
import type { History } from '../history/history.ts';
import { positionOf } from '../history/trim.ts';
import { DirectoryFault, type Position } from '../port.ts';
import { keys } from '../records/keys.ts';
import { Transaction } from '../records/transaction.ts';
import type { Schema } from '../schema/schema.ts';
import type { References } from './references.ts';
import { undoStep } from './undo-steps.ts';
import type { Stamp, Writer } from './writer.ts';

export interface UndoOptions {
  /** Everything is checked, nothing is written. Conflicts are reported and not thrown. */
  readonly dryRun?: boolean;
  /** What conflicts with later changes is left out. */
  readonly force?: boolean;
}

/** What is done to one entry. */
export interface UndoStep {
  /** The change that is undone. */
  readonly change: Position;
  readonly does: 'add' | 'modify' | 'rename' | 'delete';
  readonly dn: Dn;
  /** For a rename. */
  readonly to?: Dn;
  readonly differences: readonly Difference[];
}

/** What is not done, and why. */
export interface UndoConflict {
  readonly change: Position;
  readonly dn: Dn;
  readonly why: string;
}

export interface UndoResult {
  /** First change of the operation that is undone, and how many it had. */
  readonly operation: Position;
  readonly changes: number;
  readonly steps: readonly UndoStep[];
  readonly conflicts: readonly UndoConflict[];
  /** What whoever asked should know: a password that must be set anew. */
  readonly notes: readonly string[];
}

/** An operation of the log, ready to be undone. */
export interface Undoable {
  readonly operation: Position;
  /** In the order in which they were made. */
  readonly records: readonly Recorded[];
  /** What a name of then is called now. */
  nameNow(dn: Dn): Dn;
}

export interface UndoParts {
  readonly keyValue: KeyValue;
  readonly schema: Schema;
  readonly writer: Writer;
  readonly history: History;
  readonly references: References;
}

const mostChanges = 20_000;
/** Changes that are undone before others have a turn. */
const perTurn = 20;
/** Parts that are left out at most; each costs another run. */
const mostConflicts = 100;

export class Undo {
  readonly #parts: UndoParts;

  constructor(parts: UndoParts) {
    this.#parts = parts;
  }

  /** The operation that a change belongs to. Throws DirectoryFault noSuchObject, or unwillingToPerform for an import. */
  async prepare(position: Position): Promise<Undoable> {
    const { keyValue, history } = this.#parts;
    const asked = history.record(position);
    if (!asked) throw new DirectoryFault('noSuchObject', `there is no change ${position} in the history: never made, or no longer kept`);
    if (asked.kind === 'import') throw new DirectoryFault('unwillingToPerform', `change ${position} is an import, which cannot be undone`);
    const { operation } = asked;
    const records: Recorded[] = [];
    const renames: [from: Dn, to: Dn][] = [];
    let whole = false;
    for await (const [key, octets] of keyValue.scan({ from: keys.log(operation), to: keys.logs.to })) {
      if (whole && !isRename(octets)) continue;
      const record = decodeRecord(positionOf(key), octets);
      if (record.kind === 'import') whole = true;
      else if (!whole && record.operation === operation) records.push(record);
      else {
        whole = true;
        const { kind, before, after } = record.change;
        if (kind === 'rename' && before && after) renames.push([before.dn, after.dn]);
      }
      if (records.length > mostChanges)
        throw new DirectoryFault(
          'adminLimitExceeded',
          `the operation made more than ${mostChanges} changes: that is more than are undone at once`,
        );
    }
    return {
      operation,
      records,
      nameNow: (dn) => renames.reduce((name, [from, to]) => (name.isWithin(from) ? rebased(name, from, to) : name), dn),
    };
  }

  /**
   * What the operation's undoing changes, in a transaction that has it all. Throws the first conflict as DirectoryFault
   * unwillingToPerform unless `gather` is set, and unwillingToPerform where nothing is left to do.
   */
  async run(
    read: PartReader,
    stamp: Stamp,
    undoable: Undoable,
    gather: boolean,
    forced: boolean,
  ): Promise<{ tx: Transaction; result: UndoResult }> {
    const conflicts: UndoConflict[] = [];
    const left = new Set<Position>();
    for (;;) {
      const tx = new Transaction(read);
      const found: UndoConflict[] = [];
      const notes: string[] = [];
      const steps: UndoStep[] = [];
      const failed = await this.#all(tx, stamp, undoable, { left, steps, found, notes, gather });
      if (failed) {
        conflicts.push(failed);
        left.add(failed.change);
        if (conflicts.length <= mostConflicts) continue;
        throw new DirectoryFault('unwillingToPerform', `more than ${mostConflicts} changes of the operation cannot be undone any more`);
      }
      await this.#parts.references.follow(tx, stamp);
      const { operation, records } = undoable;
      // A dry run tells of the conflicts.
      if (steps.length === 0 && conflicts.length + found.length === 0) throw nothingLeft(operation);
      if (steps.length === 0 && forced) throw conflictOf(undoable, [...conflicts, ...found][0]?.why ?? '');
      return { tx, result: { operation, changes: records.length, steps, conflicts: [...conflicts, ...found], notes } };
    }
  }

  /** One run through all changes, last first. Gives back a change that failed half-way: the run is then started again without it. */
  async #all(
    tx: Transaction,
    stamp: Stamp,
    undoable: Undoable,
    so: { left: ReadonlySet<Position>; steps: UndoStep[]; found: UndoConflict[]; notes: string[]; gather: boolean },
  ): Promise<UndoConflict | undefined> {
    const { schema, writer } = this.#parts;
    for (const [n, record] of [...undoable.records].reverse().entries()) {
      if (n % perTurn === perTurn - 1) await nextTurn();
      const { position: change, before, after } = record.change;
      const dn = undoable.nameNow((before ?? after)!.dn);
      if (so.left.has(change)) continue;
      try {
        const conflicts = await undoStep({ tx, stamp, schema, writer, undoable, ...so }, record);
        const [first] = conflicts;
        if (first !== undefined && !so.gather) throw conflictOf(undoable, first);
        so.found.push(...conflicts.map((why) => ({ change, dn, why })));
      } catch (thrown) {
        if (!(thrown instanceof DirectoryFault) || !so.gather) throw thrown;
        return { change, dn, why: thrown.say };
      }
    }
    return undefined;
  }
}

function conflictOf({ operation }: Undoable, why: string): DirectoryFault {
  return new DirectoryFault('unwillingToPerform', `change ${operation} cannot be undone: ${why}`);
}

function nothingLeft(operation: Position): DirectoryFault {
  return new DirectoryFault('unwillingToPerform', `change ${operation} has nothing left to undo: everything is as it was before`);
}
