/**
 * Loading the schema files of a folder: ours in their order, then whatever administrators put beside them, by name.
 */

import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Fault } from '../../base/index.ts';
import { buildSchema } from './build.ts';
import { type Description, parseSchemaText } from './description.ts';
import type { Schema } from './schema.ts';

const first = ['system.schema', 'core.schema', 'cosine.schema', 'inetorgperson.schema', 'mail.schema', 'mailtree.schema'];

/** `schema/` of this installation, seen from the source as from the built code. */
const ownFolder = fileURLToPath(new URL('../../../schema/', import.meta.url));

/** Every `*.schema` of the folders, first folder first. A file name that comes again is taken from the first folder. */
export async function loadSchema(folders: readonly string[] = [ownFolder]): Promise<Schema> {
  const files = new Map<string, string>();
  for (const folder of folders) {
    for (const name of (await readdir(folder)).sort()) {
      if (name.endsWith('.schema') && !files.has(name)) files.set(name, join(folder, name));
    }
  }
  const rank = (name: string): number => (first.includes(name) ? first.indexOf(name) : first.length);
  const ordered = [...files.keys()].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  const descriptions: Description[] = [];
  for (const name of ordered) {
    const path = files.get(name) ?? '';
    const text = await readFile(path, 'utf8').catch((cause: unknown) => {
      throw new Fault('unavailable', `schema: ${basename(path)} cannot be read`, { cause });
    });
    for (const description of parseSchemaText(text, name)) descriptions.push(description);
  }
  return buildSchema(descriptions);
}

/** A schema from texts instead of files. */
export function schemaFrom(texts: Readonly<Record<string, string>>): Schema {
  return buildSchema(Object.entries(texts).flatMap(([name, text]) => parseSchemaText(text, name)));
}
