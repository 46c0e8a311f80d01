/**
 * What the control socket does with the directory as a whole: import on a copy, export, check.
 *
 * Promise: an import is seen by nobody until it is complete, and then at once; a dry run never is. Export and check see one
 * moment, whatever is written meanwhile. One import at a time.
 */

import { asFault, Fault, type FaultKind } from '../base/index.ts';
import { checkDirectory, type DirectoryReport, exportEntries, type Schema } from '../directory/index.ts';
import { parseDn, parseFilter, readLdifTolerant } from '../ldap-wire/index.ts';
import type { Key } from '../storage/index.ts';
import { describeDone, exportedEntry, type ImportSummary, importRecords, LocalTarget } from '../transfer/index.ts';
import type { Config } from './config.ts';
import { type OpenedDirectory, onTrial, type Trial } from './open-directory.ts';

/** What an import as a whole has to tell, one by one; the summary is the last. */
export type WholeImport =
  /** What a record of a dry run would do. */
  | { readonly line: string }
  /** A record that a dry run found wrong. */
  | { readonly refused: string }
  /** Something of a record that is left out. */
  | { readonly note: string }
  /** So many so far. */
  | { readonly records: number }
  | {
      readonly summary: Pick<ImportSummary, 'counts' | 'refused'> & {
        readonly stopped: { readonly kind: FaultKind; readonly say: string } | undefined;
        readonly notTaken: readonly (readonly [string, number])[];
      };
    };

export interface WholeImportOptions {
  readonly file: string;
  readonly dry: boolean;
  readonly replace: boolean;
  readonly keepPasswords: boolean;
  readonly dropUnknown: boolean;
  readonly ldif: AsyncIterable<Uint8Array>;
}

export interface ExportWish {
  readonly base: string;
  readonly filter: string;
  readonly operational: boolean;
  readonly secrets: boolean;
}

/** Octets of LDIF, and of records changed by it, that a running server takes as a whole. */
export const wholeLimit = 32 * 1024 * 1024;
/** Entries at a time: others get their turn in between. */
const batch = 50;
const attempts = 3;

export class DirectoryJobs {
  readonly #config: Config;
  readonly #schema: Schema;
  readonly #opened: Pick<OpenedDirectory, 'directory' | 'keyValue'>;
  #importing = false;

  constructor(config: Config, schema: Schema, opened: Pick<OpenedDirectory, 'directory' | 'keyValue'>) {
    this.#config = config;
    this.#schema = schema;
    this.#opened = opened;
  }

  /** Faults of the whole are thrown; those of records stand in what is told. */
  async import(options: WholeImportOptions, telling: Telling<WholeImport>): Promise<void> {
    if (this.#importing) throw new Fault('busy', 'another import is under way');
    this.#importing = true;
    try {
      const { tell } = telling;
      const summary = options.dry ? await this.#dryRun(options, telling) : await this.#whole(options, tell);
      const { counts, refused, stopped, notTaken } = summary;
      tell({
        summary: { counts, refused, stopped: stopped && { kind: stopped.kind, say: stopped.say }, notTaken: [...notTaken] },
      });
    } finally {
      this.#importing = false;
    }
  }

  #dryRun(options: WholeImportOptions, { tell, ready }: Telling<WholeImport>): Promise<ImportSummary> {
    return this.#onTrial(({ directory }) =>
      importRecords(paced(readLdifTolerant(options.ldif, { file: options.file }), ready), {
        ...this.#common(options, tell),
        target: new LocalTarget(directory),
        goOn: true,
        onDone: (done) => {
          for (const line of describeDone(this.#schema, done)) tell({ line });
        },
        onRefused: (_, fault) => tell({ refused: fault.say }),
      }),
    );
  }

  async #whole(options: WholeImportOptions, tell: (what: WholeImport) => void): Promise<ImportSummary> {
    const ldif = await collected(options.ldif);
    for (let attempt = 0; attempt < attempts; attempt++) {
      const { summary, adopted } = await this.#onTrial(async (trial) => {
        const from = await trial.directory.position();
        const done = await importRecords(readLdifTolerant([ldif], { file: options.file }), {
          ...this.#common(options, tell),
          target: new LocalTarget(trial.directory, { each: true }),
        });
        return { summary: done, adopted: done.stopped !== undefined || (await this.#opened.directory.adopt(from, await changesOf(trial))) };
      });
      if (adopted) return summary;
    }
    throw new Fault('busy', 'others kept writing to the directory meanwhile; nothing was changed, try again');
  }

  #common(options: WholeImportOptions, tell: (what: WholeImport) => void) {
    return {
      schema: this.#schema,
      file: options.file,
      replace: options.replace,
      keepPasswords: options.keepPasswords,
      ...(options.dropUnknown ? { dropUnknown: (note: string) => tell({ note }) } : {}),
      batch,
      progress: (records: number) => tell({ records }),
    };
  }

  #onTrial<T>(work: (trial: Trial) => Promise<T>): Promise<T> {
    return onTrial(this.#config, this.#schema, this.#opened.keyValue, work);
  }

  /** LDIF of the whole or a part. */
  async *export(wish: ExportWish): AsyncGenerator<string> {
    const snapshot = this.#opened.keyValue.snapshot();
    try {
      const base = parseDn(wish.base);
      const filter = wish.filter === '' ? {} : { filter: { schema: this.#schema, filter: parseFilter(wish.filter) } };
      const format = { schema: this.#schema, operational: wish.operational, secrets: wish.secrets };
      let text = '';
      for await (const entry of exportEntries(snapshot, { base, ...filter })) {
        text += exportedEntry(entry, format);
        if (text.length < 65_536) continue;
        yield text;
        text = '';
      }
      yield text;
    } finally {
      await snapshot.close();
    }
  }

  async check(): Promise<DirectoryReport> {
    return checkDirectory(this.#opened.keyValue, this.#schema);
  }
}

/** One by one, each when there is room for what will be said of it. */
async function* paced<T>(items: AsyncIterable<T>, ready: () => Promise<void>): AsyncGenerator<T> {
  for await (const item of items) {
    await ready();
    yield item;
  }
}

async function collected(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    all.push(Uint8Array.from(chunk));
    size += chunk.length;
    if (size > wholeLimit) throw tooLarge();
  }
  return Buffer.concat(all);
}

async function changesOf(trial: Trial): Promise<(readonly [Key, Uint8Array | undefined])[]> {
  const all: (readonly [Key, Uint8Array | undefined])[] = [];
  let size = 0;
  for await (const change of trial.changes()) {
    all.push(change);
    size += change[0].length + (change[1]?.length ?? 0);
    if (size > wholeLimit * 2) throw tooLarge();
  }
  return all;
}

const tooLarge = (): Fault =>
  new Fault('too-large', `a running server takes ${wholeLimit / 1_048_576} MB of LDIF as a whole at most; stop it for larger imports`);

/** Lines that wait for whoever reads: behind a pager that may be for hours. */
const mostLines = 1_000;

/** Where a job says what it does. */
export interface Telling<T> {
  /** Throws `unavailable` where nobody listens any more. */
  tell(what: T): void;
  /** Resolves when there is room for more. */
  ready(): Promise<void>;
}

/** One JSON value a line as a response body. What goes wrong on the way is its last line, as `{"error":…}`. */
export function jsonLines<T>(work: (telling: Telling<T>) => Promise<void>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let gone = false;
  let wake = (): void => {};
  const run = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    const tell = (what: unknown): void => {
      if (gone) throw new Fault('unavailable', 'whoever asked has gone');
      controller.enqueue(encoder.encode(`${JSON.stringify(what)}\n`));
    };
    const full = (): boolean => !gone && (controller.desiredSize ?? 0) < -mostLines;
    const ready = async (): Promise<void> => {
      while (full())
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    };
    try {
      await work({ tell, ready });
    } catch (thrown) {
      const { kind, say } = asFault(thrown);
      if (!gone) tell({ error: say, kind });
    }
    if (!gone) controller.close();
  };
  return new ReadableStream({
    // Not waited for: the stream asks for more (`pull`) only when its start is over.
    start: (controller) => void run(controller),
    pull: () => wake(),
    cancel() {
      gone = true;
      wake();
    },
  });
}

/** Text as a response body, made as it is taken. */
export function textStream(pieces: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await pieces.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel() {
      await pieces.return(undefined);
    },
  });
}
