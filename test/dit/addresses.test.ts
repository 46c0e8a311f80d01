import { expect, test } from '@jest/globals';
import { silentLog } from '../../src/base/index.ts';
import type { Change, Directory, Entry } from '../../src/directory/index.ts';
import { openDit } from '../../src/dit/index.ts';
import { parseDn } from '../../src/ldap-wire/index.ts';
import { FakeDirectory } from '../support/fake-directory.ts';

const domain = { objectClass: ['domain', 'mtMailDomain'], dc: ['jade'] };
const user = (mail: string, more: Record<string, string[]> = {}) => ({
  objectClass: ['inetOrgPerson', 'mtMailUser'],
  mail: [mail],
  entryUUID: [`uuid of ${mail}`],
  ...more,
});

function filled(): FakeDirectory {
  const directory = new FakeDirectory();
  directory.put('cn=mailtree', { objectClass: ['mtContainer'] });
  directory.put('dc=net', { objectClass: ['domain'] });
  directory.put('dc=jade,dc=net', domain);
  return directory;
}

const names = { systemBase: parseDn('cn=mailtree'), domainBase: parseDn(''), host: 'mx.example', log: silentLog };

test('a member of a list neither takes an address nor makes it ambiguous', async () => {
  const directory = filled();
  directory.put('mail=list@jade.net,dc=jade,dc=net', user('list@jade.net'));
  directory.put('mail=user1@jade.net,mail=list@jade.net,dc=jade,dc=net', user('user1@jade.net', { entryUUID: ['another'] }));
  directory.put('mail=ghost@jade.net,mail=list@jade.net,dc=jade,dc=net', user('ghost@jade.net'));
  directory.put('mail=user1@jade.net,dc=jade,dc=net', user('user1@jade.net'));
  const dit = await openDit({ directory, ...names });
  expect((await dit.recipient('user1@jade.net'))?.uuid).toBe('uuid of user1@jade.net');
  expect(await dit.recipient('ghost@jade.net')).toBeUndefined();
  dit.close();
});

test('an address that two entries claim is answered for now with neither', async () => {
  const directory = filled();
  directory.put('mail=user1@jade.net,dc=jade,dc=net', user('user1@jade.net'));
  directory.put('cn=other,dc=jade,dc=net', user('USER1@jade.net', { entryUUID: ['other'] }));
  const dit = await openDit({ directory, ...names });
  await expect(dit.recipient('user1@jade.net')).rejects.toMatchObject({ kind: 'unavailable' });
  dit.close();
});

test('a feed that is interrupted while the view is read makes it read once more, and no change is missed', async () => {
  const directory = filled();
  const feeds: { listener: (change: Change) => void; lost: () => void; stopped: boolean }[] = [];
  let interrupt = 0;
  const watched: Directory = Object.assign(Object.create(directory) as Directory, {
    search: async function* (...asked: Parameters<Directory['search']>): AsyncGenerator<Entry> {
      if (interrupt-- > 0) feeds.at(-1)?.lost();
      yield* directory.search(...asked);
    },
    watch: async (_from: unknown, listener: (change: Change) => void, lost: () => void) => {
      const feed = { listener, lost, stopped: false };
      feeds.push(feed);
      return {
        position: 0,
        stop() {
          feed.stopped = true;
        },
      };
    },
  });
  interrupt = 1;
  const dit = await openDit({ directory: watched, ...names });
  expect(feeds.map(({ stopped }) => stopped)).toEqual([true, false]);
  interrupt = 2;
  feeds[1]?.lost();
  for (let n = 0; n < 100 && feeds.length < 5; n++) await new Promise((resolve) => setImmediate(resolve));
  for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
  expect(feeds.map(({ stopped }) => stopped)).toEqual([true, true, true, true, false]);
  directory.put('cn=abc.example,cn=forwarding,cn=mta,cn=mailtree', {
    objectClass: ['mtForwarding'],
    cn: ['abc.example'],
    mtChannel: ['SMTPC'],
  });
  const after = directory.entries.get('cn=abc.example,cn=forwarding,cn=mta,cn=mailtree');
  feeds[4]?.listener({ kind: 'add', uuid: 'one', position: 1, after } as unknown as Change);
  expect(await dit.forwarding('abc.example')).toMatchObject({ channel: 'SMTPC' });
  dit.close();
  expect(feeds[4]?.stopped).toBe(true);
});
