/** `cn=monitor` over a real queue, through the directory and the LDAP door: rights, searches, limits, writes. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Client } from 'ldapts';
import { type DirectoryFault, loadSchema, monitorBase, system } from '../../src/directory/index.ts';
import { parseDn, parseFilter } from '../../src/ldap-wire/index.ts';
import { monitorTree } from '../../src/main/monitor/tree.ts';
import { type MessageView, viewOf } from '../../src/main/queue/view.ts';
import type { FoundMessage } from '../../src/queue/index.ts';
import { all, attributes, type Opened, openTemporary, refusal, root, settings } from '../directory/support.ts';
import { type Door, openDoor, simpleBind } from '../support/ldap-door.ts';
import { collect, newMessage, testQueue } from '../support/queue.ts';
import { type ControlledQueue, controlled } from '../support/queue-control.ts';
import { eventually } from '../support/server.ts';

let opened: Opened;
let queued: ControlledQueue;
let door: Door;
let listed = 0;
/** Walks through the queue under way. */
let walks = 0;
let figures = 0;
const admin = 'cn=admin,cn=admins,cn=mailtree';
const messages = 'cn=messages,cn=SMTPC,cn=queues,cn=monitor';
const smtpc = (address: string, identifier = address.split('@')[1] ?? '') => ({ address, filed: { queue: 'SMTPC' as const, identifier } });

async function* counted(found: AsyncIterable<FoundMessage>): AsyncGenerator<MessageView> {
  walks++;
  try {
    for await (const one of found) {
      listed++;
      yield viewOf({ ...one, weight: -7 });
    }
  } finally {
    walks--;
  }
}

/** `find` yields the messages. */
function useMonitor(find: Parameters<typeof monitorTree>[0]['messages']): void {
  const { queue } = queued;
  const policy = { autoStart: true, autoRestart: true, autoStop: true, waitTime: 0 };
  opened.directory.useMonitor(
    monitorTree({
      queue,
      messages: find,
      host: () => 'mail.jade.net',
      version: '1',
      startedAt: 0,
      failing: async () => [{ why: 'only 3 MB are free' }],
      components: () => [{ name: 'SMTPD', state: 'failed', restarts: 2, lastError: 'port 25 is taken', policy }],
      listeners: () => [{ listener: 'SMTPD (smtp)', open: 4 }],
      disk: async () => ({ total: 100, free: 3, minimum: 50 }),
      databases: () => [
        {
          name: 'mail',
          about: 'Mail',
          figures: async () => {
            figures++;
            return { state: 'running', octets: 5, accounts: 6 };
          },
        },
      ],
    }),
  );
}

beforeEach(async () => {
  [listed, figures, walks] = [0, 0, 0];
  opened = await openTemporary({ schema: await loadSchema(), settings: settings({ sizeLimit: 5, lookThroughLimit: 3, sortLimit: 50 }) });
  await fillPlain();
  queued = await controlled(testQueue);
  useMonitor((filter) => counted(queued.control.find(filter)));
  door = await openDoor({ directory: opened.directory });
});

afterEach(async () => {
  await door.end();
  await opened.close();
  await queued.close();
});

/** The real schema has no test classes. */
async function fillPlain(): Promise<void> {
  const { directory } = opened;
  const add = (name: string, values: Parameters<typeof attributes>[0]) => directory.add(root, parseDn(name), attributes(values));
  await add('cn=mailtree', { objectClass: 'applicationProcess', cn: 'mailtree' });
  const rule = {
    objectClass: 'mtAccess',
    ...{ mtAccessOrder: '100', mtAccessWho: 'all', mtAccessTarget: 'domains', mtAccessRight: ['read', 'search'], mtAccessEffect: 'allow' },
  };
  await add('cn=access,cn=mailtree', { objectClass: 'applicationProcess', cn: 'access' });
  await add('cn=general,cn=access,cn=mailtree', { ...rule, cn: 'general' });
  await add('cn=admins,cn=mailtree', { objectClass: 'applicationProcess', cn: 'admins' });
  await add(admin, { objectClass: 'person', cn: 'admin', sn: 'A', userPassword: 'admin secret' });
  await add('dc=jade,dc=net', { objectClass: 'domain', dc: 'jade' });
  await add('cn=operator,dc=jade,dc=net', { objectClass: 'person', cn: 'operator', sn: 'O', userPassword: 'operator secret' });
}

async function client(dn?: string, secret = 'admin secret'): Promise<Client> {
  const made = new Client({ url: `ldap://127.0.0.1:${door.port}` });
  if (dn) await made.bind(dn, secret);
  return made;
}

/** Puts a message into the queue and lets it fail once. */
async function deferred(id: string, address: string, sender: string, reason: string): Promise<void> {
  await queued.queue.submit(newMessage(id, [smtpc(address)], { sender }));
  for (const lease of await queued.queue.lease('SMTPC', 10)) {
    const deferrals = lease.recipients.map(({ number }) => ({ number, nextAttempt: queued.clock.now() + 600_000, reason }));
    await queued.queue.defer(lease, deferrals);
  }
}

test('a stranger is told that there is nothing, whatever is asked, also by a rule that opens the domain tree', async () => {
  await queued.queue.submit(newMessage('id01', [smtpc('a@b.example')]));
  const stranger = await client();
  for (const [base, scope] of [
    ['cn=monitor', 'base'],
    ['cn=monitor', 'sub'],
    [messages, 'one'],
    ['cn=nothing,cn=monitor', 'sub'],
    ['cn=mail,cn=databases,cn=monitor', 'base'],
    [`mtQueueId=id01,${messages}`, 'sub'],
  ] as const)
    await expect(stranger.search(base, { scope })).rejects.toMatchObject({ code: 32, message: expect.not.stringContaining('monitor') });
  await expect(stranger.compare('cn=monitor', 'cn', 'monitor')).rejects.toMatchObject({ code: 32 });
  await expect(stranger.add('cn=x,cn=monitor', { objectClass: 'person', cn: 'x', sn: 'x' })).rejects.toMatchObject({ code: 32 });
  await expect(stranger.del('cn=monitor')).rejects.toMatchObject({ code: 32 });
  await expect(stranger.compare('cn=mail,cn=databases,cn=monitor', 'cn', 'mail')).rejects.toMatchObject({ code: 32 });
  // Figures may take long to find: none is looked for in vain.
  expect([figures, listed]).toEqual([0, 0]);
  await stranger.unbind();
});

test('an administrator sees server, components, listeners, disk and databases, and only what was asked for is made', async () => {
  const administrator = await client(admin);
  const one = async (base: string, attribute: string) =>
    (await administrator.search(base, { scope: 'base' })).searchEntries[0]?.[attribute];
  expect(await one('cn=monitor', 'mtMonitorProblem')).toBe('only 3 MB are free');
  expect(await one('CN=smtpd, cn=COMPONENTS,cn=Monitor', 'mtMonitorRestarts')).toBe('2');
  expect(await one('cn=SMTPD (smtp),cn=listeners,cn=monitor', 'mtMonitorConnections')).toBe('4');
  expect(await one('cn=disk,cn=monitor', 'mtMonitorDiskFree')).toBe('3');
  await administrator.search('cn=monitor', { filter: '(objectClass=mtMonitorComponent)' });
  await administrator.search('cn=monitor', { filter: '(&(mtQueueSender=*)(mtMonitorState=running))' });
  expect([figures, listed]).toEqual([0, 0]);
  expect(await one('cn=mail,cn=databases,cn=monitor', 'mtMonitorAccounts')).toBe('6');
  expect(figures).toBe(1);
  await administrator.unbind();
});

test('names that nobody has are refused with the deepest one that exists', async () => {
  const smtpd = 'cn=SMTPD,cn=components,cn=monitor';
  for (const [name, matched] of [
    ['cn=nothing,cn=monitor', 'cn=monitor'],
    [`cn=x,${smtpd}`, smtpd],
    ['ou=SMTPD,cn=components,cn=monitor', 'cn=components,cn=monitor'],
    ['cn=SMTPD+sn=x,cn=components,cn=monitor', 'cn=components,cn=monitor'],
    ['mtQueueId=../../x,cn=messages,cn=LOCAL,cn=queues,cn=monitor', 'cn=messages,cn=LOCAL,cn=queues,cn=monitor'],
    [`mtQueueId=${'a'.repeat(5000)},${messages}`, messages],
    [`mtQueueId=#0403666f6f,${messages}`, messages],
  ] as const) {
    const asks = { base: parseDn(name), scope: 'sub', filter: parseFilter('(cn=*)') } as const;
    const found = await all(opened.directory.search(system('test'), asks)).catch((thrown: DirectoryFault) => thrown);
    expect([name, found]).toMatchObject([name, { result: 'noSuchObject', matched: { key: parseDn(matched).key } }]);
  }
});

test('queues have their counts, destinations their reason and next attempt, messages everything that is known', async () => {
  await deferred('aaaa', 'müller@yahoo.example', 'anna@jade.net', 'connection refused');
  await queued.queue.submit(newMessage('bbbb', [smtpc('b@onyx.example'), smtpc('c@onyx.example')], { sender: '' }));
  const administrator = await client(admin);
  const entries = async (base: string, filter: string, scope: 'base' | 'one' | 'sub' = 'sub') =>
    (await administrator.search(base, { filter, scope })).searchEntries;
  expect(await entries('cn=SMTPC,cn=queues,cn=monitor', '(objectClass=*)', 'base')).toMatchObject([
    { mtQueuePending: '2', mtQueueDeferred: '1' },
  ]);
  expect(await entries('cn=monitor', '(objectClass=mtMonitorDestination)')).toMatchObject([
    { mtQueueDestination: 'yahoo.example', mtQueueMessages: '1', mtQueueDeferred: '1', mtQueueReason: 'connection refused' },
  ]);
  expect(await entries('cn=monitor', '(mtQueueSender=*@JADE.net)')).toMatchObject([
    {
      dn: `mtQueueId=aaaa,${messages}`,
      ...{ mtQueueState: 'deferred', mtQueueRecipient: 'müller@yahoo.example', mtQueueAttempts: '1', mtQueueWeight: '-7' },
    },
  ]);
  expect(await entries('cn=queues,cn=monitor', '(&(mtQueueSender=<>)(mtQueueRecipientCount>=2))')).toMatchObject([
    { mtQueueId: 'bbbb', mtQueueState: 'pending', mtQueueRecipient: ['b@onyx.example', 'c@onyx.example'] },
  ]);
  expect(await entries('cn=queues,cn=monitor', '(!(mtQueueReason=*))', 'one')).toHaveLength(7);
  expect(await administrator.compare(`mtQueueId=bbbb,${messages}`, 'mtQueueRecipient', 'C@onyx.example')).toBe(true);
  await expect(administrator.compare(`mtQueueId=bbbb,${messages}`, 'mtQueueReason', 'x')).rejects.toMatchObject({ code: 16 });
  expect(await entries('cn=LOCAL,cn=queues,cn=monitor', '(mtQueueId=*)')).toEqual([]);
  await administrator.unbind();
});

test('attributes can be chosen, and what stands below is said', async () => {
  await queued.queue.submit(newMessage('aaaa', [smtpc('a@b.example')]));
  const administrator = await client(admin);
  const { searchEntries } = await administrator.search(messages, { attributes: ['mtQueueId', 'hasSubordinates', 'entryDN'] });
  expect(searchEntries).toEqual([
    { dn: messages, hasSubordinates: 'TRUE', entryDN: messages, mtQueueId: [] },
    { dn: `mtQueueId=aaaa,${messages}`, mtQueueId: 'aaaa', hasSubordinates: 'FALSE', entryDN: `mtQueueId=aaaa,${messages}` },
  ]);
  await administrator.unbind();
});

test('pages, orders and limits hold, and nothing is read ahead of what is taken', async () => {
  for (let n = 0; n < 30; n++) await queued.queue.submit(newMessage(`id${String(n).padStart(2, '0')}`, [smtpc(`r${29 - n}@b.example`)]));
  const administrator = await client(admin);
  const { searchEntries } = await administrator.search(messages, { scope: 'one', paged: { pageSize: 7 } });
  expect(searchEntries.map(({ mtQueueId }) => mtQueueId)).toHaveLength(30);
  const few = { base: parseDn(messages), scope: 'one', filter: parseFilter('(objectClass=*)'), sizeLimit: 3 } as const;
  expect(await refusal(all(opened.directory.search(system('test'), few)))).toBe('sizeLimitExceeded: more than 3 entries match');
  expect((await administrator.search(messages, { scope: 'one', sizeLimit: 3 })).searchEntries).toHaveLength(3);
  listed = 0;
  const some = opened.directory.search(system('test'), { base: parseDn(messages), scope: 'one', filter: parseFilter('(objectClass=*)') });
  for await (const entry of some) if (entry.text('mtQueueId') === 'id02') break;
  expect(listed).toBe(3);
  const asks = { base: parseDn(messages), scope: 'one', filter: parseFilter('(mtQueueId=*)') } as const;
  const inOrder = await all(
    opened.directory.search(system('test'), { ...asks, sort: [{ attribute: 'mtQueueArrival' }, { attribute: 'mtQueueSize' }] }),
  );
  expect(inOrder).toHaveLength(30);
  for (let n = 30; n < 60; n++) await queued.queue.submit(newMessage(`id${n}`, [smtpc(`r${n}@b.example`)]));
  expect(await refusal(all(opened.directory.search(system('test'), { ...asks, sort: [{ attribute: 'mtQueueSize' }] })))).toMatch(
    /^adminLimitExceeded: more than 50 entries are not put in order/,
  );
  const gone = new AbortController();
  gone.abort();
  expect(await refusal(all(opened.directory.search(system('test'), { ...asks, signal: gone.signal })))).toMatch(/^canceled/);
  await administrator.unbind();
});

test('a search with a long filter gives the loop back after every message, wherever they come from', async () => {
  await queued.queue.submit(newMessage('id00', [smtpc('r@b.example')]));
  const [view] = await collect(counted(queued.control.find({})));
  // All at once, as what is in memory is.
  useMonitor(async function* () {
    for (listed = 0; listed < 60; ) yield { ...(view as MessageView), id: `id${++listed}` };
  });
  const filter = parseFilter(`(|${Array.from({ length: 400 }, (_, n) => `(mtQueueRecipient=*q${n}*z*)`).join('')})`);
  let [before, most, over] = [0, 0, false];
  const round = (): void => {
    most = Math.max(most, listed - before);
    before = listed;
    if (!over) setImmediate(round);
  };
  round();
  expect(await all(opened.directory.search(system('test'), { base: parseDn(messages), scope: 'one', filter }))).toEqual([]);
  over = true;
  expect([listed, Math.max(most, listed - before) <= 2]).toEqual([60, true]);
});

test('an access rule lets an operator see the queue and nothing else, within the limits of everybody', async () => {
  const rule = {
    objectClass: 'mtAccess',
    cn: 'operators',
    ...{ mtAccessOrder: '50', mtAccessWho: 'dn:cn=operator,dc=jade,dc=net', mtAccessTarget: 'subtree:cn=queues,cn=monitor' },
    ...{ mtAccessRight: ['read', 'search', 'compare'], mtAccessEffect: 'allow' },
  };
  await opened.directory.add(root, parseDn('cn=operators,cn=access,cn=mailtree'), attributes(rule));
  for (let n = 0; n < 6; n++) await queued.queue.submit(newMessage(`id0${n}`, [smtpc(`r${n}@b.example`)]));
  const operator = await client('cn=operator,dc=jade,dc=net', 'operator secret');
  expect((await operator.search(messages, { filter: '(mtQueueId=id03)' })).searchEntries).toHaveLength(1);
  await expect(operator.search('cn=monitor')).rejects.toMatchObject({ code: 32 });
  await expect(operator.search('cn=disk,cn=monitor')).rejects.toMatchObject({ code: 32 });
  await expect(operator.search('cn=mail,cn=databases,cn=monitor')).rejects.toMatchObject({ code: 32 });
  expect(figures).toBe(0);
  await expect(operator.search(messages, { scope: 'one' })).rejects.toMatchObject({ code: 4 });
  await expect(operator.search(messages, { filter: '(mtQueueSender=nobody)' })).rejects.toMatchObject({ code: 11 });
  await operator.unbind();
});

test('a rule with a filter shows what the filter finds, also where it is named', async () => {
  const rule = {
    objectClass: 'mtAccess',
    cn: 'some',
    ...{ mtAccessOrder: '50', mtAccessWho: 'dn:cn=operator,dc=jade,dc=net', mtAccessTarget: '*', mtAccessFilter: '(mtQueueSender=*ü*)' },
    ...{ mtAccessRight: ['read', 'search'], mtAccessEffect: 'allow' },
  };
  await opened.directory.add(root, parseDn('cn=some,cn=access,cn=mailtree'), attributes(rule));
  await queued.queue.submit(newMessage('id01', [smtpc('a@b.example')]));
  await queued.queue.submit(newMessage('id02', [smtpc('a@b.example')], { sender: 'anna@example.com' }));
  const operator = await client('cn=operator,dc=jade,dc=net', 'operator secret');
  expect((await operator.search(`mtQueueId=id01,${messages}`)).searchEntries).toHaveLength(1);
  await expect(operator.search(`mtQueueId=id02,${messages}`)).rejects.toMatchObject({ code: 32 });
  await operator.unbind();
});

test('nobody writes or follows what is computed, and the refusal says why', async () => {
  await queued.queue.submit(newMessage('aaaa', [smtpc('a@b.example')]));
  const { directory } = opened;
  const name = parseDn(`mtQueueId=aaaa,${messages}`);
  const refused = /^unwillingToPerform: .*cn=monitor is computed and can only be read/;
  const person = attributes({ objectClass: 'person', cn: 'x', sn: 'x' });
  expect(await refusal(directory.add(root, parseDn('cn=x,cn=monitor'), person))).toMatch(refused);
  expect(
    await refusal(directory.modify(root, name, [{ operation: 'replace', attribute: { name: 'mtQueueSize', values: ['1'] } }])),
  ).toMatch(refused);
  expect(await refusal(directory.delete(root, name))).toMatch(refused);
  expect(await refusal(directory.delete(root, monitorBase, { subtree: true }))).toMatch(refused);
  const jade = parseDn('cn=operator,dc=jade,dc=net');
  expect(await refusal(directory.rename(root, jade, { rdn: jade.rdns[0] ?? [], deleteOldRdn: false, newSuperior: monitorBase }))).toMatch(
    refused,
  );
  expect(await refusal(directory.rename(root, name, { rdn: [{ type: 'cn', value: 'y' }], deleteOldRdn: false }))).toMatch(refused);
  expect(await refusal(directory.addBatch(root, [{ dn: parseDn('cn=x,cn=monitor'), attributes: person }]))).toMatch(refused);
  const follow = { base: monitorBase, scope: 'sub', filter: parseFilter('(objectClass=*)') } as const;
  expect(() => directory.synchronise(root, { ...follow, persist: true, cookie: undefined, reloadHint: false } as never)).toThrow(
    /cannot be followed/,
  );
});

test('a client that abandons a search, hangs up in the middle, or leaves pages unread keeps no walk through the queue open', async () => {
  for (let n = 0; n < 200; n++) await queued.queue.submit(newMessage(`m${String(n).padStart(4, '0')}`, [smtpc(`r${n}@b.example`)]));
  const all = { op: 'search', base: messages, scope: 'one', derefAliases: 0, sizeLimit: 0, timeLimit: 0, typesOnly: false } as const;
  const asks = { ...all, filter: parseFilter('(mtQueueRecipient=*)'), attributes: [] };
  const abandoning = await door.client();
  expect(await abandoning.ask(1, simpleBind(admin, 'admin secret'))).toMatchObject({ body: { result: { code: 0 } } });
  abandoning.send(2, asks);
  await abandoning.next();
  abandoning.send(3, { op: 'abandon', target: 2 });
  const leaving = await door.client();
  await leaving.ask(1, simpleBind(admin, 'admin secret'));
  leaving.send(2, asks);
  await leaving.next();
  leaving.socket.destroy();
  const paging = await client(admin);
  for await (const _ of paging.searchPaginated(messages, { scope: 'one', paged: { pageSize: 50 } })) break;
  await paging.unbind();
  await eventually(async () => walks === 0);
});

test.each([
  ['nested too deep', `${'(!'.repeat(70)}(cn=x)${')'.repeat(70)}`, 2],
  ['of values that are none', '(&(mtQueueSize=huge)(mtQueueArrival=yesterday)(mtQueueState>=x))', 0],
  [
    'of every form',
    '(|(mtQueueSender~=ANNA)(mtQueueSize:integerMatch:=5)(:dn:caseIgnoreMatch:=SMTPC)(mtQueueRecipient=*a*b*c*)(!(nonsense=*)))',
    0,
  ],
])('a filter %s is answered as anywhere else', async (_, filter, code) => {
  await queued.queue.submit(newMessage('aaaa', [smtpc('a@b.example')]));
  const administrator = await client(admin);
  const done = await administrator.search('cn=monitor', { filter }).then(
    () => 0,
    (thrown: { code?: number }) => thrown.code,
  );
  expect(done).toBe(code);
  await administrator.unbind();
});
