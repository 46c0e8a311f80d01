#!/usr/bin/env node
/**
 * `iemsdomacct`: domains with limits and an administrator of their own, by the manual's own command. `-h` is a directory here, so help
 * is `--help`.
 *
 * Source: manual chapter 7, "IEMSDOMACCT"; checklist DOM-01, DOM-03
 */

import { Command } from 'commander';
import { Fault } from '../base/index.ts';
import type { Entry } from '../directory/index.ts';
import type { LdapClient } from '../directory-remote/index.ts';
import { type Config, version } from '../main/index.ts';
import { asAdministrator } from './administrator.ts';
import { type ActionFlags, actionOf, forbid, need, notHere } from './compatible.ts';
import {
  addDomainAdministrator,
  administratorDn,
  changeDomain,
  type DomainChange,
  dcName,
  domainEntry,
  domainGiven,
  makeDomain,
  matching,
  removeDomain,
} from './domain.ts';
import { domainLimits, limitChanges, usedAndAllowed } from './domain-limits.ts';
import { equal, treeBase } from './entries.ts';
import { hideArguments, runner, table } from './program.ts';

interface Options extends ActionFlags {
  readonly d?: string;
  readonly p?: string;
  readonly u?: string;
  readonly h?: string;
  readonly q?: string;
  readonly w?: string;
  readonly t?: string;
  readonly l?: string;
  readonly s?: string;
  readonly k?: string;
}

hideArguments('iemsdomacct');
const program = new Command('iemsdomacct');
const run = runner(program);
program
  .description('create, delete and list domains with limits and an administrator; --help for this text')
  .version(version, '--version')
  .helpOption('--help', 'this text')
  .option('--config <file>', 'configuration file of the server')
  .option('-C', 'create a domain account: the domain, its limits and its administrator cn=admin')
  .option('-D', 'delete a domain account: the domain and its administrator; it must have no users any more')
  .option('-L', 'list all domain accounts')
  .option('-d <domain>', 'name of the domain; with -L a pattern in which * stands for anything')
  .option('-p <password>', "password of the domain's administrator, at least 6 characters")
  .option('-u <users>', 'users at most')
  .option('-h <hdir>', 'directory of the mailboxes of new users')
  .option('-q <quota>', 'MB for all mailboxes together')
  .option('-w <wdir>', 'directory of the web folders of new users')
  .option('-t <wquota>', 'MB for all web folders together; 0 switches web folders off')
  .option('-l <lists>', 'distribution lists at most; 0 switches them off')
  .option('-s <shared>', 'shared accounts at most; 0 switches them off')
  .option('-k <remark>', 'remark')
  .action(
    run(async (config, options: Options) => {
      const action = actionOf(options);
      if (action !== 'C') forbid(options, action, ['p', 'u', 'h', 'q', 'w', 't', 'l', 's', 'k']);
      if (action === 'L') return await list(config, options.d ?? '*');
      const name = domainGiven(need(options.d, 'd', 'the name of the domain', action));
      if (action === 'D') {
        await asAdministrator(config, (client) => removeDomain(client, config, name));
        return console.log(`deleted ${name}`);
      }
      const password = need(options.p, 'p', "the password of the domain's administrator", action);
      const changes = changesOf(options);
      await asAdministrator(config, (client) => create(client, config, name, changes, password));
      if (options.h !== undefined) notHere('-h', 'mailMessageStore', 'all mailboxes are kept in the data directory');
      console.log(`created ${name}, administrator cn=admin`);
    }),
  );

/** Without a value there is no limit, as for the manual's “unlimited”. */
function changesOf({ u, q, t, l, s, h, w, k }: Options): DomainChange[] {
  const given = { maxUsers: u, storeQuota: q, webQuota: t, maxLists: l, maxShared: s };
  const limits = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const flags = { maxUsers: '-u', storeQuota: '-q', webQuota: '-t', maxLists: '-l', maxShared: '-s' };
  const texts: [string, string | undefined][] = [
    ['mailMessageStore', h],
    ['mtWebFolderDirectory', w],
    ['description', k],
  ];
  return [...limitChanges(limits, flags), ...texts.flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]))];
}

/** A domain that is local already gets its account; the administrator comes first, so that a bad password leaves nothing behind. */
async function create(client: LdapClient, config: Config, name: string, changes: readonly DomainChange[], password: string): Promise<void> {
  const known = await existing(client, config, name);
  if (known) {
    await addDomainAdministrator(client, known.dn, password);
    try {
      return await changeDomain(client, known.dn, changes);
    } catch (thrown) {
      await client.delete(administratorDn(known.dn));
      throw thrown;
    }
  }
  const dn = await makeDomain(client, config, name, changes);
  try {
    await addDomainAdministrator(client, dn, password);
  } catch (thrown) {
    await removeDomain(client, config, name);
    throw thrown;
  }
}

async function existing(client: LdapClient, config: Config, name: string): Promise<Entry | undefined> {
  try {
    return await domainEntry(client, config, name);
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.kind === 'not-found') return undefined;
    throw thrown;
  }
}

async function list(config: Config, pattern: string): Promise<void> {
  const fits = matching(pattern);
  const rows = await asAdministrator(config, async (client) => {
    const found = await client.search({
      base: treeBase(config),
      scope: 'sub',
      filter: equal('objectClass', 'mtMailDomain'),
      attributes: ['*', ...domainLimits.map(({ used }) => used)],
    });
    const administrators = await client.search({
      base: treeBase(config),
      scope: 'sub',
      filter: equal('objectClass', 'mtAdministrator'),
      attributes: ['1.1'],
    });
    const managed = new Set(administrators.map(({ dn }) => dn.key));
    return found.filter(({ dn }) => fits.test(dcName(dn)) && managed.has(administratorDn(dn).key));
  });
  table(
    ['domain', ...domainLimits.map(({ title }) => title), 'remark'],
    rows
      .map((entry) => {
        const shown = usedAndAllowed(entry);
        return [dcName(entry.dn), ...domainLimits.map(({ title }) => shown[title] ?? ''), entry.text('description') ?? ''];
      })
      .sort(([a = ''], [b = '']) => a.localeCompare(b)),
  );
}

await program.parseAsync();
