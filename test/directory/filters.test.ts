import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parseFilter } from '../../src/ldap-wire/index.ts';
import { all, attributes, dn, fill, mails, type Opened, openTemporary, person, refusal, root, settings } from './support.ts';

let opened: Opened;
beforeAll(async () => {
  opened = await openTemporary({ settings: settings({ lookThroughLimit: 8, sizeLimit: 30 }) });
  await fill(opened.directory);
  const add = (mail: string, more: Readonly<Record<string, string | readonly string[]>>): Promise<unknown> =>
    opened.directory.add(root, dn(`mail=${mail},dc=jade,dc=net`), person(mail, more));
  await add('muller@jade.net', {
    cn: 'Jürgen  Müller',
    'cn;lang-fr': 'Georges Meunier',
    sn: 'Müller',
    mtTestNumber: '42',
    mtTestTime: '20300101120000+0200',
  });
  await add('straße@jade.net'.replace('ß', 'ss'), {
    cn: 'Strasse',
    sn: 'Straße',
    mtTestNumber: '9',
    mtTestFlag: 'TRUE',
    givenName: `${'A'.repeat(300)}needle`,
  });
  await add('tel@jade.net', {
    telephoneNumber: '+49 (89) 12-34 x',
    postalAddress: 'Main Street 1$12345  Town',
    manager: 'mail=muller@jade.net,dc=jade,dc=net',
  });
});
afterAll(() => opened.close());

const u1 = 'user1@jade.net';
const u2 = 'user2@jade.net';
const table: [filter: string, expected: string[]][] = [
  ['(mail=MULLER@jade.NET)', ['muller@jade.net']],
  ['(rfc822Mailbox=muller@jade.net)', ['muller@jade.net']],
  ['(0.9.2342.19200300.100.1.3=muller@jade.net)', ['muller@jade.net']],
  ['(cn=jürgen müller)', ['muller@jade.net']],
  ['(cn=  JÜRGEN   MÜLLER )', ['muller@jade.net']],
  ['(cn;lang-fr=georges meunier)', ['muller@jade.net']],
  ['(cn=georges meunier)', ['muller@jade.net']],
  ['(cn;lang-de=georges meunier)', []],
  ['(name=müller)', ['muller@jade.net']],
  ['(cn=jür*)', ['muller@jade.net']],
  ['(cn=*müll*)', ['muller@jade.net']],
  ['(cn=j*n m*r)', ['muller@jade.net']],
  ['(cn=*ürgen*üll*er)', ['muller@jade.net']],
  ['(cn=*er*er*er)', []],
  ['(mail=us*1@ja*)', [u1]],
  ['(mail=*er1@jade.net)', [u1]],
  ['(givenName=*needle)', ['strasse@jade.net']],
  ['(givenName=*aaaneedl*)', ['strasse@jade.net']],
  ['(mtTestNumber>=10)', ['muller@jade.net']],
  ['(mtTestNumber<=10)', ['strasse@jade.net']],
  // RFC 4517 §3.3.16 and §3.3.3 have one way to write an integer and a boolean; anything else is Undefined.
  ['(mtTestNumber=042)', []],
  ['(!(mtTestNumber=042))', []],
  ['(mtTestTime=20300101100000Z)', ['muller@jade.net']],
  ['(mtTestTime<=20300101100000.5Z)', ['muller@jade.net']],
  ['(mtTestFlag=true)', []],
  ['(mtTestFlag=TRUE)', ['strasse@jade.net']],
  ['(telephoneNumber=+49\\2889\\291234X)', ['tel@jade.net']],
  ['(telephoneNumber=*1234*)', ['tel@jade.net', u1, u2]],
  ['(postalAddress=main street 1$12345 town)', ['tel@jade.net']],
  ['(manager=MAIL=muller@jade.net, DC=jade,dc=net)', ['muller@jade.net'].map(() => 'tel@jade.net')],
  ['(mtTestNumber=*)', ['muller@jade.net', 'strasse@jade.net']],
  ['(&(mtTestNumber=*)(!(mtTestNumber=9)))', ['muller@jade.net']],
  ['(|(mail=user1@jade.net)(mail=user2@jade.net)(mail=nobody@jade.net))', [u1, u2]],
  ['(&(mail=user1@jade.net)(sn=Example))', [u1]],
  ['(&(mail=user1@jade.net)(sn=Other))', []],
  // Undefined stays Undefined under NOT (RFC 4511 §4.5.1.7).
  ['(pizza=x)', []],
  ['(!(pizza=x))', []],
  ['(|(pizza=x)(mail=user1@jade.net))', [u1]],
  ['(&(mail=user1@jade.net)(!(pizza=x)))', []],
  [
    '(!(&(pizza=x)(mail=nobody@jade.net)))',
    ['muller@jade.net', 'strasse@jade.net', 'tel@jade.net', u1, u2, 'cn=admin,dc=jade,dc=net', 'dc=jade,dc=net'],
  ],
  ['(&(mail=user1@jade.net)(!(mtTestNumber=seven)))', []],
  ['(objectClass=2.16.840.1.113730.3.2.2)', ['muller@jade.net', 'strasse@jade.net', 'tel@jade.net', u1, u2]],
  ['(&(objectClass=person)(sn:caseExactMatch:=Müller))', ['muller@jade.net']],
  ['(&(objectClass=person)(sn:caseExactMatch:=müller))', []],
  ['(&(objectClass=mtTest)(dc:dn:=jade)(mail=user1@jade.net))', [u1]],
  ['(&)', ['muller@jade.net', 'strasse@jade.net', 'tel@jade.net', u1, u2, 'cn=admin,dc=jade,dc=net', 'dc=jade,dc=net']],
  ['(|)', []],
  ['(hasSubordinates=TRUE)', ['dc=jade,dc=net']],
  ['(entryDN=mail=user1@jade.net,dc=jade,dc=net)', [u1]],
];

test.each(table)('%s finds what it should', async (filter, expected) => {
  const found = await mails(opened.directory.search(root, { base: dn('dc=jade,dc=net'), scope: 'sub', filter: parseFilter(filter) }));
  expect(found).toEqual([...expected].sort());
});

test('an empty base searches all naming contexts', async () => {
  expect(await mails(opened.directory.search(root, { base: dn(''), scope: 'sub', filter: parseFilter('(mail=user1@*)') }))).toEqual([
    u1,
    'user1@onyx.net',
  ]);
});

test('a search no index answers is given up after the look-through limit', async () => {
  const actor = await opened.directory.authenticate(dn(`mail=${u1},dc=jade,dc=net`), 'secret of user1', { door: 'test' });
  for (let n = 0; n < 20; n++)
    await opened.directory.add(root, dn(`cn=device${n},dc=onyx,dc=net`), attributes({ objectClass: 'device', cn: `device${n}` }));
  const search = all(opened.directory.search(actor, { base: dn('dc=net'), scope: 'sub', filter: parseFilter('(description=x)') }));
  expect(await refusal(search)).toContain('adminLimitExceeded');
});

test('the smaller of the two size limits counts, and the found entries come first', async () => {
  const seen: string[] = [];
  const run = async (): Promise<void> => {
    for await (const entry of opened.directory.search(root, {
      base: dn('dc=jade,dc=net'),
      scope: 'sub',
      filter: parseFilter('(objectClass=person)'),
      sizeLimit: 3,
    }))
      seen.push(entry.dn.key);
  };
  expect(await refusal(run())).toContain('sizeLimitExceeded');
  expect(seen).toHaveLength(3);
});

test('a search that was given up ends', async () => {
  const stop = new AbortController();
  stop.abort();
  expect(
    await refusal(
      all(opened.directory.search(root, { base: dn('dc=net'), scope: 'sub', filter: parseFilter('(cn=x)'), signal: stop.signal })),
    ),
  ).toContain('canceled');
});

test('selection knows names, *, +, classes and nothing', async () => {
  const name = dn('mail=muller@jade.net,dc=jade,dc=net');
  const read = async (...wanted: string[]): Promise<string[]> => [
    ...((await opened.directory.read(root, name, wanted))?.attributes.keys() ?? []),
  ];
  expect(await read('1.1')).toEqual([]);
  expect(await read('CN')).toEqual(['cn', 'cn;lang-fr']);
  expect(await read('name')).toEqual(expect.arrayContaining(['cn', 'sn']));
  expect(await read('cn;lang-fr')).toEqual(['cn;lang-fr']);
  expect(await read('@inetLocalMailRecipient')).toEqual(['objectclass']);
  expect(await read('+')).toEqual(
    expect.arrayContaining(['entryuuid', 'entrydn', 'hassubordinates', 'subschemasubentry', 'entrycsn', 'structuralobjectclass']),
  );
  expect(await read('*')).not.toContain('entryuuid');
});

test('the same question gets the same Entry object until the entry changes', async () => {
  const ask = (): unknown =>
    opened.directory.answerNow(root, { base: dn(`mail=${u1},dc=jade,dc=net`), scope: 'base', filter: parseFilter('(objectClass=*)') })?.[0];
  const before = ask();
  expect(before).toBeDefined();
  expect(ask()).toBe(before);
  await opened.directory.modify(root, dn(`mail=${u1},dc=jade,dc=net`), [
    { operation: 'replace', attribute: { name: 'title', values: ['Dr'] } },
  ]);
  expect(ask()).not.toBe(before);
});

test('what is Undefined for every entry costs no look at any, alone or beside something else', async () => {
  const actor = await opened.directory.authenticate(dn(`mail=${u1},dc=jade,dc=net`), 'secret of user1', { door: 'test' });
  const found = (filter: string): Promise<string[]> =>
    mails(opened.directory.search(actor, { base: dn('dc=net'), scope: 'sub', filter: parseFilter(filter) }));
  for (const filter of ['(nsAimId=x)', '(nsAimId=*)', '(nsAimId=*x*)', '(postalCode>=a)', '(&(objectClass=*)(nsAimId=x))'])
    expect(await found(filter)).toEqual([]);
  expect(await found(`(|(nsAimId=*x*)(mail=${u1})(mozillaNickname=x))`)).toEqual([u1]);
});

test('a filter of two thousand parts leaves the others their turns', async () => {
  const parts = Array.from({ length: 2_000 }, (_, n) => `(name=*none${n}*)`).join('');
  let turns = 0;
  let done = false;
  const others = (async () => {
    for (; !done; turns++) await new Promise((resolve) => setImmediate(resolve));
  })();
  const entries = await all(
    opened.directory.search(root, { base: dn('dc=jade,dc=net'), scope: 'sub', filter: parseFilter('(objectClass=*)') }),
  );
  const before = turns;
  const search = opened.directory.search(root, { base: dn('dc=jade,dc=net'), scope: 'sub', filter: parseFilter(`(|${parts})`) });
  expect(await all(search)).toEqual([]);
  expect(turns - before).toBeGreaterThan(entries.length);
  done = true;
  await others;
});
