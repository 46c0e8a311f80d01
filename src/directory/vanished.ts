/**
 * Definitions that entries still use and that are no longer in the schema files: said at the start, with how many entries use them.
 *
 * The names of all definitions are kept beside the entries. Only when one of them is missing are the entries looked through; it is
 * forgotten once no entry uses it. Nothing is changed: such entries stay readable for the server, and what they have is carried along.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Log } from '../base/index.ts';
import type { KeyValue } from '../storage/index.ts';
import { decodeEntry, decodeText, encodeText } from './records/codec.ts';
import { keys } from './records/keys.ts';
import type { Schema } from './schema/schema.ts';

const stride = 200;

/** By lower-case name, as the schema spelt them first. */
interface Known {
  readonly attributes: Record<string, string>;
  readonly classes: Record<string, string>;
}

const empty: Known = { attributes: {}, classes: {} };

function definedBy(schema: Schema): Known {
  const spelt = (list: readonly { lower: string; name: string }[]) => Object.fromEntries(list.map(({ lower, name }) => [lower, name]));
  return { attributes: spelt(schema.parts.attributeTypes), classes: spelt(schema.parts.objectClasses) };
}

/** Logs what entries use and the schema has not (any more). */
export async function reportVanished(keyValue: KeyValue, schema: Schema, log: Log): Promise<void> {
  const octets = keyValue.getNow(keys.definitions);
  const known = octets === undefined ? empty : (JSON.parse(decodeText(octets)) as Known);
  const attributes = Object.keys(known.attributes).filter((name) => !schema.attribute(name));
  const classes = Object.keys(known.classes).filter((name) => !schema.objectClass(name));
  const used = attributes.length + classes.length === 0 ? empty : await usersOf(keyValue, known, attributes, classes, log);
  const now = definedBy(schema);
  const next = encodeText(
    JSON.stringify({ attributes: { ...now.attributes, ...used.attributes }, classes: { ...now.classes, ...used.classes } } satisfies Known),
  );
  if (octets && Buffer.compare(octets, next) === 0) return;
  await keyValue.transact(async () => ({ puts: [[keys.definitions, next]], result: undefined }), 'durable');
}

/** Counts, logs, and returns those that are used. */
async function usersOf(
  keyValue: KeyValue,
  known: Known,
  attributes: readonly string[],
  classes: readonly string[],
  log: Log,
): Promise<Known> {
  const byAttribute = new Map(attributes.map((name) => [name, 0]));
  const byClass = new Map(classes.map((name) => [name, 0]));
  const count = (map: Map<string, number>, name: string): void => {
    const so = map.get(name);
    if (so !== undefined) map.set(name, so + 1);
  };
  let seen = 0;
  for await (const [, octets] of keyValue.scan(keys.entries)) {
    const entry = decodeEntry(octets);
    for (const name of new Set(entry.attributes.map((attribute) => attribute.name.toLowerCase().split(';')[0] ?? '')))
      count(byAttribute, name);
    const objectClass = entry.attributes.find((attribute) => attribute.name.toLowerCase() === 'objectclass');
    for (const value of objectClass?.values ?? []) count(byClass, String(value).toLowerCase());
    if (++seen % stride === 0) await nextTurn();
  }
  const used = (map: Map<string, number>, names: Record<string, string>, what: string): Record<string, string> =>
    Object.fromEntries(
      [...map]
        .filter(([, users]) => users > 0)
        .map(([lower, users]) => {
          const name = names[lower] ?? lower;
          log.warning(
            `schema: ${what} ${name} is no longer defined in any schema file, and ${users} ${users === 1 ? 'entry uses' : 'entries use'} it; put its definition back, or remove it from the entries (LDIF: delete: ${what === 'attribute' ? name : 'objectClass'})`,
          );
          return [lower, name];
        }),
    );
  return { attributes: used(byAttribute, known.attributes, 'attribute'), classes: used(byClass, known.classes, 'object class') };
}
