/** The entries that hold the settings, with every default written out: the first part of `ldif/base.ldif`. */

import type { Setting, SettingsDeclaration } from './declare.ts';
import { defaultValues } from './schema.ts';

/** An entry as data: name relative to the system context, and attributes in order. */
export interface DefaultEntry {
  readonly entry: string;
  readonly attributes: readonly (readonly [name: string, value: string])[];
}

/**
 * Parents come before children; a parent that no declaration makes is a plain container (`mtContainer`).
 * Settings with a secret are left out.
 */
export function defaultEntries(declarations: readonly SettingsDeclaration[]): DefaultEntry[] {
  const entries = new Map<string, DefaultEntry>();
  const container = (entry: string): void => {
    if (entry === '' || entries.has(entry)) return;
    container(parentOf(entry));
    entries.set(entry, {
      entry,
      attributes: [
        ['objectClass', 'mtContainer'],
        ['cn', nameOf(entry)],
      ],
    });
  };
  const sorted = [...declarations].sort((a, b) => a.entry.split(',').length - b.entry.split(',').length);
  for (const declaration of sorted) {
    container(parentOf(declaration.entry));
    entries.set(declaration.entry, {
      entry: declaration.entry,
      attributes: [
        ['objectClass', declaration.objectClass],
        ['cn', nameOf(declaration.entry)],
        ...Object.values<Setting>(declaration.settings)
          .filter((setting) => setting.type !== 'text' || !setting.secret)
          .flatMap((setting) => defaultValues(setting).map((value) => [setting.attribute, value] as const)),
      ],
    });
  }
  return [...entries.values()];
}

// Declared names are plain (`cn=smtpd,cn=x`): no escaped commas to look out for.
const parentOf = (entry: string): string => entry.split(',').slice(1).join(',');
const nameOf = (entry: string): string => (entry.split(',')[0] ?? '').replace(/^cn=/, '');
