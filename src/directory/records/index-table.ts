/** The table of indexes: what an administrator adds to it, and what the records were last built for. */

import { parseDn } from '../../ldap-wire/index.ts';
import type { KeyValue } from '../../storage/index.ts';
import type { Entry } from '../entry.ts';
import type { Schema } from '../schema/schema.ts';
import { directorySettings, indexSetting } from '../settings.ts';
import { decodeText } from './codec.ts';
import { defaultIndexes, type IndexKinds, type IndexTable } from './indexes.ts';
import { keys } from './keys.ts';

/** The entry with the settings of the directory, relative to the system context. */
export const settingsEntry = (systemBase: string): ReturnType<typeof parseDn> => parseDn(`${directorySettings.entry},${systemBase}`);

const whole = new RegExp(`^(?:${indexSetting.source})$`);

/** The default table with what `mtDirectoryIndex` adds. What cannot be indexed is told to `note` and left out. */
export function extendedTable(settings: Entry | undefined, schema: Schema, note: (text: string) => void): IndexTable {
  const table: Record<string, IndexKinds> = { ...defaultIndexes };
  for (const text of settings?.texts('mtDirectoryIndex') ?? []) {
    const [name = '', kinds = ''] = text.trim().split(/\s+/);
    const type = schema.attribute(name);
    if (!whole.test(text.trim())) note(`mtDirectoryIndex: "${text}" is not an attribute and its indexes`);
    else if (!type) note(`mtDirectoryIndex: the schema has no attribute ${name}`);
    else if (!type.equality) note(`mtDirectoryIndex: ${type.name} has no equality rule and cannot be indexed`);
    else if (type.secret) note(`mtDirectoryIndex: ${type.name} is secret and is not indexed`);
    else {
      const given = new Set(kinds.toLowerCase().split(','));
      const known = Object.entries(table).find(([key]) => schema.attribute(key) === type);
      table[known?.[0] ?? type.name] = {
        ...known?.[1],
        ...(given.has('eq') || given.has('ord') ? { equality: true } : {}),
        ...(given.has('sub') ? { substring: true } : {}),
        ...(given.has('pres') ? { presence: true } : {}),
      };
    }
  }
  return table;
}

/** What the records were built for, or undefined where they were never built to their end, or by another version. */
export function builtTable(keyValue: Pick<KeyValue, 'getNow'>): IndexTable | undefined {
  const octets = keyValue.getNow(keys.meta);
  if (!octets) return undefined;
  try {
    const parts = JSON.parse(decodeText(octets)) as unknown[];
    return Object.fromEntries(parts.filter((part): part is [string, IndexKinds] => Array.isArray(part)));
  } catch {
    return undefined;
  }
}
