/** `mailtree directory history` and `mailtree directory undo`. Source: checklist DIR-15 */

import type { Command } from 'commander';
import { oneLine } from '../../base/index.ts';
import {
  type HistoryDifference,
  type HistoryLine,
  type HistoryQuestion,
  historyOffline,
  type PlainValue,
  type UndoReport,
  undoOffline,
} from '../../main/index.ts';
import { askControl } from '../control-client.ts';
import { eitherWay, type Run } from '../program.ts';
import { directoryCommands } from './directory.ts';

export function addHistoryCommands(program: Command, run: Run): void {
  const directory = directoryCommands(program);
  directory
    .command('history [dn]')
    .description('who changed what, when, from where and by which door; newest first; of one entry by the name it has or had')
    .option('--since <time>', 'not before: 2026-01-31T12:00, or an age like 90m, 12h, 7d')
    .option('--until <time>', 'before this time')
    .option('--by <who>', 'text in the name of who did it, the door or the address; `server` for the server itself')
    .option('--attribute <name>', 'only changes of this attribute')
    .option('--limit <number>', 'changes at most', '100')
    .option('--json', 'as JSON')
    .action(
      run(async (config, dn: string | undefined, options: Omit<HistoryQuestion, 'dn'> & { json?: boolean }) => {
        const { since, until, by, attribute, limit } = options;
        const question = { dn, since, until, by, attribute, limit };
        const lines = await eitherWay(
          () => askControl<HistoryLine[]>(config, { path: '/directory/history', query: question }),
          () => historyOffline(config, question),
        );
        console.log(options.json ? JSON.stringify(lines, null, 2) : lines.map(described).join('\n\n') || 'no changes');
      }),
    );
  directory
    .command('undo <change>')
    .description('undo a change with everything the same operation did; refused where later changes stand in the way')
    .option('--dry-run', 'say what would be done and what stands in the way, and change nothing')
    .option('--force', 'leave out what later changes stand in the way of')
    .option('--json', 'as JSON')
    .action(
      run(async (config, change: string, options: { dryRun?: boolean; force?: boolean; json?: boolean }) => {
        const how = { dryRun: options.dryRun ?? false, force: options.force ?? false };
        const query = { dryRun: String(how.dryRun), force: String(how.force) };
        const report = await eitherWay(
          () => askControl<UndoReport>(config, { method: 'POST', path: `/directory/undo/${encodeURIComponent(change)}`, query }),
          () => undoOffline(config, change, how),
        );
        console.log(options.json ? JSON.stringify(report, null, 2) : told(report, how.dryRun));
      }),
    );
}

function described(line: HistoryLine): string {
  const at = line.at.replace('T', ' ').replace(/\.\d+Z$/, 'Z');
  const what = line.kind === 'import' ? `${line.entries} entries` : `${line.dn}${line.to === undefined ? '' : `\n    to ${line.to}`}`;
  const part = line.operation === line.change || line.kind === 'import' ? '' : `, part of ${line.operation}`;
  const undoes = line.undoes === undefined ? '' : `, undoes ${line.undoes}`;
  const from = line.address === undefined ? line.door : `${line.door}, ${line.address}`;
  return [
    `${line.change}  ${at}  ${line.kind}  ${what}`,
    `    by ${line.who} (${from})${part}${undoes}`,
    ...differenceLines(line.differences),
  ].join('\n');
}

function differenceLines(differences: readonly HistoryDifference[]): string[] {
  return differences.flatMap(({ attribute, removed, added, secret }) =>
    secret
      ? [`    * ${attribute}: changed`]
      : [...removed.map((value) => `    - ${attribute}: ${shown(value)}`), ...added.map((value) => `    + ${attribute}: ${shown(value)}`)],
  );
}

/** Octets by their number, control characters escaped: values come from anybody. */
function shown(value: PlainValue): string {
  if (typeof value !== 'string') return `(${Buffer.from(value.base64, 'base64').length} octets)`;
  return oneLine(value);
}

const does = { add: 'brings back', modify: 'changes', rename: 'renames', delete: 'removes' } as const;

function told(report: UndoReport, dryRun: boolean): string {
  const { operation, changes } = report;
  const what = changes === 1 ? `change ${operation}` : `the ${changes} changes from ${operation}`;
  return [
    `${dryRun ? 'would undo' : 'undone:'} ${what}`,
    ...report.steps.flatMap((step) => [
      `  ${does[step.does as keyof typeof does]} ${step.dn}${step.to === undefined ? '' : ` to ${step.to}`}`,
      ...(step.does === 'modify' ? differenceLines(step.differences) : []),
    ]),
    ...report.conflicts.map(({ change, why }) => `  ${dryRun ? 'stands in the way' : 'left out'}, change ${change}: ${why}`),
    ...report.notes.map((note) => `  ${note}`),
  ].join('\n');
}
