/**
 * The thin layer over LevelDB: strings in, bytes out, one atomic write at a time.
 *
 * Promise: a `write` is all or nothing; with `sync` it and everything written before it are on disk when it resolves. After a
 * `write` that failed only `reopen` can make it write again. Errors come out as Faults that name no path.
 * Grouping, ordering and visibility are level-key-value.ts's business.
 */

import { statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Level } from 'level';
import { errorCode, Fault, makeFolders } from '../base/index.ts';
import { realDisk } from './disk.ts';
import { assertRoom, refuseHeadless } from './level-files.ts';
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
  /**
   * After a failed write: opens the database anew, and writes `owed` before anybody reads from it. Begins nothing while it looks as if that
   * could not be done (no room, no descriptors): reading goes on then. Whoever reads while it happens waits; iterators and snapshots end.
   */
  reopen(owed: ChangeMap): Promise<void>;
  /** False while a reopening has closed it and could not open it again. */
  readonly readable: boolean;
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

/** Why LevelDB does not open it: which file, without the way to it, and what the system or LevelDB says of it. */
function openReason(thrown: unknown): string {
  const inner = causeOf(thrown) ?? thrown;
  const text = inner instanceof Error ? inner.message : String(inner);
  return text.replace(/^(?:IO error|Corruption): /, '').replace(/\/(?:[^\s:/]*\/)*([^\s:/]+)/g, '$1');
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
  readonly #location: string;
  readonly #openDatabase: () => Promise<Database>;
  /** Undefined while it cannot be opened again. */
  #open: Database | undefined;
  /** Resolves when a reopening is over, however it ends. */
  #reopening: Promise<void> | undefined;
  #writes = 0;
  /** The log file as it was after so many writes. */
  #log = { number: 0, size: 0, writes: 0 };

  constructor(db: Database, openDatabase: () => Promise<Database>) {
    this.#open = db;
    this.#location = db.location;
    this.#openDatabase = openDatabase;
  }

  get #db(): Database {
    if (this.#open && !this.#reopening) return this.#open;
    throw new Fault('unavailable', 'the database is being opened again', { told: true });
  }

  get readable(): boolean {
    return this.#open !== undefined;
  }

  getNow(key: Key): Uint8Array | undefined {
    const db = this.#db;
    try {
      return db.getSync(key);
    } catch (thrown) {
      throw unavailable(thrown);
    }
  }

  async get(key: Key): Promise<Uint8Array | undefined> {
    await this.#reopening;
    const db = this.#db;
    try {
      return await db.get(key);
    } catch (thrown) {
      throw unavailable(thrown);
    }
  }

  async getMany(keys: readonly Key[]): Promise<(Uint8Array | undefined)[]> {
    await this.#reopening;
    const db = this.#db;
    try {
      return await db.getMany([...keys]);
    } catch (thrown) {
      throw unavailable(thrown);
    }
  }

  async *pages(range: KeyRange, options: PageOptions): AsyncGenerator<[Key, Uint8Array][]> {
    if (this.#reopening) await this.#reopening;
    yield* pagesOf(this.#db, range, options);
  }

  snapshot(): EngineSnapshot {
    const db = this.#db;
    const snapshot = db.snapshot();
    return {
      getNow: (key) => {
        try {
          return db.getSync(key, { snapshot });
        } catch (thrown) {
          throw unavailable(thrown);
        }
      },
      pages: (range, options) => pagesOf(db, range, options, snapshot),
      close: () => snapshot.close(),
    };
  }

  async write(changes: ChangeMap, sync: boolean): Promise<void> {
    this.#writes++;
    await writeTo(this.#db, changes, sync);
  }

  async reopen(owed: ChangeMap): Promise<void> {
    await assertRoom(this.#location);
    let over = (): void => {};
    this.#reopening = new Promise((resolve) => {
      over = resolve;
    });
    try {
      await this.#open?.close();
      this.#open = undefined;
      const fresh = await this.#openDatabase();
      try {
        await writeTo(fresh, owed, true);
      } catch (thrown) {
        await fresh.close();
        throw thrown;
      }
      this.#open = fresh;
      this.#log = { number: 0, size: 0, writes: 0 };
    } finally {
      this.#reopening = undefined;
      over();
    }
  }

  async logNumber(): Promise<number> {
    // Asked for after every write near the end of a file: where that write made the file longer, it is still the one.
    const known = this.#log;
    const size = this.#logSize(known.number);
    let { number } = known;
    if (this.#writes !== known.writes + 1 || size <= known.size) {
      const names = await readdir(this.#location);
      number = Math.max(0, ...names.filter((name) => name.endsWith('.log')).map((name) => Number.parseInt(name, 10)));
    }
    this.#log = { number, size: number === known.number ? size : this.#logSize(number), writes: this.#writes };
    return number;
  }

  #logSize(number: number): number {
    const path = join(this.#location, `${String(number).padStart(6, '0')}.log`);
    return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  }

  syncNames(): Promise<void> {
    return realDisk.syncDirectory(this.#location);
  }

  async close(): Promise<void> {
    await this.#reopening;
    await this.#open?.close();
    this.#open = undefined;
  }
}

async function writeTo(db: Database, changes: ChangeMap, sync: boolean): Promise<void> {
  const batch = db.batch();
  changes.forEach((value, key) => {
    if (value === null) batch.del(key);
    else batch.put(key, value);
  });
  if (changes.size === 0) batch.del(syncMarker);
  await batch.write({ sync });
}

/** Faults: `busy` when another process has it open, `unavailable` when it cannot be opened. */
export async function openLevel(path: string, options: LevelOptions): Promise<Engine> {
  // Commands that ask a running server go without it.
  const { Level } = await import('level');
  const open = async (): Promise<Database> => {
    try {
      makeFolders(path);
      await refuseHeadless(path);
      const db: Database = new Level<string, Uint8Array>(path, { keyEncoding: 'utf8', valueEncoding: 'view', ...options });
      await db.open();
      return db;
    } catch (thrown) {
      if (thrown instanceof Fault) throw thrown;
      if (errorCode(causeOf(thrown)) === 'LEVEL_LOCKED')
        throw new Fault('busy', 'the database is in use by another process', { cause: thrown });
      throw new Fault('unavailable', openReason(thrown), { cause: thrown });
    }
  };
  return new LevelEngine(await open(), open);
}
