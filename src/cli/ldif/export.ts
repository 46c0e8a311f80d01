/**
 * `mailtree directory export`: the directory as LDIF, from the database while no server runs, else from the server.
 *
 * Promise: one moment is shown, whatever is written meanwhile (over LDAP the server says what it shows); passwords leave the
 * database or the control socket alone, never an LDAP connection; a file is complete or, with another exit code, told to be not.
 */

import { constants, fstatSync, writeSync } from 'node:fs';
import { Fault } from '../../base/index.ts';
import { type Entry, exportEntries } from '../../directory/index.ts';
import { parseDn, parseFilter } from '../../ldap-wire/index.ts';
import { type Config, loadSchemaOf, type Offline } from '../../main/index.ts';
import { exportedEntry } from '../../transfer/index.ts';
import { asAdministrator } from '../administrator.ts';
import { textFromControl } from '../control-client.ts';
import { reasonOf } from './source.ts';

export interface ExportWish {
  /** This entry and what is below it; empty is everything. */
  readonly base: string;
  /** Only what matches; empty is everything. */
  readonly filter: string;
  readonly operational: boolean;
  readonly secrets: boolean;
}

/** From the database. */
export async function* exportOffline(offline: Offline, wish: ExportWish): AsyncGenerator<string> {
  const { schema } = offline;
  const keyValue = await offline.openDatabase();
  try {
    const filter = wish.filter === '' ? {} : { filter: { schema, filter: parseFilter(wish.filter) } };
    for await (const entry of exportEntries(keyValue, { base: parseDn(wish.base), ...filter }))
      yield exportedEntry(entry, { schema, ...wish });
  } finally {
    await keyValue.close();
  }
}

/** From the running server: over the control socket, which only its own user may open. */
export function exportByControl(config: Config, wish: ExportWish): AsyncGenerator<string> {
  const { base, filter, operational, secrets } = wish;
  const query = { base, filter, ...(operational ? { operational: '1' } : {}), ...(secrets ? { secrets: '1' } : {}) };
  return textFromControl(config, { path: '/directory/export', query });
}

/** From the running server over LDAP, with the rights of whoever asks. Parents come before children. */
export async function* exportOverLdap(config: Config, wish: ExportWish): AsyncGenerator<string> {
  const schema = await loadSchemaOf(config);
  const format = { schema, operational: wish.operational, secrets: false };
  const found: { readonly order: string; readonly text: string }[] = [];
  const take = (entry: Entry): void => {
    // Levels from the top: whatever stands below an entry sorts behind it.
    const order = entry.dn.key.split(',').reverse().join('\u0000');
    found.push({ order, text: exportedEntry(entry, format) });
  };
  const attributes = wish.operational ? ['*', '+'] : ['*'];
  const filter = parseFilter(wish.filter === '' ? '(objectClass=*)' : wish.filter);
  await asAdministrator(config, async (client) => {
    for (const base of wish.base === '' ? await contexts(client) : [wish.base])
      await client.searchEach({ base: parseDn(base), scope: 'sub', filter, attributes }, take);
  });
  for (const { text } of found.sort((a, b) => (a.order < b.order ? -1 : 1))) yield text;
}

async function contexts(client: Parameters<Parameters<typeof asAdministrator>[1]>[0]): Promise<string[]> {
  const [root] = await client.search({
    base: parseDn(''),
    scope: 'base',
    filter: parseFilter('(objectClass=*)'),
    attributes: ['namingContexts', 'monitorContext'],
  });
  const computed = root?.texts('monitorContext') ?? [];
  return (root?.texts('namingContexts') ?? []).filter((name) => !computed.includes(name) && !/^cn=monitor$/i.test(name));
}

/** Takes octets in order. */
export type Sink = (octets: Buffer) => Promise<void> | void;

export const toFile =
  (fd: number): Sink =>
  (octets) => {
    for (let at = 0; at < octets.length; ) at += writeSync(fd, octets, at);
  };

export const toStdout: Sink = (octets) => {
  // Whoever reads may go away: that is told by the write, and by an event that would end the process.
  if (process.stdout.listenerCount('error') === 0) process.stdout.on('error', () => {});
  return new Promise((resolve, reject) => process.stdout.write(octets, (thrown) => (thrown ? reject(thrown) : resolve())));
};

/** What is redirected by the shell has the mode the shell gave it, whatever this process's own umask is. */
export function warnOfReaders(): void {
  const { mode } = fstatSync(1);
  if ((mode & constants.S_IFMT) === constants.S_IFREG && (mode & 0o077) !== 0)
    console.error(
      `warning: standard output is a file of mode ${(mode & 0o777).toString(8)} that others may read, and passwords are in it: chmod 600 it, and say "umask 077" first or let a file be made without redirection`,
    );
}

/** Writes the pieces; Fault `unavailable` (disk full …) names where. Returns the number of entries. */
export async function writeExport(pieces: AsyncIterable<string>, sink: Sink, name: string): Promise<number> {
  let blanks = 0;
  let last = '';
  let text = '';
  const write = async (): Promise<void> => {
    const octets = Buffer.from(text, 'utf8');
    text = '';
    try {
      await sink(octets);
    } catch (thrown) {
      throw new Fault('unavailable', `${name} cannot be written: ${reasonOf(thrown)}`, { cause: thrown });
    }
  };
  for await (const piece of pieces) {
    const seen = last + piece;
    for (let at = seen.indexOf('\n\n'); at >= 0; at = seen.indexOf('\n\n', at + 2)) blanks += 1;
    last = piece.slice(-1);
    text += piece;
    if (text.length >= 262_144) await write();
  }
  await write();
  return blanks;
}
