/** Sorted and paged searches over the wire, with the bundled directory behind the door. */

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Control, parseFilter, type Request } from '../../src/ldap-wire/index.ts';
import { dn, fill, type Opened, openTemporary, person, root, settings } from '../directory/support.ts';
import { codeOf, type Found, find as findBy, pageOf, pages, sortedOf, sorts } from '../support/ldap-controls.ts';
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
const find = (request: Request, ...controls: Control[]): Promise<Found> => findBy(client, request, ...controls);

describe('server side sorting', () => {
  beforeEach(async () => {
    const numbers: Record<string, string[]> = { a: ['10'], b: ['9'], c: ['100', '1'], d: [] };
    for (const [name, values] of Object.entries(numbers)) {
      const mail = `${name}@onyx.net`;
      const number = values.length > 0 ? { mtTestNumber: values.slice(-1) } : {};
      await opened.directory.add(
        root,
        dn(`mail=${mail},dc=onyx,dc=net`),
        person(mail, { ...number, cn: [`${name === 'a' ? 'Ärger' : name}`, 'zz'], title: name < 'c' ? 'X' : 'y' }),
      );
    }
  });
  const some = (more: Partial<Extract<Request, { op: 'search' }>> = {}): Request =>
    searchFor('(mail=*@onyx.net)', { base: 'dc=onyx,dc=net', attributes: ['mtTestNumber'], ...more });
  const short = (found: string[]): string => found.map((name) => name.replace(/^mail=(.*)@onyx\.net$/, '$1')).join(' ');

  test.each([
    ['by number', [['mtTestNumber']], 'c b a d user1 user2'],
    ['by number, reversed: what has none comes first', [['mtTestNumber', '', true]], 'd user1 user2 a b c'],
    ['by title, then by address reversed', [['title'], ['mail', '', true]], 'b a d c user2 user1'],
    ['by a rule that is named', [['mail', 'caseIgnoreOrderingMatch', true]], 'user2 user1 d c b a'],
    ['by a rule that is numbered', [['mail', '2.5.13.3']], 'a b c d user1 user2'],
    ['by an attribute that is computed', [['hasSubordinates'], ['mail']], 'a b c d user1 user2'],
    ['by one that none has', [['pager'], ['mail']], 'a b c d user1 user2'],
  ] as [string, [string, string?, boolean?][], string][])('%s', async (_, keys, order) => {
    const { names: found, done } = await find(
      some({
        filter: parseFilter(
          '(|(mail=a@onyx.net)(mail=b@onyx.net)(mail=c@onyx.net)(mail=d@onyx.net)(mail=user1@onyx.net)(mail=user2@onyx.net))',
        ),
      }),
      sorts(keys),
    );
    expect(short(found)).toBe(order);
    expect([codeOf(done), sortedOf(done)]).toEqual([0, [0]]);
  });

  test.each([
    ['an attribute nobody knows', [['nonsense']], [16, 'nonsense']],
    ['the second attribute nobody knows', [['cn'], ['x;;y']], [16, 'x;;y']],
    ['a rule nobody knows', [['cn', 'nonsenseMatch']], [18, 'cn']],
    ['a rule that is no ordering rule', [['cn', 'caseIgnoreMatch']], [18, 'cn']],
    ['a rule of another syntax', [['mtTestNumber', 'caseIgnoreOrderingMatch']], [18, 'mtTestNumber']],
    ['an attribute without any rule', [['jpegPhoto']], [18, 'jpegPhoto']],
    ['an attribute given twice', [['cn'], ['CN', '', true]], [53, 'CN']],
    ['too many keys', 'cn sn mail title o ou l st street'.split(' ').map((name) => [name]), [53]],
    ['a password', [['userPassword']], [50, 'userPassword']],
  ] as [string, [string, string?, boolean?][], [number, string?]][])('%s cannot be sorted by', async (_, keys, result) => {
    const refused = await find(some(), sorts(keys));
    expect([refused.names, codeOf(refused.done), sortedOf(refused.done)]).toEqual([[], 12, result]);
    const unsorted = await find(some(), sorts(keys, false));
    expect([unsorted.names.length, codeOf(unsorted.done), sortedOf(unsorted.done)]).toEqual([6, 0, result]);
  });

  test('a search that fails or finds nothing says nothing of an order', async () => {
    const failed = await find(some({ base: 'dc=none' }), sorts([['cn']]));
    expect([codeOf(failed.done), sortedOf(failed.done)]).toEqual([32, undefined]);
    const nothing = await find(searchFor('(mail=nobody@onyx.net)'), sorts([['cn']]));
    expect([codeOf(nothing.done), sortedOf(nothing.done)]).toEqual([0, undefined]);
  });

  test('the size limit cuts behind sorting', async () => {
    const { names: found, done } = await find(some({ sizeLimit: 2 }), sorts([['mail', '', true]]));
    expect([short(found), codeOf(done), sortedOf(done)]).toEqual(['user2 user1', 4, [0]]);
  });

  test('pages are in order from the first to the last, and each says so', async () => {
    const found: string[] = [];
    let cookie = new Uint8Array(0);
    do {
      const page = await find(some(), sorts([['mail', '', true]]), pages(4, cookie));
      found.push(...page.names);
      expect([codeOf(page.done), sortedOf(page.done), pageOf(page.done).total]).toEqual([0, [0], 6]);
      cookie = Uint8Array.from(pageOf(page.done).cookie);
    } while (cookie.length > 0);
    expect(short(found)).toBe('user2 user1 d c b a');
  });

  test('a page under another order is refused', async () => {
    const first = await find(some(), sorts([['mail']]), pages(2));
    const second = await find(some(), sorts([['cn']]), pages(2, pageOf(first.done).cookie));
    expect(codeOf(second.done)).toBe(53);
  });

  test('what may not be searched gives no order away', async () => {
    await login(user(1), 'secret of user1');
    const { names: found } = await find(some(), sorts([['employeeNumber'], ['mail']]));
    expect(found).toEqual([...found].sort());
  });

  test('more than the limit is not sorted, unless only the first are wanted', async () => {
    await close();
    await open({ sortLimit: 3 });
    await login(admin, 'admin secret');
    const everything = searchFor('(mail=*)', { base: 'dc=net' });
    expect(sortedOf((await find(everything, sorts([['mail']]))).done)).toEqual([11]);
    const unsorted = await find(everything, sorts([['mail']], false));
    expect([unsorted.names.length, codeOf(unsorted.done), sortedOf(unsorted.done)]).toEqual([4, 0, [11]]);
    const two = await find({ ...everything, sizeLimit: 2 } as Request, sorts([['mail', '', true]]));
    expect([two.names, codeOf(two.done), sortedOf(two.done)]).toEqual([['mail=user2@onyx.net', 'mail=user2@jade.net'], 4, [0]]);
  });
});

describe('paged results', () => {
  test('every page tells about how many entries there are', async () => {
    const first = await find(searchFor('(objectClass=inetOrgPerson)', { base: 'dc=net' }), pages(3));
    expect([first.names.length, pageOf(first.done).total]).toEqual([3, 4]);
    const second = await find(searchFor('(objectClass=inetOrgPerson)', { base: 'dc=net' }), pages(3, pageOf(first.done).cookie));
    expect([second.names.length, pageOf(second.done)]).toEqual([1, { total: 4, cookie: new Uint8Array(0) }]);
  });

  test('a page of no entries asks for the number alone, and ends a search', async () => {
    const none = await find(searchFor('(objectClass=inetOrgPerson)'), pages(0));
    expect([none.names, codeOf(none.done), pageOf(none.done)]).toEqual([[], 0, { total: 2, cookie: new Uint8Array(0) }]);
    const first = await find(searchFor('(mail=*)'), pages(1));
    const { cookie } = pageOf(first.done);
    expect(codeOf((await find(searchFor('(mail=*)'), pages(0, cookie))).done)).toBe(0);
    expect(codeOf((await find(searchFor('(mail=*)'), pages(1, cookie))).done)).toBe(53);
  });

  test('nobody learns from it of entries that he may not see', async () => {
    await login(user(1), 'secret of user1');
    const { names: found, done } = await find(searchFor('(cn=admin)', { base: '' }), pages(10));
    expect(pageOf(done).total).toBe(found.length);
  });

  test('a page of one entry is a page', async () => {
    const { done } = await find(searchFor('(objectClass=*)', { base, scope: 'base' }), pages(10));
    expect(pageOf(done)).toEqual({ total: 1, cookie: new Uint8Array(0) });
  });
});

describe('limits', () => {
  const many = 300;
  beforeEach(async () => {
    for (let n = 0; n < many; n += 100)
      await opened.directory.addBatch(
        root,
        Array.from({ length: 100 }, (_, k) => ({
          dn: dn(`mail=m${n + k}@onyx.net,dc=onyx,dc=net`),
          attributes: person(`m${n + k}@onyx.net`),
        })),
      );
  });
  const everybody = (filter: string, more: Partial<Extract<Request, { op: 'search' }>> = {}): Request =>
    searchFor(filter, { base: 'dc=onyx,dc=net', attributes: ['1.1'], ...more });

  test('size, time and look-through have a result of their own each', async () => {
    const limited = await find(everybody('(sn=Example)', { sizeLimit: 7 }));
    expect([limited.names.length, codeOf(limited.done)]).toEqual([7, 4]);
    const first = await find(everybody('(sn=Example)', { timeLimit: 5 }), pages(100));
    opened.clock.advance(6_000);
    const late = await find(everybody('(sn=Example)', { timeLimit: 5 }), pages(1000, pageOf(first.done).cookie));
    expect(codeOf(late.done)).toBe(3);
    expect(late.names.length).toBeLessThan(many - 100);
    await close();
    await open({ lookThroughLimit: 8, sizeLimit: 2 });
    const looked = await find(searchFor('(description=none)', { base: 'dc=net' }));
    expect([looked.names, codeOf(looked.done)]).toEqual([[], 11]);
    const own = await find(searchFor('(mail=*)', { base: 'dc=net' }));
    expect([own.names.length, codeOf(own.done)]).toEqual([2, 4]);
    await login(admin, 'admin secret');
    expect(codeOf((await find(searchFor('(description=none)', { base: 'dc=net' }))).done)).toBe(0);
  });

  test('a client that has enough of a sorted search goes, and its place is free again', async () => {
    for (let n = 0; n < 20; n++) {
      const page = await find(everybody('(sn=Example)'), sorts([['mail']]), pages(3));
      expect([page.names, sortedOf(page.done)]).toEqual([['mail=m0@onyx.net', 'mail=m100@onyx.net', 'mail=m101@onyx.net'], [0]]);
    }
    const whole = await find(everybody('(sn=Example)'), sorts([['mail', '', true]]));
    expect([whole.names.length, whole.names[0], sortedOf(whole.done)]).toEqual([many + 2, 'mail=user2@onyx.net', [0]]);
  });
});
