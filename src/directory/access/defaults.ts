/**
 * The access rules a new directory starts with (checklist DIR-05).
 *
 * Everybody reads general information of the domain tree; a user changes the own password and own preferences; a domain
 * administrator manages everything below the domain, but not domains themselves and not their limits; the system tree is
 * for super administrators, who need no rule.
 */

import type { Dn } from '../../ldap-wire/index.ts';
import type { Attribute } from '../entry.ts';

/** What anybody may read of an entry in the domain tree. */
export const generalAttributes = [
  ...[
    'objectClass',
    'cn',
    'sn',
    'givenName',
    'initials',
    'displayName',
    'mail',
    'mailLocalAddress',
    'uid',
    'dc',
    'c',
    'co',
    'l',
    'st',
    'street',
  ],
  ...[
    'o',
    'ou',
    'title',
    'description',
    'businessCategory',
    'telephoneNumber',
    'facsimileTelephoneNumber',
    'mobile',
    'pager',
    'postalAddress',
  ],
  ...['postalCode', 'postOfficeBox', 'physicalDeliveryOfficeName', 'roomNumber', 'departmentNumber', 'employeeType', 'preferredLanguage'],
  ...['labeledURI', 'jpegPhoto', 'userCertificate', 'userSMIMECertificate', 'manager', 'secretary', 'associatedDomain', 'mtMailAddress'],
  ...['entryUUID', 'entryDN', 'structuralObjectClass', 'subschemaSubentry', 'hasSubordinates', 'createTimestamp', 'modifyTimestamp'],
] as const;

/** What a user may change of the own entry. */
export const ownAttributes = ['userPassword', 'preferredLanguage', 'mtPreference*'] as const;

export interface DefaultAccess {
  readonly systemBase: Dn;
  /** Preference attributes beside `ownAttributes` that users may change themselves. */
  readonly preferences?: readonly string[];
  /** Attributes that hold a domain's limits; domain administrators may not change them. */
  readonly domainLimits?: readonly string[];
  /** Classes that make an entry a domain; domain administrators may neither add nor remove nor change such entries. */
  readonly domainClasses?: readonly string[];
}

interface RuleText {
  readonly cn: string;
  readonly who: readonly string[];
  readonly effect: 'allow' | 'deny';
  readonly rights: readonly string[];
  readonly target?: string;
  readonly classes?: readonly string[];
  readonly attributes?: readonly string[];
  readonly about: string;
}

function rulesOf(options: DefaultAccess): RuleText[] {
  const read = ['search', 'read', 'compare'];
  return [
    {
      cn: 'domain limits',
      who: ['domain-admin'],
      effect: 'deny',
      rights: ['write'],
      attributes: ['mtDomainLimit*', 'mtDomainMax*', ...(options.domainLimits ?? [])],
      about: 'Domain administrators do not change the limits of their domain.',
    },
    {
      cn: 'domains',
      who: ['domain-admin'],
      effect: 'deny',
      rights: ['write', 'add', 'delete'],
      classes: options.domainClasses ?? ['domain', 'dcObject', 'mtMailDomain'],
      about: 'Domain administrators neither make nor remove nor change domains.',
    },
    {
      cn: 'domain administrators',
      who: ['domain-admin'],
      effect: 'allow',
      rights: [...read, 'write', 'add', 'delete'],
      target: 'domains',
      about: 'Domain administrators manage everything below their domain.',
    },
    {
      cn: 'own preferences',
      who: ['self'],
      effect: 'allow',
      rights: ['write'],
      attributes: [...ownAttributes, ...(options.preferences ?? [])],
      target: 'domains',
      about: 'Users change their own password and preferences.',
    },
    { cn: 'own entry', who: ['self'], effect: 'allow', rights: read, about: 'Everybody reads the own entry.' },
    {
      cn: 'general information',
      who: ['all'],
      effect: 'allow',
      rights: read,
      target: 'domains',
      attributes: generalAttributes,
      about: 'Names, addresses and telephone numbers can be looked up by everybody.',
    },
  ];
}

/** `cn=access` and the entries below it, to be added in this order. */
export function defaultAccess(options: DefaultAccess): { readonly dn: Dn; readonly attributes: readonly Attribute[] }[] {
  const base = options.systemBase.child([{ type: 'cn', value: 'access' }]);
  const container = {
    dn: base,
    attributes: [
      { name: 'objectClass', values: ['top', 'applicationProcess'] },
      { name: 'cn', values: ['access'] },
      { name: 'description', values: ['Access rules, asked in their order'] },
    ],
  };
  const entries = rulesOf(options).map((rule, n) => {
    const optional = (name: string, values: readonly string[] = []): Attribute[] => (values.length > 0 ? [{ name, values }] : []);
    return {
      dn: base.child([{ type: 'cn', value: rule.cn }]),
      attributes: [
        { name: 'objectClass', values: ['top', 'mtAccess'] },
        { name: 'cn', values: [rule.cn] },
        { name: 'description', values: [rule.about] },
        { name: 'mtAccessOrder', values: [String((n + 1) * 100)] },
        { name: 'mtAccessEffect', values: [rule.effect] },
        { name: 'mtAccessWho', values: rule.who },
        ...optional('mtAccessTarget', rule.target ? [rule.target] : []),
        ...optional('mtAccessClass', rule.classes),
        ...optional('mtAccessAttribute', rule.attributes),
        { name: 'mtAccessRight', values: rule.rights },
      ],
    };
  });
  return [container, ...entries];
}
