/** Five LDAP clients of others, each over ldap, StartTLS and ldaps: bind, search, pages, add, modify, compare, rename, password change, delete. */

import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { adminDn, adminPassword, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { expected, type Place, type Seen, type Transport, walk } from './support/ldap-matrix.ts';
import { withLdapjs, withLdapts, withTools } from './support/ldap-matrix-clients.ts';
import { python, succeeds } from './support/tool.ts';

let files: ServerFiles;
let server: RunningServer;
beforeAll(async () => {
  files = await prepareServer();
  server = await runServer(files);
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await files.remove();
});

const argumentsOf = ({ transport, url, dn, password, base, name }: Place): string[] => [transport, url, dn, password, base, name];
const clients: Readonly<Record<string, (place: Place) => Promise<Seen>>> = {
  'ldap-utils': (place) => walk(withTools, place),
  ldapjs: (place) => walk(withLdapjs, place),
  ldapts: (place) => walk(withLdapts, place),
  'python-ldap': (place) => python<Seen>('ldap_matrix.py', argumentsOf(place)),
  'Net::LDAP': async (place) => {
    const ran = await succeeds('perl', [resolve('test/interop/clients/ldap-matrix.pl'), ...argumentsOf(place)]);
    return JSON.parse(Buffer.from(ran.out, 'latin1').toString('utf8')) as Seen;
  },
};
const transports: readonly Transport[] = ['ldap', 'StartTLS', 'ldaps'];

test.each(Object.keys(clients).flatMap((client) => transports.map((transport) => [client, transport] as const)))(
  '%s does everything over %s',
  async (client, transport) => {
    const place: Place = {
      transport,
      url: transport === 'ldaps' ? `ldaps://127.0.0.1:${files.ports.ldaps}` : `ldap://127.0.0.1:${files.ports.ldap}`,
      dn: adminDn,
      password: adminPassword,
      base: 'dc=example,dc=test',
      name: `matrix-${client.replace(/\W/g, '')}-${transport.toLowerCase()}`,
    };
    expect(await clients[client]?.(place)).toEqual(expected(place));
  },
);
