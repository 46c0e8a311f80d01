import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Login } from '../../src/directory/index.ts';
import { serverFinal, serverFirst } from '../../src/base/index.ts';
import { ScramClient } from '../support/scram-client.ts';
import { dn, fill, type Opened, openTemporary, refusal, root } from './support.ts';

const name = dn('mail=user1@jade.net,dc=jade,dc=net');
const from = { door: 'test', address: '192.0.2.1' };
const password = 'a good long password';
let opened: Opened;
beforeEach(async () => {
  opened = await openTemporary();
  await fill(opened.directory);
  await set('userPassword', password);
});
afterEach(() => opened.close());
const set = (attribute: string, ...values: string[]): Promise<unknown> =>
  opened.directory.modify(root, name, [{ operation: 'replace', attribute: { name: attribute, values } }]);

/** As a door would carry it. */
function exchange(secret = password, who = name) {
  const client = new ScramClient('user1@jade.net', secret);
  const server = opened.directory.scram(who, from);
  const bare = client.first.slice('n,,'.length);
  const nonce = `${/r=(.*)$/.exec(bare)?.[1]}server`;
  const told = serverFirst(nonce, server.salt, server.iterations);
  const [, withoutProof = '', proof = ''] = /^(.*),p=(.*)$/.exec(client.final(told)) ?? [];
  return {
    server,
    client,
    finish: () => server.finish(`${bare},${told},${withoutProof}`, Buffer.from(proof, 'base64')),
  };
}
const login = async (secret = password, who = name): Promise<Login> => exchange(secret, who).finish().login;

test('the right password logs in, and the server shows that it knows it', async () => {
  const { finish, client } = exchange();
  const { login, signature } = finish();
  expect(login).toMatchObject({ as: 'bound', door: 'test', address: '192.0.2.1' });
  expect(login.dn?.toString()).toBe(name.toString());
  expect(client.believes(serverFinal(signature))).toBe(true);
  expect(opened.directory.holds(login)).toBe(true);
  expect(() => finish()).toThrow(/wrong/);
  await set('userPassword', 'another one altogether');
  expect(opened.directory.holds(login)).toBe(false);
});

test('a wrong password, nobody, and an account without a verifier end alike, and look alike before', async () => {
  await opened.directory.modify(root, dn('mail=user2@jade.net,dc=jade,dc=net'), [
    { operation: 'replace', attribute: { name: 'userPassword', values: ['{SHA}L55TUjtiq8FBorTWAZ0jy6g129A='] } },
  ]);
  const nobody = dn('mail=nobody@jade.net,dc=jade,dc=net');
  const real = opened.directory.scram(name, from);
  for (const who of [nobody, dn('mail=user2@jade.net,dc=jade,dc=net')]) {
    const [one, two] = [opened.directory.scram(who, from), opened.directory.scram(who, from)];
    expect([one.salt.length, one.iterations]).toEqual([real.salt.length, real.iterations]);
    expect(one.salt).toEqual(two.salt);
    expect(await refusal(login(password, who))).toBe(await refusal(login('wrong', name)));
  }
  const before = opened.directory.scram(nobody, from).salt;
  opened = await opened.reopen({});
  expect(opened.directory.scram(nobody, from).salt).toEqual(before);
  expect(opened.directory.scram(nobody, from).salt).not.toEqual(
    opened.directory.scram(dn('mail=nobody2@jade.net,dc=jade,dc=net'), from).salt,
  );
});

test('a password or an account that changes during the exchange is judged as it has become', async () => {
  const changed = exchange();
  await set('userPassword', 'another one altogether');
  expect(() => changed.finish()).toThrow(/wrong/);
  await set('userPassword', password);
  const disabled = exchange();
  await set('accountStatus', 'disabled');
  expect(() => disabled.finish()).toThrow(/wrong/);
  await expect(login()).rejects.toThrow(/wrong/);
});

test('guessing is slowed down together with guessing by password', async () => {
  for (let n = 0; n < 40; n += 1) {
    try {
      await login('wrong');
    } catch {}
  }
  await expect(login()).rejects.toThrow(/too many failed log-ins/);
  await expect(opened.directory.authenticate(name, password, from)).rejects.toThrow(/too many failed log-ins/);
});
