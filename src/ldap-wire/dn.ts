/**
 * Distinguished names: values, their comparable and their string form. Reading the string form is in dn-parse.ts.
 *
 * A Dn is immutable. `key` is its comparable form: attribute types lower-case (OIDs of RFC 4514 §3 by name), values
 * prepared as caseIgnoreMatch does (RFC 4518: case folded, spaces folded and trimmed) unless the schema in force says
 * otherwise (`useNamingRules`), RDN components sorted; two names of the same entry have the same key.
 * In a key every `,` separates two RDNs, so `key + ',' + ancestor.key` composes.
 * Spec: RFC 4514 §2
 */

import { Fault } from '../base/index.ts';
import { prepareIgnoringCase } from './prepare.ts';

export interface Ava {
  readonly type: string;
  readonly value: string;
  /** True where the value is not text: `value` is then its BER encoding as `#` and lower-case hexadecimal digits. */
  readonly encoded?: true;
}

/** One relative name: one or more attribute-value pairs. */
export type Rdn = readonly Ava[];

export interface Dn {
  /** From the entry up to the root. Empty is the root DSE. */
  readonly rdns: readonly Rdn[];
  /** Comparable form. */
  readonly key: string;
  /** String form of RFC 4514, as it was given in spelling and case. */
  toString(): string;
  readonly parent: Dn | undefined;
  /** True for the entry itself and everything below it. */
  isWithin(ancestor: Dn): boolean;
  child(rdn: Rdn): Dn;
}

/** Levels at most, and characters of the string form: far above real names, low enough to bound all work on one. */
export const dnLimits = { levels: 100, length: 16_384, pairs: 32 } as const;

/** Other spellings of attribute types that name the same attribute (RFC 4519, RFC 4524). */
const typeAliases = new Map<string, string>([
  ['2.5.4.3', 'cn'],
  ['commonname', 'cn'],
  ['2.5.4.4', 'sn'],
  ['surname', 'sn'],
  ['2.5.4.6', 'c'],
  ['countryname', 'c'],
  ['2.5.4.7', 'l'],
  ['localityname', 'l'],
  ['2.5.4.8', 'st'],
  ['stateorprovincename', 'st'],
  ['2.5.4.9', 'street'],
  ['streetaddress', 'street'],
  ['2.5.4.10', 'o'],
  ['organizationname', 'o'],
  ['2.5.4.11', 'ou'],
  ['organizationalunitname', 'ou'],
  ['0.9.2342.19200300.100.1.1', 'uid'],
  ['userid', 'uid'],
  ['0.9.2342.19200300.100.1.3', 'mail'],
  ['rfc822mailbox', 'mail'],
  ['0.9.2342.19200300.100.1.25', 'dc'],
  ['domaincomponent', 'dc'],
]);

/** attributeType of RFC 4512 §2.5: a short name or a dotted OID. */
export const attributeType = /^(?:[A-Za-z][A-Za-z0-9-]*|(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))+)$/;

const keyFree = /^[^,+=\\]*$/;
const keySpecials = /[,+=\\]/g;

/** How the schema names an attribute type, and how values of it are compared where that is not as caseIgnoreMatch does. */
export interface NamingRule {
  /** Lower-case. */
  readonly type: string;
  /** The comparable form; undefined for a value the rule cannot take. */
  readonly form?: (value: string) => string | undefined;
}

let namingRule: (type: string) => NamingRule | undefined = () => undefined;
let inForm = false;

/**
 * Names are compared by this schema from now on (RFC 4517 §4.2.15). A process has one schema; names read before keep the key they have.
 * `find` gets attribute types in lower case, names and numbers.
 */
export function useNamingRules(find: (type: string) => NamingRule | undefined): void {
  namingRule = find;
}

/** A form that reads names itself (a DN inside a DN) finds plain comparison below: nesting cannot run away. */
function formOf(value: string, rule: NamingRule | undefined): string {
  if (!rule?.form || inForm) return prepareIgnoringCase(value);
  inForm = true;
  try {
    return rule.form(value) ?? prepareIgnoringCase(value);
  } finally {
    inForm = false;
  }
}

function avaKey(ava: Ava): string {
  const lower = ava.type.toLowerCase();
  const rule = namingRule(lower);
  const type = rule?.type ?? typeAliases.get(lower) ?? lower;
  // A text value may look like an encoded one, so the latter carries a mark no prepared text can have in that place.
  if (ava.encoded) return `${type}=\\23${ava.value.slice(1)}`;
  const value = formOf(ava.value, rule);
  if (keyFree.test(value)) return `${type}=${value}`;
  return `${type}=${value.replace(keySpecials, (c) => `\\${c.charCodeAt(0).toString(16)}`)}`;
}

/** The comparable form of one relative name. */
export function rdnKey(rdn: Rdn): string {
  if (rdn.length === 1) return avaKey(rdn[0]!);
  return rdn.map(avaKey).sort().join('+');
}

const valueFree = /^(?! |#)[^\\"+,;<>\u0000]*(?<! )$/;

/** A value with everything escaped that RFC 4514 §2.4 wants escaped. */
export function escapeDnValue(value: string): string {
  if (value === '' || valueFree.test(value)) return value;
  return value
    .replace(/[\\"+,;<>]/g, (c) => `\\${c}`)
    .replaceAll('\u0000', '\\00')
    .replace(/^[ #]/, (c) => `\\${c}`)
    .replace(/(?<=[^\\]) $|(?<=\\\\) $/, '\\ ');
}

/** One relative name as text. */
export function formatRdn(rdn: Rdn): string {
  return rdn.map((ava) => `${ava.type}=${ava.encoded ? ava.value : escapeDnValue(ava.value)}`).join('+');
}

class Name implements Dn {
  readonly rdns: readonly Rdn[];
  #key: string | undefined;
  #text: string | undefined;
  #parent: Dn | undefined;

  constructor(rdns: readonly Rdn[], text?: string, parent?: Dn) {
    this.rdns = rdns;
    this.#text = text;
    this.#parent = parent;
  }

  get key(): string {
    this.#key ??= this.rdns.map(rdnKey).join(',');
    return this.#key;
  }

  get parent(): Dn | undefined {
    if (this.rdns.length === 0) return undefined;
    this.#parent ??= this.rdns.length === 1 ? rootDn : new Name(this.rdns.slice(1));
    return this.#parent;
  }

  toString(): string {
    this.#text ??= this.rdns.map(formatRdn).join(',');
    return this.#text;
  }

  isWithin(ancestor: Dn): boolean {
    if (ancestor.rdns.length === 0) return true;
    if (ancestor.rdns.length > this.rdns.length) return false;
    if (ancestor.rdns.length === this.rdns.length) return this.key === ancestor.key;
    return this.key.endsWith(`,${ancestor.key}`);
  }

  child(rdn: Rdn): Dn {
    checkRdn(rdn);
    if (this.rdns.length >= dnLimits.levels) throw new Fault('malformed', `a name has at most ${dnLimits.levels} levels`);
    return new Name([rdn, ...this.rdns], undefined, this);
  }
}

function checkRdn(rdn: Rdn): void {
  if (rdn.length === 0) throw new Fault('malformed', 'a relative name needs at least one attribute');
  if (rdn.length > dnLimits.pairs) throw new Fault('malformed', `a relative name has at most ${dnLimits.pairs} attributes`);
  for (const ava of rdn) {
    if (!attributeType.test(ava.type)) throw new Fault('malformed', `"${ava.type.slice(0, 64)}" is not an attribute type`);
  }
}

/** The name of the root DSE: no levels at all. */
export const rootDn: Dn = new Name([], '');

/** A name from its levels, the entry's own first. Throws Fault `malformed` for what is no attribute type or too deep. */
export function makeDn(rdns: readonly Rdn[]): Dn {
  if (rdns.length === 0) return rootDn;
  if (rdns.length > dnLimits.levels) throw new Fault('malformed', `a name has at most ${dnLimits.levels} levels`);
  for (const rdn of rdns) checkRdn(rdn);
  return new Name(rdns);
}

/** The name with `to` in the place of `from`, which is this name or one above it. */
export function rebased(dn: Dn, from: Dn, to: Dn): Dn {
  return dn.rdns.slice(0, dn.rdns.length - from.rdns.length).reduceRight((above, rdn) => above.child(rdn), to);
}

/** For the parser alone: levels that are known to be right, with the text where it is in normal form already. */
export function trustedDn(rdns: readonly Rdn[], text: string | undefined): Dn {
  return rdns.length === 0 ? rootDn : new Name(rdns, text);
}
