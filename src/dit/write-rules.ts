/**
 * The platform's rules about entries, asked in the transaction of every write (main registers them with the directory).
 *
 * Promise: an address is one by RFC 5321 or 6531, written with its domain in A-labels, and stands below its own domain: who administers
 * one domain cannot take mail for another one, ours or anybody's. What the server cannot do without is neither removed nor renamed.
 * That an address is unique and a channel exists is checked by the directory and the schema. Further suffixes are outside all this.
 */

import { type Actor, DirectoryFault, type Entry, isListMember, type RuleReader, type WriteRule } from '../directory/index.ts';
import { type Dn, parseDn, rebased } from '../ldap-wire/index.ts';
import { addressKey, domainOf, normalizeAddress, normalizeDomain } from '../mail/index.ts';
import type { SettingsDeclaration } from '../settings/index.ts';
import { domainName, localityOf } from './domain-name.ts';
import { dkimBase, mailAuthBase } from './mail-auth.ts';
import { settingRule } from './setting-rules.ts';
import { blacklistBase, spammerBase } from './strangers.ts';
import { systemEntryRules } from './system-rules.ts';

export interface PlatformBases {
  readonly systemBase: Dn;
  readonly domainBase: Dn;
  /** Trees beside both: no mail domains stand there, and what addresses stand there is nobody's business. */
  readonly elsewhere?: readonly Dn[];
  /** Whose values are checked beyond what the schema says. */
  readonly settings?: readonly SettingsDeclaration[];
}

const addressAttributes = ['mail', 'mailLocalAddress', 'mtMailAddress'] as const;

export function platformRules(bases: PlatformBases): readonly WriteRule[] {
  return [
    addressesLiveInTheirDomain(bases),
    addressesMoveWithTheirDomain(bases),
    aliasIsAnotherDomain(bases),
    neededEntriesStay(bases),
    postmasterStays(bases),
    ...systemEntryRules(bases.systemBase),
    settingRule(bases.systemBase, bases.settings ?? []),
  ];
}

function addressesLiveInTheirDomain({ systemBase, domainBase, elsewhere = [] }: PlatformBases): WriteRule {
  const admins = parseDn(`cn=admins,${systemBase.toString()}`);
  // Administrators of the whole platform may give an account further addresses in other domains, ours or not: routing then takes them.
  const aboveDomains = (actor: Actor): boolean => actor.as === 'system' || (actor.dn?.isWithin(admins) ?? false);
  return async ({ kind, before, after, actor }, reader) => {
    if (!after || after.dn.isWithin(systemBase) || isListMember(after)) return;
    const tree = elsewhere.find((dn) => after.dn.isWithin(dn));
    if (tree && after.isA('mtMailDomain'))
      throw new DirectoryFault(
        'constraintViolation',
        `attribute objectClass: mtMailDomain: ${tree.toString()} is a further suffix, and mail domains do not stand there`,
      );
    if (tree) return;
    const moved = kind === 'rename' && before?.dn.parent?.key !== after.dn.parent?.key;
    for (const attribute of addressAttributes) {
      const old = moved ? [] : (before?.texts(attribute) ?? []);
      for (const address of after.texts(attribute)) {
        if (old.includes(address)) continue;
        const refuse = (why: string): never => {
          throw new DirectoryFault('constraintViolation', `attribute ${attribute}: "${address.slice(0, 320)}" ${why}`);
        };
        const domain = domainOf(address);
        if (addressKey(address) === undefined) refuse('is not a mail address');
        const written = normalizeDomain(domain) ?? domain;
        if (written !== domain) refuse(`must be written with its domain as ${written}`);
        const plain = normalizeAddress(address) ?? address;
        // Two spellings of one mailbox would be two entries: `"a"@jade.net` is a@jade.net (RFC 5321 §4.1.2).
        if (plain.toLowerCase() !== address.toLowerCase()) refuse(`must be written as ${plain}`);
        const home = await localDomain(domain, domainBase, reader);
        if (home && after.dn.isWithin(home.dn)) continue;
        if (attribute === 'mailLocalAddress' && aboveDomains(actor)) continue;
        refuse(home ? `belongs below ${home.dn.toString()}` : 'is in a domain that is not a local one here');
      }
    }
  };
}

/** The mail domain a name is or falls under, as `Dit.domain` finds it. */
async function localDomain(domain: string, base: Dn, reader: RuleReader): Promise<Entry | undefined> {
  const labels = domain.split('.');
  for (let n = 0; n < labels.length && n < 32; n++) {
    const entry = await reader.read(domainName(labels.slice(n), base));
    if (!entry?.isA('mtMailDomain')) continue;
    const { itself, subdomains } = localityOf(entry);
    if (n === 0 ? itself : subdomains) return entry;
  }
  return undefined;
}

/** What is renamed or moved with everything below it: every address there must still stand below its domain. */
function addressesMoveWithTheirDomain({ systemBase, domainBase }: PlatformBases): WriteRule {
  return async ({ kind, before, after }, reader) => {
    if (kind !== 'rename' || !before || !after || before.dn.isWithin(systemBase)) return;
    const inPlace = before.dn.parent?.key === after.dn.parent?.key;
    if (before.dn.key === after.dn.key || (inPlace && !isLevel(before.dn) && !isLevel(after.dn))) return;
    for (const entry of await reader.below(before.dn)) {
      if (isListMember(entry)) continue;
      const there = rebased(entry.dn, before.dn, after.dn);
      for (const address of ['mail', 'mtMailAddress'].flatMap((attribute) => entry.texts(attribute))) {
        const home = await localDomain(domainOf(address), domainBase, reader);
        if (!home || there.isWithin(home.dn)) continue;
        throw new DirectoryFault(
          'unwillingToPerform',
          `below it is ${address.slice(0, 320)}, which belongs below ${home.dn.toString()}: give it another address, or move it, first`,
        );
      }
    }
  };
}

/** A domain that is another name for itself would find nobody, and its sub-domains have no part in what it is another name for. */
function aliasIsAnotherDomain({ systemBase }: PlatformBases): WriteRule {
  return async ({ after }) => {
    const alias = after?.text('mtDomainAlias');
    if (!after || alias === undefined || after.dn.isWithin(systemBase)) return;
    const levels = after.dn.rdns.flatMap((rdn) => rdn.filter(({ type }) => type.toLowerCase() === 'dc').map(({ value }) => value));
    if (normalizeDomain(alias) === normalizeDomain(levels.join('.')))
      throw new DirectoryFault(
        'constraintViolation',
        `attribute mtDomainAlias: ${alias.slice(0, 255)} is this domain itself; it names another one`,
      );
    if (!localityOf(after).itself)
      throw new DirectoryFault(
        'constraintViolation',
        'attribute mtDomainAlias: is for the domain itself, and this entry stands for its sub-domains alone (mtSubdomainsOnly)',
      );
  };
}

const isLevel = (dn: Dn): boolean => dn.key.startsWith('dc=');

/** Somebody is postmaster of the first domain (RFC 5321 §4.5.1), whose address the server's own mail comes from, too. */
function postmasterStays({ systemBase }: PlatformBases): WriteRule {
  const server = systemBase.child([{ type: 'cn', value: 'server' }]);
  return async ({ before, after }, reader) => {
    const addresses = before && !isListMember(before) ? addressesOf(before).filter((address) => address.startsWith('postmaster@')) : [];
    if (!before || addresses.length === 0) return;
    const domain = (await reader.read(server))?.text('mtLocalDomain')?.toLowerCase();
    const needed = `postmaster@${domain}`;
    if (!addresses.includes(needed)) return;
    const refuse = (why: string): never => {
      throw new DirectoryFault(
        'unwillingToPerform',
        `${needed} is needed by the server (RFC 5321 section 4.5.1): ${why}; mailForwardingAddress takes its mail elsewhere`,
      );
    };
    if (!after) refuse('its entry cannot be removed');
    else if (!addressesOf(after).includes(needed)) refuse('its entry keeps that address');
    else if (!receives(after) && receives(before)) refuse('it must take mail');
  };
}

const addressesOf = (entry: Entry): string[] =>
  addressAttributes.flatMap((attribute) => entry.texts(attribute)).map((address) => address.toLowerCase());
const receives = (entry: Entry): boolean =>
  !['disabled', 'deleted'].includes(entry.text('accountStatus')?.trim().toLowerCase() ?? '') &&
  entry.text('mtAccountPermission')?.toLowerCase() !== 'send';

/** The modules of the preprocessor have their settings below it. */
const modules = 'cn=modules,cn=mta';

function neededEntriesStay({ systemBase }: PlatformBases): WriteRule {
  const needed = [
    ...['', 'cn=server,', 'cn=admins,', 'cn=admin,cn=admins,', 'cn=access,', 'cn=mta,', 'cn=forwarding,cn=mta,', 'cn=peers,'],
    'cn=default,cn=peers,',
    ...[blacklistBase, spammerBase, mailAuthBase, dkimBase, modules].map((base) => `${base},`),
  ];
  const homes = [systemBase.key, parseDn(`${modules},${systemBase.toString()}`).key];
  // Without its entry a component or module would go by the factory settings, and limits of one's own would be gone without a word.
  const isSettings = (entry: Entry): boolean =>
    homes.includes(entry.dn.parent?.key ?? '') && entry.texts('objectClass').some((name) => /^mt(?!container$)/i.test(name));
  const keys = new Set(needed.map((relative) => parseDn(`${relative}${systemBase.toString()}`).key));
  return async ({ before, after }) => {
    if (!before || after?.dn.key === before.dn.key || !(keys.has(before.dn.key) || isSettings(before))) return;
    throw new DirectoryFault(
      'unwillingToPerform',
      `${before.dn.toString()} is needed by the server: it can neither be removed nor renamed`,
    );
  };
}
