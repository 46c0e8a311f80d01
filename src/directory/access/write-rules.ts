/**
 * What is asked of every write for the sake of the access rules themselves: a rule that nobody could understand is not let in,
 * and nobody, not even a super administrator by mistake, shuts out the last resort, `cn=admin` below `cn=admins`.
 */

import { type Dn, parseDn } from '../../ldap-wire/index.ts';
import type { Entry } from '../entry.ts';
import { passwordText, storedPassword } from '../passwords/scheme.ts';
import { DirectoryFault } from '../port.ts';
import type { WriteRule } from '../write/rules.ts';
import { isRule, type RuleParts, ruleLimits, ruleOf } from './rules.ts';
import { isActive } from './subject.ts';

/** Each is asked about every entry that anybody reads. */
const mostRules = 500;

const refuse = (attribute: string, say: string): never => {
  throw new DirectoryFault('constraintViolation', `attribute ${attribute}: ${say}`);
};

/** Rules are checked as a whole; names in them that no schema knows are refused when they are new. */
export function understoodRules(parts: RuleParts): WriteRule {
  const counted = ['mtAccessWho', 'mtAccessTarget', 'mtAccessClass', 'mtAccessAttribute'];
  return async ({ kind, before, after }, reader) => {
    if (!after?.isA('mtAccess')) return;
    const rule = ruleOf(after, parts);
    if (!isRule(rule)) return refuse(rule.attribute, rule.say);
    for (const attribute of counted)
      if (after.values(attribute).length > ruleLimits.values) refuse(attribute, `has more than ${ruleLimits.values} values`);
    const fresh = (attribute: string): string[] => {
      const old = new Set(before?.texts(attribute));
      return after.texts(attribute).filter((text) => !old.has(text));
    };
    for (const name of fresh('mtAccessClass'))
      if (!parts.schema.objectClass(name.trim())) refuse('mtAccessClass', `"${name.slice(0, 100)}" is no object class of the schema`);
    for (const name of fresh('mtAccessAttribute')) if (!isCoverage(name.trim(), parts)) refuse('mtAccessAttribute', coverageSay(name));
    if (kind === 'add' && (await reader.find('objectClass', 'mtAccess', mostRules)).length >= mostRules)
      throw new DirectoryFault('adminLimitExceeded', `there are ${mostRules} access rules already`);
  };
}

function isCoverage(name: string, { schema }: RuleParts): boolean {
  if (name === '*' || name === '+') return true;
  if (name.startsWith('@')) return schema.objectClass(name.slice(1)) !== undefined;
  if (name.endsWith('*')) return /^[A-Za-z][A-Za-z0-9-]*\*$/.test(name);
  return schema.attribute(name) !== undefined;
}

const coverageSay = (name: string): string =>
  `"${name.slice(0, 100)}" is neither an attribute of the schema nor *, +, NAME* or @CLASS of one of its object classes`;

/** `cn=admin,cn=admins` keeps a password and stays active: rules do not concern it, so whoever has it can put everything else right. */
export function lastResortStays(systemBase: Dn): WriteRule {
  const admin = parseDn(`cn=admin,cn=admins,${systemBase.toString()}`);
  const canLogIn = (entry: Entry): boolean =>
    entry.values('userPassword').some((value) => storedPassword(passwordText(value)) !== undefined);
  return async ({ before, after }) => {
    if (!before || before.dn.key !== admin.key || after?.dn.key !== admin.key) return;
    if (canLogIn(before) && !canLogIn(after))
      refuse('userPassword', 'the last resort of administration keeps a password: replace it by another');
    if (after.has('pwdAccountLockedTime')) refuse('pwdAccountLockedTime', 'the last resort of administration is not locked');
    if (isActive(before) && !isActive(after)) refuse('accountStatus', 'the last resort of administration stays active');
  };
}
