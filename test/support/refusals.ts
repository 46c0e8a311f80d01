/**
 * A door over the bundled directory with the product's own schema and rules, a few entries, and clients of four standings: to be asked
 * for what must be refused. The client is ldapts where it can say it, raw octets where it cannot.
 */

import { expect } from '@jest/globals';
import { Attribute, Change, Client, ResultCodeError } from 'ldapts';
import { defaultAccess, Entry, loadSchema, resultCodes, subschemaEntry } from '../../src/directory/index.ts';
import { platformRules } from '../../src/dit/index.ts';
import { BerWriter, type Dn, parseDn, type Request, rootDn } from '../../src/ldap-wire/index.ts';
import { attributes, dn, type Opened, openTemporary, root } from '../directory/support.ts';
import { type Door, openDoor, type RawLdap, simpleBind } from './ldap-door.ts';

export type Values = Readonly<Record<string, string | readonly string[]>>;
export type Code = keyof typeof resultCodes;
export type Who = 'admin' | 'domain' | 'user' | 'anonymous';
export const jade = 'dc=jade,dc=net';
export const admin = 'cn=admin,cn=admins,cn=mailtree';
export const user = (name: string): string => `mail=${name}@jade.net,${jade}`;
export const person = (name: string, more: Values = {}): Values => ({
  objectClass: ['inetOrgPerson', 'mtMailUser'],
  cn: 'C',
  sn: 'S',
  mail: `${name}@jade.net`,
  ...more,
});

export interface Place {
  readonly opened: Opened;
  readonly door: Door;
  as(who?: Who): Client;
  /** Octets, bound as the administrator. */
  readonly raw: RawLdap;
  end(): Promise<void>;
}

async function fill(opened: Opened): Promise<void> {
  const { directory } = opened;
  const put = (name: string, values: Values) => directory.add(root, dn(name), attributes(values));
  await put('cn=mailtree', { objectClass: 'mtContainer', cn: 'mailtree' });
  for (const entry of defaultAccess({ systemBase: dn('cn=mailtree') })) await directory.add(root, entry.dn, entry.attributes);
  await put('cn=admins,cn=mailtree', { objectClass: 'mtContainer', cn: 'admins' });
  await put(admin, { objectClass: 'mtAdministrator', cn: 'admin', userPassword: 'admin secret' });
  await put('cn=mta,cn=mailtree', { objectClass: 'mtContainer', cn: 'mta' });
  for (const domain of ['jade', 'onyx']) await put(`dc=${domain},dc=net`, { objectClass: ['domain', 'mtMailDomain'], dc: domain });
  await put(`cn=admin,${jade}`, { objectClass: 'mtAdministrator', cn: 'admin', userPassword: 'domain secret' });
  await put(user('user1'), person('user1', { userPassword: 'user1 secret', employeeNumber: '77', uid: 'u1', title: 'Dr.' }));
  await put(user('user2'), person('user2', { mailLocalAddress: 'second@jade.net' }));
  await put(`cn=local,${user('user1')}`, { objectClass: 'mtConnector', cn: 'local', mtChannel: 'LOCAL' });
  await put(`cn=posix,${jade}`, { objectClass: ['device'], cn: 'posix' });
  await put(`cn=staff,${jade}`, { objectClass: 'groupOfNames', cn: 'staff', member: user('user1') });
}

export async function openPlace(): Promise<Place> {
  const schema = await loadSchema(['schema']);
  const opened = await openTemporary({ schema, rules: platformRules({ systemBase: parseDn('cn=mailtree'), domainBase: rootDn }) });
  await fill(opened);
  const subschema = subschemaEntry(schema);
  const rootDse = new Entry(rootDn, [{ name: 'objectClass', values: ['top'] }]);
  const virtual = { read: (name: Dn) => [rootDse, subschema].find((entry) => entry.dn.key === name.key) };
  const door = await openDoor({ directory: opened.directory, virtual });
  const clients: Partial<Record<Who, Client>> = {};
  for (const [name, who, password] of [
    ['admin', admin, 'admin secret'],
    ['domain', `cn=admin,${jade}`, 'domain secret'],
    ['user', user('user1'), 'user1 secret'],
    ['anonymous', '', ''],
  ] as const) {
    const client = new Client({ url: `ldap://127.0.0.1:${door.port}` });
    if (who) await client.bind(who, password);
    clients[name] = client;
  }
  const raw = await door.client();
  await raw.ask(1, simpleBind(admin, 'admin secret'));
  return {
    opened,
    door,
    raw,
    as: (who = 'admin') => clients[who]!,
    async end() {
      for (const client of Object.values(clients)) await client.unbind();
      await door.end();
      await opened.close();
    },
  };
}

/** Code and text, as they came over the wire. */
export async function answerTo(call: Promise<unknown>): Promise<{ code: string; text: string }> {
  try {
    await call;
    return { code: 'success', text: '' };
  } catch (thrown) {
    if (!(thrown instanceof ResultCodeError)) throw thrown;
    return { code: nameOf(thrown.code), text: thrown.message.replace(/ Code: 0x[0-9a-f]+$/, '') };
  }
}

const nameOf = (code: number): string => (Object.keys(resultCodes) as Code[]).find((name) => resultCodes[name] === code) ?? String(code);

export type Attempt = (place: Place) => Promise<{ code: string; text: string }>;
/** What is tried, how, and what must come back: the code, and what the text contains. */
export type Case = readonly [what: string, attempt: Attempt, code: Code, text: string];

const by = (run: (client: Client) => Promise<unknown>, who?: Who): Attempt => {
  return (place) => answerTo(run(place.as(who)));
};
export const change = (operation: 'add' | 'delete' | 'replace', type: string, ...values: string[]): Change =>
  new Change({ operation, modification: new Attribute({ type, values }) });
export const add = (name: string, values: Values, who?: Who): Attempt =>
  by((client) => client.add(name, values as Record<string, string | string[]>), who);
export const modify = (name: string, changes: Change[], who?: Who): Attempt => by((client) => client.modify(name, changes), who);
/** RFC 4525, which ldapts does not know. */
export const increment = (name: string, attribute: string, ...values: string[]): Attempt =>
  octets({ op: 'modify', dn: name, modifications: [{ operation: 'increment', attribute: { name: attribute, values } }] });
export const rename = (name: string, to: string, who?: Who): Attempt => by((client) => client.modifyDN(name, to), who);
export const remove = (name: string, who?: Who): Attempt => by((client) => client.del(name), who);
export const compare = (name: string, attribute: string, value: string, who?: Who): Attempt =>
  by((client) => client.compare(name, attribute, value), who);

/** A request in our own encoding. */
export function octets(request: Request): Attempt {
  return async ({ raw }) => {
    const body = (await raw.ask(2, request))?.body;
    return body && 'result' in body ? { code: nameOf(body.result.code), text: body.result.diagnostic } : { code: 'no answer', text: '' };
  };
}

/** Password Modify (RFC 3062 §2): user [0], old [1], new [2]; in the order of `fields`. */
export function passwd(fields: readonly (readonly ['user' | 'old' | 'fresh', string])[], who?: Who): Attempt {
  const tags = { user: 0x80, old: 0x81, fresh: 0x82 };
  const writer = new BerWriter(256);
  const begun = writer.begin();
  for (const [field, text] of fields) writer.text(text, tags[field]);
  const value = Buffer.from(writer.end(begun).done());
  return by((client) => client.exop('1.3.6.1.4.1.4203.1.11.1', value as unknown as string), who);
}

/** Refused with this code and text, and nothing of it done. */
export async function expectRefusal(place: Place, [, attempt, code, text]: Case): Promise<void> {
  const before = await place.opened.directory.position();
  const got = await attempt(place);
  expect(got).toEqual({ code, text: expect.stringContaining(text) });
  expect(got.text).toMatch(/\w{3,}/);
  expect(await place.opened.directory.position()).toBe(before);
}
