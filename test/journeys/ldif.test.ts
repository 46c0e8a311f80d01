/** LDIF by the built commands: with a running server, without one, and when they are killed in the middle. */

import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { systemClock } from '../../src/base/index.ts';
import { LdapClient } from '../../src/directory-remote/index.ts';
import { openKeyValue } from '../../src/storage/index.ts';
import { randomFrom } from '../support/load.ts';
import { command, memoryOf, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';

let files: ServerFiles;
let server: RunningServer | undefined;
const seed = Number(process.env['KILL_SEED'] ?? Date.now() % 1_000_000);
const random = randomFrom(seed);
const rounds = Number(process.env['LDIF_KILL_ROUNDS'] ?? 4);

beforeAll(async () => {
  files = await prepareServer();
  server = await runServer(files);
}, 60_000);

afterAll(async () => {
  await server?.kill();
  await files.remove();
});

async function mayLogIn(dn: string): Promise<boolean> {
  const client = await LdapClient.connect({ host: '127.0.0.1', port: files.ports.ldap });
  try {
    await client.bind(dn, password);
    return true;
  } catch {
    return false;
  } finally {
    client.close();
  }
}

const mailtree = (...args: string[]) => command('mailtree', ['directory', ...args], files);
const path = (name: string): string => join(files.dir, name);
function written(name: string, text: string): string {
  writeFileSync(path(name), text);
  return path(name);
}
const person = (name: string, more = ''): string =>
  `dn: mail=${name}@jade.net,dc=jade,dc=net\nobjectClass: inetOrgPerson\nobjectClass: mtMailUser\ncn: ${name}\nsn: Example\nmail: ${name}@jade.net\n${more}\n`;
const user1 = 'dn: mail=user1@jade.net,dc=jade,dc=net\n';

async function exportWhole(): Promise<string> {
  const { out, code, err } = await command('ldbmcat', ['--stdout'], files);
  expect([code, err]).toEqual([0, '']);
  return out;
}
/** What is found after a process was killed is told on standard error. */
async function exportAfterKill(): Promise<string> {
  const { out, code } = await command('ldbmcat', ['--stdout'], files);
  expect(code).toBe(0);
  return out;
}
async function checkIsSound(): Promise<void> {
  const { out, code } = await mailtree('check', '--json');
  expect(JSON.parse(out)).toMatchObject({ sound: true, faults: [] });
  expect(code).toBe(0);
}

test('with a running server: a dry run changes nothing and tells everything', async () => {
  const before = await exportWhole();
  const changes = `${user1}changetype: modify\nreplace: title\ntitle: Dr\n-\n\n`;
  const file = written('dry.ldif', `${person('new1')}${person('bad', 'pizza: x\n')}${changes}${person('new1')}`);
  const { code, out, err } = await mailtree('import', file, '--dry-run');
  expect(code).toBe(2);
  expect(out).toContain('add mail=new1@jade.net,dc=jade,dc=net (line 1)\n');
  expect(out).toContain('modify mail=user1@jade.net,dc=jade,dc=net (line 16)\n  + title: Dr\n');
  expect(out).toMatch(/1 added, 1 modified, 0 deleted, 2 refused; nothing was changed\n$/);
  expect(err).toContain(`refused: ${file}:8: mail=bad@jade.net,dc=jade,dc=net: attribute pizza: not defined in the schema\n`);
  expect(err).toContain(`refused: ${file}:22: mail=new1@jade.net,dc=jade,dc=net: an entry with this name exists already`);
  expect(await exportWhole()).toBe(before);
});

test('with a running server: all or nothing; stopping at the first error; going on with the rest in a file', async () => {
  const file = written('some.ldif', `${person('new1')}${person('bad', 'pizza: x\n')}${person('new2')}`);
  const whole = await mailtree('import', file, '--all-or-nothing');
  expect([whole.code, whole.out]).toEqual([1, '']);
  expect(whole.err).toBe(
    `mailtree: ${file}:8: mail=bad@jade.net,dc=jade,dc=net: attribute pizza: not defined in the schema (nothing was changed)\n`,
  );
  expect(await exportWhole()).not.toContain('new1@jade.net');
  const part = await mailtree('import', file, '--continue');
  expect(part.code).toBe(2);
  expect(part.out).toMatch(/2 added, 0 modified, 0 deleted, 1 refused \(in .*some\.ldif\.rejects\)/);
  const rejects = readFileSync(`${file}.rejects`, 'utf8');
  expect(rejects).toBe(
    `# ${file}:8: mail=bad@jade.net,dc=jade,dc=net: attribute pizza: not defined in the schema\n${person('bad', 'pizza: x\n')}`,
  );
  expect(statSync(`${file}.rejects`).mode & 0o077).toBe(0);
  const again = await mailtree('import', file);
  expect(again.err).toMatch(/some\.ldif:1: mail=new1@.*exists already.*\(stopped there: 0 added/);
  const put = written('whole.ldif', `${person('new1', 'title: Dr\n')}${person('new3')}`);
  expect((await mailtree('import', put, '--all-or-nothing', '--replace')).out).toMatch(/1 added, 1 modified/);
  expect((await mailtree('export', '--filter', '(title=Dr)')).out).toContain('dn: mail=new1@jade.net,dc=jade,dc=net\n');
  expect((await mailtree('history', 'mail=new3@jade.net,dc=jade,dc=net')).out).toMatch(/^\d+ .* add /m);
  await checkIsSound();
});

test('over LDAP no password is exported; by the server’s own user all are, and what the server maintains', async () => {
  const plain = await mailtree('export', '--base', 'dc=jade,dc=net', '--operational');
  expect(plain.out).toMatch(/^entryUUID: /m);
  expect(plain.out).not.toMatch(/^(userPassword|hasSubordinates|entryDN):/m);
  const whole = await mailtree('export', '--base', 'dc=jade,dc=net', '--with-passwords', '--operational');
  expect(whole.out).toMatch(/^userPassword: \{SCRAM-SHA-256\}/m);
  expect((await mailtree('export', '--base', 'dc=none')).err).toMatch(/^mailtree: .*\n$/);
  expect((await mailtree('export', '--filter', '(cn=')).err).toMatch(/^mailtree: .*\n$/);
  const file = path('out.ldif');
  expect((await mailtree('export', '--output', file)).code).toBe(0);
  expect((await mailtree('export', '--output', file)).err).toContain('is there already');
});

test('ldif2ldbm wants the server stopped, and an answer', async () => {
  const file = written('whole-directory.ldif', await exportWhole());
  const running = await command('ldif2ldbm', ['--yes', file], files);
  expect([running.code, running.out]).toEqual([1, '']);
  expect(running.err).toMatch(/^ldif2ldbm: the data directory is in use by process \d+; stop it first\n$/);
  expect(await server?.stop()).toBe(0);
  server = undefined;
  const silent = await command('ldif2ldbm', [file], files);
  expect([silent.code, silent.err]).toEqual([1, expect.stringMatching(/no terminal to ask: say --yes\n$/)]);
  const wrong = written('wrong.ldif', `${readFileSync(file, 'utf8')}\ndn: cn=x,dc=nowhere,dc=jade,dc=net\nobjectClass: device\n`);
  const refused = await command('ldif2ldbm', ['-y', wrong], files);
  expect(refused.err).toMatch(/wrong\.ldif:\d+: cn=x,dc=nowhere,dc=jade,dc=net: .*\(nothing was changed\)\n$/);
  expect(await exportWhole()).toBe(readFileSync(file, 'utf8'));
});

test('export, ldif2ldbm and export again are the same octets; ldbmcat never writes over a file; passwords still open the doors', async () => {
  const first = await command('ldbmcat', [files.config], files);
  const [, name = ''] = /has been successfully exported to LDIF file (\S+)\n$/.exec(first.out) ?? [];
  expect(name).toBe(path('data/ldif.0'));
  expect(statSync(name).mode & 0o077).toBe(0);
  const replaced = await command('ldif2ldbm', ['-y', name, files.config], files);
  expect([replaced.code, replaced.err]).toEqual([0, '']);
  expect(replaced.out).toContain(`kept in ${path('data/directory.old')}\n`);
  writeFileSync(path('data/ldif.1'), 'mine');
  expect((await command('ldbmcat', [], files)).out).toContain('data/ldif.2\n');
  expect(readFileSync(path('data/ldif.1'), 'utf8')).toBe('mine');
  expect(readFileSync(path('data/ldif.2'), 'utf8')).toBe(readFileSync(name, 'utf8'));
  await checkIsSound();
  server = await runServer(files);
  expect(await mayLogIn('mail=user1@jade.net,dc=jade,dc=net')).toBe(true);
  expect(await server.stop()).toBe(0);
  server = undefined;
});

test('values from files come from the directory that was allowed, and from nowhere else', async () => {
  writeFileSync(path('photo.jpg'), Buffer.from('ffd8ffe000', 'hex'));
  const line = (url: string): string => `${user1}changetype: modify\nreplace: jpegPhoto\njpegPhoto:< ${url}\n-\n`;
  const file = written('photo.ldif', line(`file://${path('photo.jpg')}`));
  expect((await mailtree('import', file)).err).toContain(
    'photo.ldif:4: mail=user1@jade.net,dc=jade,dc=net: values from URLs ("<") are not accepted',
  );
  expect((await mailtree('import', file, '--file-urls', files.dir)).out).toContain('1 modified');
  expect((await mailtree('export', '--filter', '(mail=user1@jade.net)')).out).toContain('jpegPhoto:: /9j/4AA=\n');
  for (const url of ['file:///etc/passwd', `file://${files.dir}/../../etc/passwd`, 'http://127.0.0.1/x', `file://${files.dir}`])
    expect((await mailtree('import', written('bad.ldif', line(url)), '--file-urls', files.dir)).err).toMatch(
      /bad\.ldif:4: .*(not below|file: URLs alone|regular|not the URL)/,
    );
});

test('without a server the same: dry run, all or nothing, going on; a BOM, CRLF, comments and folded lines', async () => {
  const before = await exportWhole();
  const text = `\ufeffversion: 1\n# a comment\n  that goes on\n\n${person('new9', 'description: a long\n  line\n')}${person('bad', 'pizza: x\n')}`;
  const file = written('offline.ldif', text.replaceAll('\n', '\r\n'));
  expect((await mailtree('import', file, '--dry-run')).out).toMatch(/1 added, .* 1 refused; nothing was changed\n$/);
  expect((await mailtree('import', file, '--all-or-nothing')).err).toContain('(nothing was changed)');
  expect(await exportWhole()).toBe(before);
  expect((await mailtree('import', file, '--continue')).code).toBe(2);
  expect(await exportWhole()).toContain('description: a long line\n');
  const user = ['export', '--filter', '(mail=user1@jade.net)'];
  expect((await mailtree(...user)).out).not.toContain('userPassword');
  expect((await mailtree(...user, '--with-passwords')).out).toMatch(/^userPassword: \{SCRAM-SHA-256\}/m);
  const piped = await command(
    'mailtree',
    ['directory', 'import', '-'],
    files,
    `dn: mail=new9@jade.net,dc=jade,dc=net\nchangetype: delete\n`,
  );
  expect(piped.out).toMatch(/^imported standard input: 0 added, 0 modified, 1 deleted/);
  expect(readdirSync(path('data')).filter((name) => /next|ready|gone/.test(name))).toEqual([]);
});

test('the records of the cookbook are accepted as they stand there', async () => {
  const blocks = [...readFileSync('docs/ldif.md', 'utf8').matchAll(/```ldif\n([\s\S]*?)```/g)].map(([, text]) => text ?? '');
  expect(blocks).toHaveLength(8);
  const other = 'dn: dc=example,dc=com\nobjectClass: domain\nobjectClass: mtMailDomain\ndc: example\n';
  const [domain = '', user = '', ...more] = blocks;
  writeFileSync(path('photo.jpg'), Buffer.from('ffd8ffe000', 'hex'));
  expect((await mailtree('import', written('cookbook.ldif', `${domain}\n${user}\n${other}`))).out).toMatch(/: 3 added/);
  for (const block of more) {
    const text = block.replace('file:///srv/photos/anna.jpg', `file://${path('photo.jpg')}`);
    const tried = await mailtree('import', written('recipe.ldif', text), '--dry-run', '--file-urls', files.dir);
    expect([tried.code, tried.err]).toEqual([0, '']);
  }
});

test('a damaged database: check names what is wrong, reindex puts it right', async () => {
  const before = await exportWhole();
  const keyValue = await openKeyValue({ path: path('data/directory'), clock: systemClock });
  const lost: string[] = [];
  for (const part of ['x/mail/', 'n/', 'k/']) {
    const from = `directory/${part}`;
    for await (const [key] of keyValue.scan({ from, to: `${from}\uffff` }, { limit: 1, keysOnly: true })) lost.push(key);
  }
  expect(lost).toHaveLength(3);
  await keyValue.transact(async () => ({ deletes: lost, result: undefined }), 'durable');
  await keyValue.close();
  const { code, out, err } = await mailtree('check');
  expect(code).toBe(2);
  for (const fault of [/^fault: .*index/m, /^fault: .*its name does not lead to it/m, /^fault: .*children, counted as 0/m])
    expect(out).toMatch(fault);
  expect(err).toContain('mailtree directory reindex');
  expect(await mailtree('reindex')).toMatchObject({ code: 0, err: '' });
  await checkIsSound();
  expect(await exportWhole()).toBe(before);
});

/** Runs a command and kills it after some milliseconds, unless it is done before. */
async function killed(name: string, args: readonly string[], ms: number): Promise<void> {
  const child = spawn(process.execPath, [resolve(`dist/cli/${name}.js`), ...args], {
    env: { ...process.env, NODE_OPTIONS: '', MAILTREE_CONFIG: files.config },
    stdio: 'ignore',
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), ms);
  await new Promise((done) => child.once('close', done));
  clearTimeout(timer);
}

const many = (from: number, to: number): string => Array.from({ length: to - from }, (_, n) => person(`many${from + n}`)).join('');

/** Long enough that the kills fall into the work. */
async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

test(`ldif2ldbm killed at any moment (seed ${seed}) leaves the old directory or the new one`, async () => {
  const old = await exportWhole();
  const file = written('new.ldif', `${old}\n${many(0, 900)}`);
  const whole = await timeOf(() => command('ldif2ldbm', ['-y', file], files));
  const fresh = await exportWhole();
  // Entries that are added get a new UUID each time: the names say which directory it is.
  const names = (text: string): string => [...text.matchAll(/^dn: .*$/gm)].join('\n');
  expect(names(fresh)).not.toBe(names(old));
  const back = written('old.ldif', old);
  for (let round = 0; round < rounds; round++) {
    expect((await command('ldif2ldbm', ['-y', back], files)).code).toBe(0);
    await killed('ldif2ldbm', ['-y', file], round === 0 ? whole * 0.99 : random() * whole * 1.1);
    const found = names(await exportAfterKill());
    expect(found === names(old) || found === names(fresh)).toBe(true);
    await checkIsSound();
    expect(readdirSync(path('data')).filter((name) => /next|ready/.test(name))).toEqual([]);
  }
  expect((await command('ldif2ldbm', ['-y', back], files)).code).toBe(0);
}, 300_000);

test('an import killed at any moment leaves a sound directory with the beginning of the file; as a whole, all or none of it', async () => {
  const old = await exportWhole();
  const back = written('old.ldif', old);
  const names = (text: string): string[] => [...text.matchAll(/^dn: mail=many(\d+)@/gm)].map(([, n]) => n ?? '');
  const file = written('many.ldif', many(0, 900));
  for (let round = 0; round < rounds; round++) {
    const whole = round % 2 === 1;
    await killed('mailtree', ['directory', 'import', file, ...(whole ? ['--all-or-nothing'] : [])], 300 + random() * 1_500);
    const found = names(await exportAfterKill()).length;
    if (whole) expect([0, 900]).toContain(found);
    else
      expect(
        names(await exportWhole())
          .map(Number)
          .sort((a, b) => a - b),
      ).toEqual(Array.from({ length: found }, (_, n) => n));
    await checkIsSound();
    expect((await command('ldif2ldbm', ['-y', back], files)).code).toBe(0);
  }
  expect(existsSync(path('data/directory.old'))).toBe(true);
}, 300_000);

test.each(['mailtree', 'ldif2ldbm'] as const)(
  '%s: a line of 200 MB from a pipe is refused with its number, and is not kept',
  async (name) => {
    const config = { ...files, config: path('huge.yaml') };
    writeFileSync(config.config, readFileSync(files.config, 'utf8').replace(/^data: .*$/m, `data: ${path('huge')}`));
    const small = written('small.ldif', 'dn: dc=net\nobjectClass: domain\ndc: net\n');
    expect(await command('ldif2ldbm', ['--yes', small], config)).toMatchObject({ code: 0 });
    const args = name === 'mailtree' ? ['directory', 'import', '-'] : ['--yes', '-'];
    const child = spawn(process.execPath, [resolve(`dist/cli/${name}.js`), ...args], {
      env: { ...process.env, NODE_OPTIONS: '', MAILTREE_CONFIG: config.config },
    });
    const closed = new Promise<number | null>((done) => child.once('close', done));
    let [err, most, gone] = ['', 0, false];
    void closed.then(() => {
      gone = true;
    });
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    // It stops reading once it has refused.
    child.stdin.on('error', () => {
      gone = true;
    });
    child.stdin.write('dn: dc=big,dc=net\nobjectClass: domain\ndc: big\ndescription:: ');
    const part = Buffer.alloc(1_000_000, 'QUJD');
    for (let n = 0; n < 200 && !gone; n++) {
      if (!child.stdin.write(part)) await Promise.race([closed, new Promise((done) => child.stdin.once('drain', done))]);
      if (child.exitCode === null && !gone) most = Math.max(most, memoryOf(child.pid ?? 0));
    }
    child.stdin.end('\n\n');
    expect(await closed).toBe(1);
    expect(err).toContain('standard input:4: the record is larger than 67108864 octets');
    expect(most).toBeLessThan(300);
  },
);
