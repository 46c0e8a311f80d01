/**
 * Who asks, as far as rights are concerned.
 *
 * Promise: a name whose entry is gone or no longer active has the rights of a stranger from that moment on, on open connections too;
 * one whose password must be changed first may do nothing but that.
 */

import type { Dn } from '../../ldap-wire/index.ts';
import type { Entry } from '../entry.ts';
import { lockedForGood } from '../passwords/policy.ts';
import type { Actor } from '../port.ts';

export interface Subject {
  /** Above all rights: the server itself. */
  readonly system: boolean;
  /** Super administrator: everything but secrets. */
  readonly root: boolean;
  readonly dn: Dn | undefined;
  /** The domain entry this subject administers. */
  readonly domain: Dn | undefined;
  /** The domain this subject's own entry is in. */
  readonly home: Dn | undefined;
  /** May change the own password and nothing else. */
  readonly mustChange: boolean;
}

const stranger: Subject = { system: false, root: false, dn: undefined, domain: undefined, home: undefined, mustChange: false };
const systemSubject: Subject = { ...stranger, system: true, root: true };
const mostKept = 10_000;

/** The nearest `dc` entry at or above a name: the domain it is in. */
export function domainOf(dn: Dn): Dn | undefined {
  for (let at: Dn | undefined = dn; at && at.rdns.length > 0; at = at.parent) if (at.key.startsWith('dc=')) return at;
  return undefined;
}

export interface SubjectParts {
  readonly systemBase: Dn;
  /** Super administrators stand below this. */
  readonly admins: Dn;
  readonly entry: (dn: Dn) => Entry | undefined;
  /** Whether the password of this entry is good for nothing but being changed. */
  readonly mustChange: (entry: Entry) => boolean;
}

export class Subjects {
  readonly #parts: SubjectParts;
  readonly #known = new Map<string, { readonly free: Subject; readonly bound: Subject }>();

  constructor(parts: SubjectParts) {
    this.#parts = parts;
  }

  of(actor: Actor): Subject {
    if (actor.as === 'system') return systemSubject;
    const { dn } = actor;
    if (!dn || dn.rdns.length === 0) return stranger;
    const entry = this.#parts.entry(dn);
    if (!entry || !isActive(entry)) return stranger;
    const known = this.#known.get(dn.key) ?? this.#make(dn);
    return this.#parts.mustChange(entry) ? known.bound : known.free;
  }

  /** The domain that whoever bears this name administers. */
  administered(dn: Dn): Dn | undefined {
    const { parent } = dn;
    return dn.key.startsWith('cn=admin,') && parent?.key.startsWith('dc=') && !dn.isWithin(this.#parts.systemBase) ? parent : undefined;
  }

  #make(dn: Dn): { readonly free: Subject; readonly bound: Subject } {
    const { systemBase, admins } = this.#parts;
    const inside = dn.isWithin(systemBase);
    const free: Subject = {
      system: false,
      root: dn.isWithin(admins) && dn.key !== admins.key,
      dn,
      domain: this.administered(dn),
      home: inside ? undefined : domainOf(dn),
      mustChange: false,
    };
    const made = { free, bound: { ...free, root: false, domain: undefined, mustChange: true } };
    if (this.#known.size >= mostKept) this.#known.clear();
    this.#known.set(dn.key, made);
    return made;
  }
}

/** Whether an account may be used at all: `accountStatus` of qmail-ldap, and not locked for good by an administrator. */
export function isActive(entry: Entry): boolean {
  const status = entry.text('accountStatus');
  if (status !== undefined && status !== 'active' && status.toLowerCase() !== 'active') return false;
  return entry.text('pwdAccountLockedTime') !== lockedForGood;
}
