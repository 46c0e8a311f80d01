/** Following a provider of RFC 4533 through everything one may send. */

import { afterEach, expect, test } from '@jest/globals';
import { type Change, system } from '../../src/directory/index.ts';
import { openRemoteDirectory, type RemoteDirectory } from '../../src/directory-remote/index.ts';
import { BerReader, BerWriter, ber, type Control, parseDn } from '../../src/ldap-wire/index.ts';
import { type Asked, done, type ScriptedLdap, scriptedLdap } from '../support/scripted-ldap.ts';
import { eventually } from '../support/server.ts';
import { remoteOptions } from '../support/slapd.ts';

const oid = (n: number): string => `1.3.6.1.4.1.4203.1.9.1.${n}`;
const uuid = (n: number): Buffer => Buffer.from(`000000000000400080000000000000${n.toString(16).padStart(2, '0')}`, 'hex');
const uuidText = (n: number): string => `00000000-0000-4000-8000-0000000000${n.toString(16).padStart(2, '0')}`;

const state = (kind: 0 | 1 | 2 | 3, id: Buffer, cookie?: string): Control => {
  const writer = new BerWriter();
  const begun = writer.begin();
  writer.integer(kind, ber.enumerated).octets(id);
  if (cookie) writer.text(cookie);
  return { oid: oid(2), critical: false, value: writer.end(begun).done() };
};
const doneControl = (cookie?: string): Control => {
  const writer = new BerWriter();
  const begun = writer.begin();
  if (cookie) writer.text(cookie);
  return { oid: oid(3), critical: false, value: writer.end(begun).done() };
};
const info = (tag: number, write: (writer: BerWriter) => void) => {
  const writer = new BerWriter();
  const begun = writer.begin(tag);
  write(writer);
  return { op: 'intermediate', oid: oid(4), value: writer.end(begun).done() } as const;
};
const refreshDone = (tag: 0xa1 | 0xa2, cookie: string) => info(tag, (writer) => void writer.text(cookie));
const ids = (deletes: boolean, list: readonly Buffer[]) =>
  info(0xa3, (writer) => {
    if (deletes) writer.boolean(true);
    const set = writer.begin(ber.set);
    for (const id of list) writer.octets(id);
    writer.end(set);
  });
const entry = (n: number, more = '') =>
  ({ op: 'entry', dn: `cn=e${n}${more},dc=test`, attributes: [{ name: 'cn', values: [`e${n}`] }] }) as const;

/** Mode and cookie of a synchronisation request. */
function syncOf(controls: readonly Control[]): { mode: number; cookie: string | undefined } | undefined {
  const value = controls.find((each) => each.oid === oid(1))?.value;
  if (!value) return undefined;
  const reader = new BerReader(value);
  reader.enter(ber.sequence);
  return { mode: reader.integer(0, 9, ber.enumerated), cookie: reader.is(ber.octets) ? reader.octets().toString() : undefined };
}

let server: ScriptedLdap;
let directory: RemoteDirectory;
let changes: string[];
let lost: number;
const requests: { mode: number; cookie: string | undefined }[] = [];
afterEach(async () => {
  await directory.close();
  await server.close();
  requests.splice(0);
});

/** `script` gets each refreshAndPersist with its number; the first reading has entries 1 to 3 and cookie c0. */
async function following(script: (asked: Asked, nth: number, cookie: string | undefined) => void): Promise<void> {
  let nth = 0;
  server = await scriptedLdap((asked) => {
    const { message, answer } = asked;
    if (message.body.op !== 'search') return;
    const sync = syncOf(message.controls);
    if (sync) requests.push(sync);
    if (sync?.mode === 3) return script(asked, ++nth, sync.cookie);
    if (sync) {
      for (const n of [1, 2, 3]) answer(entry(n), [state(1, uuid(n))]);
      return answer({ op: 'search', result: done }, [doneControl('c0')]);
    }
    if (message.body.base === '' && message.body.scope === 'base')
      answer({
        op: 'entry',
        dn: '',
        attributes: [
          { name: 'supportedControl', values: [oid(1)] },
          { name: 'namingContexts', values: ['dc=test'] },
        ],
      });
    answer({ op: 'search', result: message.body.base === '' && message.body.scope === 'sub' ? { ...done, code: 32 } : done });
  });
  const opened = openRemoteDirectory(
    remoteOptions([`ldap://127.0.0.1:${server.port}`], { systemBase: parseDn('cn=x,dc=test'), timeoutMs: 2_000 }),
  );
  directory = opened.directory;
  await opened.ready;
  [changes, lost] = [[], 0];
  await directory.watch(
    undefined,
    (change: Change) => changes.push(`${change.kind} ${change.after?.dn.toString() ?? change.uuid}`),
    () => lost++,
  );
}

const told = (expected: readonly string[]): Promise<unknown> =>
  eventually(async () => changes.length >= expected.length).finally(() => expect(changes).toEqual(expected));
const cut = (): void => {
  for (const socket of server.sockets) socket.destroy();
};

test('names and UUIDs first, then the feed from the cookie: added, changed, renamed, gone', async () => {
  let feed: Asked | undefined;
  await following((asked) => {
    feed = asked;
    asked.answer(refreshDone(0xa1, 'c1'));
  });
  feed?.answer(entry(4), [state(1, uuid(4), 'c2')]);
  feed?.answer(entry(1), [state(2, uuid(1), 'c3')]);
  feed?.answer(entry(2, 'renamed'), [state(2, uuid(2), 'c4')]);
  feed?.answer({ op: 'entry', dn: 'cn=e3,dc=test', attributes: [] }, [state(3, uuid(3), 'c5')]);
  await told(['add cn=e4,dc=test', 'modify cn=e1,dc=test', 'rename cn=e2renamed,dc=test', `delete ${uuidText(3)}`]);
  expect(requests).toEqual([
    { mode: 1, cookie: undefined },
    { mode: 3, cookie: 'c0' },
  ]);
});

test('after an interruption: what is neither sent nor present is gone', async () => {
  await following((asked, nth) => {
    if (nth === 2) {
      asked.answer(ids(false, [uuid(1), uuid(99)]));
      asked.answer(entry(2), [state(1, uuid(2))]);
      asked.answer(refreshDone(0xa2, 'c9'));
    } else asked.answer(refreshDone(0xa1, 'c1'));
  });
  cut();
  await told(['modify cn=e2,dc=test', `delete ${uuidText(3)}`]);
  expect(requests[2]).toEqual({ mode: 3, cookie: 'c1' });
  cut();
  await eventually(async () => requests.length === 4);
  expect(requests[3]).toEqual({ mode: 3, cookie: 'c9' });
});

test('after an interruption: deletions by UUID, and nothing else is gone', async () => {
  await following((asked, nth) => {
    if (nth === 2) asked.answer(ids(true, [uuid(2)]));
    asked.answer(refreshDone(0xa1, 'c1'));
  });
  cut();
  await told([`delete ${uuidText(2)}`]);
  expect(lost).toBe(0);
});

test('a refresh that breaks off is done again from the same cookie', async () => {
  await following((asked, nth) => {
    if (nth !== 2) return asked.answer(refreshDone(0xa1, 'c1'));
    asked.answer(
      info(0x80, () => {}).value ? { op: 'intermediate', oid: oid(4), value: Buffer.from([0x80, 2, 0x63, 0x37]) } : refreshDone(0xa1, ''),
    );
    asked.answer(entry(1), [state(1, uuid(1), 'c8')]);
    asked.socket.end();
  });
  cut();
  await eventually(async () => requests.length === 4);
  expect(requests.slice(2)).toEqual([
    { mode: 3, cookie: 'c1' },
    { mode: 3, cookie: 'c1' },
  ]);
});

test('a server that no longer knows the cookie is read whole, and what is not there is gone', async () => {
  await following((asked, _nth, cookie) => {
    if (cookie === 'c1') return asked.answer({ op: 'search', result: { ...done, code: 4096 } });
    if (cookie === undefined) for (const n of [1, 3]) asked.answer(entry(n), [state(1, uuid(n))]);
    asked.answer(refreshDone(cookie === undefined ? 0xa2 : 0xa1, cookie === undefined ? 'c5' : 'c1'));
  });
  cut();
  await told(['modify cn=e1,dc=test', 'modify cn=e3,dc=test', `delete ${uuidText(2)}`]);
});

test.each([
  ['a UUID of 15 octets', (asked: Asked) => asked.answer(entry(1), [state(1, Buffer.alloc(15))])],
  [
    'a state nobody knows',
    (asked: Asked) => asked.answer(entry(1), [{ oid: oid(2), critical: false, value: Buffer.from([0x30, 3, 0x0a, 1, 9]) }]),
  ],
  ['a cookie of a megabyte', (asked: Asked) => asked.answer(refreshDone(0xa1, 'c'.repeat(1_000_000)))],
  ['a message that is cut short', (asked: Asked) => asked.answer({ op: 'intermediate', oid: oid(4), value: Buffer.from([0xa3, 9, 4]) })],
  ['the end of a feed that has none', (asked: Asked) => asked.answer({ op: 'search', result: done })],
])('%s ends the connection, and the feed goes on with the next', async (_name, broken) => {
  let feed: Asked | undefined;
  await following((asked) => {
    feed = asked;
    asked.answer(refreshDone(0xa1, 'c1'));
  });
  const first = feed;
  if (first) broken(first);
  await eventually(async () => feed !== first && directory.status.state === 'connected');
  feed?.answer(entry(7), [state(1, uuid(7), 'c2')]);
  await eventually(async () => changes.includes('add cn=e7,dc=test'));
});

test('an account whose answers are cut off is told so at the start', async () => {
  server = await scriptedLdap(({ message, answer }) => {
    if (message.body.op !== 'search') return;
    if (syncOf(message.controls)) return answer({ op: 'search', result: { ...done, code: 4 } });
    if (message.body.base === '' && message.body.scope === 'base')
      answer({
        op: 'entry',
        dn: '',
        attributes: [
          { name: 'supportedControl', values: [oid(1)] },
          { name: 'namingContexts', values: ['dc=test'] },
        ],
      });
    answer({ op: 'search', result: done });
  });
  const opened = openRemoteDirectory(remoteOptions([`ldap://127.0.0.1:${server.port}`]));
  directory = opened.directory;
  await expect(opened.ready).rejects.toThrow('its limits for our account must be lifted');
});

test('nothing is done on behalf of somebody else, and an empty password is no log-in', async () => {
  await following((asked) => asked.answer(refreshDone(0xa1, 'c1')));
  const who = { dn: parseDn('cn=e1,dc=test'), as: 'bound', door: 'web' } as const;
  await expect(directory.delete(who, parseDn('cn=e2,dc=test'))).rejects.toMatchObject({ result: 'insufficientAccessRights' });
  await expect(directory.read(who, parseDn('cn=e2,dc=test'))).rejects.toMatchObject({ result: 'insufficientAccessRights' });
  await expect(directory.authenticate(parseDn('cn=e1,dc=test'), '', { door: 'imap' })).rejects.toMatchObject({
    result: 'invalidCredentials',
  });
  expect(server.asked.some(({ body }) => body.op === 'delete')).toBe(false);
  expect(await directory.read(system('test'), parseDn('cn=e2,dc=test'))).toBeUndefined();
});

test('a connection that the server closed while nobody used it is no answer to a question', async () => {
  let closed = 0;
  server = await scriptedLdap(({ message, answer, socket }) => {
    if (message.body.op !== 'search') return;
    if (syncOf(message.controls))
      return answer(syncOf(message.controls)?.mode === 3 ? refreshDone(0xa1, 'c1') : { op: 'search', result: done });
    if (message.body.base === '')
      answer({
        op: 'entry',
        dn: '',
        attributes: [
          { name: 'supportedControl', values: [oid(1)] },
          { name: 'namingContexts', values: ['dc=test'] },
        ],
      });
    if (message.body.base === 'cn=e1,dc=test' && closed++ === 0) return socket.destroy();
    if (message.body.base === 'cn=e1,dc=test') answer(entry(1));
    answer({ op: 'search', result: done });
  });
  const opened = openRemoteDirectory(remoteOptions([`ldap://127.0.0.1:${server.port}`]));
  directory = opened.directory;
  await opened.ready;
  expect((await directory.read(system('test'), parseDn('cn=e1,dc=test')))?.text('cn')).toBe('e1');
  expect(closed).toBe(2);
});
