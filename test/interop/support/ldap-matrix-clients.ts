/** The clients of the LDAP matrix that are driven from here: ldapjs, ldapts and OpenLDAP's tools. */

import ldapjs from 'ldapjs';
import { Attribute, Change, Client } from 'ldapts';
import { BerWriter } from '../../../src/ldap-wire/index.ts';
import type { Connect, Place } from './ldap-matrix.ts';
import { tool } from './tool.ts';

const whoAmIOid = '1.3.6.1.4.1.4203.1.11.3';
const passwordOid = '1.3.6.1.4.1.4203.1.11.1';
/** A new one each time: the libraries put their socket into it. */
const tls = (): object => ({ rejectUnauthorized: false });

export const withLdapts: Connect = async (place, dn, password) => {
  const client = new Client({ url: place.url, ...(place.transport === 'ldaps' ? { tlsOptions: tls() } : {}) });
  if (place.transport === 'StartTLS') await client.startTLS(tls());
  try {
    await client.bind(dn, password);
  } catch (thrown) {
    await client.unbind();
    throw thrown;
  }
  return {
    whoAmI: async () => (await client.exop(whoAmIOid)).value ?? '',
    async search(base, scope, filter, attribute) {
      const { searchEntries } = await client.search(base, { scope, filter, attributes: [attribute] });
      return searchEntries.flatMap((entry) => entry[attribute] ?? []).map(String);
    },
    async paged(base, filter, size) {
      let count = 0;
      for await (const { searchEntries } of client.searchPaginated(base, { scope: 'sub', filter, paged: { pageSize: size } }))
        count += searchEntries.length;
      return count;
    },
    add: (name, attributes) =>
      client.add(
        name,
        Object.entries(attributes).map(([type, values]) => new Attribute({ type, values: [...values] })),
      ),
    modify: (name, modifications) =>
      client.modify(
        name,
        modifications.map(
          ({ operation, name: type, values }) => new Change({ operation, modification: new Attribute({ type, values: [...values] }) }),
        ),
      ),
    compare: (name, attribute, value) => client.compare(name, attribute, value),
    rename: (name, rdn) => client.modifyDN(name, rdn),
    delete: (name) => client.del(name),
    async setPassword(name, fresh) {
      const writer = new BerWriter();
      const begun = writer.begin();
      await client.exop(passwordOid, Buffer.from(writer.text(name, 0x80).text(fresh, 0x82).end(begun).done()));
    },
    close: () => client.unbind(),
  };
};

// biome-ignore lint/suspicious/noExplicitAny: ldapjs has no types
type Untyped = any;
type Callback = (error: Untyped, value?: Untyped, more?: Untyped) => void;
const promise = <T>(run: (done: Callback) => void): Promise<T> =>
  new Promise((resolve, reject) => run((error, value) => (error ? reject(error) : resolve(value as T))));

function searchWithLdapjs(client: Untyped, base: string, options: object): Promise<Untyped[]> {
  return new Promise((resolve, reject) => {
    const entries: Untyped[] = [];
    client.search(base, options, (error: Untyped, found: Untyped) => {
      if (error) return reject(error);
      found.on('searchEntry', (entry: Untyped) => entries.push(entry));
      found.on('error', reject);
      found.on('end', () => resolve(entries));
    });
  });
}

export const withLdapjs: Connect = async (place, dn, password) => {
  const client: Untyped = ldapjs.createClient({ url: place.url, ...(place.transport === 'ldaps' ? { tlsOptions: tls() } : {}) });
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      client.on('close', () => resolve());
      client.unbind();
    });
  await new Promise<void>((resolve, reject) => client.once('connect', resolve).once('error', reject));
  if (place.transport === 'StartTLS') await promise((done) => client.starttls(tls(), [], done));
  try {
    await promise((done) => client.bind(dn, password, done));
  } catch (thrown) {
    await close();
    throw thrown;
  }
  const attribute = (type: string, values: readonly string[]): Untyped => new ldapjs.Attribute({ type, values: [...values] });
  return {
    whoAmI: () => promise((done) => client.exop(whoAmIOid, done)),
    async search(base, scope, filter, name) {
      const entries = await searchWithLdapjs(client, base, { scope, filter, attributes: [name] });
      return entries.flatMap((entry) => entry.attributes.flatMap(({ values }: { values: string[] }) => values));
    },
    paged: async (base, filter, size) => (await searchWithLdapjs(client, base, { scope: 'sub', filter, paged: { pageSize: size } })).length,
    add: (name, attributes) =>
      promise((done) =>
        client.add(
          name,
          Object.entries(attributes).map(([type, values]) => attribute(type, values)),
          done,
        ),
      ),
    modify: (name, modifications) =>
      promise((done) =>
        client.modify(
          name,
          modifications.map(({ operation, name: type, values }) => new ldapjs.Change({ operation, modification: attribute(type, values) })),
          done,
        ),
      ),
    compare: (name, type, value) => promise((done) => client.compare(name, type, value, done)),
    rename: (name, rdn) => promise((done) => client.modifyDN(name, rdn, done)),
    delete: (name) => promise((done) => client.del(name, done)),
    setPassword: (name, fresh) => promise((done) => client.exop(passwordOid, { userIdentity: name, newPassword: fresh }, done)),
    close,
  };
};

/** Runs one of OpenLDAP's tools; an error with its exit code, which is the result code. */
async function run(place: Place, login: readonly string[], program: string, args: readonly string[], input = ''): Promise<string> {
  const secure = place.transport === 'StartTLS' ? ['-ZZ'] : [];
  const ran = await tool(program, ['-x', '-H', place.url, ...secure, ...login, ...args], { input, env: { LDAPTLS_REQCERT: 'never' } });
  if (ran.code !== 0) throw Object.assign(new Error(`${program}: ${ran.all}`), { code: ran.code });
  return Buffer.from(ran.out, 'latin1').toString('utf8');
}

const values = (ldif: string): string[] =>
  [...ldif.matchAll(/^(?!dn:)[A-Za-z;-]+:(:?) (.*)$/gm)].map(([, coded, value = '']) =>
    coded ? Buffer.from(value, 'base64').toString('utf8') : value,
  );
const lines = (name: string, all: readonly string[]): string =>
  all.map((value) => `${name}:: ${Buffer.from(value).toString('base64')}\n`).join('');

export const withTools: Connect = async (place, dn, password) => {
  const login = ['-D', dn, '-w', password];
  const ask = (program: string, args: readonly string[], input?: string): Promise<string> => run(place, login, program, args, input);
  await ask('ldapwhoami', []);
  return {
    whoAmI: async () => (await ask('ldapwhoami', [])).trim(),
    search: async (base, scope, filter, attribute) =>
      values(await ask('ldapsearch', ['-LLL', '-o', 'ldif-wrap=no', '-b', base, '-s', scope, filter, attribute])),
    paged: async (base, filter, size) =>
      ((await ask('ldapsearch', ['-LLL', '-E', `pr=${size}/noprompt`, '-b', base, filter, '1.1'])).match(/^dn:/gm) ?? []).length,
    async add(name, attributes) {
      await ask(
        'ldapadd',
        [],
        `dn: ${name}\n${Object.entries(attributes)
          .map(([type, all]) => lines(type, all))
          .join('')}`,
      );
    },
    async modify(name, modifications) {
      const parts = modifications.map(({ operation, name: type, values: all }) => `${operation}: ${type}\n${lines(type, all)}-\n`);
      await ask('ldapmodify', [], `dn: ${name}\nchangetype: modify\n${parts.join('')}`);
    },
    async compare(name, attribute, value) {
      try {
        await ask('ldapcompare', [name, `${attribute}::${Buffer.from(value).toString('base64')}`]);
      } catch (thrown) {
        const { code } = thrown as { code: number };
        if (code === 5 || code === 6) return code === 6;
        throw thrown;
      }
      throw new Error('ldapcompare said neither true nor false');
    },
    async rename(name, rdn) {
      await ask('ldapmodrdn', ['-r', name, rdn]);
    },
    async delete(name) {
      await ask('ldapdelete', [name]);
    },
    async setPassword(name, fresh) {
      await ask('ldappasswd', ['-s', fresh, name]);
    },
    close: async () => {},
  };
};
