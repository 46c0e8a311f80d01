/** What a write changed in an entry, attribute by attribute, for people. Secrets show that they changed, never what they are. */

import { oneLine } from '../base/index.ts';
import type { AttributeValue, Entry, Schema } from '../directory/index.ts';
import type { Done } from './import.ts';
import { normal } from './records.ts';

export interface Difference {
  readonly attribute: string;
  readonly removed: readonly string[];
  readonly added: readonly string[];
}

const longest = 120;

/** Without what the server maintains itself. */
export function differences(schema: Schema, before: Entry | undefined, after: Entry | undefined): Difference[] {
  const names = new Map<string, string>();
  for (const entry of [before, after]) for (const [lower, { name }] of entry?.attributes ?? []) names.set(lower, name);
  const found: Difference[] = [];
  for (const name of names.values()) {
    const type = schema.describe(name)?.type;
    if (type && (type.operational || !type.userModifiable)) continue;
    const [was, is] = [before?.values(name) ?? [], after?.values(name) ?? []];
    const [old, now] = [was, is].map((values) => new Set(values.map((value) => key(schema, name, value))));
    const show = (value: AttributeValue): string => (type?.secret ? '(secret)' : shown(value));
    const removed = was.filter((value) => !now?.has(key(schema, name, value))).map(show);
    const added = is.filter((value) => !old?.has(key(schema, name, value))).map(show);
    if (removed.length + added.length > 0) found.push({ attribute: name, removed, added });
  }
  return found;
}

/** Another spelling of an equal value is a difference too. */
const key = (schema: Schema, name: string, value: AttributeValue): string =>
  typeof value === 'string' ? value : normal(schema, name, value);

function shown(value: AttributeValue): string {
  if (typeof value !== 'string') return `(${value.length} octets)`;
  const line = oneLine(value.replace(/\s+/g, ' '));
  return line.length > longest ? `${line.slice(0, longest)}…` : line;
}

/** One record's work as lines for people: what, which entry, and each value that went or came. */
export function describeDone(schema: Schema, done: Done): string[] {
  if (done.kind === 'unchanged') return [];
  const renamed = done.kind === 'rename' && done.after ? ` -> ${done.after.dn.toString()}` : '';
  const lines = [`${done.kind} ${done.dn.toString()}${renamed} (line ${done.line})`];
  if (done.kind === 'delete') return lines;
  for (const { attribute, removed, added } of differences(schema, done.before, done.after)) {
    for (const value of removed) lines.push(`  - ${attribute}: ${value}`);
    for (const value of added) lines.push(`  + ${attribute}: ${value}`);
  }
  return lines;
}
