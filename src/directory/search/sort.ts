/**
 * Putting the answer of a search in order.
 *
 * Promise: what is kept in memory is an entry's number and its keys, no more of them than the limits say; where only the first few
 * are wanted, no more than twice as many are kept. Values the asker may not search count as missing, for an order gives values
 * away. Entries with equal keys stay in the order in which they were found.
 * Spec: RFC 2891 §1.1, §2.2
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AttributeValue } from '../entry.ts';
import { SortFault, type SortKey } from '../port.ts';
import type { Stored } from '../records/view.ts';
import type { MatchingRule } from '../schema/matching.ts';
import type { AttributeType, Schema } from '../schema/schema.ts';
import type { Compiler, MaySearch } from './evaluate.ts';

const mostKeys = 8;
/** Octets that all sorted answers of a server may take together while they are put in order and until they are sent. */
const mostOctets = 128 * 1024 * 1024;
/** Octets one answer may take. */
const mostOctetsOfOne = 32 * 1024 * 1024;
const octetsOfRow = 64;
/** Rows that may come beyond twice those wanted before they are cut: few are not worth sorting each time. */
const spare = 64;
/** Rows that are sorted, or merged, before others have a turn. */
const run = 2048;

interface Key {
  readonly rule: MatchingRule;
  readonly reverse: boolean;
  values(stored: Stored, may: MaySearch | undefined): Iterable<AttributeValue>;
}

/** What one entry is sorted by; undefined where it has no value. */
type Row = { readonly id: number; readonly keys: readonly (string | undefined)[] };

/** The rule by which two values of this type are put in order. Throws SortFault. */
function ruleFor(schema: Schema, type: AttributeType, key: SortKey): MatchingRule {
  if (key.rule === undefined) {
    // Names and addresses have no ordering rule in the standard schema; their comparable form has an order all the same.
    const rule =
      type.ordering ?? (type.equality?.name === 'integerMatch' ? schema.rule('integerOrderingMatch') : undefined) ?? type.equality;
    if (rule) return rule;
    throw new SortFault('inappropriateMatching', `attribute ${type.name}: has no ordering rule`, key.attribute);
  }
  const rule = schema.rule(key.rule);
  if (rule?.kind !== 'ordering')
    throw new SortFault('inappropriateMatching', `${key.rule.slice(0, 64)} is not an ordering rule of this server`, key.attribute);
  if (!fits(rule, type))
    throw new SortFault('inappropriateMatching', `attribute ${type.name}: ${rule.name} is not for its syntax`, key.attribute);
  return rule;
}

const arc = '1.3.6.1.4.1.1466.115.121.1.';
/** Syntaxes whose values are plain strings: what is for one of them makes sense for all (RFC 4517 §4.2). */
const strings = new Set(['11', '15', '26', '36', '44', '50'].map((number) => arc + number));
const fits = (rule: MatchingRule, { syntax }: AttributeType): boolean =>
  rule.syntax === syntax.oid || (strings.has(rule.syntax) && strings.has(syntax.oid));

/** Throws SortFault where the keys make no order. */
export function orderOf(schema: Schema, compiler: Compiler, sort: readonly SortKey[]): readonly Key[] {
  if (sort.length > mostKeys) throw new SortFault('unwillingToPerform', `more than ${mostKeys} sort keys`);
  const seen = new Set<string>();
  return sort.map((key) => {
    const described = schema.describe(key.attribute);
    if (!described)
      throw new SortFault('noSuchAttribute', `attribute ${key.attribute.slice(0, 100)}: not defined in the schema`, key.attribute);
    if (seen.has(described.lower))
      throw new SortFault('unwillingToPerform', `attribute ${described.name}: given twice as a sort key`, key.attribute);
    seen.add(described.lower);
    if (described.type.secret)
      throw new SortFault('insufficientAccessRights', `attribute ${described.type.name}: its order is nobody's business`, key.attribute);
    const values = compiler.reader(described);
    return { rule: ruleFor(schema, described.type, key), reverse: key.reverse ?? false, values };
  });
}

/** What all sorts of a directory hold together. */
export class SortMemory {
  octets = 0;
}

export class Sorting {
  readonly #keys: readonly Key[];
  readonly #may: MaySearch | undefined;
  readonly #memory: SortMemory;
  readonly #wanted: number;
  readonly #most: number;
  #rows: Row[] = [];
  #octets = 0;
  /** Entries taken in. */
  count = 0;

  /** `wanted`: so many from the front are asked for; `most`: so many may be kept. */
  constructor(
    keys: readonly Key[],
    may: MaySearch | undefined,
    memory: SortMemory,
    limits: { readonly wanted: number; readonly most: number },
  ) {
    this.#keys = keys;
    this.#may = may;
    this.#memory = memory;
    this.#wanted = limits.wanted;
    this.#most = limits.most;
  }

  /** Throws SortFault adminLimitExceeded or busy where there is no room for it. */
  add(stored: Stored): void {
    const row = { id: stored.id, keys: this.#keys.map((key) => least(key, stored, this.#may)) };
    this.#rows.push(row);
    this.count += 1;
    this.#grow(sizeOf(row));
    if (this.#rows.length >= 2 * this.#wanted + spare) this.#cut();
    if (this.#wanted > this.#most && this.#rows.length > this.#most)
      throw new SortFault('adminLimitExceeded', `more than ${this.#most} entries are not put in order`);
    if (this.#octets > mostOctetsOfOne) {
      this.#cut();
      // Well below the limit, or every further entry would be a reason to sort again.
      if (this.#octets > mostOctetsOfOne / 2) throw new SortFault('adminLimitExceeded', 'the values are too large to be put in order');
    }
    if (this.#memory.octets > mostOctets) throw new SortFault('busy', 'too many answers are being put in order at the moment');
  }

  /** The numbers of the entries in order; the keys are given up. Many are sorted in turns, so that nobody waits for it. */
  async ids(): Promise<Float64Array> {
    let runs: Row[][] = [];
    for (let at = 0; at < this.#rows.length; at += run) {
      if (at > 0) await nextTurn();
      runs.push(this.#rows.slice(at, at + run).sort((a, b) => this.#compare(a, b)));
    }
    while (runs.length > 1) {
      const merged: Row[][] = [];
      for (let n = 0; n < runs.length; n += 2) merged.push(await this.#merged(runs[n] ?? [], runs[n + 1] ?? []));
      runs = merged;
    }
    const ids = Float64Array.from((runs[0] ?? []).slice(0, this.#wanted), (row) => row.id);
    this.release();
    this.#grow(ids.byteLength);
    return ids;
  }

  /** Both in one; of equal rows those of the first one come first. */
  async #merged(first: readonly Row[], second: readonly Row[]): Promise<Row[]> {
    if (second.length === 0) return [...first];
    const out: Row[] = [];
    let [a, b] = [0, 0];
    for (let left = first[a], right = second[b]; left || right; left = first[a], right = second[b]) {
      const takeLeft = left && (!right || this.#compare(left, right) <= 0);
      out.push((takeLeft ? left : right) as Row);
      if (takeLeft) a += 1;
      else b += 1;
      if (out.length % run === 0) await nextTurn();
    }
    return out;
  }

  /** Gives back what is held. To be called at the end, whatever it is. */
  release(): void {
    this.#memory.octets -= this.#octets;
    this.#octets = 0;
    this.#rows = [];
  }

  #grow(by: number): void {
    this.#octets += by;
    this.#memory.octets += by;
  }

  /** Sorts, and lets go what nobody has asked for. */
  #cut(): void {
    this.#rows.sort((a, b) => this.#compare(a, b));
    for (const row of this.#rows.splice(this.#wanted)) this.#grow(-sizeOf(row));
  }

  #compare(a: Row, b: Row): number {
    for (const [n, { rule, reverse }] of this.#keys.entries()) {
      const [x, y] = [a.keys[n], b.keys[n]];
      if (x === y) continue;
      // No value is larger than every value (RFC 2891 §2.2), which puts it last, and first where the order is reversed.
      const order = x === undefined ? 1 : y === undefined ? -1 : rule.compare(x, y);
      if (order !== 0) return reverse ? -order : order;
    }
    return 0;
  }
}

const sizeOf = (row: Row): number => row.keys.reduce((sum, key) => sum + 2 * (key?.length ?? 0), octetsOfRow);

/** Of several values the least counts. */
function least({ rule, values }: Key, stored: Stored, may: MaySearch | undefined): string | undefined {
  let found: string | undefined;
  for (const value of values(stored, may)) {
    const form = rule.normalise(value);
    if (form !== undefined && (found === undefined || rule.compare(form, found) < 0)) found = form;
  }
  return found;
}
