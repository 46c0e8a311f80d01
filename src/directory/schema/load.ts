/**
 * Loading schema files: those of this installation in their order, then the administrator's own by name.
 *
 * Promise: an error names file and line. Nothing is loaded in part.
 */

import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Fault } from '../../base/index.ts';
import { buildSchema } from './build.ts';
import { type Description, parseSchemaLdif, parseSchemaText } from './description.ts';
import type { Schema } from './schema.ts';

const first = ['system.schema', 'core.schema', 'cosine.schema', 'inetorgperson.schema', 'nis.schema', 'mail.schema', 'mailtree.schema'];

/** `schema/` of this installation, seen from the source as from the built code. */
const ownFolder = fileURLToPath(new URL('../../../schema/', import.meta.url));

const parse = (text: string, name: string): Description[] =>
  name.endsWith('.ldif') ? parseSchemaLdif(text, name) : parseSchemaText(text, name);

/**
 * Every `*.schema` and `*.ldif` of the folders. Files of the first folder, which is this installation's, are called by name in messages, others by path.
 * Throws Fault: `malformed` for what is no schema, `unavailable` for what cannot be read.
 */
export async function loadSchema(folders: readonly string[] = [ownFolder]): Promise<Schema> {
  const descriptions: Description[] = [];
  let modifiedAt = 0;
  for (const [n, folder] of folders.entries()) {
    for (const name of inOrder(await names(folder))) {
      const path = join(folder, name);
      const [text, about] = await Promise.all([readFile(path, 'utf8'), stat(path)]).catch((cause: unknown) => {
        throw new Fault('unavailable', `schema: ${path} cannot be read: ${(cause as Error).message}`, { cause });
      });
      modifiedAt = Math.max(modifiedAt, about.mtimeMs);
      for (const description of parse(text, n === 0 ? name : path)) descriptions.push(description);
    }
  }
  return buildSchema(descriptions, modifiedAt);
}

async function names(folder: string): Promise<string[]> {
  const all = await readdir(folder).catch((cause: unknown) => {
    throw new Fault('unavailable', `schema: the folder ${folder} cannot be read: ${(cause as Error).message}`, { cause });
  });
  return all.filter((name) => /^[^.].*\.(?:schema|ldif)$/.test(name));
}

function inOrder(all: readonly string[]): string[] {
  const rank = (name: string): number => (first.includes(name) ? first.indexOf(name) : first.length);
  return [...all].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** A schema from texts instead of files; a name that ends with `.ldif` tells its form. */
export function schemaFrom(texts: Readonly<Record<string, string>>): Schema {
  return buildSchema(Object.entries(texts).flatMap(([name, text]) => parse(text, name)));
}
