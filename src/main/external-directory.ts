/**
 * Starting with an external directory: waits for it, checks that it knows our schema, fills it at the first start.
 *
 * Promise: a start that cannot go on says what to do: which schema files to load, which LDIF. Until the directory is there nothing
 * listens, so no mail is accepted that could not be judged.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault, type Live, type Log, systemClock } from '../base/index.ts';
import { DirectoryFault, type DirectorySettings, type Schema } from '../directory/index.ts';
import { namesIn, openRemoteDirectory, type RemoteDirectory, saltedSha1 } from '../directory-remote/index.ts';
import { type Dn, formatLdifEntry, parseDn } from '../ldap-wire/index.ts';
import type { Config } from './config.ts';
import { basesOfConfig, type ExternalDirectory, serviceOptions } from './config-directory.ts';
import { addHost, type FirstPasswords, type FirstStart, fillDirectory, firstEntries, firstPasswords } from './first-start.ts';

/** Milliseconds without a word from the server after which it is asked for a sign of life. */
const keepAliveMs = 3_000;

export interface ExternalParts {
  readonly config: Config;
  readonly external: ExternalDirectory;
  readonly settings: Live<DirectorySettings>;
  readonly log: Log;
}

export function beginExternal({ config, external, settings, log }: ExternalParts) {
  return openRemoteDirectory({
    ...serviceOptions(external),
    ...basesOfConfig(config),
    clock: systemClock,
    random: Math.random,
    log,
    connections: external.connections,
    keepAliveMs,
    pollMs: external.poll * 1000,
    failureDelay: () => settings.value.failureDelay,
  });
}

/** Our schema files as they load there, in this order. */
const ownFiles = 'schema/mail.schema and schema/openldap/mailtree.schema there (in cn=config: schema/openldap/mail.ldif and mailtree.ldif)';

/** Fault `refused` names what the server's schema lacks, and the files that bring it. Nothing where it publishes none. */
export function checkSchema(directory: RemoteDirectory, schema: Schema, log: Log): void {
  const published = directory.subschema;
  if (!published) {
    log.warning('the directory server publishes no schema (subschemaSubentry): whether it knows ours will be seen');
    return;
  }
  const names = (attribute: string): Set<string> =>
    new Set(published.texts(attribute).flatMap((text) => namesIn(text, 'NAME').map((name) => name.toLowerCase())));
  const [classes, types] = [names('objectClasses'), names('attributeTypes')];
  const ours = ({ name }: { readonly name: string }): boolean => /^mt[A-Z]/.test(name) || foreign.has(name);
  const missing = [
    ...schema.parts.objectClasses.filter(ours).filter(({ name }) => !classes.has(name.toLowerCase())),
    ...schema.parts.attributeTypes.filter((type) => ours(type) && !type.operational).filter(({ name }) => !types.has(name.toLowerCase())),
  ].map(({ name }) => name);
  if (missing.length === 0) return;
  const more = missing.length > 8 ? ` and ${missing.length - 8} more` : '';
  throw new Fault(
    'refused',
    `the schema of the directory server lacks ${missing.slice(0, 8).join(', ')}${more}: load ${ownFiles}, see docs/external-directory.md`,
  );
}

/** Borrowed ones that the system context and accounts need. */
const foreign = new Set([
  'mailLocalAddress',
  'mailRoutingAddress',
  'mailForwardingAddress',
  'mailQuotaSize',
  'accountStatus',
  'inetLocalMailRecipient',
  'inetOrgPerson',
  'domain',
  'dcObject',
]);

/** What the first start writes into an external directory; what it may not write, it asks the administrator for. */
export async function fillExternal(directory: RemoteDirectory, config: Config): Promise<FirstStart | undefined> {
  const passwords = firstPasswords(config);
  try {
    const first = await fillDirectory(directory, config, passwords);
    if (!first) await addHost(directory, config);
    return first;
  } catch (thrown) {
    if (!(thrown instanceof DirectoryFault) || thrown.kind === 'unavailable') throw thrown;
    const file = join(config.data, 'first-start.ldif');
    writeFileSync(file, firstLdif(config, passwords), { mode: 0o600 });
    throw new Fault(
      'refused',
      `the directory server does not take the entries of the first start (${thrown.result}: ${thrown.say}): load ${file} there (ldapadd -c -f), then start again`,
      { cause: thrown },
    );
  }
}

/** The entries of the first start for an administrator's own tools, with the levels of the domain tree above them. */
export function firstLdif(config: Config, passwords: FirstPasswords): string {
  const { entries } = firstEntries(config, passwords);
  const written = new Set<string>();
  const parts = [
    'version: 1\n',
    `# What Mailtree needs in its directory before its first start. Administrator: cn=admin,cn=admins,${config.systemBase}${config.adminPassword === undefined ? `, password ${passwords.admin}` : ''}\n# Change the passwords once it is loaded (ldappasswd): {SSHA} is all that every server can check.\n`,
  ];
  const bases = new Set([config.domainBase, config.systemBase].filter((base) => base !== '').map((base) => parseDn(base).key));
  for (const { dn, attributes } of entries) {
    for (const level of levelsAbove(dn, bases)) {
      if (written.has(level.key)) continue;
      written.add(level.key);
      parts.push(formatLdifEntry(level, levelAttributes(level)));
    }
    written.add(dn.key);
    const hashed = attributes.map((each) =>
      each.name.toLowerCase() === 'userpassword' ? { name: each.name, values: each.values.map((value) => saltedSha1(value)) } : each,
    );
    parts.push(formatLdifEntry(dn, hashed));
  }
  return parts.join('\n');
}

/** `dc` levels between a base and the entry, from the top. */
function levelsAbove(dn: Dn, bases: ReadonlySet<string>): Dn[] {
  const levels: Dn[] = [];
  for (let above = dn.parent; above && above.rdns.length > 0 && !bases.has(above.key); above = above.parent)
    if (above.rdns[0]?.[0]?.type.toLowerCase() === 'dc') levels.unshift(above);
  return levels;
}

const levelAttributes = (dn: Dn) => [
  { name: 'objectClass', values: ['domain'] },
  { name: 'dc', values: [dn.rdns[0]?.[0]?.value ?? ''] },
];
