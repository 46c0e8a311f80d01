/** The change history and undo on the command line: against a running server, and on its files. */

import { userInfo } from 'node:os';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LdapClient } from '../../src/directory-remote/index.ts';
import { parseDn } from '../../src/ldap-wire/index.ts';
import { adminDn, adminPassword, command, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';

let files: ServerFiles;
let server: RunningServer;
const user = 'mail=user1@jade.net,dc=jade,dc=net';

beforeAll(async () => {
  files = await prepareServer();
  server = await runServer(files);
});
afterAll(() => files.remove());

async function directory(...args: string[]): Promise<string> {
  const { out, err, code } = await command('mailtree', ['directory', ...args], files);
  return code === 0 ? out : err;
}

async function administrator(): Promise<LdapClient> {
  const client = await LdapClient.connect({ host: '127.0.0.1', port: files.ports.ldap });
  await client.bind(adminDn, adminPassword);
  return client;
}

async function replace(attribute: string, value: string): Promise<void> {
  const client = await administrator();
  await client.modify(parseDn(user), [{ operation: 'replace', attribute: { name: attribute, values: [value] } }]);
  client.close();
}

interface Line {
  readonly change: number;
  readonly who: string;
}

test('what was done over LDAP is told and undone, by the running server and when it is stopped', async () => {
  await replace('title', 'Dr');
  await replace('title', 'Prof');
  const text = await directory('history', user, '--limit', '2');
  expect(text).toMatch(new RegExp(`^\\d+ {2}\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\dZ {2}modify {2}${user}$`, 'm'));
  expect(text).toContain(`    by ${adminDn} (ldap, 127.0.0.1)\n    - title: Dr\n    + title: Prof\n`);
  const [last, first] = JSON.parse(await directory('history', user, '--json', '--since', '1h', '--by', 'admins')) as Line[];
  expect(last?.who).toBe(adminDn);
  expect(await directory('undo', String(first?.change))).toMatch(/title of .* was changed again by change \d+/);
  expect(await directory('undo', String(last?.change), '--dry-run')).toContain(`would undo change ${last?.change}\n  changes ${user}\n`);
  expect(await directory('undo', String(last?.change))).toContain('    - title: Prof\n    + title: Dr\n');
  expect(await directory('history', user, '--limit', '1')).toContain(`by command line (cli), undoes ${last?.change}`);
  expect(await directory('history', '--since', 'yesterday')).toMatch(/^mailtree: since: "yesterday" is neither a time/);
  expect(await directory('history', 'no name')).toMatch(/^mailtree: /);
  expect(await directory('undo', 'it')).toBe('mailtree: "it" is not the number of a change\n');
  expect(await server.stop()).toBe(0);

  expect(await directory('history', user, '--limit', '1')).toContain(`undoes ${last?.change}`);
  expect(await directory('undo', String(first?.change))).toContain(`undone: change ${first?.change}`);
  expect(await directory('undo', '999999')).toMatch(/^mailtree: there is no change 999999 in the history/);
  server = await runServer(files);
  const client = await administrator();
  const [entry] = await client.search({ base: parseDn(user), scope: 'base', filter: { type: 'present', attribute: 'objectClass' } });
  expect(entry?.text('title')).toBeUndefined();
  client.close();
  expect(await server.stop()).toBe(0);
}, 60_000);

test('what a command did on this host is told with the system user of the socket', async () => {
  server = await runServer(files);
  const { code } = await command('mailtree', ['user', 'edit', 'user1@example.test', '--title', 'By hand'], files);
  expect(code).toBe(0);
  const said = await directory('history', 'mail=user1@example.test,dc=example,dc=test', '--limit', '1');
  expect(said).toContain(`    by command line (ldapi, user ${userInfo().username})\n`);
  expect(await server.stop()).toBe(0);
});
