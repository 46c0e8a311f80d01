/** This product as its users run it, with its default settings, and the users of the benchmark. */

import { join } from 'node:path';
import { parseDn } from '../../../src/ldap-wire/index.ts';
import { administrator, type Door, prepareServer, runServer } from '../../support/server.ts';
import type { Peer } from './process.ts';

export interface MailtreePeer extends Peer {
  readonly pid: number;
  /** Milliseconds from start to `mailtree ready`. */
  readonly readyAfter: number;
  readonly ports: Readonly<Record<Door, number>>;
  /** Path of the control socket. */
  readonly control: string;
}

export async function startMailtree(options: {
  readonly users: readonly string[];
  readonly password: string;
  /** Mail for others goes on to that port of loopback, whoever sends it. */
  readonly relayPort?: number;
}): Promise<MailtreePeer> {
  const files = await prepareServer({ example: false });
  const server = await runServer(files);
  const client = await administrator(files);
  const add = async (mail: string): Promise<void> => {
    const values: [string, string[]][] = [
      ['objectClass', ['inetOrgPerson', 'mtMailUser']],
      ['mail', [mail]],
      ['cn', [mail]],
      ['sn', [mail]],
      ['userPassword', [options.password]],
    ];
    await client.add(
      parseDn(`mail=${mail},dc=example,dc=test`),
      values.map(([name, list]) => ({ name, values: list })),
    );
  };
  for (let n = 0; n < options.users.length; n += 20) await Promise.all(options.users.slice(n, n + 20).map(add));
  if (options.relayPort) {
    const set = (entry: string, name: string, value: string): Promise<unknown> =>
      client.modify(parseDn(`${entry},cn=mailtree`), [{ operation: 'replace', attribute: { name, values: [value] } }]);
    await set('cn=smtpc', 'mtSmtpcRelayHost', `[127.0.0.1]:${options.relayPort}`);
    await set('cn=smtpc', 'mtSmtpcNameResolution', 'MailRelayHost');
    await set('cn=smtpd', 'mtSmtpdRelayAllow', '127.0.0.1');
    // All clients of the benchmark come from one address.
    await set('cn=smtpd', 'mtSmtpdMaxSessionsPerAddress', '0');
  }
  client.close();
  return {
    name: 'Mailtree',
    pid: server.pid,
    readyAfter: server.readyAfter,
    ports: files.ports,
    control: join(files.dir, 'data', 'run', 'control'),
    async stop() {
      await server.stop();
      await files.remove();
    },
  };
}
