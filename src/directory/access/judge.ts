/**
 * Who may do what: the one place where rights are judged, for every door.
 *
 * Promise: what no rule allows is denied; passwords and other secrets are never readable or searchable by anybody bound, not
 * even by super administrators; an entry may be known by those who may read its objectClass.
 * A domain administrator is `cn=admin` directly below a `dc=` entry; a super administrator stands below `cn=admins`.
 * Source: checklist DIR-05
 */

import { type Dn, parseDn } from '../../ldap-wire/index.ts';
import type { Entry } from '../entry.ts';
import type { Actor } from '../port.ts';
import type { AttributeType, Schema } from '../schema/schema.ts';
import type { Right } from './classes.ts';
import type { AccessRule, Target, Who } from './rules.ts';

/** An actor, as far as rights are concerned. */
export interface Subject {
  /** Above all rights: the server itself. */
  readonly system: boolean;
  /** Super administrator: everything but secrets. */
  readonly root: boolean;
  readonly dn: Dn | undefined;
  /** The domain entry this subject administers. */
  readonly domain: Dn | undefined;
}

/** The rules that concern one subject and one entry, and what they were found to say. */
export interface Verdict {
  /** The same for all verdicts that judge every attribute alike. */
  readonly sign: string;
  allows(attribute: AttributeType, right: Right): boolean;
}

const systemSubject: Subject = { system: true, root: true, dn: undefined, domain: undefined };
const nobody: Subject = { system: false, root: false, dn: undefined, domain: undefined };
const everything: Verdict = { sign: 'system', allows: () => true };
const allButSecrets: Verdict = {
  sign: 'root',
  allows: (attribute, right) => !attribute.secret || (right !== 'read' && right !== 'search'),
};

export class Judge {
  readonly #systemBase: Dn;
  readonly #admins: Dn;
  readonly #objectClass: AttributeType | undefined;
  readonly #anonymousReads: () => boolean;
  #rules: readonly AccessRule[] = [];
  /** How often the rules were set: part of every sign, for answers are kept by it and rules are named by their place. */
  #generation = 0;
  readonly #subjects = new Map<string, Subject>();
  readonly #verdicts = new Map<string, Verdict>();

  constructor(parts: { readonly schema: Schema; readonly systemBase: Dn; readonly anonymousReads: () => boolean }) {
    this.#systemBase = parts.systemBase;
    this.#admins = parseDn(`cn=admins,${parts.systemBase.toString()}`);
    this.#objectClass = parts.schema.attribute('objectClass');
    this.#anonymousReads = parts.anonymousReads;
  }

  setRules(rules: readonly AccessRule[]): void {
    this.#rules = [...rules].sort((a, b) => a.order - b.order || (a.name < b.name ? -1 : 1));
    this.#generation += 1;
    this.#verdicts.clear();
  }

  subject(actor: Actor): Subject {
    if (actor.as === 'system') return systemSubject;
    const dn = actor.dn;
    if (!dn || dn.rdns.length === 0) return nobody;
    const known = this.#subjects.get(dn.key);
    if (known) return known;
    const parent = dn.parent;
    const adminOf = dn.key.startsWith('cn=admin,') && parent?.key.startsWith('dc=') && !dn.isWithin(this.#systemBase) ? parent : undefined;
    const made = { system: false, root: dn.isWithin(this.#admins) && dn.key !== this.#admins.key, dn, domain: adminOf };
    if (this.#subjects.size >= 10_000) this.#subjects.clear();
    this.#subjects.set(dn.key, made);
    return made;
  }

  /** What this subject may do with this entry. */
  verdict(subject: Subject, entry: Entry): Verdict {
    if (subject.system) return everything;
    if (subject.root) return allButSecrets;
    const mute = !subject.dn && !this.#anonymousReads();
    let sign = `${mute ? 'mute' : 'rules'} ${this.#generation}`;
    const rules = this.#rules;
    for (let n = 0; n < rules.length; n++) {
      const rule = rules[n];
      if (rule && this.#concerns(rule, subject, entry)) sign += `,${n}`;
    }
    const known = this.#verdicts.get(sign);
    if (known) return known;
    const concerned = sign.split(',').slice(1);
    const made = verdictOf(
      sign,
      concerned.flatMap((n) => rules[Number(n)] ?? []),
      mute,
    );
    if (this.#verdicts.size >= 1000) this.#verdicts.clear();
    this.#verdicts.set(sign, made);
    return made;
  }

  /** Whether the subject may know that the entry exists. */
  knows(subject: Subject, entry: Entry): boolean {
    if (subject.root) return true;
    return this.#objectClass !== undefined && this.verdict(subject, entry).allows(this.#objectClass, 'read');
  }

  /** A right that is about the entry as a whole (add, delete). */
  mayEntry(subject: Subject, entry: Entry, right: 'add' | 'delete'): boolean {
    if (subject.root) return true;
    return this.#objectClass !== undefined && this.verdict(subject, entry).allows(this.#objectClass, right);
  }

  #concerns(rule: AccessRule, subject: Subject, entry: Entry): boolean {
    if (!rule.who.some((who) => isWho(who, subject, entry.dn))) return false;
    if (!rule.targets.some((target) => this.#isTarget(target, entry.dn))) return false;
    return rule.classes.length === 0 || rule.classes.some((name) => entry.isA(name));
  }

  #isTarget(target: Target, dn: Dn): boolean {
    switch (target.kind) {
      case 'all':
        return true;
      case 'domains':
        return !dn.isWithin(this.#systemBase);
      case 'system':
        return dn.isWithin(this.#systemBase);
      case 'entry':
        return dn.key === target.dn.key;
      case 'children':
        return dn.key !== target.dn.key && dn.isWithin(target.dn);
      case 'subtree':
        return dn.isWithin(target.dn);
    }
  }
}

function isWho(who: Who, subject: Subject, target: Dn): boolean {
  switch (who.kind) {
    case 'all':
      return true;
    case 'anonymous':
      return subject.dn === undefined;
    case 'authenticated':
      return subject.dn !== undefined;
    case 'self':
      return subject.dn?.key === target.key;
    case 'domain-admin':
      return subject.domain !== undefined && target.isWithin(subject.domain);
    case 'dn':
      return subject.dn?.key === who.dn.key;
    case 'subtree':
      return subject.dn?.isWithin(who.dn) ?? false;
  }
}

/** The first rule that covers attribute and right decides. Answers are remembered per attribute. */
function verdictOf(sign: string, rules: readonly AccessRule[], mute: boolean): Verdict {
  const known = new Map<AttributeType, Partial<Record<Right, boolean>>>();
  const judge = (attribute: AttributeType, right: Right): boolean => {
    if (mute) return false;
    if (attribute.secret && (right === 'read' || right === 'search')) return false;
    return rules.find((rule) => rule.rights.has(right) && rule.covers(attribute))?.allow ?? false;
  };
  return {
    sign,
    allows(attribute, right) {
      let row = known.get(attribute);
      if (!row) {
        row = {};
        known.set(attribute, row);
      }
      row[right] ??= judge(attribute, right);
      return row[right];
    },
  };
}
