/**
 * `mailtree dkim create|list|show|check|activate|rotate|retire|delete`: the keys that outgoing mail is signed with.
 *
 * The private key is made here and goes into the directory, where nobody reads it but the server; it is never printed.
 * Source: checklist MTA-24. Spec: RFC 6376 §3.6, RFC 8301 §3.2
 */

import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { Fault } from '../../base/index.ts';
import type { LdapClient } from '../../directory-remote/index.ts';
import type { DkimKey } from '../../dit/index.ts';
import { parseDn } from '../../ldap-wire/index.ts';
import { importKey, type KeyType, keyTypes, type MadeKey, makeKey } from '../../mail-auth/index.ts';
import type { Config } from '../../main/index.ts';
import { asAdministrator } from '../administrator.ts';
import { addKey, freeSelector, keyGiven, keysOf, recordProblem, resolverOf, setState, zoneLine } from '../dkim-keys.ts';
import { domainEntry, domainGiven } from '../domain.ts';
import { json, type Run, say, table } from '../program.ts';

interface Making {
  readonly selector?: string;
  readonly type?: string;
  readonly bits?: string;
  readonly import?: string;
}
interface Naming {
  readonly selector?: string;
  readonly force?: boolean;
}

export function addDkimCommands(program: Command, run: Run): void {
  const dkim = program.command('dkim').description('keys that outgoing mail is signed with');
  dkim
    .command('create <domain>')
    .description('make a key and print its DNS record; nothing is signed with it before `activate`')
    .option('--selector <name>', 'name of the key in the DNS (default: from the month)')
    .option('--type <rsa|ed25519>', 'kind of key', 'rsa')
    .option('--bits <number>', 'size of an RSA key: 2048, 3072 or 4096', '2048')
    .option('--import <file>', 'take this private key (PEM) and make none')
    .action(run(create));
  dkim.command('list [domain]').description('the keys and their states').option('--json', 'as JSON').action(run(list));
  dkim.command('show <domain>').description('the DNS records of the keys').option('--json', 'as JSON').action(run(show));
  dkim.command('check <domain>').description('whether the DNS has the records; exit code 2 where it has not').action(run(check));
  const activate = dkim
    .command('activate <domain>')
    .description('sign with the new key; the active one of the same kind retires. Asks the DNS for the record before')
    .option('--force', 'whatever the DNS says')
    .action(run(activateKey));
  dkim
    .command('rotate <domain>')
    .description('make a successor for each active key and print its DNS record; `activate` follows when the DNS has it')
    .option('--bits <number>', 'size of RSA keys', '2048')
    .action(run(rotateKeys));
  const retire = dkim
    .command('retire <domain>')
    .description('sign with it no longer; leave the record in the DNS for a week')
    .action(run(retireKey));
  const remove = dkim
    .command('delete <domain>')
    .description('remove a key, not an active one; take its record out of the DNS then')
    .action(run(removeKey));
  for (const command of [activate, retire, remove]) command.option('--selector <name>', 'which key, where there are several');
}

function typeGiven(text: string): KeyType {
  const type = keyTypes.find((one) => one === text.toLowerCase());
  if (!type) throw new Fault('malformed', `--type: "${text}" is neither rsa nor ed25519`);
  return type;
}

function bitsGiven(text: string): number {
  if (!['2048', '3072', '4096'].includes(text)) throw new Fault('malformed', `--bits: "${text}" is none of 2048, 3072 and 4096`);
  return Number(text);
}

function imported(file: string): MadeKey {
  let pem: string;
  try {
    pem = readFileSync(file, 'utf8');
  } catch (thrown) {
    throw new Fault('not-found', `${file} cannot be read: ${(thrown as Error).message}`);
  }
  const key = importKey(pem);
  if (!key) throw new Fault('malformed', `${file} is no private key for RSA or Ed25519 in PEM without a password`);
  return key;
}

async function create(config: Config, text: string, options: Making): Promise<void> {
  const domain = domainGiven(text);
  const made =
    options.import === undefined ? makeKey(typeGiven(options.type ?? 'rsa'), bitsGiven(options.bits ?? '2048')) : imported(options.import);
  const selectorText = options.selector?.toLowerCase();
  if (selectorText !== undefined && !/^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?)*$/.test(selectorText))
    throw new Fault('malformed', `--selector: "${options.selector}" cannot be a name in the DNS`);
  const { selector, local } = await asAdministrator(config, async (client) => {
    const keys = await keysOf(client, config, domain);
    const there = keys.find(({ type, state }) => type === made.type && state !== 'retired');
    if (selectorText === undefined && there) throw new Fault('exists', already(there));
    const name = selectorText ?? freeSelector(keys, made.type, new Date());
    await addKey(client, config, { domain, selector: name }, made);
    return { selector: name, local: await isLocalDomain(client, config, domain) };
  });
  if (!local) say(`remark: ${domain} is not a domain of this server; mail is signed where its author is an address there`);
  say(`made the key ${selector} of ${domain}; put this into the DNS, then: mailtree dkim activate ${domain}\n`);
  say(zoneLine({ domain, selector, type: made.type, publicKey: made.publicKey }));
}

function already({ domain, selector, type, state }: DkimKey): string {
  const next = state === 'new' ? `its record: mailtree dkim show ${domain}` : `a successor: mailtree dkim rotate ${domain}`;
  const other = type === 'rsa' ? ' --type ed25519 for the other kind,' : ' --type rsa for the other kind,';
  return `${domain} has the ${type} key ${selector} (${state}); ${next};${other} --selector NAME for another one all the same`;
}

async function isLocalDomain(client: LdapClient, config: Config, domain: string): Promise<boolean> {
  try {
    await domainEntry(client, config, domain);
    return true;
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.kind === 'not-found') return false;
    throw thrown;
  }
}

const shownKey = ({ domain, selector, type, state, publicKey }: DkimKey) => ({ domain, selector, type, state, publicKey });

async function list(config: Config, text: string | undefined, options: { json?: boolean }): Promise<void> {
  const domain = text === undefined ? undefined : domainGiven(text);
  const keys = await asAdministrator(config, (client) => keysOf(client, config, domain));
  if (options.json) return json(keys.map(shownKey));
  table(
    ['domain', 'selector', 'type', 'state'],
    keys.map((key) => [key.domain, key.selector, key.type, key.state]),
  );
}

async function some(client: LdapClient, config: Config, domain: string): Promise<DkimKey[]> {
  const keys = await keysOf(client, config, domain);
  if (keys.length === 0) throw new Fault('not-found', `${domain} has no keys (mailtree dkim create ${domain})`);
  return keys;
}

async function show(config: Config, text: string, options: { json?: boolean }): Promise<void> {
  const domain = domainGiven(text);
  const keys = await asAdministrator(config, (client) => some(client, config, domain));
  if (options.json) return json(keys.map((key) => ({ ...shownKey(key), record: zoneLine(key) })));
  for (const key of keys) say(`; ${key.state}\n${zoneLine(key)}`);
}

async function check(config: Config, text: string): Promise<void> {
  const domain = domainGiven(text);
  await asAdministrator(config, async (client) => {
    const keys = await some(client, config, domain);
    const resolver = await resolverOf(client, config);
    for (const key of keys) {
      const problem = await recordProblem(key, resolver);
      say(`${key.selector} (${key.state}): ${problem ?? 'the DNS has it'}`);
      // Of a key that nobody signs with any more the record may be gone.
      if (problem !== undefined && key.state !== 'retired') process.exitCode = 2;
    }
  });
}

/** The new keys, of which there is one of each kind after `rotate`; the command must say which where there are more. */
function waiting(keys: readonly DkimKey[], domain: string): DkimKey[] {
  const fresh = keys.filter(({ state }) => state === 'new');
  const clear = fresh.length > 0 && new Set(fresh.map(({ type }) => type)).size === fresh.length;
  return clear ? fresh : [keyGiven(keys, domain, undefined, ['new'])];
}

async function activateKey(config: Config, text: string, options: Naming): Promise<void> {
  const domain = domainGiven(text);
  await asAdministrator(config, async (client) => {
    const keys = await some(client, config, domain);
    const wanted = options.selector === undefined ? waiting(keys, domain) : [keyGiven(keys, domain, options.selector.toLowerCase(), [])];
    if (!options.force) {
      const resolver = await resolverOf(client, config);
      for (const key of wanted) {
        const problem = await recordProblem(key, resolver);
        if (problem !== undefined)
          throw new Fault('refused', `${problem}: mail signed with this key would fail (--force does it all the same)`);
      }
    }
    for (const key of wanted) {
      await setState(client, key, 'active');
      say(`${domain} signs with ${key.selector}`);
      for (const old of keys.filter((one) => one.state === 'active' && one.type === key.type && one !== key)) {
        await setState(client, old, 'retired');
        say(
          `${old.selector} is retired: leave its record in the DNS for a week, then: mailtree dkim delete ${domain} --selector ${old.selector}`,
        );
      }
    }
  });
}

async function rotateKeys(config: Config, text: string, options: { bits?: string }): Promise<void> {
  const domain = domainGiven(text);
  const bits = bitsGiven(options.bits ?? '2048');
  await asAdministrator(config, async (client) => {
    const keys = await some(client, config, domain);
    const active = [...new Set(keys.filter(({ state }) => state === 'active').map(({ type }) => type))];
    if (active.length === 0) throw new Fault('refused', `${domain} has no active key that could get a successor`);
    const waiting = keys.find(({ state, type }) => state === 'new' && active.includes(type));
    if (waiting) throw new Fault('refused', `${domain} has a successor already: ${waiting.selector} (mailtree dkim activate ${domain})`);
    say(`put this into the DNS, then: mailtree dkim activate ${domain}\n`);
    for (const type of active) {
      const made = makeKey(type, bits);
      const selector = freeSelector(keys, type, new Date());
      await addKey(client, config, { domain, selector }, made);
      say(zoneLine({ domain, selector, type, publicKey: made.publicKey }));
    }
  });
}

async function retireKey(config: Config, text: string, options: Naming): Promise<void> {
  const domain = domainGiven(text);
  await asAdministrator(config, async (client) => {
    const keys = await some(client, config, domain);
    const key = keyGiven(keys, domain, options.selector?.toLowerCase(), ['active']);
    await setState(client, key, 'retired');
    say(`${domain} no longer signs with ${key.selector}`);
    const left = keys.filter((one) => one.state === 'active' && one !== key).map((one) => one.selector);
    say(left.length > 0 ? `it signs with ${left.join(', ')}` : `mail of ${domain} is not signed any more: no key of it is active`);
  });
}

async function removeKey(config: Config, text: string, options: Naming): Promise<void> {
  const domain = domainGiven(text);
  await asAdministrator(config, async (client) => {
    const key = keyGiven(await some(client, config, domain), domain, options.selector?.toLowerCase(), ['new', 'retired']);
    if (key.state === 'active')
      throw new Fault('refused', `${key.selector} is active: mailtree dkim retire ${domain} --selector ${key.selector}`);
    await client.delete(parseDn(key.dn));
    say(`deleted the key ${key.selector} of ${domain}`);
  });
}
