/**
 * The change history and undo as plain JSON, for the control socket and for commands that work on the directory while no server runs.
 */

import { Fault, parseAge } from '../base/index.ts';
import {
  type AttributeValue,
  type BundledDirectory,
  type HistoryItem,
  type HistoryQuery,
  system,
  type UndoResult,
  whoDid,
} from '../directory/index.ts';
import { parseDn } from '../ldap-wire/index.ts';

/** Text, or octets in base64. */
export type PlainValue = string | { readonly base64: string };

export interface HistoryDifference {
  readonly attribute: string;
  readonly removed: readonly PlainValue[];
  readonly added: readonly PlainValue[];
  /** The attribute is a secret: that it changed is all that is told. */
  readonly secret?: true;
}

export interface HistoryLine {
  readonly change: number;
  /** First change of the operation that made this one. */
  readonly operation: number;
  readonly kind: 'add' | 'modify' | 'rename' | 'delete' | 'import';
  /** ISO 8601. */
  readonly at: string;
  readonly who: string;
  readonly door: string;
  readonly address?: string;
  readonly dn?: string;
  /** New name after a rename. */
  readonly to?: string;
  readonly uuid?: string;
  readonly undoes?: number;
  /** Of an import: how many entries. */
  readonly entries?: number;
  readonly differences: readonly HistoryDifference[];
}

export interface UndoReport {
  readonly operation: number;
  readonly changes: number;
  readonly steps: readonly {
    readonly change: number;
    readonly does: string;
    readonly dn: string;
    readonly to?: string;
    readonly differences: readonly HistoryDifference[];
  }[];
  readonly conflicts: readonly { readonly change: number; readonly dn: string; readonly why: string }[];
  readonly notes: readonly string[];
}

/** A question as it comes in text. Times are ISO 8601 or an age (`90m`, `12h`, `7d`). */
export interface HistoryQuestion {
  readonly dn?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly by?: string | undefined;
  readonly attribute?: string | undefined;
  readonly limit?: string | undefined;
}

export interface UndoHow {
  readonly dryRun: boolean;
  readonly force: boolean;
}

const mostLines = 100_000;
const usualLines = 100;

/** Milliseconds since 1970. Fault `malformed` names what cannot be read. */
export function timeOf(name: string, text: string, now: number): number {
  const age = parseAge(text);
  const at = age === undefined ? Date.parse(text) : now - age;
  if (Number.isNaN(at)) throw new Fault('malformed', `${name}: "${text}" is neither a time (2026-01-31T12:00) nor an age (90m, 12h, 7d)`);
  return at;
}

function queryOf(question: HistoryQuestion, now: number): HistoryQuery {
  const { dn, since, until, by, attribute, limit } = question;
  if (limit !== undefined && !/^[1-9]\d{0,8}$/.test(limit)) throw new Fault('malformed', `limit: "${limit}" is not a number of changes`);
  return {
    limit: Math.min(limit === undefined ? usualLines : Number(limit), mostLines),
    ...(dn === undefined ? {} : { dn: parseDn(dn) }),
    ...(since === undefined ? {} : { since: timeOf('since', since, now) }),
    ...(until === undefined ? {} : { until: timeOf('until', until, now) }),
    ...(by === undefined ? {} : { by }),
    ...(attribute === undefined ? {} : { attribute }),
  };
}

const plain = (value: AttributeValue): PlainValue =>
  typeof value === 'string' ? value : { base64: Buffer.from(value).toString('base64') };

function plainDifferences(differences: UndoResult['steps'][number]['differences']): HistoryDifference[] {
  return differences.map(({ attribute, removed, added, secret }) => ({
    attribute,
    removed: removed.map(plain),
    added: added.map(plain),
    ...(secret ? { secret: true as const } : {}),
  }));
}

function lineOf(item: HistoryItem): HistoryLine {
  const { actor, at } = item.kind === 'import' ? item : item.change;
  const common = {
    at: new Date(at).toISOString(),
    who: whoDid(item),
    door: actor.door,
    ...(actor.address === undefined ? {} : { address: actor.address }),
  };
  if (item.kind === 'import')
    return { change: item.to, operation: item.from, kind: 'import', ...common, entries: item.to - item.from + 1, differences: [] };
  const { position, kind, before, after, uuid } = item.change;
  const dn = (before ?? after)?.dn.toString();
  return {
    change: position,
    operation: item.operation,
    kind,
    ...common,
    ...(dn === undefined ? {} : { dn }),
    ...(kind === 'rename' && after ? { to: after.dn.toString() } : {}),
    uuid,
    ...(item.undoes === undefined ? {} : { undoes: item.undoes }),
    differences: plainDifferences(item.differences),
  };
}

/** Changes, newest first. */
export async function readHistory(directory: BundledDirectory, question: HistoryQuestion, now: number): Promise<HistoryLine[]> {
  const lines: HistoryLine[] = [];
  for await (const item of directory.history(system('cli'), queryOf(question, now))) lines.push(lineOf(item));
  return lines;
}

/** Undoes the operation of a change. */
export async function undoChange(directory: BundledDirectory, change: string, how: UndoHow): Promise<UndoReport> {
  if (!/^[1-9]\d{0,14}$/.test(change)) throw new Fault('malformed', `"${change}" is not the number of a change`);
  const { operation, changes, steps, conflicts, notes } = await directory.undo(system('cli'), Number(change), how);
  return {
    operation,
    changes,
    steps: steps.map((step) => ({
      change: step.change,
      does: step.does,
      dn: step.dn.toString(),
      ...(step.to ? { to: step.to.toString() } : {}),
      differences: plainDifferences(step.differences),
    })),
    conflicts: conflicts.map(({ change: number, dn, why }) => ({ change: number, dn: dn.toString(), why })),
    notes,
  };
}
