/**
 * Who may do what: the one place where rights are judged, for every door.
 *
 * Promise: what no rule allows is denied; passwords and other secrets are never readable or searchable by anybody bound, not
 * even by super administrators; an entry may be known by those who may read its objectClass; no rule takes anything from a super
 * administrator. A decision is explained by the code that makes it.
 * A domain administrator is `cn=admin` directly below a `dc=` entry; a super administrator stands below `cn=admins`.
 * Source: checklist DIR-05
 */

import { createHash } from 'node:crypto';
import { type Dn, parseDn } from '../../ldap-wire/index.ts';
import { Entry } from '../entry.ts';
import { passwordOid } from '../passwords/scheme.ts';
import type { Actor } from '../port.ts';
import type { AttributeType, Schema } from '../schema/schema.ts';
import type { Right } from './classes.ts';
import { Matching, type Misfit, settled } from './match.ts';
import type { AccessRule } from './rules.ts';
import { type Subject, type SubjectParts, Subjects } from './subject.ts';

export type { Subject } from './subject.ts';

/** The rules that concern one subject and one entry, and what they were found to say. */
export interface Verdict {
  /** The same for all verdicts that judge every attribute alike. */
  readonly sign: string;
  allows(attribute: AttributeType, right: Right): boolean;
}

/** Why a rule is not the one that decides. */
export type Passed = Misfit | 'right' | 'attribute';
export interface Consideration {
  readonly rule: AccessRule;
  /** Undefined for the one that decides. */
  readonly passed: Passed | undefined;
}
export interface Decision {
  readonly allowed: boolean;
  readonly because: Ground;
  /** Every rule asked, in order, up to the one that decides. */
  readonly considered: readonly Consideration[];
}
export type Ground = 'system' | 'secret' | 'super administrator' | 'must change password' | 'anonymous reading is off' | 'rule' | 'no rule';

export interface JudgeParts extends Omit<SubjectParts, 'admins'> {
  readonly schema: Schema;
  readonly anonymousReads: () => boolean;
}

/** The rules that may be about a subject at all. */
interface Audience {
  readonly generation: number;
  readonly rules: readonly { readonly rule: AccessRule; readonly place: number; readonly anyWho: boolean }[];
  readonly verdicts: Map<number | string, Verdict>;
}

/** So many rules fit into the bits of a small number. */
const bits = 30;
const mostVerdicts = 1000;

export class Judge {
  readonly #subjects: Subjects;
  readonly #matching: Matching;
  readonly #objectClass: AttributeType | undefined;
  readonly #anonymousReads: () => boolean;
  #rules: readonly AccessRule[] = [];
  #rulesText = '';
  #groups: readonly Dn[] = [];
  /** How often the rules were set: part of every sign, for answers are kept by it and rules are named by their place. */
  #generation = 0;
  readonly #verdicts = new Map<string, Verdict>();
  readonly #audiences = new WeakMap<Subject, Audience>();
  #last: { readonly subject: Subject; readonly entry: Entry; readonly verdict: Verdict } | undefined;

  constructor(parts: JudgeParts) {
    this.#subjects = new Subjects({ ...parts, admins: parseDn(`cn=admins,${parts.systemBase.toString()}`) });
    this.#matching = new Matching(parts);
    this.#objectClass = parts.schema.attribute('objectClass');
    this.#anonymousReads = parts.anonymousReads;
  }

  setRules(rules: readonly AccessRule[]): void {
    this.#rules = [...rules].sort((a, b) => a.order - b.order || (a.name < b.name ? -1 : 1));
    this.#rulesText = createHash('sha256')
      .update(this.#rules.map(({ text }) => text).join('\n'))
      .digest('hex');
    this.#groups = this.#rules.flatMap(({ who }) => who.flatMap((item) => (item.kind === 'group' ? [item.dn] : [])));
    this.#generation += 1;
    this.#verdicts.clear();
    this.#last = undefined;
  }

  /**
   * Everything but the entry that decisions about this subject come from: as long as it is the same, so are they. It outlives a
   * restart.
   */
  fingerprint(subject: Subject): string {
    const { dn, system, root, domain, mustChange } = subject;
    if (root) return system ? 'system' : 'root';
    const groups = dn ? this.#groups.map((group) => (this.#matching.isMember(dn, group) ? 1 : 0)).join('') : '';
    return [dn?.key, domain?.key, mustChange, this.#isMute(subject), this.#rulesText, groups].join(' ');
  }

  /** To be told of every write: whom a group names may be another answer now. */
  changed(): void {
    this.#last = undefined;
  }

  subject(actor: Actor): Subject {
    return this.#subjects.of(actor);
  }

  /** What this subject may do with this entry. */
  verdict(subject: Subject, entry: Entry): Verdict {
    if (subject.system) return everything;
    if (subject.root) return allButSecrets;
    const last = this.#last;
    // A search asks about the same entry again for every attribute.
    if (last && last.subject === subject && last.entry === entry && (subject.dn !== undefined || this.#anonymousReads()))
      return last.verdict;
    const verdict = this.#judge(subject, entry);
    this.#last = { subject, entry, verdict };
    return verdict;
  }

  #judge(subject: Subject, entry: Entry): Verdict {
    if (this.#isMute(subject)) return nothing;
    if (subject.mustChange) return subject.dn?.key === entry.dn.key ? ownPassword : nothing;
    const { rules, verdicts } = this.#audience(subject);
    const concerned: number[] = [];
    let mask = 0;
    for (let n = 0; n < rules.length; n++) {
      const item = rules[n];
      if (!item || this.#matching.misfit(item.rule, subject, entry, item.anyWho)) continue;
      concerned.push(item.place);
      mask |= 1 << (n % bits);
    }
    const short = rules.length <= bits ? mask : concerned.join();
    const known = verdicts.get(short);
    if (known) return known;
    const made = this.#verdictOf(concerned);
    if (verdicts.size >= mostVerdicts) verdicts.clear();
    verdicts.set(short, made);
    return made;
  }

  #audience(subject: Subject): Audience {
    const known = this.#audiences.get(subject);
    if (known?.generation === this.#generation) return known;
    const rules = this.#rules.flatMap((rule, place) => {
      const who = rule.who.map((item) => settled(item, subject));
      const anyWho = who.includes(true);
      return anyWho || who.includes(undefined) ? [{ rule, place, anyWho }] : [];
    });
    const made = { generation: this.#generation, rules, verdicts: new Map() };
    this.#audiences.set(subject, made);
    return made;
  }

  #verdictOf(concerned: readonly number[]): Verdict {
    const sign = `rules ${this.#generation},${concerned.join()}`;
    const known = this.#verdicts.get(sign);
    if (known) return known;
    const rules = concerned.flatMap((place) => this.#rules[place] ?? []);
    const made = remembering(
      sign,
      (attribute, right) => ground('rules', attribute, right)?.allowed ?? firstOf(rules, attribute, right)?.allow ?? false,
    );
    if (this.#verdicts.size >= mostVerdicts) this.#verdicts.clear();
    this.#verdicts.set(sign, made);
    return made;
  }

  #isMute(subject: Subject): boolean {
    return subject.dn === undefined && !subject.system && !this.#anonymousReads();
  }

  /** Whether the subject may know that the entry exists. */
  knows(subject: Subject, entry: Entry): boolean {
    if (subject.root) return true;
    return this.#objectClass !== undefined && this.verdict(subject, entry).allows(this.#objectClass, 'read');
  }

  /** Whether an entry of this name, whatever is in it, could be one that the subject may know: false before anything is read for nothing. */
  couldKnow(subject: Subject, dn: Dn): boolean {
    if (subject.root) return true;
    if (this.#isMute(subject)) return false;
    if (subject.mustChange) return subject.dn?.key === dn.key;
    const type = this.#objectClass;
    const bare = new Entry(dn, []);
    return this.#audience(subject).rules.some(({ rule, anyWho }) => {
      if (!type || !rule.allow || !rule.rights.has('read') || !rule.covers(type)) return false;
      const misfit = this.#matching.misfit(rule, subject, bare, anyWho || rule.who.some(({ kind }) => kind === 'attribute'));
      return misfit === undefined || misfit === 'class' || misfit === 'filter';
    });
  }

  /** A right that is about the entry as a whole (add, delete). */
  mayEntry(subject: Subject, entry: Entry, right: 'add' | 'delete'): boolean {
    if (subject.root) return true;
    return this.#objectClass !== undefined && this.verdict(subject, entry).allows(this.#objectClass, right);
  }

  /** Whether an entry comes to administer a domain by its new name alone: for that it must be one that could be added there. */
  isPromoted(before: Dn, after: Dn): boolean {
    return this.#subjects.administered(after) !== undefined && this.#subjects.administered(before) === undefined;
  }

  /** The decision `verdict` makes, with every rule on the way to it. */
  decide(subject: Subject, entry: Entry, attribute: AttributeType, right: Right): Decision {
    const standing = subject.system
      ? 'system'
      : subject.root
        ? 'root'
        : this.#isMute(subject)
          ? 'mute'
          : subject.mustChange
            ? 'bound'
            : 'rules';
    const own = subject.dn?.key === entry.dn.key;
    const fixed = ground(standing, attribute, right, own);
    if (fixed) return { ...fixed, considered: [] };
    const considered: Consideration[] = [];
    for (const rule of this.#rules) {
      const passed = this.#matching.misfit(rule, subject, entry) ?? passes(rule, attribute, right);
      considered.push({ rule, passed });
      if (!passed) return { allowed: rule.allow, because: 'rule', considered };
    }
    return { allowed: false, because: 'no rule', considered };
  }
}

/** What of a rule about this asker and entry does not fit attribute or right. */
function passes(rule: AccessRule, attribute: AttributeType, right: Right): 'right' | 'attribute' | undefined {
  if (!rule.rights.has(right)) return 'right';
  return rule.covers(attribute) ? undefined : 'attribute';
}

const firstOf = (rules: readonly AccessRule[], attribute: AttributeType, right: Right): AccessRule | undefined =>
  rules.find((rule) => !passes(rule, attribute, right));

/** What is settled before any rule is asked. */
function ground(
  standing: 'system' | 'root' | 'mute' | 'bound' | 'rules',
  attribute: AttributeType,
  right: Right,
  own = false,
): Omit<Decision, 'considered'> | undefined {
  if (standing === 'system') return { allowed: true, because: 'system' };
  if (attribute.secret && isKeptFromAll(attribute, right)) return { allowed: false, because: 'secret' };
  if (standing === 'root') return { allowed: true, because: 'super administrator' };
  if (standing === 'mute') return { allowed: false, because: 'anonymous reading is off' };
  if (standing === 'rules') return undefined;
  const allowed = own && (right === 'write' ? attribute.oid === passwordOid : right === 'read' && attribute.lower === 'objectclass');
  return { allowed, because: 'must change password' };
}

/** Of secrets, passwords alone may be compared, for that is what logging in does too. */
function isKeptFromAll(attribute: AttributeType, right: Right): boolean {
  return right === 'read' || right === 'search' || (right === 'compare' && attribute.oid !== passwordOid);
}

/** A verdict that asks once for each attribute and right. */
function remembering(sign: string, judge: (attribute: AttributeType, right: Right) => boolean): Verdict {
  const known = new Map<AttributeType, Partial<Record<Right, boolean>>>();
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

const everything: Verdict = { sign: 'system', allows: () => true };
const nothing: Verdict = { sign: 'nothing', allows: () => false };
const allButSecrets: Verdict = { sign: 'root', allows: (attribute, right) => !attribute.secret || !isKeptFromAll(attribute, right) };
const ownPassword: Verdict = remembering('own password', (attribute, right) => ground('bound', attribute, right, true)?.allowed ?? false);
