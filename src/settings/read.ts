/**
 * From the values of an entry to typed settings.
 *
 * Promise: never fails. A value that breaks its declaration is reported and the default stands in (of a list only that value goes), so that one bad value
 * (an external directory may hold anything) never stops a component.
 */

import {
  defaultsOf,
  type ListSetting,
  longestText,
  type Setting,
  type SettingsDeclaration,
  type SettingsOf,
  type SettingsShape,
  type TextSetting,
} from './declare.ts';

/** The textual values an entry has for an attribute. */
export type ValuesOf = (attribute: string) => readonly string[];

export interface ReadSettings<S extends SettingsShape> {
  readonly value: SettingsOf<S>;
  /** One line for every value that was not used: attribute, value, rule. */
  readonly problems: readonly string[];
}

export function readSettings<S extends SettingsShape>(declaration: SettingsDeclaration<S>, values: ValuesOf): ReadSettings<S> {
  const problems: string[] = [];
  const result: Record<string, unknown> = { ...defaultsOf(declaration) };
  for (const [name, setting] of Object.entries<Setting>(declaration.settings)) {
    const given = values(setting.attribute);
    if (given.length === 0) continue;
    if (setting.type === 'list') {
      // One bad value among others must not undo a list of whom to refuse.
      const good = given.filter((value) => isValid(setting, value));
      for (const value of given) if (!good.includes(value)) problems.push(`${setting.attribute}: "${value}" ${ruleOf(setting)}`);
      if (good.length > 0) result[name] = good;
      continue;
    }
    const parsed = parseValue(setting, given[0] ?? '');
    const rule = parsed === undefined ? ruleOf(setting) : brokenRule(setting, given);
    if (rule === undefined) result[name] = parsed;
    else
      problems.push(`${setting.attribute}: ${setting.type === 'text' && setting.secret ? 'the value' : `"${given.join('", "')}"`} ${rule}`);
  }
  return { value: result as SettingsOf<S>, problems };
}

/** The value a text stands for, or undefined where it is none of this type. */
export function parseValue(setting: Setting, text: string): number | boolean | string | undefined {
  switch (setting.type) {
    case 'integer': {
      if (!/^-?\d{1,15}$/.test(text)) return undefined;
      const n = Number(text);
      return n >= setting.min && n <= setting.max ? n : undefined;
    }
    case 'boolean':
      return text.toUpperCase() === 'TRUE' ? true : text.toUpperCase() === 'FALSE' ? false : undefined;
    case 'choice':
      return setting.choices.find((choice) => choice.toLowerCase() === text.toLowerCase());
    default:
      return text;
  }
}

/** How a value is written into the directory. */
export function formatValue(value: number | boolean | string): string {
  return typeof value === 'boolean' ? (value ? 'TRUE' : 'FALSE') : String(value);
}

function ruleOf(setting: Setting): string {
  switch (setting.type) {
    case 'integer':
      return `must be a whole number from ${setting.min} to ${setting.max}`;
    case 'boolean':
      return 'must be TRUE or FALSE';
    case 'choice':
      return `must be one of ${setting.choices.join(', ')}`;
    default:
      return setting.patternHelp ?? `must match ${setting.pattern?.source}`;
  }
}

function brokenRule(setting: Setting, given: readonly string[]): string | undefined {
  if (setting.type === 'text' && (given[0] ?? '').length > (setting.max ?? longestText))
    return `must not be longer than ${setting.max ?? longestText} characters`;
  return setting.type === 'text' && !isValid(setting, given[0] ?? '') ? ruleOf(setting) : undefined;
}

/** Whether a value has the form that its declaration asks for. */
export function isValid({ pattern, valid }: TextSetting | ListSetting, value: string): boolean {
  if (pattern && !new RegExp(`^(?:${pattern.source})$`, pattern.flags.replace('g', '')).test(value)) return false;
  return valid?.(value) ?? true;
}
