/** Starting with an external directory: what is missing is named, what is away is waited for, what is secret goes encrypted. */

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { rcpt } from '../support/mail-clients.ts';
import { command, eventually, prepareServer, runServer, type ServerFiles } from '../support/server.ts';
import { createSlapd, type Slapd, type SlapdOptions, serviceDn, servicePassword } from '../support/slapd.ts';
import { openProxy } from '../support/tcp-proxy.ts';
import { freePort } from '../support/temp.ts';

const cleaning: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const clean of cleaning.splice(0).reverse()) await clean();
});

async function slapdWith(options: SlapdOptions = {}): Promise<Slapd> {
  const slapd = await createSlapd(options);
  cleaning.push(() => slapd.remove());
  return slapd;
}

async function filesFor(
  urls: readonly string[],
  more: { bindDn?: string; password?: string; extra?: string; bases?: string } = {},
): Promise<ServerFiles> {
  const directory = { urls, bindDn: more.bindDn ?? serviceDn, password: more.password ?? servicePassword, extra: more.extra ?? '' };
  const files = await prepareServer({ directory, ...(more.bases === undefined ? {} : { extra: more.bases }) });
  cleaning.push(() => files.remove());
  return files;
}

async function started(files: ServerFiles): Promise<Awaited<ReturnType<typeof runServer>>> {
  const server = await runServer(files);
  cleaning.push(async () => expect(await server.stop()).toBe(0));
  return server;
}

/** The output of a start that fails. */
const refused = async (files: ServerFiles): Promise<string> =>
  String(
    await runServer(files).then(
      () => 'it started',
      (thrown: unknown) => thrown,
    ),
  );

const listening = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });

test('a start while the directory is away waits for it, says so once, and takes no mail until then', async () => {
  const slapd = await slapdWith();
  const files = await filesFor([slapd.url]);
  let output = '';
  const running = runServer(files, { onSpawn: (child) => child.stderr?.on('data', (chunk) => (output += chunk)) });
  await eventually(async () => output.includes('the start waits for it'));
  expect(await listening(files.ports.smtp)).toBe(false);
  await slapd.start();
  const server = await running;
  cleaning.push(async () => expect(await server.stop()).toBe(0));
  expect(output.match(/the start waits for it/g)).toHaveLength(1);
  expect(await rcpt(files, 'user1@example.test')).toMatch(/^250/);
});

test('SIGTERM ends a start that waits', async () => {
  const files = await filesFor([`ldap://127.0.0.1:${await freePort()}`]);
  const child = spawn(process.execPath, [resolve('dist/cli/mailtree.js'), 'start', '--config', files.config], {
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  const ended = new Promise((done) => child.once('exit', done));
  let output = '';
  child.stderr.on('data', (chunk) => {
    output += chunk;
  });
  await eventually(async () => output.includes('the start waits for it'));
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
});

test('a wrong password ends the start at once, and is not shown', async () => {
  const slapd = await slapdWith();
  await slapd.start();
  const output = await refused(await filesFor([slapd.url], { password: 'not-the-password' }));
  expect(output).toContain(`${slapd.url} does not let us in as ${serviceDn}`);
  expect(output).not.toContain('not-the-password');
});

test('a server without our schema is told apart, with the files that are missing', async () => {
  const slapd = await slapdWith({ schema: false, global: ['database config', `rootpw ${servicePassword}`] });
  await slapd.start();
  const output = await refused(await filesFor([slapd.url]));
  expect(output).toMatch(
    /the schema of the directory server lacks inetLocalMailRecipient, mtContainer, .* and \d+ more: load schema\/mail\.schema and/,
  );
  // With the entries for cn=config loaded, it is a directory.
  const config = ['-x', '-H', slapd.url, '-D', 'cn=config', '-w', servicePassword];
  for (const name of ['mail', 'mailtree']) execFileSync('ldapadd', [...config, '-f', `schema/openldap/${name}.ldif`], { stdio: 'pipe' });
  await started(await filesFor([slapd.url]));
});

test('a server that lets us only read asks for the LDIF of the first start, and starts once that is loaded', async () => {
  const reader = 'cn=reader,dc=test';
  const slapd = await slapdWith({
    database: [
      `access to * by dn.exact="${reader}" read by anonymous auth by * none`,
      `limits dn.exact="${reader}" size=unlimited time=unlimited`,
    ],
  });
  await slapd.start();
  slapd.tool(
    'ldapadd',
    [],
    `dn: dc=test\nobjectClass: domain\ndc: test\n\ndn: ${reader}\nobjectClass: mtAdministrator\ncn: reader\nuserPassword: reader-password\n`,
  );
  const files = await filesFor([slapd.url], { bindDn: reader, password: 'reader-password' });
  const output = await refused(files);
  const ldif = join(files.dir, 'data', 'first-start.ldif');
  expect(output).toContain(`load ${ldif} there`);
  expect(existsSync(ldif)).toBe(true);
  expect(readFileSync(ldif, 'utf8')).not.toContain('example-password-1');
  try {
    slapd.tool('ldapadd', ['-c', '-f', ldif]);
  } catch {
    // dc=test is there already: ldapadd -c goes on and says so at its end.
  }
  await started(files);
  expect(await rcpt(files, 'user1@example.test')).toMatch(/^250/);
  expect((await command('mailtree', ['user', 'add', 'x@example.test'], files)).err).toContain('no write access to parent');
});

test('bases may stand anywhere in a tree that is there already', async () => {
  const slapd = await slapdWith({ suffixes: ['dc=corp,dc=example'] });
  await slapd.start();
  slapd.tool(
    'ldapadd',
    [],
    'dn: dc=corp,dc=example\nobjectClass: domain\ndc: corp\n\ndn: cn=domains,dc=corp,dc=example\nobjectClass: mtContainer\ncn: domains\n',
  );
  const bases = 'bases: { system: "cn=mail settings,dc=corp,dc=example", domains: "cn=domains,dc=corp,dc=example" }';
  const files = await filesFor([slapd.url], { bases });
  await started(files);
  expect(await rcpt(files, 'user1@example.test')).toMatch(/^250/);
  expect(slapd.tool('ldapsearch', ['-LLL', '-b', 'cn=domains,dc=corp,dc=example', 'mail=user1@example.test', '1.1'])).toContain(
    'dn: mail=user1@example.test,dc=example,dc=test,cn=domains,dc=corp,dc=example',
  );
  expect((await command('mailtree', ['domain', 'list'], files)).out).toContain('example.test');
});

test('ldaps and StartTLS with the right authority only', async () => {
  const slapd = await slapdWith({ tls: true, global: ['security simple_bind=64'] });
  await slapd.start();
  const untrusted = await refused(await filesFor([slapd.secureUrl]));
  expect(untrusted).toMatch(/certificate of the LDAP server at .* is not accepted/);
  const plain = await refused(await filesFor([slapd.url]));
  expect(plain).toContain('does not let us in');
  const files = await filesFor([slapd.secureUrl], { extra: `  caFile: ${slapd.ca}` });
  const works = async (): Promise<void> => {
    const server = await runServer(files);
    expect(await rcpt(files, 'user1@example.test')).toMatch(/^250/);
    expect((await command('mailtree', ['user', 'list'], files)).out).toContain('user1@example.test');
    expect(await server.stop()).toBe(0);
  };
  await works();
  const text = readFileSync(files.config, 'utf8');
  writeFileSync(files.config, text.replace(slapd.secureUrl, slapd.url).replace('  caFile:', '  startTls: true\n  caFile:'));
  await works();
});

test('of several servers the next one is taken when one does not answer', async () => {
  const slapd = await slapdWith();
  await slapd.start();
  const [one, two] = [await openProxy(await freePort(), slapd.port), await openProxy(await freePort(), slapd.port)];
  cleaning.push(
    () => one.close(),
    () => two.close(),
  );
  const files = await filesFor([`ldap://127.0.0.1:${one.port}`, `ldap://127.0.0.1:${two.port}`]);
  await started(files);
  const uses = async (port: number): Promise<boolean> =>
    (await command('mailtree', ['status'], files)).out.includes(`127.0.0.1:${port}, connected`);
  expect(await uses(one.port)).toBe(true);
  await one.cut();
  await eventually(() => uses(two.port));
  expect(await rcpt(files, 'user2@example.test')).toMatch(/^250/);
  await one.heal();
  await two.cut();
  await eventually(() => uses(one.port));
  slapd.tool(
    'ldapmodify',
    [],
    'dn: mail=user2@example.test,dc=example,dc=test\nchangetype: modify\nadd: mailLocalAddress\nmailLocalAddress: second@example.test\n',
  );
  await eventually(async () => /^250/.test(await rcpt(files, 'second@example.test')));
});

test('a replica takes over with what it has, and what the first server did meanwhile counts when it is back', async () => {
  const first = await slapdWith();
  await first.start();
  const replica = await slapdWith({
    database: [
      `syncrepl rid=1 provider=${first.url} bindmethod=simple binddn="${serviceDn}" credentials=${servicePassword} searchbase="" type=refreshAndPersist retry="1 +"`,
    ],
  });
  const files = await filesFor([first.url, replica.url]);
  await started(files);
  await replica.start();
  const holds = (slapd: Slapd, filter: string): boolean => slapd.tool('ldapsearch', ['-LLL', '-b', '', filter, '1.1']).includes('dn: ');
  await eventually(async () => holds(replica, '(mail=user3@example.test)'));
  const uses = async (url: string): Promise<boolean> => (await command('mailtree', ['status'], files)).out.includes(`${url}, connected`);
  expect(await rcpt(files, 'user1@example.test')).toMatch(/^250/);
  await first.kill();
  await eventually(() => uses(replica.url));
  expect(await rcpt(files, 'user2@example.test')).toMatch(/^250/);
  await first.start();
  first.tool('ldapdelete', ['mail=user2@example.test,dc=example,dc=test']);
  await eventually(async () => /^550/.test(await rcpt(files, 'user2@example.test')));
  await replica.kill();
  await eventually(() => uses(first.url));
  first.tool('ldapdelete', ['mail=user1@example.test,dc=example,dc=test']);
  await eventually(async () => /^550/.test(await rcpt(files, 'user1@example.test')));
});

test('the configuration keeps passwords off the network and the bundled doors shut', async () => {
  const start = async (lines: string): Promise<string> => {
    const files = await prepareServer({ example: false });
    cleaning.push(() => files.remove());
    const doors = lines.includes('ldapi: /') ? '' : 'listen: { smtp: off }\n';
    writeFileSync(files.config, `data: ${join(files.dir, 'data')}\nhost: mail.example.test\n${doors}${lines}\n`);
    return refused(files);
  };
  expect(await start('directory: { urls: ["ldap://ldap.example.net"], bindDn: "cn=x" }')).toMatch(
    /:4: ldap:\/\/ldap\.example\.net would get the password in the clear/,
  );
  expect(await start('directory: { urls: ["http://ldap.example.net"], bindDn: "cn=x" }')).toContain('"http://ldap.example.net" is none of');
  expect(await start('directory: { urls: ["ldaps://ldap.example.net"] }')).toContain('directory.bindDn is missing');
  expect(await start('directory: { urls: [] }')).toContain('must name at least one');
  expect(await start('listen: { ldapi: /tmp/x }\ndirectory: { urls: ["ldaps://ldap.example.net"], bindDn: "cn=x" }')).toContain(
    'listen.ldapi is of the bundled directory',
  );
  expect(await start('directory: { urls: ["ldaps://127.0.0.1:1"], bindDn: "cn=x" }')).toContain('MAILTREE_DIRECTORY_PASSWORD');
});
