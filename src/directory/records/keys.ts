/**
 * Where everything stands in the directory's database. All keys are below `directory/`.
 *
 * Promise: no value can reach into another record's range; long values are cut and told apart by a hash, which is safe
 * because whatever an index finds is checked again.
 *
 *   e/<id>                 entry                        n/<parent>/<rdn>        id of a child
 *   k/<id>                 number of children           x/<attr>/<value>        ids, or the mark that they have keys of their own
 *   y/<attr>/<value>/<id>  one id of a spilled value    p/<attr>/<id>           entry has the attribute
 *   g/<attr>/<gram>/<id>   three characters of a value  l/<number>              change log
 *   c                      counters                     t                       nobody can follow the changes up to here
 *   d/<number>             secrets of the entry that change deleted
 *   m                      what the indexes were built for      i    last change without a record of its own (import)
 *   h                      chapters of the history, for cookies
 *   v                      names of the schema's definitions
 *   s/<id>                 name above a naming context of several levels
 */

import { createHash } from 'node:crypto';
import { below, type KeyRange, segment, sortable } from '../../storage/index.ts';

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
  head: (attribute: string, value: string): string => `directory/x/${attribute}/${valueText(value)}`,
  /** All heads whose value begins with `prefix`. */
  heads: (attribute: string, prefix: string): KeyRange => below(`directory/x/${attribute}/${segment(prefix.slice(0, cut))}`),
  spilled: (attribute: string, value: string, id: number): string => `directory/y/${attribute}/${valueText(value)}/${idText(id)}`,
  spill: (attribute: string, value: string): KeyRange => below(`directory/y/${attribute}/${valueText(value)}/`),
  /** The spill that belongs to a head found in a range. */
  spillOfHead: (head: string): KeyRange => below(`directory/y/${head.slice('directory/x/'.length)}/`),
  present: (attribute: string, id: number): string => `directory/p/${attribute}/${idText(id)}`,
  presents: (attribute: string): KeyRange => below(`directory/p/${attribute}/`),
  gram: (attribute: string, gram: string, id: number): string => `directory/g/${attribute}/${segment(gram)}/${idText(id)}`,
  grams: (attribute: string, gram: string): KeyRange => below(`directory/g/${attribute}/${segment(gram)}/`),
  log: (number: number): string => `directory/l/${sortable(number)}`,
  logs: below('directory/l/'),
  /** Secrets of an entry, kept to restore it as long as the change that deleted it. No reader but undo knows of it. */
  sealed: (number: number): string => `directory/d/${sortable(number)}`,
  counters: 'directory/c',
  trimmed: 'directory/t',
  meta: 'directory/m',
  imported: 'directory/i',
  lineage: 'directory/h',
  definitions: 'directory/v',
  indexes: [below('directory/x/'), below('directory/y/'), below('directory/p/'), below('directory/g/')] as readonly KeyRange[],
} as const;

/** Topic that is woken after every change. */
export const changed = 'directory';
