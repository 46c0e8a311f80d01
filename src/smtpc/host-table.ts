/**
 * The host table: a file of addresses and the names they have, as in hosts(5).
 *
 * Promise: a changed file holds from the next question on; a line that cannot be read is passed over and told with its number; a file
 * that cannot be read any more leaves the last one that could be, and where only descriptors were short it is read again at once; one that never could is `unreadable`, which is not "no such name".
 * File, lines and addresses of a name have bounds.
 * Source: manual chapter 6 "Mail Routing Options", "Host table filename"; checklist SMTPC-05
 */

import { open, stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { isShortage, type Log } from '../base/index.ts';

export type TableAnswer =
  | { readonly outcome: 'found'; readonly addresses: readonly string[] }
  | { readonly outcome: 'none' }
  | { readonly outcome: 'unreadable'; readonly why: string };

export interface HostTable {
  addresses(name: string): Promise<TableAnswer>;
  /** Whether the file has been read anew since this was asked before. */
  changed(): Promise<boolean>;
}

const mostOctets = 32 * 1_048_576;
const longestLine = 8_192;
const mostAddresses = 16;
/** Bad lines named one by one. */
const mostNamed = 20;

type Names = ReadonlyMap<string, readonly string[]>;

interface Kept {
  readonly path: string;
  /** Changes with the file. */
  readonly state: string;
  readonly names: Names | undefined;
  readonly why: string;
}

export function createHostTable(path: () => string, log: Pick<Log, 'warning' | 'error' | 'info'>): HostTable {
  let kept: Kept | undefined;
  let reading: Promise<Kept> | undefined;
  let isOther = false;

  const current = async (): Promise<Kept> => {
    const file = path();
    const before = kept?.path === file ? kept : undefined;
    const state = await stateOf(file);
    if (before?.state === state) return before;
    let names: Names | undefined;
    let why = '';
    let passing = false;
    try {
      names = readTable(await contentOf(file), (line) => log.warning(`host table ${file}: ${line}`));
      log.info(`host table ${file}: ${names.size} names`);
    } catch (thrown) {
      why = `the host table ${file} cannot be read: ${thrown instanceof Error ? thrown.message : thrown}`;
      // No descriptor was free, say: it is read again at the next question, and told once.
      passing = isShortage(thrown);
      if (!passing || before?.why !== why) log.error(before?.names ? `${why}; the one read before is used` : why);
    }
    if (before && names) isOther = true;
    kept = { path: file, state: passing ? '' : state, names: names ?? before?.names, why };
    return kept;
  };

  const read = (): Promise<Kept> => {
    reading ??= current().finally(() => {
      reading = undefined;
    });
    return reading;
  };

  return {
    async changed() {
      await read();
      const result = isOther;
      isOther = false;
      return result;
    },
    async addresses(name) {
      const { names, why } = await read();
      if (!names) return { outcome: 'unreadable', why };
      const addresses = names.get(name.toLowerCase().replace(/\.$/, ''));
      return addresses ? { outcome: 'found', addresses } : { outcome: 'none' };
    },
  };
}

async function stateOf(file: string): Promise<string> {
  try {
    const { ino, dev, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (thrown) {
    return String(thrown);
  }
}

async function contentOf(file: string): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const about = await handle.stat();
    // A pipe or a device would never end.
    if (!about.isFile()) throw new Error('it is not a file');
    const chunks: Buffer[] = [];
    let octets = 0;
    for await (const chunk of handle.createReadStream({ autoClose: false })) {
      octets += (chunk as Buffer).length;
      if (octets > mostOctets) throw new Error(`it has more than ${mostOctets} octets`);
      chunks.push(chunk as Buffer);
    }
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    await handle.close();
  }
}

/** Names in lower case as A-labels; the addresses of a name in the order of the lines. */
export function readTable(text: string, complain: (line: string) => void): Names {
  const names = new Map<string, string[]>();
  let bad = 0;
  const refuse = (number: number, why: string): void => {
    bad += 1;
    if (bad <= mostNamed) complain(`line ${number} is not used: ${why}`);
  };
  let number = 0;
  for (const whole of text.replace(/^\ufeff/, '').split('\n')) {
    number += 1;
    if (whole.length > longestLine) {
      refuse(number, `it has more than ${longestLine} characters`);
      continue;
    }
    const [address, ...given] = (whole.split('#', 1)[0] ?? '').split(/\s+/).filter((word) => word !== '');
    if (address === undefined) continue;
    // What stands there instead is not told: the setting may name any file. A zone index (`fe80::1%lo0`) belongs to an interface, not to a host.
    if (isIP(address) === 0 || address.includes('%')) refuse(number, 'it does not begin with an IP address');
    else if (given.length === 0) refuse(number, 'there is no name behind the address');
    else for (const name of given) add(names, name, address, (why) => refuse(number, why));
  }
  if (bad > mostNamed) complain(`${bad - mostNamed} further lines or names are not used`);
  return names;
}

function add(names: Map<string, string[]>, given: string, address: string, refuse: (why: string) => void): void {
  const name = asciiName(given);
  const addresses = (name === undefined ? undefined : names.get(name)) ?? [];
  if (name === undefined) refuse(`${shown(given)} is not a host name`);
  else if (addresses.length >= mostAddresses) refuse(`${shown(given)} has more than ${mostAddresses} addresses`);
  else if (!addresses.includes(address)) names.set(name, [...addresses, address]);
}

function asciiName(given: string): string | undefined {
  const plain = given.replace(/\.$/, '');
  const ascii = /^[\u0000-\u007f]*$/.test(plain) ? plain.toLowerCase() : domainToASCII(plain.normalize('NFC'));
  const good = ascii.length <= 253 && ascii.split('.').every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label));
  return good ? ascii : undefined;
}

const shown = (text: string): string => JSON.stringify(text.slice(0, 80));
