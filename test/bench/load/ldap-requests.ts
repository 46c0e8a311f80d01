/** The people of the benchmark, and the requests about them, encoded. */

import { createHash, randomBytes } from 'node:crypto';
import { encodeRequest, type Request, type WireAttribute } from '../../../src/ldap-wire/index.ts';
import { pageRequest } from './ldap-page.ts';

export type Kind = 'equality' | 'base' | 'page' | 'add' | 'modify' | 'bind' | 'mixed';

export interface People {
  /** Name of the entry they stand below. */
  readonly base: string;
  /** Their addresses end in it. */
  readonly domain: string;
  /** Stored form of the password that the first `withPassword` of them have. */
  readonly hashed: string;
}

/** So many people can log in. */
export const withPassword = 200;

/** `{SSHA}`, which slapd knows as well. */
export function hashedPassword(password: string): string {
  const salt = randomBytes(8);
  const digest = createHash('sha1').update(password).update(salt).digest();
  return `{SSHA}${Buffer.concat([digest, salt]).toString('base64')}`;
}

const given = ['Anna', 'Bernd', 'Clara', 'David', 'Émile', 'Fatima', 'Goran', 'Hannah', 'Igor', 'Jana', 'Karl', 'Lena', 'Milan', 'Nadia'];
const family = [
  'Adler',
  'Brandt',
  'Castro',
  'Dietz',
  'Ekström',
  'Fuchs',
  'García',
  'Huber',
  'Ivanov',
  'Jansen',
  'Keller',
  'Lopez',
  'Meier',
];

export const addressOf = (n: number, { domain }: People): string => `u${n}@${domain}`;
export const nameOf = (n: number, people: People): string => `mail=${addressOf(n, people)},${people.base}`;

/** Attributes of a person; the same number gives the same person. */
export function person(n: number, people: People): WireAttribute[] {
  const [first, last] = [given[n % given.length] ?? '', `${family[n % family.length]}-${(n * 7919) % 10_007}`];
  const values: [string, string[]][] = [
    ['objectClass', ['top', 'person', 'organizationalPerson', 'inetOrgPerson']],
    ['cn', [`${first} ${last}`]],
    ['sn', [last]],
    ['givenName', [first]],
    ['uid', [`u${n}`]],
    ['mail', [addressOf(n, people)]],
    ['telephoneNumber', [`+49 89 ${100_000 + (n % 900_000)}`]],
    ['title', [`Role ${n % 50}`]],
    ['description', ['An entry for measuring']],
    ...(n < withPassword ? [['userPassword', [people.hashed]] satisfies [string, string[]]] : []),
  ];
  return values.map(([name, list]) => ({ name, values: list }));
}

/** Message ids of four octets, so that all messages of a kind have one shape. */
export const firstId = 0x0100_0000;

/** Spreads successive numbers over everybody. */
const scattered = (n: number, people: number): number => (n * 7919 + 13) % people;

/** A crowd to choose from. */
export interface Crowd extends People {
  readonly people: number;
  readonly password: string;
}

function requestOf(kind: Exclude<Kind, 'mixed' | 'page'>, n: number, all: Crowd): Request {
  const who = scattered(n, kind === 'bind' ? withPassword : all.people);
  const search = { derefAliases: 0, sizeLimit: 0, timeLimit: 0, typesOnly: false, attributes: [] } as const;
  switch (kind) {
    case 'equality':
      return {
        ...search,
        op: 'search',
        base: all.base,
        scope: 'sub',
        filter: { type: 'equal', attribute: 'mail', value: Buffer.from(addressOf(who, all)) },
      };
    case 'base':
      return { ...search, op: 'search', base: nameOf(who, all), scope: 'base', filter: { type: 'present', attribute: 'objectClass' } };
    case 'add':
      return { op: 'add', dn: nameOf(n, all), attributes: person(n, all) };
    case 'modify':
      return {
        op: 'modify',
        dn: nameOf(who, all),
        modifications: [{ operation: 'replace', attribute: { name: 'title', values: [`Role ${n}`] } }],
      };
    case 'bind':
      return { op: 'bind', version: 3, name: nameOf(who, all), method: { type: 'simple', password: Buffer.from(all.password) } };
  }
}

/** The n-th request of a kind, with a message id of its own. */
export function encoded(kind: Kind, n: number, all: Crowd): Buffer {
  const id = firstId + (n & 0xff_ffff);
  if (kind === 'page') return pageRequest(id, all.base, 100);
  if (kind === 'mixed') return encodeRequest(id, requestOf(n % 20 === 0 ? 'modify' : 'equality', n, all));
  return encodeRequest(id, requestOf(kind, n, all));
}
