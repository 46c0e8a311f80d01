/**
 * `mailtree directory import`: LDIF into the directory, while no server runs or by way of the one that does.
 *
 * Promise: without a server the data directory is taken for the time; with one every record is an ordinary LDAP write. A dry run
 * and an import as a whole are done on a copy that nobody else sees.
 */

import { Fault } from '../../base/index.ts';
import { readLdifTolerant } from '../../ldap-wire/index.ts';
import { type Config, type Offline, openOffline } from '../../main/index.ts';
import { describeDone, type ImportOptions, type ImportSummary, importRecords, LocalTarget } from '../../transfer/index.ts';
import { importOnline } from './import-online.ts';
import { count, Progress } from './progress.ts';
import { Rejects } from './rejects.ts';
import { fileUrls, type LdifSource, openSource } from './source.ts';

export interface ImportFlags {
  readonly dryRun?: boolean;
  readonly allOrNothing?: boolean;
  readonly continue?: boolean;
  readonly replace?: boolean;
  readonly keepPasswords?: boolean;
  readonly dropUnknown?: boolean;
  /** Directory of files that `attr:< file:///…` may name. */
  readonly fileUrls?: string;
  /** File for what is refused. */
  readonly rejects?: string;
}

/** What an import works with, wherever it writes. */
export interface ImportRun {
  readonly source: LdifSource;
  readonly flags: ImportFlags;
  readonly rejects: Rejects | undefined;
  readonly progress: Progress;
  readonly records: () => ReturnType<typeof readLdifTolerant>;
  /** Shows a line of a dry run. */
  readonly show: (line: string) => void;
  readonly options: Pick<ImportOptions, 'file' | 'replace' | 'keepPasswords' | 'dropUnknown' | 'goOn' | 'onRefused' | 'progress'>;
}

/** Sets the exit code: 2 where something was refused and the rest was done. */
export async function runImport(config: Config, file: string, flags: ImportFlags): Promise<void> {
  if (flags.allOrNothing && flags.continue) throw new Fault('malformed', '--all-or-nothing and --continue exclude each other');
  if (flags.keepPasswords && !flags.replace) throw new Fault('malformed', '--keep-passwords belongs to --replace');
  const run = prepare(file, flags);
  try {
    const offline = await tryOffline(config);
    const summary = offline ? await importOffline(offline, run) : await importOnline(config, run);
    run.progress.end();
    conclude(run, summary);
  } finally {
    run.progress.end();
    run.rejects?.close();
  }
}

export function prepare(file: string, flags: ImportFlags): ImportRun {
  const source = openSource(file);
  const load = flags.fileUrls === undefined ? {} : { load: fileUrls(flags.fileUrls) };
  const rejects = flags.continue && !flags.dryRun ? new Rejects(flags.rejects ?? `${file === '-' ? 'ldif' : file}.rejects`) : undefined;
  const part = (): number | undefined => (source.size ? Math.min(1, source.read() / source.size) : undefined);
  const progress = new Progress({ what: flags.dryRun ? 'dry run' : 'import', part });
  return {
    source,
    flags,
    rejects,
    progress,
    records: () => readLdifTolerant(source.chunks, { file: source.name, ...load }),
    show: (line) => {
      progress.end();
      console.log(line);
    },
    options: {
      file: source.name,
      replace: flags.replace ?? false,
      keepPasswords: flags.keepPasswords ?? false,
      ...(flags.dropUnknown
        ? {
            dropUnknown: (say: string) => {
              progress.end();
              console.error(`note: ${say}`);
            },
          }
        : {}),
      // A dry run tells of everything that would be refused.
      goOn: (flags.continue ?? false) || (flags.dryRun ?? false),
      onRefused: (record, fault) => {
        if (!flags.continue && !flags.dryRun) return;
        progress.end();
        console.error(`refused: ${fault.say}`);
        rejects?.add(record, fault);
      },
      progress: (records) => progress.at(records),
    },
  };
}

/** Undefined while a server has the data directory, or where the directory is another server's. */
export async function tryOffline(config: Config): Promise<Offline | undefined> {
  if (config.directory) return undefined;
  try {
    const offline = await openOffline(config);
    for (const note of offline.notes) console.error(`note: ${note}`);
    return offline;
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.kind === 'busy') return undefined;
    throw thrown;
  }
}

async function importOffline(offline: Offline, run: ImportRun): Promise<ImportSummary> {
  const { schema } = offline;
  try {
    if (run.flags.dryRun) {
      const opened = await offline.open();
      try {
        return await offline.trial(opened, ({ directory }) => {
          const onDone: ImportOptions['onDone'] = (done) => {
            for (const line of describeDone(schema, done)) run.show(line);
          };
          return importRecords(run.records(), { ...run.options, schema, target: new LocalTarget(directory), onDone });
        });
      } finally {
        await opened.close();
      }
    }
    if (run.flags.allOrNothing) return await importWhole(offline, run);
    const opened = await offline.open();
    try {
      return await importRecords(run.records(), {
        ...run.options,
        schema,
        target: new LocalTarget(opened.directory, { each: isSmall(run) }),
      });
    } finally {
      await opened.close();
    }
  } finally {
    await offline.close();
  }
}

/** Octets of a file whose entries come into the history one by one. */
const small = 262_144;
const isSmall = ({ source }: ImportRun): boolean => source.size !== undefined && source.size <= small;

/** On a copy, which takes the place of the database when every record is in it. */
async function importWhole(offline: Offline, run: ImportRun): Promise<ImportSummary> {
  const copy = await offline.prepare({ copy: true });
  let summary: ImportSummary;
  try {
    summary = await importRecords(run.records(), {
      ...run.options,
      schema: offline.schema,
      target: new LocalTarget(copy.directory, { each: isSmall(run) }),
    });
  } catch (thrown) {
    await copy.drop();
    throw thrown;
  }
  if (summary.stopped) await copy.drop();
  else await copy.adopt({ keep: false });
  return summary;
}

/** Says what was done, and throws what stopped it. */
export function conclude(run: Pick<ImportRun, 'flags' | 'rejects' | 'progress' | 'source'>, summary: ImportSummary): void {
  const { flags, rejects, progress, source } = run;
  const { counts, refused, stopped, behind, notTaken } = summary;
  for (const [attribute, entries] of notTaken)
    console.error(`note: attribute ${attribute} of ${count(entries)} entries is not taken over: the server maintains it itself`);
  const done = told(summary, flags.replace);
  if (stopped && !flags.dryRun) {
    const late = behind === undefined ? '' : `; some records behind it, up to line ${behind}, were under way and are done`;
    const state = flags.allOrNothing ? 'nothing was changed' : `stopped there: ${done} before${late}`;
    throw new Fault(stopped.kind, `${stopped.say} (${state})`, { cause: stopped });
  }
  const records = Object.values(counts).reduce((sum, n) => sum + n, 0) + refused;
  if (flags.dryRun) console.log(`dry run of ${source.name}: ${done}, ${count(refused)} refused; nothing was changed`);
  else {
    const rejected = refused > 0 ? `, ${count(refused)} refused${rejects?.path ? ` (in ${rejects.path})` : ''}` : '';
    console.log(`imported ${source.name}: ${done}${rejected}; ${count(records)} records in ${progress.seconds} s`);
  }
  if (refused > 0) process.exitCode = 2;
}

function told({ counts }: Pick<ImportSummary, 'counts'>, replace = false): string {
  const parts = [`${count(counts.add)} added`, `${count(counts.modify)} modified`, `${count(counts.delete)} deleted`];
  if (counts.rename > 0) parts.push(`${count(counts.rename)} renamed`);
  if (counts.unchanged > 0 || replace) parts.push(`${count(counts.unchanged)} unchanged`);
  return parts.join(', ');
}
