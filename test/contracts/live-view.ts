/**
 * What the live view must do over every Directory: after any storm of changes and lookups, interruptions included, it answers as the
 * directory is, for every address, mailbox key and domain. A random run against a plain reading of the tree; the seed is printed.
 */

import { describe, expect, test } from '@jest/globals';
import { silentLog } from '../../src/base/index.ts';
import { type Attribute, type Directory, DirectoryFault, type Entry, system } from '../../src/directory/index.ts';
import { type OpenDit, openDit } from '../../src/dit/index.ts';
import { parseDn, parseFilter, parseRdn } from '../../src/ldap-wire/index.ts';
import { eventually } from '../support/server.ts';

export interface StormyDirectory {
  readonly directory: Directory;
  /** Interrupts the feed, however this directory's feed can be interrupted. */
  disturb(): Promise<void>;
  /** Whether the directory checks the platform's rules on write. */
  readonly trusted: boolean;
  close(): Promise<void>;
}

const me = system('test');
const names = Array.from({ length: 24 }, (_, n) => `u${n}`);
const domains = ['one.test', 'two.test', 'sub.one.test'];
const dnOf = (domain: string): string =>
  domain
    .split('.')
    .map((label) => `dc=${label}`)
    .join(',');
const everything = parseFilter('(objectClass=*)');
const addresses = domains.flatMap((domain) => names.map((name) => `${name}@${domain}`));

/** mulberry32: small, and the same everywhere. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const entry = (values: Record<string, string | string[]>): Attribute[] =>
  Object.entries(values).map(([name, value]) => ({ name, values: Array.isArray(value) ? value : [value] }));

export async function fillStormy(directory: Directory): Promise<void> {
  const add = (dn: string, values: Record<string, string | string[]>): Promise<unknown> => directory.add(me, parseDn(dn), entry(values));
  await add('cn=mailtree', { objectClass: 'mtContainer', cn: 'mailtree' });
  await add('cn=server,cn=mailtree', { objectClass: 'mtServer', cn: 'server' });
  await add('cn=mta,cn=mailtree', { objectClass: 'mtMta', cn: 'mta' });
  await add('cn=forwarding,cn=mta,cn=mailtree', { objectClass: 'mtContainer', cn: 'forwarding' });
  for (const domain of domains) await add(dnOf(domain), { objectClass: ['domain', 'mtMailDomain'], dc: domain.split('.')[0] ?? '' });
}

/** One random write; refusals are part of the game. */
async function write(directory: Directory, random: () => number): Promise<void> {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const address = pick(addresses);
  const [name = '', domain = ''] = address.split('@');
  const dn = parseDn(`mail=${address},${dnOf(domain)}`);
  const modify = (operation: 'add' | 'delete' | 'replace', attribute: string, ...values: string[]): Promise<unknown> =>
    directory.modify(me, dn, [{ operation, attribute: { name: attribute, values } }]);
  const acts: (() => Promise<unknown>)[] = [
    () => directory.add(me, dn, entry({ objectClass: ['inetOrgPerson', 'mtMailUser'], mail: address, cn: name, sn: name })),
    () => directory.delete(me, dn),
    () => modify('add', 'mailLocalAddress', pick(addresses)),
    () => modify('replace', 'mailLocalAddress'),
    () => modify('replace', 'accountStatus', ...(random() < 0.5 ? ['disabled'] : [])),
    () => modify('replace', 'displayName', `name ${random()}`),
    () =>
      directory.add(
        me,
        dn.child(parseRdn('cn=c')),
        entry({ objectClass: 'mtConnector', cn: 'c', mtChannel: 'SMTPC', mtIdentifier: pick(addresses) }),
      ),
    () =>
      directory.modify(me, dn.child(parseRdn('cn=c')), [
        { operation: 'replace', attribute: { name: 'mtIdentifier', values: [pick(addresses)] } },
      ]),
    () => directory.delete(me, dn.child(parseRdn('cn=c'))),
    () => directory.rename(me, dn, { rdn: parseRdn(`mail=${pick(names)}@${domain}`), deleteOldRdn: true }),
    () =>
      directory.modify(me, parseDn(dnOf('two.test')), [
        { operation: 'replace', attribute: { name: 'mtSubdomains', values: random() < 0.5 ? ['TRUE'] : [] } },
      ]),
    () =>
      directory.modify(me, parseDn(dnOf('sub.one.test')), [
        { operation: random() < 0.5 ? 'add' : 'delete', attribute: { name: 'objectClass', values: ['mtMailDomain'] } },
      ]),
  ];
  try {
    await pick(acts)();
  } catch (thrown) {
    if (!(thrown instanceof DirectoryFault)) throw thrown;
  }
}

async function lookUp(dit: OpenDit, random: () => number, uuids: readonly string[]): Promise<void> {
  const address = addresses[Math.floor(random() * addresses.length)] ?? '';
  const uuid = uuids[Math.floor(random() * uuids.length)];
  // An address of two owners, and a directory that is away, are temporary failures.
  await Promise.allSettled([dit.recipient(address), dit.domain(address.split('@')[1] ?? ''), ...(uuid ? [dit.recipientByUuid(uuid)] : [])]);
}

type Answers = Record<string, unknown>;

/** What the directory says, read without the view. */
async function truth(directory: Directory): Promise<Answers> {
  const found: Entry[] = [];
  for (const domain of ['one.test', 'two.test'])
    for await (const each of directory.search(me, {
      base: parseDn(dnOf(domain)),
      scope: 'sub',
      filter: everything,
      attributes: ['*', '+'],
    }))
      found.push(each);
  const isLocal = (domain: string): boolean => found.some((each) => each.dn.key === parseDn(dnOf(domain)).key && each.isA('mtMailDomain'));
  const parentLocal = (domain: string): boolean => {
    const parent = found.find((each) => each.dn.key === parseDn(dnOf(domain.split('.').slice(1).join('.'))).key);
    return parent?.isA('mtMailDomain') === true && parent.text('mtSubdomains') === 'TRUE';
  };
  const people = found.filter((each) => each.isA('mtMailUser'));
  const shown = (each: Entry): unknown => ({
    uuid: each.text('entryUUID'),
    status: each.text('accountStatus') ?? 'active',
    name: each.text('displayName') ?? each.text('cn'),
    addresses: [...each.texts('mail'), ...each.texts('mailLocalAddress')].sort(),
    connectors: found
      .filter((child) => child.isA('mtConnector') && child.dn.parent?.key === each.dn.key)
      .map((child) => child.text('mtIdentifier')),
  });
  const answers: Answers = {};
  for (const address of addresses) {
    const owners = people.filter((each) => [...each.texts('mail'), ...each.texts('mailLocalAddress')].includes(address));
    answers[address] = owners.length > 1 ? 'two' : owners[0] ? shown(owners[0]) : undefined;
  }
  for (const each of people) answers[each.text('entryUUID') ?? ''] = shown(each);
  for (const domain of domains) answers[domain] = isLocal(domain) || parentLocal(domain);
  return answers;
}

async function viewed(dit: OpenDit, keys: readonly string[]): Promise<Answers> {
  const answers: Answers = {};
  for (const key of keys) {
    if (domains.includes(key)) {
      answers[key] = (await dit.domain(key)) !== undefined;
      continue;
    }
    const asked = key.includes('@') ? dit.recipient(key) : dit.recipientByUuid(key);
    answers[key] = await asked.then(
      (recipient) =>
        recipient && {
          uuid: recipient.uuid,
          status: recipient.status,
          name: recipient.displayName,
          addresses: [recipient.mail, ...recipient.aliases].sort(),
          connectors: recipient.connectors.map(({ identifier }) => identifier),
        },
      () => 'two',
    );
  }
  return answers;
}

export function liveViewContract(
  name: string,
  open: () => Promise<StormyDirectory>,
  size: { readonly rounds: number; readonly writes: number },
): void {
  describe(`the live view over ${name}`, () => {
    test('answers as the directory is after storms of changes, lookups and interruptions', async () => {
      const stormy = await open();
      const { directory, trusted } = stormy;
      await fillStormy(directory);
      const dit = await openDit({
        directory,
        systemBase: parseDn('cn=mailtree'),
        domainBase: parseDn(''),
        host: 'x',
        log: silentLog,
        untrusted: !trusted,
      });
      const seed = Number(process.env['MAILTREE_SEED'] ?? Date.now() % 1_000_000);
      console.info(`seed ${seed}`);
      const random = dice(seed);
      let uuids: string[] = [];
      for (let round = 0; round < size.rounds; round++) {
        let writing = true;
        const readers = Array.from({ length: 3 }, async () => {
          while (writing) {
            await lookUp(dit, random, uuids);
            await new Promise((next) => setImmediate(next));
          }
        });
        const writers = Array.from({ length: 4 }, async () => {
          for (let n = 0; n < size.writes / 4; n++) await write(directory, random);
        });
        if (round % 2 === 1) await stormy.disturb();
        await Promise.all(writers);
        writing = false;
        await Promise.all(readers);
        // The last change of all: when the view has it, it has everything before it.
        const mark = `mark${round}.test`;
        const tell = (): Promise<unknown> =>
          directory.modify(me, parseDn('cn=server,cn=mailtree'), [
            { operation: 'replace', attribute: { name: 'mtHostName', values: [mark] } },
          ]);
        await eventually(async () =>
          tell().then(
            () => true,
            () => false,
          ),
        );
        await eventually(async () => dit.mta.value.host === mark);
        const expected = await truth(directory);
        uuids = Object.keys(expected).filter((key) => /^[0-9a-f-]{36}$/.test(key));
        expect(await viewed(dit, Object.keys(expected))).toEqual(expected);
        // And what is kept by now is as true.
        expect(await viewed(dit, Object.keys(expected))).toEqual(expected);
      }
      dit.close();
      await stormy.close();
    });
  });
}
