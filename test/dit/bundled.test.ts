/** The view over the bundled directory on a real database: it follows every change, and never keeps what is no longer true. */

import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { constant, createLog, textLine } from '../../src/base/index.ts';
import { type Change, type Directory, type Entry, loadSchema } from '../../src/directory/index.ts';
import { mtaSettings, type OpenDit, openDit, serverSettings } from '../../src/dit/index.ts';
import { parseRdn } from '../../src/ldap-wire/index.ts';
import { smtpcSettings } from '../../src/smtpc/index.ts';
import { attributes, dn, type Opened, openTemporary, root } from '../directory/support.ts';

const base = 'dc=jade,dc=net';
const dnOf = (name: string): string => `mail=${name}@jade.net,${base}`;
let opened: Opened;
let dit: OpenDit;
let lines: string[];
/** Set: searches wait for it, after they have read. */
let held: Promise<void> | undefined;
let feeds: { lost: () => void }[];
let searches: number;

beforeEach(async () => {
  [lines, held, feeds, searches] = [[], undefined, [], 0];
  opened = await openTemporary({ schema: await loadSchema(['schema']) });
  await add('cn=mailtree', { objectClass: 'mtContainer', cn: 'mailtree' });
  await add('cn=mta,cn=mailtree', { objectClass: 'mtMta', cn: 'mta' });
  await add('cn=server,cn=mailtree', { objectClass: 'mtServer', cn: 'server' });
  await add('cn=forwarding,cn=mta,cn=mailtree', { objectClass: 'mtContainer', cn: 'forwarding' });
  await add(base, { objectClass: ['domain', 'mtMailDomain'], dc: 'jade' });
  for (const name of ['user1', 'user2']) await addUser(name);
  dit = await openDit({
    directory: watched(opened.directory),
    systemBase: dn('cn=mailtree'),
    domainBase: dn(''),
    host: 'mx.jade.net',
    log: createLog(
      'dit',
      constant('diagnostic'),
      (record) => lines.push(textLine(record)),
      () => 0,
    ),
  });
});

afterEach(async () => {
  dit.close();
  await opened.close();
});

/** The directory, with a hand on its searches and its feed. */
function watched(directory: Directory): Directory {
  return Object.assign(Object.create(null) as Directory, {
    search: async function* (...asked: Parameters<Directory['search']>): AsyncGenerator<Entry> {
      searches++;
      const found: Entry[] = [];
      for await (const entry of directory.search(...asked)) found.push(entry);
      await held;
      yield* found;
    },
    read: async (...asked: Parameters<Directory['read']>) => {
      const found = await directory.read(...asked);
      await held;
      return found;
    },
    compare: directory.compare.bind(directory),
    authenticate: directory.authenticate.bind(directory),
    position: directory.position.bind(directory),
    watch: (from: number | undefined, listener: (change: Change) => void, lost: () => void) => {
      feeds.push({ lost });
      return directory.watch(from, listener, lost);
    },
  });
}

/** Holds what searches found back until the returned function is called. */
function hold(): () => void {
  let release = (): void => {};
  held = new Promise((resolve) => {
    release = () => {
      held = undefined;
      resolve();
    };
  });
  return release;
}

type Values = Readonly<Record<string, string | readonly string[]>>;

async function add(name: string, values: Values): Promise<void> {
  await opened.directory.add(root, dn(name), attributes(values));
}

async function addUser(name: string, more: Values = {}): Promise<void> {
  await add(dnOf(name), {
    objectClass: ['inetOrgPerson', 'mtMailUser', 'inetLocalMailRecipient'],
    mail: `${name}@jade.net`,
    cn: name,
    sn: 'Example',
    userPassword: `secret of ${name}`,
    ...more,
  });
}

async function modify(name: string, operation: 'add' | 'delete' | 'replace', attribute: string, ...values: string[]): Promise<void> {
  await opened.directory.modify(root, dn(name), [{ operation, attribute: { name: attribute, values } }]);
}

/** The feed has delivered everything that is committed. */
async function caughtUp(): Promise<void> {
  const position = await opened.directory.position();
  while (dit.position < position) await setImmediate();
}

test('an answer changes with its entry, and a kept "nobody" goes when somebody comes', async () => {
  expect(await dit.recipient('sales@jade.net')).toBeUndefined();
  expect((await dit.recipient('USER1@Jade.net'))?.mail).toBe('user1@jade.net');
  await modify(dnOf('user1'), 'add', 'mailLocalAddress', 'Sales@jade.net');
  await caughtUp();
  expect((await dit.recipient('sales@jade.net'))?.mail).toBe('user1@jade.net');
  expect((await dit.recipient('user1@jade.net'))?.aliases).toEqual(['Sales@jade.net']);
  await modify(dnOf('user1'), 'delete', 'mailLocalAddress', 'sales@jade.net');
  await caughtUp();
  expect(await dit.recipient('sales@jade.net')).toBeUndefined();
  const { uuid } = (await dit.recipient('user1@jade.net')) ?? { uuid: '' };
  expect((await dit.recipientByUuid(uuid))?.mail).toBe('user1@jade.net');
  await opened.directory.delete(root, dn(dnOf('user1')));
  await caughtUp();
  expect(await dit.recipient('user1@jade.net')).toBeUndefined();
  expect(await dit.recipientByUuid(uuid)).toBeUndefined();
});

test('a lookup that is kept asks the directory nothing', async () => {
  await dit.recipient('user1@jade.net');
  await dit.recipient('nobody@jade.net');
  await dit.domain('jade.net');
  const before = searches;
  const rounds = 20_000;
  const begun = performance.now();
  for (let n = 0; n < rounds; n++) await dit.recipient('user1@jade.net');
  console.info(`a kept lookup takes ${(((performance.now() - begun) / rounds) * 1000).toFixed(2)} µs`);
  await dit.recipient('nobody@jade.net');
  expect(searches).toBe(before);
});

test('connectors of a user come, change and go', async () => {
  expect((await dit.recipient('user1@jade.net'))?.connectors).toEqual([]);
  const connector = `cn=out,${dnOf('user1')}`;
  await add(connector, { objectClass: 'mtConnector', cn: 'out', mtChannel: 'SMTPC', mtIdentifier: 'user1@far.example' });
  await caughtUp();
  expect((await dit.recipient('user1@jade.net'))?.connectors).toMatchObject([{ channel: 'SMTPC', permission: 'send-receive' }]);
  await modify(connector, 'replace', 'mtChannel', 'LOCAL');
  await caughtUp();
  expect((await dit.recipient('user1@jade.net'))?.connectors).toMatchObject([{ channel: 'LOCAL' }]);
  await opened.directory.delete(root, dn(connector));
  await caughtUp();
  expect((await dit.recipient('user1@jade.net'))?.connectors).toEqual([]);
});

test('domains come, get sub-domains, and go', async () => {
  expect(await dit.domain('onyx.net')).toBeUndefined();
  await add('dc=onyx,dc=net', { objectClass: ['domain', 'mtMailDomain'], dc: 'onyx', mtDomainAlias: 'Jade.net' });
  await caughtUp();
  expect(await dit.domain('ONYX.net')).toMatchObject({ name: 'onyx.net', aliasOf: 'jade.net', subdomains: false });
  expect(await dit.domain('a.b.onyx.net')).toBeUndefined();
  await modify('dc=onyx,dc=net', 'add', 'mtSubdomains', 'TRUE');
  await caughtUp();
  expect((await dit.domain('a.b.onyx.net'))?.name).toBe('onyx.net');
  await opened.directory.delete(root, dn('dc=onyx,dc=net'));
  await caughtUp();
  expect(await dit.domain('a.b.onyx.net')).toBeUndefined();
});

test('a subtree that is renamed takes its people along under their new names', async () => {
  await add(`ou=old,${base}`, { objectClass: 'organizationalUnit', ou: 'old' });
  await add(`cn=deep,ou=old,${base}`, { objectClass: 'inetOrgPerson', cn: 'deep', sn: 'Deep', mail: 'deep@jade.net' });
  await caughtUp();
  expect((await dit.recipient('deep@jade.net'))?.dn).toBe(`cn=deep,ou=old,${base}`);
  await opened.directory.rename(root, dn(`ou=old,${base}`), { rdn: parseRdn('ou=new'), deleteOldRdn: true });
  await caughtUp();
  expect((await dit.recipient('deep@jade.net'))?.dn).toBe(`cn=deep,ou=new,${base}`);
});

test('an answer that was read before a change is given to who asked, and not kept after it', async () => {
  for (const change of [
    () => modify(dnOf('user1'), 'replace', 'accountStatus', 'disabled'),
    () => add(`cn=c,${dnOf('user1')}`, { objectClass: 'mtConnector', cn: 'c', mtChannel: 'LOCAL' }),
    () => opened.directory.delete(root, dn(`cn=c,${dnOf('user1')}`)),
    () => opened.directory.rename(root, dn(dnOf('user2')), { rdn: parseRdn('cn=user2'), deleteOldRdn: false }),
  ]) {
    await modify(dnOf('user1'), 'replace', 'displayName', 'forget the last answer');
    await caughtUp();
    const release = hold();
    const asked = dit.recipient('user1@jade.net');
    const before = searches;
    await change();
    await caughtUp();
    release();
    expect((await asked)?.mail).toBe('user1@jade.net');
    const again = await dit.recipient('user1@jade.net');
    expect(searches).toBeGreaterThan(before);
    await modify(dnOf('user1'), 'replace', 'displayName', 'read afresh');
    await caughtUp();
    expect(await dit.recipient('user1@jade.net')).toEqual({ ...again, displayName: 'read afresh' });
  }
});

test('two thousand changes one on the heels of the other leave the last of them', async () => {
  const writes: Promise<void>[] = [];
  for (let n = 0; n < 2000; n++) {
    writes.push(modify(dnOf(`user${(n % 2) + 1}`), 'replace', 'displayName', `change ${n}`));
    if (n % 50 === 0) await dit.recipient('user1@jade.net');
    if (n % 200 === 0) await Promise.all(writes);
  }
  await Promise.all(writes);
  await caughtUp();
  for (const name of ['user1', 'user2']) {
    const stored = await opened.directory.read(root, dn(dnOf(name)));
    expect((await dit.recipient(`${name}@jade.net`))?.displayName).toBe(stored?.text('displayName'));
  }
});

test('settings are live, and a value that breaks its declaration gives way to the default with a line in the log', async () => {
  const mta = dit.settings(mtaSettings);
  const seen: string[] = [];
  mta.onChange((value) => seen.push(value.defaultLocalChannel));
  await modify('cn=mta,cn=mailtree', 'replace', 'mtDefaultLocalChannel', 'SMTPC');
  await modify('cn=server,cn=mailtree', 'replace', 'mtLocalDomain', 'jade.net');
  await caughtUp();
  expect(mta.value.defaultLocalChannel).toBe('SMTPC');
  expect(dit.mta.value).toMatchObject({ defaultLocalChannel: 'SMTPC', domain: 'jade.net', postmaster: 'postmaster@jade.net' });
  // What the directory here would refuse, another one may hold.
  const foreign = await openDit({
    directory: broken(watched(opened.directory)),
    systemBase: dn('cn=mailtree'),
    domainBase: dn(''),
    host: 'mx.jade.net',
    log: createLog(
      'dit',
      constant('diagnostic'),
      (record) => lines.push(textLine(record)),
      () => 0,
    ),
  });
  expect(foreign.settings(serverSettings).value.logFileSize).toBe(500_000);
  expect(lines.join('\n')).toMatch(/\[Warning\] cn=server,cn=mailtree: mtLogFileSize: "plenty" must be .*; the default is used/);
  foreign.close();
  await opened.directory.delete(root, dn('cn=forwarding,cn=mta,cn=mailtree'));
  await opened.directory.delete(root, dn('cn=mta,cn=mailtree'));
  await caughtUp();
  expect(seen).toEqual(['SMTPC', 'LOCAL']);
});

test('a secret among settings is read though the feed has none, and changes together with what belongs to it', async () => {
  const entry = 'cn=smtpc,cn=mailtree';
  await add(entry, { objectClass: 'mtSmtpc', cn: 'smtpc', mtSmtpcRelayHost: 'one.example', mtSmtpcRelayPassword: 'first' });
  await caughtUp();
  const smtpc = dit.settings(smtpcSettings);
  const seen: string[] = [];
  smtpc.onChange(({ relayHost, relayPassword }) => seen.push(`${relayHost} ${relayPassword}`));
  while (seen.length < 1) await setImmediate();
  await opened.directory.modify(root, dn(entry), [
    { operation: 'replace', attribute: attributes({ mtSmtpcRelayHost: 'two.example' })[0]! },
    { operation: 'replace', attribute: attributes({ mtSmtpcRelayPassword: 'second' })[0]! },
  ]);
  while (seen.length < 2) await setImmediate();
  await modify(entry, 'replace', 'mtSmtpcRelayPassword', 'third');
  while (seen.length < 3) await setImmediate();
  await opened.directory.delete(root, dn(entry));
  while (seen.length < 4) await setImmediate();
  expect(seen).toEqual(['one.example first', 'two.example second', 'two.example third', ' ']);
  expect(lines.join('\n')).not.toMatch(/first|second|third/);
});

/** The same, with a log file size that is no number. */
function broken(directory: Directory): Directory {
  return Object.assign(Object.create(directory) as Directory, {
    search: async function* (...asked: Parameters<Directory['search']>): AsyncGenerator<Entry> {
      for await (const entry of directory.search(...asked)) {
        const wrong = entry.dn.key === dn('cn=server,cn=mailtree').key;
        if (wrong) Object.assign(entry, { texts: (name: string) => (name === 'mtLogFileSize' ? ['plenty'] : []) });
        yield entry;
      }
    },
  });
}

test('a feed that lost its place is taken up again from a fresh reading', async () => {
  await dit.recipient('user1@jade.net');
  await dit.recipient('nobody@jade.net');
  const mta = dit.settings(mtaSettings);
  expect(feeds).toHaveLength(1);
  // What happens from here on is not in the feed any more.
  feeds[0]?.lost();
  await modify(dnOf('user1'), 'replace', 'accountStatus', 'disabled');
  await addUser('nobody');
  await modify('cn=mta,cn=mailtree', 'replace', 'mtDefaultLocalChannel', 'SMTPC');
  while (feeds.length < 2 || mta.value.defaultLocalChannel !== 'SMTPC') await setImmediate();
  await caughtUp();
  expect((await dit.recipient('user1@jade.net'))?.status).toBe('disabled');
  expect((await dit.recipient('nobody@jade.net'))?.mail).toBe('nobody@jade.net');
  expect(lines.join('\n')).toContain('read afresh');
});

test('log-in: the right password of an active account, by any of its addresses; every refusal says the same', async () => {
  const from = { door: 'test', address: '192.0.2.1' };
  await modify('cn=server,cn=mailtree', 'replace', 'mtLocalDomain', 'jade.net');
  await modify(dnOf('user1'), 'add', 'mailLocalAddress', 'one@jade.net');
  await caughtUp();
  for (const name of ['user1@jade.net', 'USER1@JADE.NET', 'one@jade.net', 'user1'])
    expect((await dit.login(name, 'secret of user1', from)).mail).toBe('user1@jade.net');
  const refusal = { kind: 'bad-credentials', say: 'invalid name or password' };
  await expect(dit.login('user1@jade.net', 'secret of user2', from)).rejects.toMatchObject(refusal);
  await expect(dit.login('nobody@jade.net', 'secret of user1', from)).rejects.toMatchObject(refusal);
  await expect(dit.login('', '', from)).rejects.toMatchObject(refusal);
  await expect(dit.login('user1@jade.net', '', from)).rejects.toMatchObject(refusal);
  await modify(dnOf('user1'), 'replace', 'accountStatus', 'noaccess');
  await caughtUp();
  await expect(dit.login('user1@jade.net', 'secret of user1', from)).rejects.toMatchObject(refusal);
});

test('guessing with one unknown name tells nothing about another: each is slowed down alone', async () => {
  const from = { door: 'test', address: '192.0.2.1' };
  const kinds = async (name: string): Promise<string[]> => {
    const seen: string[] = [];
    for (let n = 0; n < 8; n++) seen.push(await dit.login(name, 'wrong', from).then(String, (thrown: { kind: string }) => thrown.kind));
    return seen;
  };
  const known = await kinds('user1@jade.net');
  expect(known).toContain('busy');
  expect(await kinds('nobody@jade.net')).toEqual(known);
  expect(await kinds('another@jade.net')).toEqual(known);
});
