/**
 * The thin layer over LevelDB: strings in, bytes out, one atomic write at a time.
 *
 * Promise: a `write` is all or nothing; with `sync` it and everything written before it are on disk when it resolves.
 * Errors come out as Faults that name no path. Grouping, ordering and visibility are level-key-value.ts's business.
 */

import { statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Level } from 'level';
import { Fault, makeFolders } from '../base/index.ts';
import { errorCode, realDisk } from './disk.ts';
import type { Key, KeyRange } from './port.ts';

/** What is to be stored under each key; null removes it. */
export type ChangeMap = ReadonlyMap<Key, Uint8Array | null>;

export interface PageOptions {
  readonly reverse?: boolean;
  readonly limit?: number;
  readonly keysOnly?: boolean;
}

export interface Engine {
  /** One record at once, from memory or disk. */
  getNow(key: Key): Uint8Array | undefined;
  get(key: Key): Promise<Uint8Array | undefined>;
  getMany(keys: readonly Key[]): Promise<(Uint8Array | undefined)[]>;
  /** The range as it is at the first page, in pages of at most `pageEntries` entries. */
  pages(range: KeyRange, options: PageOptions): AsyncGenerator<[Key, Uint8Array][]>;
  /** Reads as of now, until it is closed. */
  snapshot(): EngineSnapshot;
  write(changes: ChangeMap, sync: boolean): Promise<void>;
  /** Which log file is being written; a higher number than before means that the engine has moved on to a new file. */
  logNumber(): Promise<number>;
  /** The names of the files are on disk when it resolves. */
  syncNames(): Promise<void>;
  close(): Promise<void>;
}

export interface EngineSnapshot extends Pick<Engine, 'getNow' | 'pages' | 'close'> {}

export interface LevelOptions {
  /** Memory for recently read blocks, octets. */
  readonly cacheSize: number;
  /** Size of the write buffer and so of a log file, octets. */
  readonly writeBufferSize: number;
}

const pageEntries = 512;
const pageBytes = 256 * 1024;
const nothing = new Uint8Array(0);
/** Removed, never put: gives a write something to sync when there is nothing to say. */
const syncMarker = '\u0000';

/** The system's words at the end of a LevelDB message, without the path in front. */
export function engineReason(thrown: unknown): string {
  const inner = causeOf(thrown) ?? thrown;
  const text = typeof inner === 'object' && inner !== null && 'message' in inner ? String(inner.message) : String(inner);
  return text.slice(text.lastIndexOf(': ') + 1).trim();
}

/** LevelDB's own error inside the one its wrapper throws. */
export function causeOf(thrown: unknown): unknown {
  return typeof thrown === 'object' && thrown !== null && 'cause' in thrown ? thrown.cause : undefined;
}

function unavailable(thrown: unknown): Fault {
  return new Fault('unavailable', `the database does not answer: ${engineReason(thrown)}`, { cause: thrown });
}

type Database = Level<string, Uint8Array>;

type DatabaseSnapshot = ReturnType<Database['snapshot']>;

async function* pagesOf(
  db: Database,
  range: KeyRange,
  options: PageOptions,
  snapshot?: DatabaseSnapshot,
): AsyncGenerator<[Key, Uint8Array][]> {
  const iterator = db.iterator({
    gte: range.from,
    lt: range.to,
    reverse: options.reverse ?? false,
    limit: options.limit ?? -1,
    values: options.keysOnly !== true,
    highWaterMarkBytes: pageBytes,
    ...(snapshot ? { snapshot } : {}),
  });
  try {
    for (;;) {
      const page = await iterator.nextv(pageEntries);
      if (page.length === 0) return;
      yield page.map(([key, value]) => [key, value ?? nothing]);
    }
  } catch (thrown) {
    throw unavailable(thrown);
  } finally {
    await iterator.close();
  }
}

class LevelEngine implements Engine {
  readonly #db: Database;
  #writes = 0;
  /** The log file as it was after so many writes. */
  #log = { number: 0, size: 0, writes: 0 };

  constructor(db: Database) {
    this.#db = db;
  }

  getNow(key: Key): Uint8Array | undefined {
    try {
      return this.#db.getSync(key);
    } catch (thrown) {
      throw unavailable(thrown);
    }
  }

  async get(key: Key): Promise<Uint8Array | undefined> {
    try {
      return await this.#db.get(key);
    } catch (thrown) {
      throw unavailable(thrown);
    }
  }

  async getMany(keys: readonly Key[]): Promise<(Uint8Array | undefined)[]> {
    try {
      return await this.#db.getMany([...keys]);
    } catch (thrown) {
      throw unavailable(thrown);
    }
  }

  pages(range: KeyRange, options: PageOptions): AsyncGenerator<[Key, Uint8Array][]> {
    return pagesOf(this.#db, range, options);
  }

  snapshot(): EngineSnapshot {
    const snapshot = this.#db.snapshot();
    return {
      getNow: (key) => {
        try {
          return this.#db.getSync(key, { snapshot });
        } catch (thrown) {
          throw unavailable(thrown);
        }
      },
      pages: (range, options) => pagesOf(this.#db, range, options, snapshot),
      close: () => snapshot.close(),
    };
  }

  async write(changes: ChangeMap, sync: boolean): Promise<void> {
    const batch = this.#db.batch();
    changes.forEach((value, key) => {
      if (value === null) batch.del(key);
      else batch.put(key, value);
    });
    if (changes.size === 0) batch.del(syncMarker);
    this.#writes++;
    await batch.write({ sync });
  }

  async logNumber(): Promise<number> {
    // Asked for after every write near the end of a file: where that write made the file longer, it is still the one.
    const known = this.#log;
    const size = this.#logSize(known.number);
    let { number } = known;
    if (this.#writes !== known.writes + 1 || size <= known.size) {
      const names = await readdir(this.#db.location);
      number = Math.max(0, ...names.filter((name) => name.endsWith('.log')).map((name) => Number.parseInt(name, 10)));
    }
    this.#log = { number, size: number === known.number ? size : this.#logSize(number), writes: this.#writes };
    return number;
  }

  #logSize(number: number): number {
    const path = join(this.#db.location, `${String(number).padStart(6, '0')}.log`);
    return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  }

  syncNames(): Promise<void> {
    return realDisk.syncDirectory(this.#db.location);
  }

  async close(): Promise<void> {
    await this.#db.close();
  }
}

/** Faults: `busy` when another process has it open, `unavailable` when it cannot be opened. */
export async function openLevel(path: string, options: LevelOptions): Promise<Engine> {
  // Commands that ask a running server go without it.
  const { Level } = await import('level');
  const db: Database = new Level<string, Uint8Array>(path, { keyEncoding: 'utf8', valueEncoding: 'view', ...options });
  try {
    makeFolders(path);
    await db.open();
  } catch (thrown) {
    if (errorCode(causeOf(thrown)) === 'LEVEL_LOCKED')
      throw new Fault('busy', 'the database is in use by another process', { cause: thrown });
    throw new Fault('unavailable', `the database cannot be opened: ${engineReason(thrown)}`, { cause: thrown });
  }
  return new LevelEngine(db);
}
