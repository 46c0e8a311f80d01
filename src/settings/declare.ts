/**
 * Settings are declared once, in the room that uses them; schema, default LDIF, reference page and help are made from that.
 *
 * Promise: a declaration is plain data with a type; reading it never needs a string key. Defaults stand here and nowhere else.
 * An own LDAP attribute gets its number in `schema/numbers.tsv` (append-only), written by `npm run generate`.
 */

/** What is common to every setting. */
export interface About {
  /** LDAP attribute, begins with `mt`. */
  readonly attribute: string;
  /** Short name for a form, without a full stop. */
  readonly label: string;
  /** What it means and what changing it does; one to three sentences. */
  readonly help: string;
  /** Source in the manual, the checklist or an RFC. */
  readonly spec?: string;
  /** The port of a listener or a directory: takes effect when the component is next started. */
  readonly restart?: true;
}

export interface IntegerSetting extends About {
  readonly type: 'integer';
  readonly default: number;
  readonly min: number;
  readonly max: number;
  /** Shown behind the number: `octets`, `seconds`, `minutes`, `sessions` … */
  readonly unit?: string;
}
export interface BooleanSetting extends About {
  readonly type: 'boolean';
  readonly default: boolean;
}
/** Characters of a text that says nothing else. */
export const longestText = 1_024;

export interface TextSetting extends About {
  readonly type: 'text';
  readonly default: string;
  /** Longest value in characters; `longestText` unless given. */
  readonly max?: number;
  /** Must match as a whole. `patternHelp` says what is allowed. */
  readonly pattern?: RegExp;
  readonly patternHelp?: string;
  /** What the pattern cannot say; asked of what matches it, when it is written and when it is read. */
  readonly valid?: (value: string) => boolean;
  /** Never shown, readable by the server alone. */
  readonly secret?: true;
}
export interface ChoiceSetting<C extends string = string> extends About {
  readonly type: 'choice';
  readonly choices: readonly C[];
  readonly default: C;
}
/** Several values, in no order. */
export interface ListSetting extends About {
  readonly type: 'list';
  readonly default: readonly string[];
  readonly pattern?: RegExp;
  readonly patternHelp?: string;
  /** As of a text. */
  readonly valid?: (value: string) => boolean;
}

export type Setting = IntegerSetting | BooleanSetting | TextSetting | ChoiceSetting | ListSetting;
export type SettingsShape = Readonly<Record<string, Setting>>;

export type SettingValue<S extends Setting> = S extends IntegerSetting
  ? number
  : S extends BooleanSetting
    ? boolean
    : S extends ChoiceSetting<infer C>
      ? C
      : S extends ListSetting
        ? readonly string[]
        : string;

export type SettingsOf<S extends SettingsShape> = { readonly [K in keyof S]: SettingValue<S[K]> };

export interface SettingsDeclaration<S extends SettingsShape = SettingsShape> {
  /** Structural object class of the entry: `mtSmtpd`. */
  readonly objectClass: string;
  /** Where the entry stands, relative to the system context: `cn=smtpd`; `{host}` stands for this host's name. */
  readonly entry: string;
  /** The entry is made at first start with its defaults. */
  readonly title: string;
  /** What the component does, for the reference page. */
  readonly help: string;
  readonly settings: S;
}

export function integer<const T extends Omit<IntegerSetting, 'type'>>(setting: T): IntegerSetting {
  return { type: 'integer', ...setting };
}
export function boolean(setting: Omit<BooleanSetting, 'type'>): BooleanSetting {
  return { type: 'boolean', ...setting };
}
export function text(setting: Omit<TextSetting, 'type'>): TextSetting {
  return { type: 'text', ...setting };
}
export function choice<const C extends string>(setting: Omit<ChoiceSetting<C>, 'type'>): ChoiceSetting<C> {
  return { type: 'choice', ...setting };
}
export function list(setting: Omit<ListSetting, 'type'>): ListSetting {
  return { type: 'list', ...setting };
}

/** Declares the settings of one entry. The identity function, with types. */
export function declareSettings<const S extends SettingsShape>(declaration: SettingsDeclaration<S>): SettingsDeclaration<S> {
  return declaration;
}

/** All defaults of a declaration as values. */
export function defaultsOf<S extends SettingsShape>(declaration: SettingsDeclaration<S>): SettingsOf<S> {
  return Object.fromEntries(Object.entries(declaration.settings).map(([name, setting]) => [name, setting.default])) as SettingsOf<S>;
}
