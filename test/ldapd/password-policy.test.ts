/** What the password policy control says, as octets: an empty sequence, a warning, an error. */

import { afterEach, expect, test } from '@jest/globals';
import { LiveValue } from '../../src/base/index.ts';
import { type DirectorySettings, inlineHasher } from '../../src/directory/index.ts';
import type { Request } from '../../src/ldap-wire/index.ts';
import { dn, fill, type Opened, openTemporary, root, settings } from '../directory/support.ts';
import { type Door, openDoor, type RawLdap, simpleBind } from '../support/ldap-door.ts';

const oid = '1.3.6.1.4.1.42.2.27.8.5.1';
const user1 = 'mail=user1@jade.net,dc=jade,dc=net';
let opened: Opened;
let it: Door;
async function begin(change: Partial<DirectorySettings>): Promise<RawLdap> {
  const live = new LiveValue(settings().value);
  opened = await openTemporary({ settings: live, hasher: inlineHasher });
  await fill(opened.directory);
  live.set({ ...live.value, ...change });
  it = await openDoor({ directory: opened.directory });
  return it.client();
}
afterEach(async () => {
  await it.end();
  await opened.close();
});

let id = 1;
/** Result code, and the control of the answer in hexadecimal digits. */
async function ask(client: RawLdap, request: Request, critical = true): Promise<[code: number, control: string | undefined]> {
  const message = await client.ask(id++, request, [{ oid, critical, value: undefined }]);
  const body = message?.body;
  const control = message?.controls.find((one) => one.oid === oid);
  return [body && 'result' in body ? body.result.code : -1, control?.value && Buffer.from(control.value).toString('hex')];
}
const bind = (password: string): Request => simpleBind(user1, password);
const setPassword = (password: string): Request => ({
  op: 'modify',
  dn: user1,
  modifications: [{ operation: 'replace', attribute: { name: 'userPassword', values: [password] } }],
});
const error = (n: number): string => `30038101${n.toString(16).padStart(2, '0')}`;

test('nothing to say is an empty sequence, and nothing is said unasked', async () => {
  const client = await begin({});
  expect(await ask(client, bind('secret of user1'))).toEqual([0, '3000']);
  expect(await ask(client, bind('wrong'))).toEqual([49, '3000']);
  expect((await client.ask(id++, bind('secret of user1')))?.controls).toEqual([]);
});

test('an age that ends soon is a warning in seconds, an old one and a reset one are errors of a successful bind', async () => {
  const client = await begin({ passwordAge: 20 });
  expect(await ask(client, bind('secret of user1'))).toEqual([0, '3000']);
  opened.clock.advance(19 * 86_400_000);
  expect(await ask(client, bind('secret of user1'))).toEqual([0, '3007a0058003015180']);
  opened.clock.advance(86_400_000);
  expect(await ask(client, bind('secret of user1'))).toEqual([0, error(0)]);
  await opened.directory.modify(root, dn(user1), [{ operation: 'replace', attribute: { name: 'pwdReset', values: ['TRUE'] } }]);
  const other = await it.client();
  expect(await ask(other, bind('secret of user1'))).toEqual([0, error(2)]);
});

test('a refused password comes with the rule it breaks', async () => {
  const client = await begin({ minimumPassword: 8, passwordClasses: 2, passwordHistory: 1 });
  await ask(client, bind('secret of user1'));
  expect(await ask(client, setPassword('short 1'))).toEqual([19, error(6)]);
  expect(await ask(client, setPassword('onlyletters'))).toEqual([19, error(5)]);
  expect(await ask(client, setPassword('secret of user1'))).toEqual([19, error(8)]);
  const value = Buffer.from('300982077368 6f72742031'.replace(' ', ''), 'hex');
  expect(await ask(client, { op: 'extended', oid: '1.3.6.1.4.1.4203.1.11.1', value })).toEqual([19, error(6)]);
  expect(await ask(client, setPassword('long enough 1'))).toEqual([0, '3000']);
});

test('that an account is locked is not said', async () => {
  const client = await begin({ lockoutFailures: 1, lockoutSeconds: 0, failureDelay: 0 });
  expect(await ask(client, bind('wrong'))).toEqual([49, '3000']);
  expect(await ask(client, bind('secret of user1'))).toEqual([49, '3000']);
});

test('where no password can be in play the control is not known', async () => {
  const client = await begin({});
  expect(await ask(client, { op: 'delete', dn: user1 })).toEqual([12, undefined]);
});
