/**
 * An LDAP connection with the administrator's rights: by the Unix socket when this user owns it, else with the password: from
 * MAILTREE_PASSWORD, the configuration file if it still holds, or asked for. With an external directory: the product's own account there.
 *
 * What commands do by it is an ordinary LDAP write: checked, recorded, seen by every component.
 */

import { accessSync, constants } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { Fault } from '../base/index.ts';
import { DirectoryFault } from '../directory/index.ts';
import { connectService, LdapClient, type LdapPlace } from '../directory-remote/index.ts';
import { basesOfConfig, type Config, serviceOptions, type Where } from '../main/index.ts';

/** Fault `unavailable` when no server answers, `bad-credentials` when the password is wrong. */
export async function asAdministrator<T>(config: Config, work: (client: LdapClient) => Promise<T>): Promise<T> {
  const client = await connect(config);
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

async function connect(config: Config): Promise<LdapClient> {
  if (config.directory) return connectService({ ...serviceOptions(config.directory), ...basesOfConfig(config) });
  const { ldapi, ldap } = config.listen;
  const socket = ldapi !== 'off' && (ldap === 'off' || opens(ldapi)) ? ldapi : undefined;
  const client = await LdapClient.connect(socket === undefined ? placeOf(ldap) : { path: socket });
  try {
    if (socket !== undefined) await client.bindExternal();
    else await logIn(client, config);
    return client;
  } catch (thrown) {
    // An open connection would keep the process from ending.
    client.close();
    throw thrown;
  }
}

/** Whether this user may open the socket, if it is there. */
function opens(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code !== 'EACCES';
  }
}

function placeOf(ldap: Where): LdapPlace {
  if (ldap === 'off') throw new Fault('unavailable', 'the configuration has neither listen.ldapi nor listen.ldap');
  return { host: ldap.host === '::' ? '127.0.0.1' : ldap.host, port: ldap.port };
}

async function logIn(client: LdapClient, config: Config): Promise<void> {
  const dn = `cn=admin,cn=admins,${config.systemBase}`;
  const known = process.env['MAILTREE_PASSWORD'];
  if (known === undefined && config.adminPassword !== undefined && (await accepted(client, dn, config.adminPassword))) return;
  await client.bind(dn, known ?? (await askPassword('Administrator password: ')));
}

/** The configuration file's password is that of the first start: it may have been changed since. */
async function accepted(client: LdapClient, dn: string, password: string): Promise<boolean> {
  try {
    await client.bind(dn, password);
    return true;
  } catch (thrown) {
    if (thrown instanceof DirectoryFault && thrown.result === 'invalidCredentials') return false;
    throw thrown;
  }
}

/** Asks on the terminal without showing what is typed. */
export async function askPassword(prompt: string): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  process.stderr.write(prompt);
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: process.stdin.isTTY });
  // readline leaves a question without an answer for ever when the input ends.
  const ended = new Promise<never>((_, reject) => {
    terminal.once('close', () => reject(new Fault('bad-credentials', 'no password was given (MAILTREE_PASSWORD may hold it)')));
  });
  try {
    return await Promise.race([terminal.question(''), ended]);
  } finally {
    ended.catch(() => {});
    terminal.close();
    process.stderr.write('\n');
  }
}
