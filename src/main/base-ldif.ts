/**
 * `ldif/base.ldif`: the system context as it is before anybody changes it. Generated; imported at the first start.
 *
 * `{host}`, `{domain}`, `{domainDn}` and `{system}` are filled in as text, `{password}` as a value, both at import.
 */

import { defaultAccess } from '../directory/index.ts';
import { blacklistBase, dkimBase, spammerBase } from '../dit/index.ts';
import { formatRdn, parseDn } from '../ldap-wire/index.ts';
import { defaultEntries } from '../settings/index.ts';
import { declared } from './declarations.ts';

interface TemplateEntry {
  readonly dn: string;
  readonly attributes: readonly (readonly [string, string])[];
}

export function baseLdif(): string {
  const parts = [
    'version: 1',
    [
      '# The system context as it is before anybody changes it: every setting with its default, access rights, the first administrator and the',
      '# first mail domain. Generated from the declarations in src/ by `npm run generate`; imported at the first start.',
    ].join('\n'),
    ...templateEntries().map((entry) => [`dn: ${entry.dn}`, ...entry.attributes.map(([name, value]) => `${name}: ${value}`)].join('\n')),
  ];
  return `${parts.join('\n\n')}\n`;
}

function templateEntries(): TemplateEntry[] {
  const container = (name: string, description: string): TemplateEntry => ({
    dn: `cn=${name},{system}`,
    attributes: [
      ['objectClass', 'mtContainer'],
      ['cn', name.split(',')[0] ?? ''],
      ['description', description],
    ],
  });
  return [
    {
      dn: '{system}',
      attributes: [
        ['objectClass', 'mtContainer'],
        ['cn', 'mailtree'],
        ['description', 'Mailtree: settings and site policy'],
      ],
    },
    ...defaultEntries(declared.settings).map(({ entry, attributes }) => ({ dn: `${entry},{system}`, attributes })),
    {
      dn: 'cn=forwarding,cn=mta,{system}',
      attributes: [
        ['objectClass', 'mtContainer'],
        ['cn', 'forwarding'],
        ['description', 'Domain forwarding: one entry a domain'],
      ],
    },
    container(blacklistBase.slice(3), 'DNS blacklists: one entry a zone'),
    container(spammerBase.slice(3), 'Addresses and domains whose mail is refused'),
    container(dkimBase.slice(3), 'Keys of DKIM: one entry a domain and selector'),
    ...accessEntries(),
    container('admins', 'Super administrators'),
    {
      dn: 'cn=admin,cn=admins,{system}',
      attributes: [
        ['objectClass', 'mtAdministrator'],
        ['cn', 'admin'],
        ['userPassword', '{password}'],
      ],
    },
    {
      dn: '{domainDn}',
      attributes: [
        ['objectClass', 'domain'],
        ['objectClass', 'mtMailDomain'],
        ['dc', '{dc}'],
        ['description', 'The first mail domain'],
      ],
    },
    // RFC 5321 §4.5.1: somebody is postmaster from the first moment. Nobody can log in until a password is set.
    {
      dn: 'mail=postmaster@{domain},{domainDn}',
      attributes: [
        ['objectClass', 'inetOrgPerson'],
        ['objectClass', 'mtMailUser'],
        ['mail', 'postmaster@{domain}'],
        ['cn', 'Postmaster'],
        ['sn', 'Postmaster'],
        [
          'description',
          'Receives notifications and mail for postmaster at every local domain; set a password to read it, or mailForwardingAddress',
        ],
      ],
    },
  ];
}

/** Access rules, named relative to the system context. */
function accessEntries(): TemplateEntry[] {
  const systemBase = parseDn('cn=mailtree');
  return defaultAccess({ systemBase }).map(({ dn, attributes }) => ({
    dn: [...dn.rdns.slice(0, -systemBase.rdns.length).map(formatRdn), '{system}'].join(','),
    attributes: attributes.flatMap(({ name, values }) => values.map((value) => [name, String(value)] as const)),
  }));
}
