/** A bundled directory on a real database in a temporary place, with a clock of the test's own. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { constant, type Live, ManualClock, silentLog } from '../../src/base/index.ts';
import {
  type Attribute,
  accessClass,
  type BundledDirectory,
  type DirectoryOptions,
  type DirectorySettings,
  defaultAccess,
  directorySettings,
  type Entry,
  inlineHasher,
  openDirectory,
  type Schema,
  schemaFrom,
  system,
} from '../../src/directory/index.ts';
import { type Dn, parseDn } from '../../src/ldap-wire/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import { type KeyValue, openKeyValue } from '../../src/storage/index.ts';
import { tempDir } from '../support/temp.ts';

const syntaxes = { text: '15', 'text-exact': '15', ascii: '26', integer: '27', boolean: '7', dn: '12', time: '24', octets: '40' } as const;
const equalities = {
  text: 'caseIgnoreMatch',
  'text-exact': 'caseExactMatch',
  ascii: 'caseIgnoreIA5Match',
  integer: 'integerMatch',
  boolean: 'booleanMatch',
  dn: 'distinguishedNameMatch',
  time: 'generalizedTimeMatch',
  octets: 'octetStringMatch',
} as const;

/** The own classes these tests need, written as a schema file would have them, and a few for the tests alone. */
export function ownSchema(): string {
  const attributes = (accessClass.attributes ?? []).map((attribute, n) => {
    const choices = attribute.choices ? ` X-MT-CHOICES ( ${attribute.choices.map((choice) => `'${choice}'`).join(' ')} )` : '';
    const single = attribute.single ? ' SINGLE-VALUE' : '';
    return `attributetype ( testArc:1.${n + 1} NAME '${attribute.attribute}' EQUALITY ${equalities[attribute.syntax]} SYNTAX 1.3.6.1.4.1.1466.115.121.1.${syntaxes[attribute.syntax]}${single}${choices} )`;
  });
  return `objectidentifier testArc 2.25.1
${attributes.join('\n')}
objectclass ( testArc:2.1 NAME 'mtAccess' SUP top STRUCTURAL MUST ( ${accessClass.must?.join(' $ ')} ) MAY ( ${accessClass.may?.join(' $ ')} ) )
attributetype ( testArc:1.50 NAME 'mtTestNumber' EQUALITY integerMatch ORDERING integerOrderingMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE X-MT-RANGE '1-100' )
attributetype ( testArc:1.51 NAME 'mtTestChoice' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 X-MT-CHOICES ( 'red' 'green' ) )
attributetype ( testArc:1.52 NAME 'mtTestPattern' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 X-MT-PATTERN '[a-z]+[0-9]' )
attributetype ( testArc:1.53 NAME 'mtTestSecret' EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 X-MT-SECRET 'TRUE' )
attributetype ( testArc:1.54 NAME 'mtTestTime' EQUALITY generalizedTimeMatch ORDERING generalizedTimeOrderingMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 )
attributetype ( testArc:1.55 NAME 'mtTestFlag' EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 SINGLE-VALUE )
attributetype ( testArc:1.56 NAME 'mtPreferenceColour' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( testArc:1.57 NAME 'mtDomainLimitUsers' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( testArc:1.70 NAME 'mtTestShort' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 X-MT-LENGTH '8' )
objectclass ( testArc:2.9 NAME 'mtTestSettings' SUP top AUXILIARY )
objectclass ( testArc:2.2 NAME 'mtTest' SUP top AUXILIARY MAY ( mtTestShort $ mtTestNumber $ mtTestChoice $ mtTestPattern $ mtTestSecret $ mtTestTime $ mtTestFlag
  $ mtPreferenceColour $ mtDomainLimitUsers $ accountStatus ) )
attributetype ( testArc:1.58 NAME 'mtSubdomains' EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 SINGLE-VALUE )
attributetype ( testArc:1.61 NAME 'mtDomainAlias' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )
attributetype ( testArc:1.59 NAME 'mtMailAddress' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
objectclass ( testArc:2.4 NAME 'mtMailDomain' SUP top AUXILIARY MAY ( mtSubdomains $ mtDomainAlias ) )
objectclass ( testArc:2.3 NAME 'mtTestList' SUP top STRUCTURAL MUST mail MAY ( cn $ description ) )
`;
}

export function testSchema(more: Readonly<Record<string, string>> = {}): Schema {
  const texts: Record<string, string> = {};
  for (const name of ['system', 'core', 'cosine', 'inetorgperson', 'nis', 'mail'])
    texts[`${name}.schema`] = readFileSync(`schema/${name}.schema`, 'utf8');
  return schemaFrom({ ...texts, 'own.schema': ownSchema(), ...more });
}

export const settings = (change: Partial<DirectorySettings> = {}): Live<DirectorySettings> =>
  constant({ ...defaultsOf(directorySettings), scramIterations: 4096, ...change });

export interface Opened {
  readonly directory: BundledDirectory;
  readonly clock: ManualClock;
  readonly keyValue: KeyValue;
  /** Closes and opens again on the same database. */
  reopen(change?: Partial<DirectoryOptions>): Promise<Opened>;
  close(): Promise<void>;
}

async function openIn(path: string, clock: ManualClock, change: Partial<DirectoryOptions>, remove: () => Promise<void>): Promise<Opened> {
  const keyValue = await openKeyValue({ path: join(path, 'directory'), clock });
  const directory = await openDirectory({
    keyValue,
    schema: testSchema(),
    settings: settings(),
    clock,
    log: silentLog,
    hasher: inlineHasher,
    ...change,
  });
  const shut = async (): Promise<void> => {
    await directory.close();
    await keyValue.close();
  };
  return {
    directory,
    clock,
    keyValue,
    reopen: async (more = {}) => {
      await shut();
      return openIn(path, clock, { ...change, ...more }, remove);
    },
    close: async () => {
      await shut();
      await remove();
    },
  };
}

export async function openTemporary(change: Partial<DirectoryOptions> = {}): Promise<Opened> {
  const { path, remove } = await tempDir();
  return openIn(path, new ManualClock(), change, remove);
}

export const root = system('test');
export const dn = (text: string): Dn => parseDn(text);

/** Attributes from an object of names and values. */
export function attributes(values: Readonly<Record<string, string | readonly string[]>>): Attribute[] {
  return Object.entries(values).map(([name, value]) => ({ name, values: typeof value === 'string' ? [value] : value }));
}

export const person = (mail: string, more: Readonly<Record<string, string | readonly string[]>> = {}): Attribute[] =>
  attributes({ objectClass: ['inetOrgPerson', 'inetLocalMailRecipient', 'mtTest'], cn: `Name of ${mail}`, sn: 'Example', mail, ...more });

/** The system tree with the default rules, a super administrator, two domains with users and administrators. */
export async function fill(directory: BundledDirectory): Promise<void> {
  await directory.add(root, dn('cn=mailtree'), attributes({ objectClass: 'applicationProcess', cn: 'mailtree' }));
  for (const entry of defaultAccess({ systemBase: dn('cn=mailtree') })) await directory.add(root, entry.dn, entry.attributes);
  await directory.add(root, dn('cn=admins,cn=mailtree'), attributes({ objectClass: 'applicationProcess', cn: 'admins' }));
  const admin = { objectClass: ['person'], cn: 'admin', sn: 'Administrator', userPassword: 'admin secret' };
  await directory.add(root, dn('cn=admin,cn=admins,cn=mailtree'), attributes(admin));
  for (const domain of ['jade', 'onyx']) {
    const base = `dc=${domain},dc=net`;
    await directory.add(root, dn(base), attributes({ objectClass: ['domain', 'mtTest'], dc: domain }));
    await directory.add(root, dn(`cn=admin,${base}`), attributes(admin));
    for (const name of ['user1', 'user2']) {
      const mail = `${name}@${domain}.net`;
      await directory.add(
        root,
        dn(`mail=${mail},${base}`),
        person(mail, { userPassword: `secret of ${name}`, telephoneNumber: '+49 89 1234', employeeNumber: '77' }),
      );
    }
  }
}

export async function all(found: AsyncIterable<Entry>): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of found) entries.push(entry);
  return entries;
}

export const mails = async (found: AsyncIterable<Entry>): Promise<string[]> =>
  (await all(found)).map((entry) => entry.text('mail') ?? entry.dn.toString()).sort();

/** The result of a call that must be refused: `constraintViolation: attribute x: …`. */
export async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (thrown) {
    const fault = thrown as { result?: string; say?: string };
    return fault.result === undefined ? `${thrown}` : `${fault.result}: ${fault.say}`;
  }
  return 'not refused';
}
