/**
 * The key-value engine in this process: one writer over LevelDB.
 *
 * Promise: parts run one after the other in order of arrival, each on top of all before it; what they change is written in
 * groups, one atomic batch each, and while one batch is flushed everybody else joins the next. Callers, readers and wake-ups
 * see nothing that could still be lost by their durability's rule. After a failed write nothing is written until the database could be
 * opened anew (outage.ts); then it has what was answered for and nothing of what was refused.
 * Locking the data directory is data-directory.ts's business.
 */

import { basename } from 'node:path';
import { type Cancel, type Clock, Fault, type Log, silentLog } from '../base/index.ts';
import { CommitGroup, type Member } from './commit-group.ts';
import { type ChangeMap, type Engine, openLevel } from './engine.ts';
import { isWellFormed } from './keys.ts';
import { footprint, LogSpan } from './log-span.ts';
import { Outage } from './outage.ts';
import { scanThrough } from './overlay.ts';
import {
  type Changes,
  CheckFailed,
  type Durability,
  type Key,
  type KeyRange,
  type KeyValue,
  type Part,
  type PartReader,
  type Snapshot,
} from './port.ts';
import { SettledValues } from './settled-values.ts';
import { Wakes } from './wakes.ts';

export interface KeyValueOptions {
  /** Directory of the database; made when missing. */
  readonly path: string;
  readonly clock: Clock;
  readonly log?: Log;
  /** Memory for blocks read, octets. Default 32 MiB. */
  readonly cacheSize?: number;
  /** Size of a log file, octets. Default 16 MiB. */
  readonly writeBufferSize?: number;
  /** Wraps the engine, for tests of its failures. */
  readonly wrap?: (engine: Engine) => Engine;
}

/** Milliseconds until written but unflushed changes are flushed; the port promises a second. */
const flushWithin = 500;
/** Milliseconds of parts before other events get their turn. */
const slice = 2;
/** A part that is not done after this many milliseconds never will be: it waits for something it must not wait for. */
const partLimit = 30_000;
/** The same while closing. */
const partLimitClosing = 2000;

const nothingToDo: Part<void> = async () => ({ result: undefined });

export class LevelKeyValue implements KeyValue {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #name: string;
  readonly #span: LogSpan;
  readonly #wakes: Wakes;
  readonly #settled = new SettledValues();
  readonly #reader: PartReader;
  #waiting: Member[] = [];
  #open = new CommitGroup();
  #flight: CommitGroup | undefined;
  /** Resolves when the flight is over; only made when somebody waits for it. */
  #landed: (() => void) | undefined;
  #running = false;
  #runs = 0;
  #abandon: ((thrown: unknown) => void) | undefined;
  #watch: Cancel | undefined;
  /** Written, not flushed. */
  #unflushed: ChangeMap[] = [];
  #flushTimer: Cancel | undefined;
  #closed: Fault | undefined;
  #outage: Outage | undefined;
  #closing: Promise<void> | undefined;

  constructor(engine: Engine, options: Pick<KeyValueOptions, 'clock' | 'log' | 'path'> & { span: LogSpan }) {
    this.#engine = engine;
    this.#clock = options.clock;
    this.#log = options.log ?? silentLog;
    this.#name = basename(options.path);
    this.#span = options.span;
    this.#wakes = new Wakes(this.#log);
    this.#reader = {
      get: async (key) => this.#see(key),
      getNow: (key) => this.#see(key),
      scan: (range, limit = Number.POSITIVE_INFINITY) => this.#scanPart(range, limit),
    };
  }

  get healthy(): boolean {
    return !this.#outage;
  }

  get problem(): string | undefined {
    return this.#outage?.problem;
  }

  /** Why nothing is taken now. */
  get #ended(): Fault | undefined {
    return this.#closed ?? this.#outage?.fault;
  }

  transact<T>(part: Part<T>, durability: Durability): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const ended = this.#ended;
      if (ended) return reject(ended);
      const member = { part, durability, resolve, reject, result: undefined, refusal: undefined };
      this.#waiting.push(member as Member);
      if (this.#running) return;
      this.#running = true;
      queueMicrotask(() => void this.#run());
    });
  }

  get(key: Key): Promise<Uint8Array | undefined> {
    return this.#engine.get(key);
  }

  getNow(key: Key): Uint8Array | undefined {
    return this.#settled.get(key) ?? this.#engine.getNow(key);
  }

  getMany(keys: readonly Key[]): Promise<(Uint8Array | undefined)[]> {
    return this.#engine.getMany(keys);
  }

  async *scan(range: KeyRange, options: { reverse?: boolean; limit?: number; keysOnly?: boolean } = {}): AsyncGenerator<[Key, Uint8Array]> {
    if (options.limit !== undefined && options.limit <= 0) return;
    for await (const page of this.#engine.pages(range, options)) yield* page;
  }

  snapshot(): Snapshot {
    const snapshot = this.#engine.snapshot();
    return {
      getNow: (key) => snapshot.getNow(key),
      async *scan(range, options = {}) {
        if (options.limit !== undefined && options.limit <= 0) return;
        for await (const page of snapshot.pages(range, options)) yield* page;
      },
      close: () => snapshot.close(),
    };
  }

  subscribe(topic: string, listener: () => void): () => void {
    return this.#wakes.subscribe(topic, listener);
  }

  flush(): Promise<void> {
    return this.transact(nothingToDo, 'durable');
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const last = this.flush();
    this.#closed = new Fault('unavailable', 'the database is closed');
    this.#unwatch();
    this.#watchParts();
    await last.catch(() => undefined);
    await this.#outage?.end(this.#closed);
    this.#flushTimer?.();
    this.#unwatch();
    await this.#engine.close();
  }

  /** Runs what waits, part by part, until nothing does. */
  async #run(): Promise<void> {
    let until = performance.now() + slice;
    this.#watchParts();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      for (const [index, member] of batch.entries()) {
        if (this.#outage) {
          for (const late of batch.slice(index)) late.reject(this.#ended);
          break;
        }
        await this.#runPart(member);
        if (this.#open.full || performance.now() >= until) {
          await this.#pause();
          until = performance.now() + slice;
        }
      }
    }
    this.#running = false;
    this.#startFlush();
  }

  /** Lets the flush begin and other events happen; while the group is full, waits for the flush ahead of it. */
  async #pause(): Promise<void> {
    this.#startFlush();
    while (this.#open.full && this.#flight) {
      await new Promise<void>((resolve) => {
        this.#landed = resolve;
      });
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  async #runPart(member: Member): Promise<void> {
    this.#runs++;
    try {
      const changes = await new Promise<Changes<unknown>>((resolve, reject) => {
        this.#abandon = reject;
        member.part(this.#reader).then(resolve, reject);
      });
      if (this.#outage) return member.reject(this.#ended);
      this.#take(changes);
      member.result = changes.result;
    } catch (thrown) {
      if (this.#outage) return member.reject(this.#ended);
      member.refusal = thrown ?? new Error('a part threw nothing');
    }
    this.#open.join(member);
  }

  /** Checks and notes the changes of one part: all of them or, throwing, none. */
  #take(changes: Changes<unknown>): void {
    for (const check of changes.checks ?? []) {
      const absent = 'absent' in check;
      const key = absent ? check.absent : check.present;
      if ((this.#see(key) === undefined) !== absent) throw new CheckFailed(key);
    }
    for (const [key, value] of changes.puts ?? []) {
      if (!(value instanceof Uint8Array)) throw new TypeError(`not octets: the value of ${key}`);
      if (!isWellFormed(key)) throw new TypeError('a key is not well-formed text');
    }
    for (const key of changes.deletes ?? []) if (!isWellFormed(key)) throw new TypeError('a key is not well-formed text');
    for (const key of changes.deletes ?? []) this.#open.delete(key);
    for (const [key, value] of changes.puts ?? []) this.#open.put(key, value);
    for (const topic of changes.wake ?? []) this.#open.topics.add(topic);
  }

  #see(key: Key): Uint8Array | undefined {
    let value = this.#open.changes.get(key);
    if (value === undefined) value = this.#flight?.changes.get(key);
    if (value === undefined) return this.getNow(key);
    return value ?? undefined;
  }

  #scanPart(range: KeyRange, limit: number): Promise<[Key, Uint8Array][]> {
    if (limit <= 0) return Promise.resolve([]);
    const layers = this.#flight ? [this.#open.changes, this.#flight.changes] : [this.#open.changes];
    return scanThrough(layers, range, limit, async (within, most) => {
      const found: [Key, Uint8Array][] = [];
      const options = Number.isFinite(most) ? { limit: most } : {};
      for await (const page of this.#engine.pages(within, options)) found.push(...page);
      return found;
    });
  }

  #startFlush(): void {
    if (this.#flight || this.#open.empty) return;
    this.#flight = this.#open;
    this.#open = new CommitGroup();
    void this.#flushGroup(this.#flight);
  }

  async #flushGroup(group: CommitGroup): Promise<void> {
    const done = { written: false };
    try {
      await this.#write(group, done);
    } catch (thrown) {
      this.#fail(thrown, group, done.written);
      return;
    }
    this.#flight = undefined;
    this.#answer(group);
    this.#startFlush();
    this.#land();
  }

  #answer(group: CommitGroup): void {
    this.#settled.settle(group.changes);
    group.answer();
    this.#wakes.wake(group.topics);
  }

  async #write(group: CommitGroup, done: { written: boolean }): Promise<void> {
    if (group.changes.size === 0 && !(group.durable && this.#unflushed.length > 0)) return;
    const nearEnd = this.#span.add(footprint(group.changes));
    const sync = group.durable || nearEnd;
    await this.#engine.write(group.changes, sync);
    done.written = true;
    if (sync) this.#unflushed = [];
    else this.#unflushed.push(group.changes);
    if (!sync) this.#flushSoon();
    // LevelDB flushes a new log file, but not the directory in which its name stands.
    if (nearEnd && (await this.#span.look())) await this.#engine.syncNames();
  }

  #flushSoon(): void {
    this.#flushTimer ??= this.#clock.after(flushWithin, () => {
      this.#flushTimer = undefined;
      if (this.#unflushed.length > 0 && !this.#ended) this.flush().catch(() => undefined);
    });
  }

  /** `written`: it is in the database, but whether it would outlive a loss of power is not known; who waits for it waits on. */
  #fail(thrown: unknown, group: CommitGroup, written: boolean): void {
    const behind = this.#open;
    const waiting = this.#waiting;
    this.#open = new CommitGroup();
    this.#waiting = [];
    this.#flight = undefined;
    const kept = [...this.#unflushed, ...(written ? [group.changes] : [])];
    const outage = new Outage(thrown, {
      engine: this.#engine,
      clock: this.#clock,
      log: this.#log,
      name: this.#name,
      kept,
      refused: written ? [] : [...group.changes.keys()],
      over: (owed, logNumber) => {
        this.#span.restart(logNumber, footprint(owed));
        this.#unflushed = [];
        this.#outage = undefined;
        if (written) this.#answer(group);
      },
      given: (fault) => {
        if (written) group.fail(fault);
      },
    });
    this.#outage = outage;
    if (!written) group.fail(outage.fault);
    behind.fail(outage.fault);
    for (const member of waiting) member.reject(outage.fault);
    // The part under way saw what is void now; it need not be waited for.
    this.#abandon?.(outage.fault);
    this.#land();
  }

  #land(): void {
    const landed = this.#landed;
    this.#landed = undefined;
    landed?.();
  }

  #unwatch(): void {
    this.#watch?.();
    this.#watch = undefined;
  }

  /** Keeps one stuck part from stopping all writing: one that runs at two looks in a row is given up. */
  #watchParts(runAtLastLook = -1): void {
    this.#watch ??= this.#clock.after(this.#closed ? partLimitClosing : partLimit, () => {
      this.#watch = undefined;
      if (!this.#running) return;
      if (this.#runs === runAtLastLook) {
        this.#log.error('a part of a transaction did not end and was given up');
        this.#abandon?.(new Fault('bug', 'internal error, please try again later', { cause: new Error('a part did not end') }));
      }
      this.#watchParts(this.#runs);
    });
  }
}

/** Which database it is, and where to read what can be done. */
function notOpened(path: string, thrown: unknown): unknown {
  if (!(thrown instanceof Fault) || thrown.kind !== 'unavailable') return thrown;
  const advice = 'see docs/storage.md, "A database that does not open"';
  return new Fault('unavailable', `the database ${path} cannot be opened: ${thrown.say}; ${advice}`, { cause: thrown.cause });
}

/** Opens or makes the database. Faults: `busy` (another process has it), `unavailable`. */
export async function openKeyValue(options: KeyValueOptions): Promise<LevelKeyValue> {
  const writeBufferSize = options.writeBufferSize ?? 16 * 1024 * 1024;
  const level = await openLevel(options.path, { cacheSize: options.cacheSize ?? 32 * 1024 * 1024, writeBufferSize }).catch(
    (thrown: unknown) => {
      throw notOpened(options.path, thrown);
    },
  );
  const engine = options.wrap?.(level) ?? level;
  const span = new LogSpan(writeBufferSize, await engine.logNumber(), () => engine.logNumber());
  return new LevelKeyValue(engine, { ...options, span });
}
