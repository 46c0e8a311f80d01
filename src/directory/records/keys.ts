/**
 * Where everything stands in the directory's database. All keys are below `directory/`.
 *
 * Promise: no value can reach into another record's range; long values are cut and told apart by a hash, which is safe
 * because whatever an index finds is checked again.
 *
 *   e/<id>                 entry                        n/<parent>/<rdn>        id of a child
 *   k/<id>                 number of children           x/<attr>/<value>        head: the first ids of a value
 *   y/<kind><attr>/<value> list: ids of a value many entries share (=), of three characters (~), of everybody who has the attribute (+)
 *   y/…\0<id>              a piece of a list            q/<id>                  the lists are still to be brought up to date for it
 *   l/<number>             change log                   c                       counters
 *   u/<id>                 sums of what stands below      w                       how they were counted
 *   d/<number>             secrets of the entry that change deleted
 *   t                      nobody can follow the changes up to here
 *   m                      what the indexes were built for      i    last change without a record of its own (import)
 *   h                      chapters of the history, for cookies
 *   v                      names of the schema's definitions
 *   s/<id>                 name above a naming context of several levels
 */

import { createHash } from 'node:crypto';
import { below, type KeyRange, segment, sortable } from '../../storage/index.ts';
import { pieceKey } from './postings.ts';

export const rootId = 0;
const cut = 80;

/** A number as short text that sorts as it counts: a letter for the length, then digits of base 36. */
export function idText(id: number): string {
  const digits = id.toString(36);
  return String.fromCharCode(96 + digits.length) + digits;
}

export function idOf(text: string): number {
  return Number.parseInt(text.slice(1), 36);
}

/** The id at the end of a key. */
export function lastId(key: string): number {
  return idOf(key.slice(key.lastIndexOf('/') + 1));
}

function valueText(value: string): string {
  if (value.length <= cut) return segment(value);
  return `${segment(value.slice(0, cut))}%~${createHash('sha256').update(value).digest('hex').slice(0, 32)}`;
}

/**
 * A value as the end of a key: in the order of values, as far as they are not cut. NUL and SOH, which hardly any value has, are written as
 * two SOH-led characters, so that what stands behind a NUL in a key is never part of a value.
 */
function ordered(value: string): string {
  if (value.length <= cut) return escaped(value);
  return `${escaped(value.slice(0, cut))}\u0000~${createHash('sha256').update(value).digest('hex').slice(0, 32)}`;
}

const special = /[\u0000\u0001\p{Surrogate}]/u;

function escaped(value: string): string {
  if (!special.test(value)) return value;
  return value
    .replace(/\p{Surrogate}/gu, '\ufffd')
    .replaceAll('\u0001', '\u0001\u0002')
    .replaceAll('\u0000', '\u0001\u0001');
}

/** Kinds of lists: equal values beyond a head, runs of characters, presence. */
export type ListKind = '=' | '~' | '+';

export const keys = {
  entry: (id: number): string => `directory/e/${idText(id)}`,
  entries: below('directory/e/'),
  name: (parent: number, rdn: string): string => `directory/n/${idText(parent)}/${valueText(rdn)}`,
  names: (parent: number): KeyRange => below(`directory/n/${idText(parent)}/`),
  allNames: below('directory/n/'),
  /** For an entry without a parent whose name has several levels (`o=Example,c=US`): the levels above, as text. */
  above: (id: number): string => `directory/s/${idText(id)}`,
  aboves: below('directory/s/'),
  children: (id: number): string => `directory/k/${idText(id)}`,
  allChildren: below('directory/k/'),
  head: (attribute: string, value: string): string => `directory/x/${attribute}/${ordered(value)}`,
  /** All heads whose value begins with `prefix`. */
  heads: (attribute: string, prefix: string): KeyRange => below(`directory/x/${attribute}/${escaped(prefix.slice(0, cut))}`),
  /** At least all heads from one value to another, both included; left out: from the first, to the last. */
  headsBetween: (attribute: string, from: string | undefined, to: string | undefined): KeyRange => {
    const all = below(`directory/x/${attribute}/`);
    return {
      from: from === undefined ? all.from : all.from + escaped(from.slice(0, cut)),
      to: to === undefined ? all.to : below(all.from + escaped(to.slice(0, cut))).to,
    };
  },
  list: (kind: ListKind, attribute: string, value: string): string => `directory/y/${kind}${attribute}/${ordered(value)}`,
  /** The list that belongs to a head found in a range. */
  listOfHead: (head: string): string => `directory/y/=${head.slice('directory/x/'.length)}`,
  /** All pieces of a list. */
  pieces: (list: string): KeyRange => ({ from: pieceKey(list, 'a'), to: pieceKey(list, 'z') }),
  pending: (id: number): string => `directory/q/${idText(id)}`,
  allPending: below('directory/q/'),
  log: (number: number): string => `directory/l/${sortable(number)}`,
  logs: below('directory/l/'),
  /** Secrets of an entry, kept to restore it as long as the change that deleted it. No reader but undo knows of it. */
  sealed: (number: number): string => `directory/d/${sortable(number)}`,
  /** What stands below an entry, counted (limits/usage.ts). */
  usage: (id: number): string => `directory/u/${idText(id)}`,
  usages: below('directory/u/'),
  usageMeta: 'directory/w',
  counters: 'directory/c',
  trimmed: 'directory/t',
  meta: 'directory/m',
  imported: 'directory/i',
  lineage: 'directory/h',
  /** Octets that nobody else knows, made once (passwords/scram-proof.ts). */
  secret: 'directory/z',
  definitions: 'directory/v',
  allHeads: below('directory/x/'),
  allLists: below('directory/y/'),
  /** Everything that can be made anew from the entries; the last two are of earlier versions. */
  indexes: ['x', 'y', 'q', 'p', 'g'].map((part) => below(`directory/${part}/`)) as readonly KeyRange[],
} as const;

/** Topic that is woken after every change. */
export const changed = 'directory';
