/**
 * Declaring own object classes and attributes that are data, not settings (users, connectors, domains, access entries).
 *
 * They go into `schema/mailtree.schema` beside the settings. Attributes of standard schemas are named in must/may and not
 * declared again.
 */

export type Syntax = 'text' | 'text-exact' | 'ascii' | 'integer' | 'boolean' | 'dn' | 'time' | 'octets';

export interface AttributeDeclaration {
  /** LDAP attribute, begins with `mt`. */
  readonly attribute: string;
  /** `text` and `ascii` compare without regard to case, `text-exact` with. */
  readonly syntax: Syntax;
  readonly single?: boolean;
  /** Maintained by the server: not writable by users, returned for `+` only. */
  readonly operational?: boolean;
  readonly label: string;
  readonly help: string;
  /** The allowed values, where they are a closed set. */
  readonly choices?: readonly string[];
  /** The smallest and the largest whole number allowed. */
  readonly range?: readonly [min: number, max: number];
  /** Longest value, in characters or octets. */
  readonly length?: number;
  /** Never shown to anybody: readable by the server alone. */
  readonly secret?: true;
  readonly spec?: string;
}

export interface ClassDeclaration {
  readonly name: string;
  readonly kind: 'structural' | 'auxiliary';
  /** Superclass; `top` unless given. */
  readonly sup?: string;
  readonly must?: readonly string[];
  readonly may?: readonly string[];
  readonly title: string;
  readonly help: string;
  /** Own attributes that this declaration brings along; they may be used by other classes too. */
  readonly attributes?: readonly AttributeDeclaration[];
}

export function declareClass(declaration: ClassDeclaration): ClassDeclaration {
  return declaration;
}
