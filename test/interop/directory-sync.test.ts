/**
 * Those who follow the directory, from outside: slapd as a consumer (live and by polls), python-ldap, ldapsearch, Net::LDAP, ldapjs. After
 * random changes, kill -9 of the server and restarts of the consumers every copy is the server's tree, entry by entry.
 */

import { spawn } from 'node:child_process';
import type { EventEmitter } from 'node:events';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import ldapjs from 'ldapjs';
import { adminDn, adminPassword, eventually, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { createSlapd, type Slapd, serviceDn, servicePassword } from '../support/slapd.ts';
import { succeeds, tool } from './support/tool.ts';

const base = 'dc=test';
const domain = 'dc=example,dc=test';
let files: ServerFiles;
let server: RunningServer;
let url: string;
const as = (): string[] => ['-x', '-H', url, '-D', adminDn, '-w', adminPassword];

beforeAll(async () => {
  files = await prepareServer();
  server = await runServer(files);
  url = `ldap://127.0.0.1:${files.ports.ldap}`;
});
afterAll(async () => {
  await server.stop();
  await files.remove();
});

const consumer = (type: string): Promise<Slapd> =>
  createSlapd({
    suffixes: [base],
    sync: false,
    // It defines the attributes of password policy that accounts have here.
    global: ['moduleload ppolicy'],
    database: [
      `syncrepl rid=007 provider=${url} searchbase="${base}" bindmethod=simple binddn="${adminDn}" credentials=${adminPassword} ${type} retry="1 +" schemachecking=off`,
    ],
  });

/** Every entry as sorted lines, by name; without what each server computes, or keeps for itself. */
async function tree(args: readonly string[]): Promise<Map<string, string>> {
  const { code, out, all } = await tool('ldapsearch', [...args, '-LLL', '-o', 'ldif-wrap=no', '-b', base, '(objectClass=*)', '*', '+']);
  // A consumer that has just begun has nothing.
  if (code !== 0 && code !== 32) throw new Error(all);
  const own =
    /^(entryDN|hasSubordinates|subschemaSubentry|mtDomain(Users|Lists|SharedAccounts|StoreQuota|StoreWithoutQuota|WebQuota)|contextCSN|userPassword):/;
  return new Map(
    out
      .split('\n\n')
      .filter((block) => block.trim() !== '')
      .map((block) => {
        const [name = '', ...lines] = block.trim().split('\n');
        const kept = lines.filter((line) => !own.test(line)).sort();
        return [name, kept.join('\n')] as const;
      })
      .sort(([one], [other]) => (one < other ? -1 : 1)),
  );
}
const source = () => tree(as());
const copy = (slapd: Slapd) => tree(['-x', '-H', slapd.url, '-D', serviceDn, '-w', servicePassword]);

async function equal(...slapds: readonly Slapd[]): Promise<void> {
  const wanted = JSON.stringify([...(await source())]);
  const same = async (slapd: Slapd): Promise<boolean> => JSON.stringify([...(await copy(slapd))]) === wanted;
  for (const slapd of slapds) await eventually(() => same(slapd), 20_000).catch(() => {});
  for (const slapd of slapds) expect(await copy(slapd)).toEqual(await source());
}

/** The same numbers every time. */
let state = 20_261_125;
function random(sides: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 0x1_0000_0000) * sides);
}

/** Changes as LDIF; many of them are refused, because what they are about is not there. */
function changes(count: number): string {
  const units = ['', 'ou=a,', 'ou=b,', 'ou=c,ou=a,', 'ou=t1,ou=a,', 'ou=t2,'];
  const unit = (): string => `${units[random(units.length)]}${domain}`;
  const user = (): string => `cn=n${random(60)}`;
  const records = Array.from({ length: count }, () => {
    switch (random(10)) {
      case 0:
        return `dn: ${units[random(units.length - 1) + 1]}${domain}\nchangetype: add\nobjectClass: organizationalUnit\n`;
      case 1:
        return `dn: ${units[random(units.length - 1) + 1]}${domain}\nchangetype: modrdn\nnewrdn: ou=t${random(3)}\ndeleteoldrdn: 1\nnewsuperior: ${unit()}\n`;
      case 2:
      case 3:
        return `dn: ${user()},${unit()}\nchangetype: delete\n`;
      case 4:
      case 5:
        return `dn: ${user()},${unit()}\nchangetype: modrdn\nnewrdn: ${user()}\ndeleteoldrdn: ${random(2)}\nnewsuperior: ${unit()}\n`;
      case 6:
      case 7:
        return `dn: ${user()},${unit()}\nchangetype: modify\nreplace: description\ndescription: ${random(1_000)}\ndescription:: R3LDvMOfZQ==\n-\n`;
      default: {
        const name = user();
        return `dn: ${name},${unit()}\nchangetype: add\nobjectClass: device\ncn: ${name.slice(3)}\n`;
      }
    }
  });
  return records.join('\n').replaceAll(/(dn: ou=([a-z0-9]+),[^\n]*\nchangetype: add\nobjectClass: organizationalUnit\n)/g, '$1ou: $2\n');
}

async function change(count: number): Promise<void> {
  await tool('ldapmodify', [...as(), '-c'], { input: changes(count) });
}

test('slapd as a consumer, live and by polls: equal after random changes, kill -9 and restarts', async () => {
  const live = await consumer('type=refreshAndPersist');
  const polling = await consumer('type=refreshOnly interval=00:00:00:01');
  await Promise.all([live.start(), polling.start()]);
  await equal(live, polling);
  await change(700);
  await equal(live, polling);
  // The consumer is away while much happens.
  await live.stop();
  await change(500);
  await live.start();
  await equal(live, polling);
  // The server is killed in the middle of changes, and comes back.
  const going = tool('ldapmodify', [...as(), '-c'], { input: changes(400) });
  const before = await copy(live);
  await eventually(async () => JSON.stringify([...(await copy(live))]) !== JSON.stringify([...before]));
  await server.kill();
  await going;
  server = await runServer(files);
  await change(300);
  await equal(live, polling);
  expect([...(await source())].length).toBeGreaterThan(20);
  await live.remove();
  await polling.remove();
});

test('python-ldap: a copy by persist, and its cookie on another connection', async () => {
  const child = spawn('/usr/bin/python3', [resolve('test/interop/clients/ldap_syncrepl.py'), url, adminDn, adminPassword, domain]);
  let out = '';
  let err = '';
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const refreshed = new Promise<void>((done) =>
    child.stdout.on('data', (chunk) => {
      out += chunk;
      if (out.includes('refreshed\n')) done();
    }),
  );
  const ended = new Promise<number | null>((done) => child.once('close', done));
  await Promise.race([refreshed, ended]);
  await change(400);
  await tool('ldapadd', as(), { input: `dn: cn=end,${domain}\nobjectClass: device\ncn: end\n` });
  expect([await ended, err]).toEqual([0, '']);
  const result = JSON.parse(out.split('refreshed\n')[1] ?? '{}');
  const names = [...(await source()).keys()].map((line) => line.slice('dn: '.length)).filter((name) => name.endsWith(domain));
  expect(result).toEqual({ first: names.sort(), polled: { entry: 1, delete: 0 }, later: true });
});

test('ldapsearch: sync=ro with and without a cookie, sync=rp that ends itself by Cancel', async () => {
  // Not critical: ldapsearch sends the control with its Cancel too.
  const sync = (how: string, ...more: string[]) =>
    tool('ldapsearch', [...as(), '-E', `sync=${how}`, '-b', domain, ...more, '1.1'], { ms: 20_000 });
  const dse = await tool('ldapsearch', ['-x', '-H', url, '-LLL', '-b', '', '-s', 'base', 'supportedControl']);
  for (const oid of ['1.3.6.1.4.1.4203.1.9.1.1', '2.16.840.1.113730.3.4.3']) expect(dse.out).toContain(`supportedControl: ${oid}\n`);
  const first = await sync('ro', '-s', 'base');
  expect(first.code).toBe(0);
  expect(first.all).toMatch(/SyncState control, UUID [0-9a-f-]{36} added/);
  const cookie = /SyncDone control refreshDeletes=0\n(?:# )?cookie: (\S+)/.exec(first.all.replaceAll('\n# ', '\n'))?.[1];
  expect([first.all, cookie]).toEqual([first.all, expect.stringMatching(/^csn=/)]);
  const second = await sync(`ro/${cookie}`, '-s', 'base');
  expect(second.all).toContain('refreshDeletes=1');
  const persist = sync('rp//2', '-s', 'one', '(cn=rp*)');
  await tool('ldapadd', as(), {
    input: [1, 2, 3, 4].map((n) => `dn: cn=rp${n},${domain}\nobjectClass: device\ncn: rp${n}\n`).join('\n'),
  });
  const ran = await persist;
  expect(ran.all).toMatch(/cn=rp\d/);
  // The Cancel, and what it says of the search.
  expect(ran.all).toMatch(/extended:\nresult: 0 Success\nCancelled/);
});

test('Net::LDAP: persistent search tells of every change, synchronisation gives a cookie', async () => {
  const ran = await succeeds('perl', [resolve('test/interop/clients/ldap-follow.pl'), url, adminDn, adminPassword, domain], { ms: 60_000 });
  expect(ran.out.trim().split('\n')).toEqual([
    `persistent cn=pl,${domain} 1 -`,
    `persistent cn=pl,${domain} 4 -`,
    `persistent cn=lp,${domain} 8 cn=pl,${domain}`,
    `persistent cn=lp,${domain} 2 -`,
    'synchronised all cookie',
  ]);
});

test('ldapjs: persistent search', async () => {
  const client = ldapjs.createClient({ url });
  const call = (run: (done: (error: unknown) => void) => void) =>
    new Promise<void>((done, fail) => run((error) => (error ? fail(error) : done())));
  await call((done) => client.bind(adminDn, adminPassword, done));
  const control = new ldapjs.PersistentSearchControl({ value: { changeTypes: 15, changesOnly: false, returnECs: false } });
  const heard: string[] = [];
  client.on('error', () => {});
  client.search(domain, { scope: 'one', filter: '(cn=js*)' }, [control], (_error: unknown, result: EventEmitter) => {
    result.on('searchEntry', (entry: { objectName?: unknown }) => heard.push(`${entry.objectName}`));
    result.on('error', () => {});
  });
  const other = ldapjs.createClient({ url });
  await call((done) => other.bind(adminDn, adminPassword, done));
  await call((done) => other.add(`cn=js,${domain}`, { objectClass: 'device', cn: 'js' }, done));
  await eventually(async () => heard.length === 1);
  await call((done) => other.del(`cn=js,${domain}`, done));
  await eventually(async () => heard.length === 2);
  expect(heard).toEqual([`cn=js,${domain}`, `cn=js,${domain}`]);
  for (const one of [client, other]) one.destroy();
});
