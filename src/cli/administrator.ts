/**
 * An LDAP connection with the administrator's rights: by the Unix socket when this user owns it, else with name and password.
 *
 * What commands do by it is an ordinary LDAP write: checked, recorded, seen by every component.
 */

import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { Fault } from '../base/index.ts';
import { LdapClient } from '../directory-remote/index.ts';
import type { Config } from '../main/index.ts';

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
  const { ldapi, ldap } = config.listen;
  if (ldapi !== 'off') {
    const client = await LdapClient.connect({ path: ldapi });
    await client.bindExternal();
    return client;
  }
  if (ldap === 'off') throw new Fault('unavailable', 'the configuration has neither listen.ldapi nor listen.ldap');
  const client = await LdapClient.connect({ host: ldap.host === '::' ? '127.0.0.1' : ldap.host, port: ldap.port });
  await client.bind(
    `cn=admin,cn=admins,${config.systemBase}`,
    process.env['MAILTREE_PASSWORD'] ?? (await askPassword('Administrator password: ')),
  );
  return client;
}

/** Asks on the terminal without showing what is typed. */
export async function askPassword(prompt: string): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  process.stderr.write(prompt);
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: process.stdin.isTTY });
  try {
    return await terminal.question('');
  } finally {
    terminal.close();
    process.stderr.write('\n');
  }
}
