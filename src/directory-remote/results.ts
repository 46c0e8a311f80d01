/** Results and entries of a server as values of the Directory port. */

import { type Attribute, DirectoryFault, Entry, type ResultName, resultCodes } from '../directory/index.ts';
import { type Dn, type LdapResult, parseDn } from '../ldap-wire/index.ts';
import type { ClassTree } from './class-tree.ts';

const names = new Map<number, ResultName>(Object.entries(resultCodes).map(([name, code]) => [code, name as ResultName]));
const good = new Set<number>([resultCodes.success, resultCodes.compareFalse, resultCodes.compareTrue]);

/** The refusal in a result; undefined where it is none. */
export function faultOf(result: LdapResult): DirectoryFault | undefined {
  if (good.has(result.code)) return undefined;
  const name = names.get(result.code) ?? 'other';
  const unnamed = names.has(result.code) ? name : `result code ${result.code}`;
  const elsewhere = name === 'referral' ? ` (it refers to ${(result.referral ?? []).join(', ').slice(0, 500)})` : '';
  const matched = result.matched === '' ? undefined : nameFrom(result.matched);
  return new DirectoryFault(name, (result.diagnostic.slice(0, 1000) || unnamed) + elsewhere, { matched });
}

/** A name that the server sent; undefined where it is none. */
export function nameFrom(text: string): Dn | undefined {
  try {
    return parseDn(text);
  } catch {
    return undefined;
  }
}

/** An entry that the server sent, with the superclasses it may have left out; undefined where its name makes no sense. */
export function entryFrom(dn: string, attributes: readonly Attribute[], classes?: ClassTree): Entry | undefined {
  const name = nameFrom(dn);
  return name && new Entry(name, classes ? classes.complete(attributes) : attributes);
}
