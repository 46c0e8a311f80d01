/**
 * The directory of a data directory while no server runs, and changes to it on trial.
 *
 * Promise: schema, rules and indexes are the server's, so what is written here is checked like any write. A command never writes beside a
 * running server: the lock of the data directory keeps one out of the other's way.
 */

import { existsSync, statSync } from 'node:fs';
import { Fault, LiveValue, silentLog, systemClock } from '../base/index.ts';
import { type BundledDirectory, directorySettings, type Schema, system } from '../directory/index.ts';
import { parseDn } from '../ldap-wire/index.ts';
import { defaultsOf, readSettings } from '../settings/index.ts';
import {
  copyForReplacement,
  dropReplacement,
  type Key,
  type KeyValue,
  openDataDirectory,
  openKeyValue,
  prepareReplacement,
  replaceDatabase,
  ScratchKeyValue,
} from '../storage/index.ts';
import type { Config } from './config.ts';
import { bundledOnly } from './config-directory.ts';
import { directoryOn, directoryPath, type StoredDirectory, schemaOf } from './directory.ts';

export interface OpenedDirectory {
  readonly directory: BundledDirectory;
  readonly keyValue: KeyValue;
  close(): Promise<void>;
}

/** A database in the making. Nothing of it counts before `adopt`. */
export interface Replacement extends OpenedDirectory {
  /** Closes it and puts it in the place of the old database. Returns where the old one is kept, if it is. */
  adopt(how: { readonly keep: boolean }): Promise<string | undefined>;
  /** Closes it and throws it away. */
  drop(): Promise<void>;
}

/** The data directory while no server runs. */
export interface Offline {
  readonly schema: Schema;
  /** What an earlier run left and was put right; for whoever looks. */
  readonly notes: readonly string[];
  /** Where the database stands. */
  readonly path: string;
  /** Opens the directory at `path` (default: its place), with the settings that stand in it. */
  open(path?: string): Promise<OpenedDirectory>;
  /** The database alone, for checks of what may be damaged. */
  openDatabase(): Promise<KeyValue>;
  /** Works on a copy of the database, which takes its place when the work is done. Returns what the work does, and where the old one is kept. */
  rebuild<T>(work: (keyValue: KeyValue) => Promise<T>): Promise<{ readonly result: T; readonly kept: string | undefined }>;
  /** Changes on trial beside an opened directory. */
  trial<T>(opened: OpenedDirectory, work: (trial: Trial) => Promise<T>): Promise<T>;
  /** An empty database, or (`copy`) one with all that is there, that may take the place of the one there is. */
  prepare(how: { readonly copy: boolean }): Promise<Replacement>;
  close(): Promise<void>;
}

/**
 * Takes the data directory. Faults: `busy` while a server runs, `not-found` where there is none (and `create` does not say otherwise),
 * `not-permitted` for another user than the one it belongs to.
 */
export async function openOffline(config: Config, how: { readonly create?: boolean } = {}): Promise<Offline> {
  bundledOnly(config);
  // Everything below the data directory is the server's own: mail, passwords, keys.
  process.umask(0o077);
  if (!existsSync(config.data)) {
    if (!how.create) throw new Fault('not-found', `there is no data directory at ${config.data}`);
  } else checkOwner(config.data);
  const data = await openDataDirectory(config.data);
  try {
    const schema = await schemaOf(config);
    const path = directoryPath(config);
    return {
      schema,
      notes: data.recovered,
      path,
      open: (at = path) => openAlone(config, schema, at),
      openDatabase: () => openKeyValue({ path, clock: systemClock }),
      rebuild: async (work) => {
        const keyValue = await openKeyValue({ path: await copyForReplacement(path), clock: systemClock });
        let result: Awaited<ReturnType<typeof work>>;
        try {
          result = await work(keyValue);
          await keyValue.flush();
        } catch (thrown) {
          await keyValue.close();
          await dropReplacement(path);
          throw thrown;
        }
        await keyValue.close();
        return { result, kept: await replaceDatabase(path) };
      },
      trial: (opened, work) => onTrial(config, schema, opened.keyValue, work),
      prepare: async ({ copy }) => {
        const opened = await openAlone(config, schema, copy ? await copyForReplacement(path) : await prepareReplacement(path));
        return {
          ...opened,
          adopt: async (how) => {
            await opened.directory.settle();
            await opened.keyValue.flush();
            await opened.close();
            return replaceDatabase(path, how);
          },
          drop: async () => {
            await opened.close();
            await dropReplacement(path);
          },
        };
      },
      close: () => data.close(),
    };
  } catch (thrown) {
    await data.close();
    throw thrown;
  }
}

/** Works on the directory while no server runs. Fault `busy` where one does, `not-found` where there is no directory yet. */
export async function withStoredDirectory<T>(config: Config, work: (stored: StoredDirectory) => Promise<T>): Promise<T> {
  bundledOnly(config);
  if (!existsSync(directoryPath(config))) throw new Fault('not-found', `there is no directory in ${config.data}`);
  const offline = await openOffline(config);
  try {
    const opened = await offline.open();
    try {
      return await work({ ...opened, schema: offline.schema });
    } finally {
      await opened.close();
    }
  } finally {
    await offline.close();
  }
}

/** Files made by another user (root, say) would be closed to the server. */
function checkOwner(path: string): void {
  const owner = statSync(path).uid;
  const user = process.getuid?.() ?? owner;
  if (user !== owner) throw new Fault('not-permitted', `${path} belongs to user ${owner}: run this as that user, not as user ${user}`);
}

async function openAlone(config: Config, schema: Schema, path: string): Promise<OpenedDirectory> {
  const keyValue = await openKeyValue({ path, clock: systemClock });
  return openOn(config, schema, keyValue);
}

/** The directory on this database, which is closed with it, with the settings that stand in it. */
async function openOn(config: Config, schema: Schema, keyValue: KeyValue): Promise<OpenedDirectory> {
  try {
    const settings = new LiveValue(defaultsOf(directorySettings));
    const directory = await directoryOn(config, { keyValue, schema, settings, clock: systemClock, log: silentLog });
    const entry = await directory.read(system('offline'), parseDn(`${directorySettings.entry},${config.systemBase}`));
    if (entry) settings.set(readSettings(directorySettings, (attribute) => entry.texts(attribute)).value);
    return {
      directory,
      keyValue,
      close: async () => {
        await directory.close();
        await keyValue.close();
      },
    };
  } catch (thrown) {
    await keyValue.close();
    throw thrown;
  }
}

/** Changes on trial: the directory as it would become. */
export interface Trial {
  readonly directory: BundledDirectory;
  /** What was changed since the trial began, in key order; undefined is a removal. */
  changes(): AsyncGenerator<readonly [Key, Uint8Array | undefined]>;
}

/**
 * Runs `work` on the directory as it is now; nothing of it reaches the database. One at a time.
 */
export async function onTrial<T>(config: Config, schema: Schema, keyValue: KeyValue, work: (trial: Trial) => Promise<T>): Promise<T> {
  const path = directoryPath(config);
  const top = await openKeyValue({ path: await prepareReplacement(path), clock: systemClock });
  const scratch = new ScratchKeyValue(keyValue.snapshot(), top);
  const opened = await openOn(config, schema, scratch);
  try {
    // Opening may write (which indexes there are, a new chapter): that is not part of the work.
    const before = new Map<Key, Uint8Array | undefined>();
    for await (const [key, value] of scratch.changes()) before.set(key, value);
    const own = (key: Key, value: Uint8Array | undefined): boolean =>
      before.has(key) && Buffer.compare(before.get(key) ?? Buffer.of(), value ?? Buffer.of()) === 0;
    return await work({
      directory: opened.directory,
      async *changes() {
        for await (const [key, value] of scratch.changes()) if (!own(key, value)) yield [key, value];
      },
    });
  } finally {
    await opened.close();
    await dropReplacement(path);
  }
}
