import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Entry } from '../../src/directory/index.ts';
import { BerReader, BerWriter, type Message, type Request, type Response, rootDn } from '../../src/ldap-wire/index.ts';
import { supportedControls, supportedExtensions } from '../../src/ldapd/index.ts';
import { asserts, find, pageOf, pages, sortedOf, sorts } from '../support/ldap-controls.ts';
import { type Door, openDoor, type RawLdap, searchFor, simpleBind } from '../support/ldap-door.ts';

let it: Door;
let client: RawLdap;
const rootDse = new Entry(rootDn, [
  { name: 'objectClass', values: ['top'] },
  { name: 'namingContexts', values: ['dc=jade,dc=net'] },
]);
beforeEach(async () => {
  it = await openDoor({
    virtual: { read: (dn) => (dn.rdns.length === 0 ? rootDse : undefined), operational: (attribute) => attribute === 'namingcontexts' },
  });
  client = await it.client();
});
afterEach(() => it.end());

const user1 = 'mail=user1@jade.net,dc=jade,dc=net';
const pagedOid = '1.2.840.113556.1.4.319';
const octets = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));
const codeOf = (message: Message<Response> | undefined): number | undefined =>
  message && 'result' in message.body ? message.body.result.code : undefined;

async function all(id: number, request: Request, controls = {}): Promise<Message<Response>[]> {
  client.send(id, request, Object.values(controls));
  const out: Message<Response>[] = [];
  for (let message = await client.next(); message; message = await client.next()) {
    out.push(message);
    if (message.body.op === 'search') break;
  }
  return out;
}

test.each([
  ['a wrong password', simpleBind(user1, 'wrong'), 49],
  ['a name nobody has', simpleBind('cn=nobody', 'x'), 49],
  ['a password without a name', simpleBind('', 'x'), 49],
  ['a name without a password', simpleBind(user1, ''), 53],
  ['a malformed name', simpleBind('nonsense', 'x'), 34],
  ['LDAP version 2', { ...simpleBind(user1, 'secret1'), version: 2 } as Request, 2],
  [
    'a SASL mechanism we do not have',
    { op: 'bind', version: 3, name: '', method: { type: 'sasl', mechanism: 'X', credentials: undefined } } as Request,
    7,
  ],
  [
    'SASL EXTERNAL over TCP',
    { op: 'bind', version: 3, name: '', method: { type: 'sasl', mechanism: 'EXTERNAL', credentials: undefined } } as Request,
    7,
  ],
])('a bind with %s is refused and leaves the connection anonymous', async (_, request, code) => {
  expect(codeOf(await client.ask(1, simpleBind(user1, 'secret1')))).toBe(0);
  expect(codeOf(await client.ask(2, request))).toBe(code);
  expect(await client.ask(3, { op: 'extended', oid: '1.3.6.1.4.1.4203.1.11.3', value: undefined })).toMatchObject({
    body: { result: { code: 0 }, value: new Uint8Array(0) },
  });
});

test('a password in the clear is refused where the setting says so, from now on', async () => {
  it.settings.set({ ...it.settings.value, passwordNeedsTls: true });
  expect(codeOf(await client.ask(1, simpleBind(user1, 'secret1')))).toBe(13);
  it.settings.set({ ...it.settings.value, passwordNeedsTls: false });
  expect(codeOf(await client.ask(2, simpleBind(user1, 'secret1')))).toBe(0);
});

test('searches are done in the name of who is bound', async () => {
  await client.ask(1, simpleBind(user1.toUpperCase(), 'secret1'));
  await all(2, searchFor('(mail=user2@jade.net)'));
  expect(it.directory.actors.at(-1)).toMatchObject({ as: 'bound', door: 'ldap', address: '127.0.0.1' });
  expect(it.directory.actors.at(-1)?.dn?.toString()).toBe(user1);
});

test('entries, binary values and types alone come over the wire', async () => {
  const [entry, done] = await all(2, searchFor('(mail=user1@jade.net)', { attributes: ['cn', 'jpegPhoto'] }));
  expect(entry?.body).toEqual({
    op: 'entry',
    dn: user1,
    attributes: [
      { name: 'cn', values: ['Üser 1'] },
      { name: 'jpegPhoto', values: [Uint8Array.of(0xff, 0xd8, 1)] },
    ],
  });
  expect(codeOf(done)).toBe(0);
  const [types] = await all(3, searchFor('(mail=user1@jade.net)', { attributes: ['cn'], typesOnly: true }));
  expect(types?.body).toMatchObject({ attributes: [{ name: 'cn', values: [] }] });
  const [again] = await all(4, searchFor('(mail=user1@jade.net)', { attributes: ['cn', 'jpegPhoto'] }));
  expect(again?.body).toEqual(entry?.body);
});

test('an entry that has changed is not sent from memory', async () => {
  await all(1, searchFor('(mail=user1@jade.net)'));
  await client.ask(2, { op: 'modify', dn: user1, modifications: [{ operation: 'replace', attribute: { name: 'cn', values: ['New'] } }] });
  const [entry] = await all(3, searchFor('(mail=user1@jade.net)'));
  expect(entry?.body.op === 'entry' && entry.body.attributes.find(({ name }) => name === 'cn')?.values).toEqual(['New']);
});

test("the client's size limit counts", async () => {
  expect((await all(1, searchFor('(mail=*)', { sizeLimit: 2 }))).map((message) => codeOf(message))).toEqual([undefined, undefined, 4]);
});

test('the root DSE gives its operational attributes for + or by name', async () => {
  const names = async (attributes: string[], filter = '(objectClass=*)'): Promise<string[] | undefined> => {
    const [entry] = await all(1, searchFor(filter, { base: '', scope: 'base', attributes }));
    return entry?.body.op === 'entry' ? entry.body.attributes.map(({ name }) => name) : undefined;
  };
  expect(await names([])).toEqual(['objectClass']);
  expect(await names(['+'])).toEqual(['namingContexts']);
  expect(await names(['*', '+'])).toEqual(['objectClass', 'namingContexts']);
  expect(await names(['NAMINGCONTEXTS'])).toEqual(['namingContexts']);
  expect(await names(['1.1'])).toEqual([]);
  expect(await names([], '(objectClass=TOP)')).toEqual(['objectClass']);
  expect(await names([], '(objectClass=other)')).toBeUndefined();
  expect(await names([], '(!(cn=x))')).toBeUndefined();
  expect(await names([], '(|(cn=x)(namingContexts=dc=*net))')).toEqual(['objectClass']);
  expect(codeOf(await client.ask(9, { op: 'compare', dn: '', attribute: 'objectClass', value: octets('top') }))).toBe(6);
});

test('controls count for the root DSE as for any entry', async () => {
  const root = (filter = '(objectClass=*)'): Request => searchFor(filter, { base: '', scope: 'base' });
  const page = await find(client, root(), pages(10), sorts([['objectClass']]));
  expect([page.entries.length, pageOf(page.done), sortedOf(page.done)]).toEqual([1, { total: 1, cookie: new Uint8Array(0) }, [0]]);
  const none = await find(client, root('(objectClass=other)'), pages(10), sorts([['objectClass']]));
  expect([none.entries.length, pageOf(none.done).total, sortedOf(none.done)]).toEqual([0, 0, undefined]);
  expect((await find(client, root(), asserts('(namingContexts=dc=jade,dc=net)'))).entries).toHaveLength(1);
  expect(codeOf((await find(client, root(), asserts('(namingContexts=dc=other)'))).done)).toBe(122);
  const compare: Request = { op: 'compare', dn: '', attribute: 'objectClass', value: octets('top') };
  expect(codeOf(await client.ask(91, compare, [asserts('(cn=x)')]))).toBe(122);
  expect(codeOf(await client.ask(92, compare, [asserts('(objectClass=top)')]))).toBe(6);
});

test('add, compare, modify, rename and delete reach the directory', async () => {
  const dn = 'cn=new,dc=jade,dc=net';
  expect(codeOf(await client.ask(1, { op: 'add', dn, attributes: [{ name: 'cn', values: ['new'] }] }))).toBe(0);
  expect(codeOf(await client.ask(2, { op: 'add', dn, attributes: [{ name: 'cn', values: ['new'] }] }))).toBe(68);
  expect(codeOf(await client.ask(3, { op: 'compare', dn, attribute: 'cn', value: octets('NEW') }))).toBe(6);
  expect(codeOf(await client.ask(4, { op: 'compare', dn, attribute: 'cn', value: octets('old') }))).toBe(5);
  expect(
    codeOf(await client.ask(5, { op: 'modify', dn, modifications: [{ operation: 'add', attribute: { name: 'n', values: ['5'] } }] })),
  ).toBe(0);
  expect(
    codeOf(await client.ask(6, { op: 'modify', dn, modifications: [{ operation: 'increment', attribute: { name: 'n', values: ['2'] } }] })),
  ).toBe(0);
  expect(codeOf(await client.ask(7, { op: 'rename', dn, rdn: 'cn=x', deleteOldRdn: true, newSuperior: 'dc=net' }))).toBe(0);
  expect(it.directory.entries.get('cn=x,dc=net')?.texts('n')).toEqual(['7']);
  expect(codeOf(await client.ask(8, { op: 'delete', dn: 'cn=X, dc=net' }))).toBe(0);
  expect(codeOf(await client.ask(9, { op: 'delete', dn: 'cn=x,dc=net' }))).toBe(32);
});

test.each([
  ['an attribute without values', { op: 'add', dn: 'cn=a', attributes: [{ name: 'cn', values: [] }] }, 2],
  [
    'an attribute given twice',
    {
      op: 'add',
      dn: 'cn=a',
      attributes: [
        { name: 'cn', values: ['a'] },
        { name: 'CN', values: ['b'] },
      ],
    },
    20,
  ],
  ['an empty add', { op: 'modify', dn: 'cn=a', modifications: [{ operation: 'add', attribute: { name: 'cn', values: [] } }] }, 2],
  [
    'an increment by two values',
    { op: 'modify', dn: 'cn=a', modifications: [{ operation: 'increment', attribute: { name: 'n', values: ['1', '2'] } }] },
    2,
  ],
  ['a new name of two levels', { op: 'rename', dn: 'cn=a', rdn: 'cn=a,cn=b', deleteOldRdn: true, newSuperior: undefined }, 34],
  ['an unknown extended operation', { op: 'extended', oid: '1.2.3', value: undefined }, 2],
  ['StartTLS without a certificate', { op: 'extended', oid: '1.3.6.1.4.1.1466.20037', value: undefined }, 52],
  ['Password Modify of nobody', { op: 'extended', oid: '1.3.6.1.4.1.4203.1.11.1', value: undefined }, 8],
  ['Who am I? with a value', { op: 'extended', oid: '1.3.6.1.4.1.4203.1.11.3', value: octets('x') }, 2],
] as [string, Request, number][])('%s is refused', async (_, request, code) => {
  expect(codeOf(await client.ask(1, request))).toBe(code);
});

test('an unknown control is refused where it is critical, and passed over where it is not', async () => {
  const control = { oid: '1.2.3.4', critical: true, value: undefined };
  expect(codeOf(await client.ask(1, searchFor('(mail=none)'), [control]))).toBe(12);
  expect(codeOf(await client.ask(2, searchFor('(mail=none)'), [{ ...control, critical: false }]))).toBe(0);
  expect(codeOf(await client.ask(3, { op: 'delete', dn: 'cn=none' }, [{ ...control, oid: pagedOid }]))).toBe(12);
  expect(codeOf(await client.ask(4, searchFor('(mail=none)'), [{ ...control, oid: '2.16.840.1.113730.3.4.2' }]))).toBe(0);
  expect(supportedControls).toContain(pagedOid);
  expect(supportedExtensions).toContain('1.3.6.1.4.1.1466.20037');
});

function page(size: number, cookie: Uint8Array): { paged: { oid: string; critical: boolean; value: Uint8Array } } {
  const writer = new BerWriter();
  const begun = writer.begin();
  return { paged: { oid: pagedOid, critical: true, value: writer.integer(size).octets(cookie).end(begun).done() } };
}
function cookieOf(message: Message<Response> | undefined): Uint8Array {
  const reader = new BerReader(message?.controls[0]?.value ?? new Uint8Array(0));
  reader.enter(0x30);
  reader.integer(0, 1_000_000);
  return reader.octets();
}

test('a search in pages gives every entry once and ends with an empty cookie', async () => {
  const first = await all(1, searchFor('(mail=*)'), page(2, new Uint8Array(0)));
  expect(first.map(({ body }) => body.op)).toEqual(['entry', 'entry', 'search']);
  const cookie = Uint8Array.from(cookieOf(first[2]));
  expect(cookie.length).toBeGreaterThan(0);
  const second = await all(2, searchFor('(mail=*)'), page(2, cookie));
  expect(second.map(({ body }) => body.op)).toEqual(['entry', 'search']);
  expect(cookieOf(second[1]).length).toBe(0);
  expect(codeOf((await all(3, searchFor('(mail=*)'), page(2, cookie)))[0])).toBe(53);
});

test('a cookie is good for the same search and the same identity only', async () => {
  const take = async (id: number): Promise<Uint8Array> =>
    Uint8Array.from(cookieOf((await all(id, searchFor('(mail=*)'), page(1, new Uint8Array(0))))[1]));
  expect(codeOf((await all(2, searchFor('(cn=*)'), page(1, await take(1))))[0])).toBe(53);
  const cookie = await take(3);
  await client.ask(4, simpleBind(user1, 'secret1'));
  expect(codeOf((await all(5, searchFor('(mail=*)'), page(1, cookie)))[0])).toBe(53);
  expect((await all(6, searchFor('(mail=*)'), page(0, await take(7)))).map(({ body }) => body.op)).toEqual(['search']);
});

test('searches that stand between two pages are bounded for all connections together, and strangers have a share of their own', async () => {
  const ask = async (who: RawLdap, id: number, cookie: Uint8Array = new Uint8Array(0)): Promise<Message<Response> | undefined> => {
    who.send(id, searchFor('(mail=*)'), Object.values(page(1, cookie)));
    for (;;) {
      const message = await who.next();
      if (message?.body.op !== 'entry') return message;
    }
  };
  const first = async (who: RawLdap, id: number): Promise<Uint8Array> => Uint8Array.from(cookieOf(await ask(who, id)));
  await client.ask(1, simpleBind(user1, 'secret1'));
  const known = await first(client, 2);
  const strangers = await Promise.all(Array.from({ length: 26 }, () => it.client()));
  const cookies: Uint8Array[][] = [];
  for (const who of strangers) cookies.push([await first(who, 1), await first(who, 2), await first(who, 3), await first(who, 4)]);
  expect(codeOf(await ask(strangers[0]!, 5, cookies[0]?.[0]))).toBe(53);
  expect(codeOf(await ask(strangers[25]!, 5, cookies[25]?.[3]))).toBe(0);
  expect(codeOf(await ask(client, 3, known))).toBe(0);
});

test('an abandoned search is never answered, a cancelled one is', async () => {
  const release = it.directory.hold();
  client.send(1, searchFor('(mail=*)'));
  client.send(2, searchFor('(mail=*)'));
  client.send(3, { op: 'abandon', target: 1 });
  const writer = new BerWriter();
  const begun = writer.begin();
  client.send(4, { op: 'extended', oid: '1.3.6.1.1.8', value: writer.integer(2).end(begun).done() });
  const answers = [await client.next(), await client.next()];
  expect(answers.map((answer) => [answer?.id, codeOf(answer)]).sort()).toEqual([
    [2, 118],
    [4, 0],
  ]);
  release();
  const next = await client.ask(5, {
    op: 'extended',
    oid: '1.3.6.1.1.8',
    value: new BerWriter().raw(Buffer.from('3003020101', 'hex')).done(),
  });
  expect([next?.id, codeOf(next)]).toEqual([5, 119]);
  expect(it.directory.aborted).toBe(2);
});

test('an abandon with a critical control is not carried out', async () => {
  const release = it.directory.hold();
  client.send(1, searchFor('(mail=user1@jade.net)'));
  client.send(2, { op: 'abandon', target: 1 }, [{ oid: '1.2.3.4', critical: true, value: undefined }]);
  client.send(3, { op: 'compare', dn: user1, attribute: 'sn', value: octets('x') });
  expect((await client.next())?.id).toBe(3);
  release();
  expect((await client.next())?.body.op).toBe('entry');
  expect(await client.next()).toMatchObject({ id: 1, body: { result: { code: 0 } } });
});

test('a password is changed, with the old one checked, or a new one is made', async () => {
  await client.ask(1, simpleBind(user1, 'secret1'));
  const change = (old: string, fresh?: string): Request => {
    const writer = new BerWriter();
    const begun = writer.begin();
    writer.text(old, 0x81);
    if (fresh) writer.text(fresh, 0x82);
    return { op: 'extended', oid: '1.3.6.1.4.1.4203.1.11.1', value: writer.end(begun).done() };
  };
  expect(codeOf(await client.ask(2, change('wrong', 'x')))).toBe(49);
  expect(codeOf(await client.ask(3, change('secret1', 'fresh')))).toBe(0);
  expect(it.directory.entries.get(user1)?.texts('userPassword')).toEqual(['fresh']);
  const made = await client.ask(4, change('fresh'));
  const reader = new BerReader(made?.body.op === 'extended' ? (made.body.value ?? new Uint8Array(0)) : new Uint8Array(0));
  reader.enter(0x30);
  const password = reader.text(0x80);
  expect(password).toMatch(/^[A-Za-z0-9-]{16}$/);
  expect(codeOf(await client.ask(5, simpleBind(user1, password)))).toBe(0);
});

test('a fault of ours tells a stranger nothing', async () => {
  it.directory.delete = () => Promise.reject(new Error('secret detail'));
  const answer = await client.ask(1, { op: 'delete', dn: user1 });
  expect(codeOf(answer)).toBe(80);
  expect(JSON.stringify(answer)).not.toContain('secret detail');
});

test('stopping says farewell to everybody', async () => {
  await client.ask(1, searchFor('(mail=none)'));
  const stopped = it.door.stop();
  expect(codeOf(await client.next())).toBe(52);
  await client.closed;
  await stopped;
});
