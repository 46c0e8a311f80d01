/**
 * Whether a rule is about this asker and this entry. One place: judging asks it, and explaining asks it again and says what it said.
 */

import { type Dn, parseDn } from '../../ldap-wire/index.ts';
import { monitorBase } from '../computed/tree.ts';
import type { Entry } from '../entry.ts';
import type { AttributeType } from '../schema/schema.ts';
import type { AccessRule, Target, Who } from './rules.ts';
import { domainOf, type Subject } from './subject.ts';

/** The part of a rule that does not fit. */
export type Misfit = 'who' | 'target' | 'class' | 'filter';

export interface MatchParts {
  readonly systemBase: Dn;
  /** For groups. */
  readonly entry: (dn: Dn) => Entry | undefined;
}

/** The attributes by which a group names its members. */
const memberAttributes = ['member', 'uniquemember', 'roleoccupant'] as const;

export class Matching {
  readonly #parts: MatchParts;
  /** Names in an attribute of an entry; entries never change, so neither do these. */
  readonly #names = new WeakMap<Entry, Map<string, ReadonlySet<string>>>();

  constructor(parts: MatchParts) {
    this.#parts = parts;
  }

  /** What of the rule does not fit, or undefined where it is about this. `anyWho`: that it is about this asker is known already. */
  misfit(rule: AccessRule, subject: Subject, entry: Entry, anyWho = false): Misfit | undefined {
    if (!anyWho && !rule.who.some((who) => this.#isWho(who, subject, entry))) return 'who';
    if (!rule.targets.some((target) => this.#isTarget(target, entry.dn))) return 'target';
    if (rule.classes.length > 0 && !rule.classes.some((name) => entry.isA(name))) return 'class';
    if (rule.filter && !rule.filter.fits(entry)) return 'filter';
    return undefined;
  }

  #isTarget(target: Target, dn: Dn): boolean {
    switch (target.kind) {
      case 'all':
        return true;
      case 'domains':
        return !this.#isSystem(dn);
      case 'system':
        return this.#isSystem(dn);
      case 'entry':
        return dn.key === target.dn.key;
      case 'children':
        return dn.key !== target.dn.key && dn.isWithin(target.dn);
      case 'subtree':
        return dn.isWithin(target.dn);
    }
  }

  #isSystem(dn: Dn): boolean {
    return dn.isWithin(this.#parts.systemBase) || dn.isWithin(monitorBase);
  }

  #isWho(who: Who, subject: Subject, entry: Entry): boolean {
    const known = settled(who, subject);
    const { dn } = subject;
    if (known !== undefined || !dn) return known ?? false;
    switch (who.kind) {
      case 'self':
        return dn.key === entry.dn.key;
      case 'same-domain':
        return subject.home !== undefined && domainOf(entry.dn)?.key === subject.home.key && !entry.dn.isWithin(this.#parts.systemBase);
      case 'domain-admin':
        return subject.domain !== undefined && entry.dn.isWithin(subject.domain);
      case 'group':
        return this.isMember(dn, who.dn);
      case 'attribute':
        return this.#namesIn(entry, who.attribute.lower).has(dn.key);
      default:
        return false;
    }
  }

  isMember(dn: Dn, group: Dn): boolean {
    const entry = this.#parts.entry(group);
    return entry !== undefined && memberAttributes.some((attribute) => this.#namesIn(entry, attribute).has(dn.key));
  }

  #namesIn(entry: Entry, attribute: AttributeType['lower']): ReadonlySet<string> {
    let all = this.#names.get(entry);
    if (!all) {
      all = new Map();
      this.#names.set(entry, all);
    }
    let names = all.get(attribute);
    if (!names) {
      names = new Set(entry.texts(attribute).flatMap(keyOf));
      all.set(attribute, names);
    }
    return names;
  }
}

/** A name's comparable form; an optional UID (RFC 4517 §3.3.21) at its end tells nobody apart here. */
function keyOf(text: string): string[] {
  try {
    return [parseDn(text.replace(/#'[01]*'B$/, '')).key];
  } catch {
    return [];
  }
}

/** Whether who asks is settled by who they are alone: true always, false never, undefined where it depends on entry or group. */
export function settled(who: Who, { dn }: Subject): boolean | undefined {
  switch (who.kind) {
    case 'all':
      return true;
    case 'anonymous':
      return dn === undefined;
    case 'authenticated':
      return dn !== undefined;
    case 'dn':
      return dn?.key === who.dn.key;
    case 'subtree':
      return dn?.isWithin(who.dn) ?? false;
    default:
      return dn === undefined ? false : undefined;
  }
}
