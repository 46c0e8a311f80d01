/** Controls over the wire, with the bundled directory behind the door. */

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { BerWriter, type Control, type Message, type Request, type Response } from '../../src/ldap-wire/index.ts';
import { attributes, dn, fill, type Opened, openTemporary, person, root, settings } from '../directory/support.ts';
import {
  ask as askBy,
  assertionOid,
  asserts,
  codeOf,
  control,
  type Found,
  find as findBy,
  manageOid,
  names,
  pagedOid,
  pages,
  postReadOid,
  preReadOid,
  readOf,
  sayOf,
  sortOid,
  sorts,
  subtreeOid,
} from '../support/ldap-controls.ts';
import { type Door, openDoor, type RawLdap, searchFor, simpleBind } from '../support/ldap-door.ts';

const admin = 'cn=admin,cn=admins,cn=mailtree';
const base = 'dc=jade,dc=net';
const user = (n: number): string => `mail=user${n}@jade.net,${base}`;

let opened: Opened;
let it: Door;
let client: RawLdap;
async function open(change: Parameters<typeof settings>[0] = {}): Promise<void> {
  opened = await openTemporary({ settings: settings(change) });
  await fill(opened.directory);
  it = await openDoor({ directory: opened.directory });
  client = await it.client();
}
async function close(): Promise<void> {
  await it.end();
  await opened.close();
}
beforeEach(async () => {
  await open();
  await login(admin, 'admin secret');
});
afterEach(close);

async function login(name: string, password: string): Promise<void> {
  expect(codeOf(await client.ask(1, simpleBind(name, password)))).toBe(0);
}
const ask = (request: Request, ...controls: Control[]): Promise<Message<Response> | undefined> => askBy(client, request, ...controls);
const find = (request: Request, ...controls: Control[]): Promise<Found> => findBy(client, request, ...controls);
const replace = (name: string, dnText: string, ...values: string[]): Request => ({
  op: 'modify',
  dn: dnText,
  modifications: [{ operation: 'replace', attribute: { name, values } }],
});

describe('what makes no sense', () => {
  const add: Request = { op: 'add', dn: `cn=x,${base}`, attributes: [{ name: 'cn', values: ['x'] }] };
  const whoAmI: Request = { op: 'extended', oid: '1.3.6.1.4.1.4203.1.11.3', value: undefined };
  test.each([
    ['paged results with a delete', { op: 'delete', dn: user(1) }, control(pagedOid)],
    ['sorting with a compare', { op: 'compare', dn: user(1), attribute: 'cn', value: Buffer.from('x') }, control(sortOid)],
    ['subtree delete with a modify', replace('sn', user(1), 'x'), control(subtreeOid)],
    ['subtree delete with a search', searchFor('(cn=*)'), control(subtreeOid)],
    ['pre-read with an add', add, control(preReadOid, names(['cn']))],
    ['post-read with a delete', { op: 'delete', dn: user(1) }, control(postReadOid, names(['cn']))],
    ['assertion with a bind', simpleBind(user(1), 'secret of user1'), asserts('(cn=*)')],
    ['assertion with Who am I?', whoAmI, asserts('(cn=*)')],
    ['ManageDsaIT with a bind', simpleBind(user(1), 'secret of user1'), control(manageOid)],
    ['a control nobody knows', searchFor('(cn=*)'), control('1.2.3.4.5')],
  ] as [string, Request, Control][])('critical: %s is refused by name', async (_, request, one) => {
    const answer = await ask(request, one);
    expect(codeOf(answer)).toBe(12);
    expect(sayOf(answer)).toMatch(/the (?:\S+ )+control makes no sense with|the control 1\.2\.3\.4\.5 is not known/);
  });

  test('not critical: it is passed over', async () => {
    const { names: found, done } = await find(
      searchFor('(mail=user1@jade.net)'),
      control('1.2.3', Buffer.from('x'), false),
      control(subtreeOid, undefined, false),
    );
    expect([found, codeOf(done)]).toEqual([['mail=user1@jade.net'], 0]);
    expect(codeOf(await ask(simpleBind(user(1), 'secret of user1'), control(manageOid, undefined, false)))).toBe(0);
  });

  test.each([
    ['assertion', replace('sn', user(1), 'x'), asserts('(cn=*)')],
    ['paged results', searchFor('(cn=*)'), pages(5)],
    ['server side sorting', searchFor('(cn=*)'), sorts([['cn']])],
    ['subtree delete', { op: 'delete', dn: user(1) }, control(subtreeOid)],
    ['ManageDsaIT', searchFor('(cn=*)'), control(manageOid)],
  ] as [string, Request, Control][])('the %s control given twice is refused', async (name, request, one) => {
    const answer = await ask(request, one, { ...one, critical: false });
    expect([codeOf(answer), sayOf(answer)]).toEqual([2, `the ${name} control is given twice`]);
  });

  const octets = (hex: string): Uint8Array => Buffer.from(hex, 'hex');
  test.each([
    [
      'assertion',
      replace('sn', user(1), 'x'),
      assertionOid,
      ['', '04', '0400', '8702636e00', 'a205a2', 'a203', `a3${'0c'}0402636e0406`, 'af00'],
    ],
    ['pre-read', replace('sn', user(1), 'x'), preReadOid, ['', '0400', '3003020101', '300304', '30000400', '30030401ff']],
    ['post-read', replace('sn', user(1), 'x'), postReadOid, ['', '3100', '30800000', '3084ffffffff']],
    [
      'paged results',
      searchFor('(cn=*)'),
      pagedOid,
      ['', '3000', '3003020105', '30050201ff0400', '30050205', '3007020105040004', '30060201050400ff'],
    ],
    [
      'server side sorting',
      searchFor('(cn=*)'),
      sortOid,
      ['', '3000', '30023000', '30040402636e', '3006300481027cff', '300730050402636e80', '30080402636e0402636e'],
    ],
    ['subtree delete', { op: 'delete', dn: user(1) }, subtreeOid, ['00', '0500']],
    ['ManageDsaIT', searchFor('(cn=*)'), manageOid, ['3000']],
  ] as [string, Request, string, string[]][])(
    'the %s control with a value that makes no sense is a protocolError that names it',
    async (name, request, oid, values) => {
      for (const value of values) {
        const answer = await ask(request, control(oid, value === '' ? undefined : octets(value)));
        if (value === '' && (oid === subtreeOid || oid === manageOid)) continue;
        expect([value, codeOf(answer), sayOf(answer)]).toEqual([value, 2, expect.stringMatching(new RegExp(`^the ${name} control: `))]);
      }
      // Nothing was done, and the connection lives.
      expect((await find(searchFor('(sn=x)'))).names).toEqual([]);
    },
  );

  test('a filter nested a thousand deep is refused as an assertion, too', async () => {
    let filter = Buffer.from('8702636e', 'hex');
    for (let n = 0; n < 1000; n++) {
      const writer = new BerWriter();
      const begun = writer.begin(0xa2);
      filter = Buffer.from(writer.raw(filter).end(begun).done());
    }
    const answer = await ask(replace('sn', user(1), 'x'), control(assertionOid, filter));
    expect([codeOf(answer), sayOf(answer)]).toEqual([2, expect.stringMatching(/^the assertion control: the filter is nested/)]);
  });
});

describe('assertion', () => {
  test('a modify is done where the entry matches, and not where it does not or nobody knows', async () => {
    expect(codeOf(await ask(replace('sn', user(1), 'First'), asserts('(sn=Example)')))).toBe(0);
    for (const filter of ['(sn=Example)', '(nonsense=x)', '(!(nonsense=x))', '(userPassword=*)']) {
      const answer = await ask(replace('sn', user(1), 'Second'), asserts(filter));
      expect([filter, codeOf(answer)]).toEqual([filter, 122]);
    }
    expect((await find(searchFor('(sn=First)'))).names).toEqual(['mail=user1@jade.net']);
  });

  test('it belongs to rename, delete, compare, add and search as well', async () => {
    const rename = (rdn: string): Request => ({ op: 'rename', dn: user(1), rdn, deleteOldRdn: true, newSuperior: undefined });
    expect(codeOf(await ask(rename('mail=new@jade.net'), asserts('(sn=Other)')))).toBe(122);
    expect(codeOf(await ask({ op: 'delete', dn: user(1) }, asserts('(sn=Other)')))).toBe(122);
    expect(codeOf(await ask({ op: 'delete', dn: base }, asserts('(dc=Other)'), control(subtreeOid)))).toBe(122);
    const compare: Request = { op: 'compare', dn: user(1), attribute: 'sn', value: Buffer.from('Example') };
    expect(codeOf(await ask(compare, asserts('(sn=Other)')))).toBe(122);
    expect(codeOf(await ask(compare, asserts('(&(sn=Example)(entryDN=*))')))).toBe(6);
    const add: Request = { op: 'add', dn: `mail=new@jade.net,${base}`, attributes: person('new@jade.net') };
    expect(codeOf(await ask(add, asserts('(sn=Other)')))).toBe(122);
    expect((await find(searchFor('(mail=new@jade.net)'))).names).toEqual([]);
    expect(codeOf(await ask(add, asserts('(&(sn=Example)(creatorsName=*)(hasSubordinates=FALSE))')))).toBe(0);
    const { names: none, done } = await find(searchFor('(mail=*)'), asserts('(dc=other)'));
    expect([none, codeOf(done)]).toEqual([[], 122]);
    expect((await find(searchFor('(mail=user1@jade.net)'), asserts('(dc=jade)'))).names).toEqual(['mail=user1@jade.net']);
    expect(codeOf((await find(searchFor('(mail=*)', { base: '' }), asserts('(objectClass=*)'))).done)).toBe(122);
    expect(codeOf((await find(searchFor('(mail=*)', { base: 'cn=none' }), asserts('(objectClass=*)'))).done)).toBe(32);
  });

  test('it tells nobody what he may not search', async () => {
    await login(user(2), 'secret of user2');
    const own = (filter: string): Promise<Message<Response> | undefined> =>
      ask(replace('mtPreferenceColour', user(2), 'red'), asserts(filter));
    expect(codeOf(await own('(objectClass=*)'))).toBe(0);
    expect(codeOf(await own('(userPassword=*)'))).toBe(122);
    // What may not be known is not there, whatever is asserted of it.
    expect(codeOf(await ask(replace('cn', 'cn=admins,cn=mailtree', 'x'), asserts('(cn=admins)')))).toBe(32);
  });

  test('of two changes at the same moment that assert the same, one is done', async () => {
    await ask(replace('employeeNumber', user(1), '1'));
    const other = await it.client();
    expect(codeOf(await other.ask(1, simpleBind(admin, 'admin secret')))).toBe(0);
    const clients = [client, other];
    for (const [n, one] of clients.entries())
      for (let id = 0; id < 10; id++)
        one.send(5000 + id, replace('employeeNumber', user(1), `2${n}${id}`), [asserts('(employeeNumber=1)')]);
    const codes: (number | undefined)[] = [];
    for (const one of clients) for (let id = 0; id < 10; id++) codes.push(codeOf(await one.next()));
    expect(codes.sort()).toEqual([0, ...Array.from({ length: 19 }, () => 122)]);
  });
});

describe('pre-read and post-read', () => {
  test('a modify gives back the entry before and after', async () => {
    const answer = await ask(
      { op: 'modify', dn: user(1), modifications: [{ operation: 'replace', attribute: { name: 'sn', values: ['New'] } }] },
      control(preReadOid, names(['sn', 'cn;lang-de', 'nonsense'])),
      control(postReadOid, names(['SN', 'modifiersName', 'hasSubordinates', 'userPassword'])),
    );
    expect(codeOf(answer)).toBe(0);
    expect(readOf(answer, preReadOid)).toEqual({ dn: [user(1)], sn: ['Example'] });
    expect(readOf(answer, postReadOid)).toEqual({ dn: [user(1)], sn: ['New'], modifiersName: [admin], hasSubordinates: ['FALSE'] });
  });

  test('an increment gives back the number that was reached', async () => {
    await ask(replace('mtTestNumber', user(1), '5'));
    const increment: Request = {
      op: 'modify',
      dn: user(1),
      modifications: [{ operation: 'increment', attribute: { name: 'mtTestNumber', values: ['2'] } }],
    };
    expect(readOf(await ask(increment, control(postReadOid, names(['mtTestNumber']))), postReadOid)).toEqual({
      dn: [user(1)],
      mtTestNumber: ['7'],
    });
  });

  test('add, rename and delete give back what there is to give', async () => {
    const name = `mail=new@jade.net,${base}`;
    const added = await ask({ op: 'add', dn: name, attributes: person('new@jade.net') }, control(postReadOid, names(['entryUUID', 'cn'])));
    const shown = readOf(added, postReadOid);
    expect(shown).toEqual({ dn: [name], cn: ['Name of new@jade.net'], entryUUID: [expect.stringMatching(/^[0-9a-f-]{36}$/)] });
    const renamed = await ask(
      { op: 'rename', dn: name, rdn: 'mail=newer@jade.net', deleteOldRdn: true, newSuperior: 'dc=onyx,dc=net' },
      control(preReadOid, names(['mail'])),
      control(postReadOid, names(['mail', 'entryDN'])),
    );
    const moved = 'mail=newer@jade.net,dc=onyx,dc=net';
    expect(readOf(renamed, preReadOid)).toEqual({ dn: [name], mail: ['new@jade.net'] });
    expect(readOf(renamed, postReadOid)).toEqual({ dn: [moved], mail: ['newer@jade.net'], entryDN: [moved] });
    const deleted = await ask({ op: 'delete', dn: moved }, control(preReadOid, names(['*', '+'])));
    expect(readOf(deleted, preReadOid)).toMatchObject({ mail: ['newer@jade.net'], entryUUID: shown?.['entryUUID'] });
  });

  test('a write that fails gives nothing back', async () => {
    const answer = await ask(replace('sn', user(1)), control(preReadOid, names(['*'])), control(postReadOid, names(['*'])));
    expect([codeOf(answer), answer?.controls]).toEqual([65, []]);
  });

  test('it gives nobody what he may not read', async () => {
    await login(user(2), 'secret of user2');
    const answer = await ask(
      replace('mtPreferenceColour', user(2), 'red'),
      control(preReadOid, names(['*', '+', 'userPassword'])),
      control(postReadOid, names(['userPassword', 'mtPreferenceColour'])),
    );
    expect(codeOf(answer)).toBe(0);
    expect(Object.keys(readOf(answer, preReadOid) ?? {})).toContain('mail');
    expect(Object.keys(readOf(answer, preReadOid) ?? {})).not.toContain('userPassword');
    expect(readOf(answer, postReadOid)).toEqual({ dn: [user(2)], mtPreferenceColour: ['red'] });
  });
});

describe('subtree delete', () => {
  test('without the control an entry with others below it stays', async () => {
    expect(codeOf(await ask({ op: 'delete', dn: base }))).toBe(66);
  });

  test('an entry goes with everything below it, lowest first, and every one is in the change feed', async () => {
    const deep = `cn=c,cn=b,cn=a,${base}`;
    for (const name of [`cn=a,${base}`, `cn=b,cn=a,${base}`, deep])
      await opened.directory.add(root, dn(name), attributes({ objectClass: 'applicationProcess', cn: name.slice(3, 4) }));
    const from = await opened.directory.position();
    const answer = await ask({ op: 'delete', dn: base }, control(subtreeOid), control(preReadOid, names(['dc', 'hasSubordinates'])));
    expect(codeOf(answer)).toBe(0);
    expect(readOf(answer, preReadOid)).toEqual({ dn: [base], dc: ['jade'], hasSubordinates: ['TRUE'] });
    expect(codeOf((await find(searchFor('(objectClass=*)'))).done)).toBe(32);
    expect((await find(searchFor('(mail=*)', { base: 'dc=net' }))).names.sort()).toEqual(['mail=user1@onyx.net', 'mail=user2@onyx.net']);
    const gone: string[] = [];
    const watch = await opened.directory.watch(
      from,
      (change) => gone.push(`${change.kind} ${change.before?.dn.toString()}`),
      () => {},
    );
    for (let n = 0; n < 1000 && watch.position < (await opened.directory.position()); n++)
      await new Promise((resolve) => setImmediate(resolve));
    watch.stop();
    expect(gone).toHaveLength(7);
    expect(gone.indexOf(`delete ${deep}`)).toBeLessThan(gone.indexOf(`delete cn=b,cn=a,${base}`));
    expect(gone.at(-1)).toBe(`delete ${base}`);
    // The addresses are free again, and so is the name.
    await opened.directory.add(root, dn(base), attributes({ objectClass: 'domain', dc: 'jade' }));
    expect(codeOf(await ask({ op: 'add', dn: user(1), attributes: person('user1@jade.net') }))).toBe(0);
    expect((await find(searchFor('(objectClass=*)'))).names).toEqual(['dc=jade', 'mail=user1@jade.net']);
  });

  test('all or nothing: what may not be deleted keeps everything', async () => {
    await login('cn=admin,dc=jade,dc=net', 'admin secret');
    const before = await find(searchFor('(objectClass=*)', { attributes: ['1.1'] }));
    const answer = await ask({ op: 'delete', dn: base }, control(subtreeOid));
    expect(codeOf(answer)).toBe(50);
    expect((await find(searchFor('(objectClass=*)', { attributes: ['1.1'] }))).names).toEqual(before.names);
    await login(user(1), 'secret of user1');
    expect(codeOf(await ask({ op: 'delete', dn: user(2) }, control(subtreeOid)))).toBe(50);
  });

  test('more than the limit is refused with a clear result', async () => {
    await close();
    await open({ subtreeLimit: 3 });
    await login(admin, 'admin secret');
    const answer = await ask({ op: 'delete', dn: base }, control(subtreeOid));
    expect([codeOf(answer), sayOf(answer)]).toEqual([11, expect.stringContaining('more than 3 entries')]);
    expect(codeOf(await ask({ op: 'delete', dn: user(1) }, control(subtreeOid)))).toBe(0);
    expect(codeOf(await ask({ op: 'delete', dn: user(2) }, control(subtreeOid)))).toBe(0);
    expect(codeOf(await ask({ op: 'delete', dn: base }, control(subtreeOid)))).toBe(0);
  });
});
