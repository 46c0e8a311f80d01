/** Explaining a decision: the same answer as the one that counts, and the rule that gives it. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Actor, anonymous } from '../../src/directory/index.ts';
import { dn, fill, type Opened, openTemporary, refusal, root } from './support.ts';

const jade = 'dc=jade,dc=net';
const user = (n: number, domain = 'jade'): string => `mail=user${n}@${domain}.net,dc=${domain},dc=net`;
let opened: Opened;
beforeAll(async () => {
  opened = await openTemporary();
  await fill(opened.directory);
});
afterAll(() => opened.close());

const can = (who: string, name: string, right?: string, attribute?: string) =>
  opened.directory.explainAccess({ who, dn: name, ...(right ? { right } : {}), ...(attribute ? { attribute } : {}) });

test('the deciding rule is named, and the ones before it say why they do not fit', async () => {
  const { decisions, who, standing } = await can('user1@jade.net', user(2), 'read', 'telephoneNumber');
  expect({ who, standing }).toEqual({ who: user(1), standing: 'user' });
  expect(decisions).toHaveLength(1);
  expect(decisions[0]).toMatchObject({ allowed: true, why: 'cn=general information allows it' });
  expect(decisions[0]?.steps.map(({ rule, why, decides }) => [rule, why, decides])).toEqual([
    ['cn=domain limits', 'is about others (mtAccessWho)', false],
    ['cn=domains', 'is about others (mtAccessWho)', false],
    ['cn=domain administrators', 'is about others (mtAccessWho)', false],
    ['cn=own preferences', 'is about others (mtAccessWho)', false],
    ['cn=own entry', 'is about others (mtAccessWho)', false],
    ['cn=general information', 'allows it', true],
  ]);
});

const questions: [who: string, name: string, right: string, attribute: string | undefined, allowed: boolean, why: string][] = [
  ['anonymous', user(1), 'read', 'cn', true, 'cn=general information allows it'],
  ['anonymous', user(1), 'read', 'employeeNumber', false, 'no rule fits'],
  ['anonymous', 'cn=mailtree', 'read', 'cn', false, 'no rule fits'],
  ['user1@jade.net', user(1), 'write', 'userPassword', true, 'cn=own preferences allows it'],
  ['user1@jade.net', user(1), 'read', 'userPassword', false, 'secret'],
  ['user1@jade.net', user(1), 'rename', undefined, false, 'no rule fits'],
  [`cn=admin,${jade}`, user(1), 'delete', undefined, true, 'cn=domain administrators allows it'],
  [`cn=admin,${jade}`, jade, 'write', 'description', false, 'cn=domains denies it'],
  [`cn=admin,${jade}`, user(1, 'onyx'), 'write', 'cn', false, 'no rule fits'],
  [`cn=admin,${jade}`, `mail=new@jade.net,${jade}`, 'add', undefined, true, 'cn=domain administrators allows it'],
  ['cn=admin,cn=admins,cn=mailtree', 'cn=mailtree', 'write', 'cn', true, 'super administrators may'],
  ['cn=admin,cn=admins,cn=mailtree', user(1), 'compare', 'mtTestSecret', false, 'secret'],
];

test.each(questions)('can %s %s %s %s', async (who, name, right, attribute, allowed, why) => {
  const { decisions } = await can(who, name, right, attribute);
  expect(decisions.map((one) => one.allowed)).toEqual([allowed]);
  expect(decisions[0]?.why).toContain(why);
});

test('without a right everything is listed, as it is indeed allowed', async () => {
  const login = (name: string, password: string): Promise<Actor> => opened.directory.authenticate(dn(name), password, { door: 'test' });
  const askers: [string, Actor][] = [
    ['anonymous', anonymous('test')],
    [user(1), await login(user(1), 'secret of user1')],
    [`cn=admin,${jade}`, await login(`cn=admin,${jade}`, 'admin secret')],
  ];
  for (const [who, actor] of askers) {
    for (const name of [user(1), user(2, 'onyx'), jade]) {
      const answer = await can(who, name);
      const shown = await opened.directory.read(actor, dn(name), ['*', '+']);
      const stored = await opened.directory.readAll(dn(name));
      for (const { attribute, rights } of answer.attributes)
        if (stored?.has(attribute))
          expect([who, name, attribute, rights.includes('read')]).toEqual([who, name, attribute, shown?.has(attribute) ?? false]);
      expect(answer.entry.includes('delete')).toBe(who === `cn=admin,${jade}` && name === user(1));
    }
  }
});

test('what changes the answer besides the rules is remarked upon', async () => {
  expect((await can('anonymous', 'cn=mailtree', 'read', 'cn')).remarks.join()).toContain('may not know that the entry exists');
  expect((await can('user1@jade.net', user(1), 'write', 'entryUUID')).remarks.join()).toContain('entryUUID is maintained by the server');
  await opened.directory.modify(root, dn(user(2)), [{ operation: 'add', attribute: { name: 'accountStatus', values: ['disabled'] } }]);
  const answer = await can('user2@jade.net', user(2), 'write', 'userPassword');
  expect(answer.decisions[0]?.allowed).toBe(false);
  expect(answer).toMatchObject({ standing: 'stranger', remarks: ['the account is not active, so it has the rights of a stranger'] });
  await opened.directory.modify(root, dn(user(2)), [{ operation: 'delete', attribute: { name: 'accountStatus', values: [] } }]);
});

const wrong: [who: string, name: string, right: string | undefined, attribute: string | undefined, expected: string][] = [
  ['nobody@jade.net', user(1), undefined, undefined, 'there is nobody called nobody@jade.net'],
  ['*', user(1), undefined, undefined, 'there is nobody called *'],
  ['cn=nobody', user(1), undefined, undefined, 'there is nobody called cn=nobody'],
  ['user1@jade.net', 'somewhere', undefined, undefined, 'is not a distinguished name'],
  ['user1@jade.net', 'dc=nowhere', 'read', 'cn', 'there is no entry dc=nowhere'],
  ['user1@jade.net', user(1), 'fly', undefined, '"fly" is no right'],
  ['user1@jade.net', user(1), 'read', 'pizza', 'attribute pizza: not defined'],
];

test.each(wrong)('a question about %s %s %s %s is answered with what is wrong with it', async (who, name, right, attribute, expected) => {
  expect(await refusal(can(who, name, right, attribute))).toContain(expected);
});
