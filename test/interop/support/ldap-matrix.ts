/**
 * What every LDAP client of the matrix does, on every transport, and what it must see. Clients that are libraries of this runtime and the
 * command line tools are adapters of `MatrixClient`; the others are scripts of `clients/` that do the same and print it.
 */

export type Transport = 'ldap' | 'StartTLS' | 'ldaps';

export interface Place {
  readonly transport: Transport;
  readonly url: string;
  /** Whom to log in as, and the base of a domain with three users. */
  readonly dn: string;
  readonly password: string;
  readonly base: string;
  /** Its own address, so that runs do not meet. */
  readonly name: string;
}

export interface Seen {
  /** Result code of a log-in as nobody: an account of its own, or the next client would have to wait for failures of others. */
  readonly refused: number;
  readonly who: string;
  /** `cn` of the entry that was searched for. */
  readonly found: readonly string[];
  readonly paged: number;
  /** Result code of adding the same entry again. */
  readonly addedTwice: number;
  readonly modified: Readonly<Record<'description' | 'sn', readonly string[]>>;
  readonly compared: readonly boolean[];
  /** `mail` after the new name. */
  readonly renamed: readonly string[];
  /** Result codes of a log-in with the new password and with the old one. */
  readonly changed: readonly [number, number];
  /** Result code of reading the entry after its deletion. */
  readonly gone: number;
}

export const expected = ({ dn, name }: Place): Seen => ({
  refused: 49,
  who: `dn:${dn}`,
  found: ['User One'],
  paged: 3,
  addedTwice: 68,
  modified: { description: ['two'], sn: ['Changed'] },
  compared: [true, false],
  renamed: [`${name}2@example.test`],
  changed: [0, 49],
  gone: 32,
});

export interface Modification {
  readonly operation: 'add' | 'delete' | 'replace';
  readonly name: string;
  readonly values: readonly string[];
}

/** One logged-in client. Every call gives its result code where it is refused: an error with `code`. */
export interface MatrixClient {
  whoAmI(): Promise<string>;
  /** Values of one attribute of each entry found. */
  search(base: string, scope: 'base' | 'sub', filter: string, attribute: string): Promise<string[]>;
  /** Entries in all pages. */
  paged(base: string, filter: string, size: number): Promise<number>;
  add(dn: string, attributes: Readonly<Record<string, readonly string[]>>): Promise<void>;
  modify(dn: string, modifications: readonly Modification[]): Promise<void>;
  compare(dn: string, attribute: string, value: string): Promise<boolean>;
  rename(dn: string, rdn: string): Promise<void>;
  delete(dn: string): Promise<void>;
  setPassword(dn: string, password: string): Promise<void>;
  close(): Promise<void>;
}

/** Connects and logs in; rejects with an error that has the result code as `code`. */
export type Connect = (place: Place, dn: string, password: string) => Promise<MatrixClient>;

async function codeOf(call: Promise<unknown>): Promise<number> {
  try {
    await call;
    return 0;
  } catch (thrown) {
    const { code } = thrown as { code?: unknown };
    if (typeof code !== 'number') throw thrown;
    return code;
  }
}

export async function walk(connect: Connect, place: Place): Promise<Seen> {
  const { base, dn, password, name } = place;
  const refused = await codeOf(connect(place, `cn=${name},${base}`, 'wrong'));
  const client = await connect(place, dn, password);
  const entry = `mail=${name}@example.test,${base}`;
  const renamedEntry = `mail=${name}2@example.test,${base}`;
  const attributes = { objectClass: ['inetOrgPerson', 'mtMailUser'], mail: [`${name}@example.test`], cn: ['Grüße'], sn: ['Matrix'] };
  const who = await client.whoAmI();
  const found = await client.search(base, 'sub', '(&(mail=user1@example.test)(objectClass=inetOrgPerson))', 'cn');
  const paged = await client.paged(base, '(&(objectClass=mtMailUser)(mail=user*))', 2);
  await client.add(entry, attributes);
  const addedTwice = await codeOf(client.add(entry, attributes));
  await client.modify(entry, [
    { operation: 'add', name: 'description', values: ['one', 'two'] },
    { operation: 'delete', name: 'description', values: ['one'] },
    { operation: 'replace', name: 'sn', values: ['Changed'] },
  ]);
  const modified = {
    description: await client.search(entry, 'base', '(objectClass=*)', 'description'),
    sn: await client.search(entry, 'base', '(objectClass=*)', 'sn'),
  };
  const compared = [await client.compare(entry, 'cn', 'GRÜSSE'), await client.compare(entry, 'sn', 'Matrix')];
  await client.rename(entry, `mail=${name}2@example.test`);
  const renamed = await client.search(renamedEntry, 'base', '(objectClass=*)', 'mail');
  await client.setPassword(renamedEntry, 'first-password-1');
  await client.setPassword(renamedEntry, 'second-password-2');
  const logIn = (secret: string): Promise<number> => codeOf(connect(place, renamedEntry, secret).then((other) => other.close()));
  const changed = [await logIn('second-password-2'), await logIn('first-password-1')] as const;
  await client.delete(renamedEntry);
  const gone = await codeOf(client.search(renamedEntry, 'base', '(objectClass=*)', 'mail'));
  await client.close();
  return { refused, who, found, paged, addedTwice, modified, compared, renamed, changed, gone };
}
