/**
 * Answers "may X do this with Y, and why": for administrators, by the code that judges (`Judge.decide`), never by a second opinion.
 *
 * Everything is judged as it stands at this moment. Answers are plain values, made to be sent and printed.
 * Source: checklist DIR-05
 */

import { escapeFilterValue, formatRdn, parseDn, parseFilter, rootDn } from '../../ldap-wire/index.ts';
import { Entry } from '../entry.ts';
import { type Actor, anonymous, DirectoryFault, type SearchRequest } from '../port.ts';
import type { AttributeType, Schema } from '../schema/schema.ts';
import { isListMember } from '../write/rules.ts';
import { type Right, rights } from './classes.ts';
import type { Decision, Ground, Judge, Passed, Subject } from './judge.ts';

export interface AccessQuestion {
  /** A distinguished name, an address, or `anonymous`. */
  readonly who: string;
  readonly dn: string;
  /** One of the rights, or `rename`. Without it, everything. */
  readonly right?: string;
  readonly attribute?: string;
}

export interface AccessStep {
  /** Order and name of the rule's entry. */
  readonly order: number;
  readonly rule: string;
  readonly decides: boolean;
  readonly why: string;
}

export interface AccessDecision {
  readonly right: Right;
  readonly attribute: string;
  readonly allowed: boolean;
  readonly why: string;
  readonly steps: readonly AccessStep[];
}

export interface AccessAnswer {
  /** Who was meant, and what they are. */
  readonly who: string;
  readonly standing: string;
  readonly dn: string;
  readonly remarks: readonly string[];
  /** For a question about one right; several attributes where a name is made of several. */
  readonly decisions: readonly AccessDecision[];
  /** For a question about everything: rights of the entry, then of each attribute. */
  readonly entry: readonly Right[];
  readonly attributes: readonly { readonly attribute: string; readonly rights: readonly Right[] }[];
}

export interface ExplainParts {
  readonly schema: Schema;
  readonly judge: Judge;
  /** Entries by name, and by filter: all of them. */
  readonly find: (name: string) => Entry | undefined;
  readonly search: (request: SearchRequest) => AsyncIterable<Entry>;
}

/** Lists that may mention an address before its owner is found. */
const mostNamed = 10_000;
const entryRights: readonly Right[] = ['add', 'delete'];
const attributeRights: readonly Right[] = ['search', 'read', 'compare', 'write', 'selfwrite'];

export async function explainAccess(parts: ExplainParts, question: AccessQuestion): Promise<AccessAnswer> {
  const { schema, judge } = parts;
  const { actor, entry: asker } = await askerOf(parts, question.who);
  const subject = judge.subject(actor);
  const dn = parseName(question.dn);
  const right = rightOf(question.right);
  const found = parts.find(dn.toString());
  if (!found && right !== 'add') throw new DirectoryFault('noSuchObject', `there is no entry ${dn.toString()}`);
  const entry = found ?? new Entry(dn, [{ name: 'objectClass', values: ['top'] }]);
  const objectClass = schema.attribute('objectClass');
  if (!objectClass) throw new DirectoryFault('unavailable', 'the schema has no objectClass');
  const ask = (attribute: AttributeType, one: Right): Decision => judge.decide(subject, entry, attribute, one);
  const remarks = [
    ...(found ? [] : ['there is no such entry yet: rules about classes and filters are asked about an empty one']),
    ...(asker && !subject.dn ? ['the account is not active, so it has the rights of a stranger'] : []),
    ...(!found || ask(objectClass, 'read').allowed
      ? []
      : ['may not know that the entry exists: every operation is answered as if it did not']),
  ];
  const base = { who: asker?.dn.toString() ?? 'anonymous', standing: standingOf(subject), dn: entry.dn.toString() };
  if (right === undefined) {
    const types = question.attribute === undefined ? attributesOf(schema, entry) : [typeOf(schema, question.attribute)];
    return {
      ...base,
      remarks,
      decisions: [],
      entry: entryRights.filter((one) => ask(objectClass, one).allowed),
      attributes: types.map((type) => ({ attribute: type.name, rights: attributeRights.filter((one) => ask(type, one).allowed) })),
    };
  }
  const one: Right = right === 'rename' ? 'write' : right;
  const types = asked(schema, entry, objectClass, right, question.attribute);
  const decisions = types.map((type) => decisionOf(type, one, ask(type, one)));
  for (const type of types) {
    if (one === 'write' && !type.userModifiable) remarks.push(`${type.name} is maintained by the server: nobody changes it`);
    if (one === 'write' && !ask(type, 'write').allowed && ask(type, 'selfwrite').allowed)
      remarks.push(`may add and remove the own name as a value of ${type.name}`);
  }
  return { ...base, remarks, decisions, entry: [], attributes: [] };
}

async function askerOf({ find, search }: ExplainParts, who: string): Promise<{ actor: Actor; entry?: Entry }> {
  const text = who.trim();
  if (text === '' || text.toLowerCase() === 'anonymous') return { actor: anonymous('explain') };
  const named = text.includes('=') ? [find(parseName(text).toString())] : await byAddress(search, text);
  const [entry] = named;
  if (!entry)
    throw new DirectoryFault('noSuchObject', `there is nobody called ${text.slice(0, 320)}: give a name, an address, or anonymous`);
  if (named.length > 1)
    throw new DirectoryFault('constraintViolation', `${text.slice(0, 320)} is the address of several entries: give a name`);
  return { actor: { dn: entry.dn, as: 'bound', door: 'explain' }, entry };
}

async function byAddress(search: ExplainParts['search'], address: string): Promise<Entry[]> {
  const named = ['mail', 'mailLocalAddress', 'mtMailAddress'].map((name) => `(${name}=${escapeFilterValue(address)})`).join('');
  const found: Entry[] = [];
  // Members of lists are named by an address that is not theirs.
  for await (const entry of search({ base: rootDn, scope: 'sub', filter: parseFilter(`(|${named})`), sizeLimit: mostNamed }))
    if (!isListMember(entry)) found.push(entry);
  return found;
}

function parseName(text: string): ReturnType<typeof parseDn> {
  try {
    return parseDn(text);
  } catch {
    throw new DirectoryFault('invalidDNSyntax', `"${text.slice(0, 320)}" is not a distinguished name`);
  }
}

function rightOf(text: string | undefined): Right | 'rename' | undefined {
  if (text === undefined) return undefined;
  const lower = text.toLowerCase();
  const found = lower === 'rename' ? lower : rights.find((right) => right === lower);
  if (!found)
    throw new DirectoryFault('constraintViolation', `"${text.slice(0, 60)}" is no right; rights are ${rights.join(', ')} and rename`);
  return found;
}

function typeOf(schema: Schema, name: string): AttributeType {
  const type = schema.describe(name)?.type;
  if (!type) throw new DirectoryFault('undefinedAttributeType', `attribute ${name.slice(0, 100)}: not defined in the schema`);
  return type;
}

/** The attributes one right is judged by: a whole entry's by its objectClass, a name's by what it is made of. */
function asked(
  schema: Schema,
  entry: Entry,
  objectClass: AttributeType,
  right: Right | 'rename',
  attribute: string | undefined,
): AttributeType[] {
  if (right === 'rename') return (entry.dn.rdns[0] ?? []).map((ava) => typeOf(schema, ava.type));
  if (right === 'add' || right === 'delete') return [objectClass];
  return attribute === undefined ? attributesOf(schema, entry) : [typeOf(schema, attribute)];
}

/** What the entry has and what it might have. */
function attributesOf(schema: Schema, entry: Entry): AttributeType[] {
  const classes = entry.texts('objectClass').flatMap((name) => schema.objectClass(name) ?? []);
  const names = [...entry.attributes.values()].map(({ name }) => name).concat(classes.flatMap((item) => [...item.must, ...item.may]));
  return [...new Set(names.flatMap((name) => schema.describe(name)?.type ?? []))];
}

function standingOf(subject: Subject): string {
  if (subject.mustChange) return 'must change the password first';
  if (subject.root) return 'super administrator';
  if (subject.domain) return `administrator of ${subject.domain.toString()}`;
  return subject.dn ? 'user' : 'stranger';
}

const grounds: Readonly<Record<Exclude<Ground, 'rule'>, string>> = {
  system: 'the server itself may do everything',
  secret: 'the attribute is secret: nobody reads it',
  'super administrator': 'super administrators may do everything but read secrets',
  'must change password': 'the password must be changed first, and nothing else may be done before',
  'anonymous reading is off': 'nothing is allowed without logging in (mtDirectoryAnonymousRead)',
  'no rule': 'no rule fits, so the answer is no',
};

const misfits: Readonly<Record<Passed, string>> = {
  who: 'is about others (mtAccessWho)',
  target: 'is about other entries (mtAccessTarget)',
  class: 'is about other object classes (mtAccessClass)',
  filter: 'its filter does not match (mtAccessFilter)',
  right: 'is about other rights (mtAccessRight)',
  attribute: 'is about other attributes (mtAccessAttribute)',
};

function decisionOf(type: AttributeType, right: Right, { allowed, because, considered }: Decision): AccessDecision {
  const steps = considered.map(({ rule, passed }) => ({
    order: rule.order,
    rule: formatRdn(parseDn(rule.name).rdns[0] ?? []),
    decides: passed === undefined,
    why: passed === undefined ? (rule.allow ? 'allows it' : 'denies it') : misfits[passed],
  }));
  const last = steps.at(-1);
  const why = because === 'rule' ? `${last?.rule ?? 'a rule'} ${last?.why ?? ''}` : grounds[because];
  return { right, attribute: type.name, allowed, why, steps };
}
