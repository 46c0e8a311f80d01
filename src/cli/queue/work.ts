/**
 * `mailtree queue hold|release|now|requeue|delete|bounce|priority|aside`: what becomes of mail that waits.
 *
 * Promise: what a filter finds is worked only where that is said (`--all-matching`), and everything only where that is said too
 * (`--everything`); a dry run tells how much it would be, and `--count` holds the work to that number.
 * Exit codes: 0 done · 1 refused, nothing was done, or an id was named that no message has · 2 done, but for what a component had in hand
 * or is held.
 * Source: manual chapter 3 "MTA Queue Management", chapter 6 "Queue Status"; checklist MTA-07, SMTPC-13
 */

import type { Command } from 'commander';
import { Fault, oneLine } from '../../base/index.ts';
import type { OrderReport } from '../../main/index.ts';
import type { AsideEntry, Operation } from '../../queue/index.ts';
import { json, table } from '../program.ts';
import type { QueueClient, ServerOptions } from './client.ts';
import { addFilterOptions, type FilterOptions, filterOf } from './filter.ts';
import { time } from './show.ts';

export interface Common extends ServerOptions {
  readonly json?: boolean;
  readonly config?: string;
}

interface WorkOptions extends Common, FilterOptions {
  readonly allMatching?: boolean;
  readonly everything?: boolean;
  readonly dryRun?: boolean;
  readonly count?: string;
}

export type Work<A extends unknown[], O> = (client: QueueClient, ...args: [...A, O]) => Promise<void>;

export type Adding = (usage: string, about: string) => Command;
export type Acting = <A extends unknown[], O extends Common>(work: Work<A, O>) => (...args: unknown[]) => Promise<void>;

/** What can be done with messages: each takes queue ids, or a filter. */
export function addWork(command: Adding, act: Acting): void {
  const working = (name: string, about: string): Command =>
    addFilterOptions(command(`${name} [ids...]`, about))
      .option('--all-matching', 'do it with all that the filter finds; without this they are only counted')
      .option('--everything', 'with --all-matching and no filter: all that waits')
      .option('--count <number>', 'only if exactly so many messages match')
      .option('--dry-run', 'only say how many messages it would be');
  working('hold', 'keep messages back: they are not worked, and do not expire, until they are released')
    .option('--note <text>', 'why, for others')
    .action(
      act((client, ids: string[], options: WorkOptions & { note?: string }) =>
        work(client, ids, options, { do: 'hold', ...noteOf(options) }),
      ),
    );
  working('release', 'let held messages go').action(
    act((client, ids: string[], options: WorkOptions) => work(client, ids, options, { do: 'release' })),
  );
  working('now', 'try deferred messages now').action(
    act((client, ids: string[], options: WorkOptions) => work(client, ids, options, { do: 'retry' })),
  );
  working('requeue', 'put messages back into the input queue: they are routed anew').action(
    act((client, ids: string[], options: WorkOptions) => work(client, ids, options, { do: 'requeue' })),
  );
  working('delete', 'delete messages; nobody is told').action(
    act((client, ids: string[], options: WorkOptions) => work(client, ids, options, { do: 'delete' })),
  );
  working('bounce', 'return messages to their senders')
    .requiredOption('--reason <text>', 'what the sender is told')
    .option('--status <code>', 'enhanced status code of the report, as 5.1.1 (RFC 3463)')
    .action(
      act((client, ids: string[], options: WorkOptions & { reason: string; status?: string }) => {
        const { reason, status } = options;
        return work(client, ids, options, { do: 'bounce', reason, ...(status === undefined ? {} : { status }) });
      }),
    );
  working('priority', 'how urgent messages are')
    .requiredOption('--precedence <number>', '-2 (first) to 2 (last); 0 is ordinary')
    .action(
      act((client, ids: string[], options: WorkOptions & { precedence: string }) =>
        work(client, ids, options, { do: 'priority', precedence: wholeNumber('--precedence', options.precedence) }),
      ),
    );
}

const noteOf = ({ note }: { note?: string }): { note?: string } => (note === undefined ? {} : { note });

async function work(client: QueueClient, ids: string[], options: WorkOptions, operation: Operation): Promise<void> {
  const filter = filterOf(ids, options);
  const named = ids.length > 0 && Object.keys(filter).length === 1;
  const none = Object.keys(filter).length === 0;
  if (none && !options.everything)
    throw new Fault('malformed', 'which messages? give queue ids or a filter (all that waits: --everything --all-matching)');
  if (!none && options.everything) throw new Fault('malformed', '--everything does not go with a filter or with queue ids');
  const confirmed = named || options.allMatching === true;
  const order = {
    operation,
    filter,
    everything: options.everything ?? false,
    dryRun: options.dryRun === true || !confirmed,
    ...(options.count === undefined ? {} : { count: wholeNumber('--count', options.count) }),
  };
  const report = await client.post<OrderReport>('operate', order);
  const { absent = [] } = report;
  if (options.json) json(report);
  // Of ids alone that nobody has there is nothing else to say.
  else if (!named || absent.length < new Set(ids.map((id) => id.toLowerCase())).size) console.log(told(operation.do, report));
  if (!options.json) for (const id of absent) console.error(`mailtree: there is no message ${oneLine(id)}`);
  if (!confirmed && options.dryRun !== true) {
    const how = report.messages === 0 ? 'no message matches' : `nothing was done; to do it: --all-matching --count ${report.messages}`;
    if (!options.json) console.error(`mailtree: ${how}`);
    process.exitCode = 1;
  } else if (absent.length > 0) process.exitCode = 1;
  else if (!report.dryRun) process.exitCode = codeOf(report);
}

function codeOf({ recipients, inHand = 0, later = 0, unchanged = 0, held = 0, failed = 0, more }: OrderReport): number {
  if (inHand + failed > 0 || more || (held > 0 && recipients > 0)) return 2;
  return recipients + unchanged + later > 0 ? 0 : 1;
}

const done: Readonly<Record<string, string>> = {
  hold: 'kept back',
  release: 'released',
  retry: 'tried now',
  requeue: 'put back into the input queue',
  delete: 'deleted',
  bounce: 'returned to their senders',
  priority: 'given the precedence',
};

function told(what: string, report: OrderReport): string {
  const { messages, recipients, inHand = 0, later = 0, unchanged = 0, held = 0, failed = 0 } = report;
  const all = `${counted(messages, 'message')} with ${counted(recipients, 'recipient')}`;
  if (report.dryRun) return `${all} would be ${done[what]}`;
  const lines = [`${all} ${messages === 1 ? 'was' : 'were'} ${done[what]}`];
  if (unchanged > 0) lines.push(`${counted(unchanged, 'recipient')} ${unchanged === 1 ? 'was' : 'were'} so already`);
  if (held > 0) lines.push(`held, and left alone: ${counted(held, 'recipient')}; release first: mailtree queue release`);
  if (later > 0)
    lines.push(`just being worked on: ${counted(later, 'recipient')}; it is done after the attempt in hand, unless that succeeds`);
  if (inHand > 0) lines.push(`worked on at this moment, and left alone: ${counted(inHand, 'recipient')}; try again`);
  if (failed > 0) lines.push(`${counted(failed, 'message')} could not be changed: the log says why`);
  if (report.more) lines.push('there are more');
  if (report.note !== undefined) lines.push(report.note);
  return lines.join('\n');
}

const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

function wholeNumber(flag: string, text: string): number {
  if (!/^-?\d{1,9}$/.test(text)) throw new Fault('malformed', `${flag}: ${text} is not a whole number`);
  return Number(text);
}

/** What cannot be read, and was put aside so that it keeps nobody waiting. */
export function addAside(command: Adding, act: Acting): void {
  command(
    'aside [order] [id] [part]',
    'what cannot be read and was put aside; with retry or delete, id and part: what becomes of it',
  ).action(
    act(async (client, order: string | undefined, id: string | undefined, part: string | undefined, options: Common) => {
      if (order !== undefined) {
        if (order !== 'retry' && order !== 'delete') throw new Fault('malformed', `${order} is neither retry nor delete`);
        if (id === undefined || part === undefined) throw new Fault('malformed', `${order} needs id and part, as the list has them`);
        await client.post(`aside/${encodeURIComponent(id)}/${encodeURIComponent(part)}/${order}`);
        return;
      }
      const entries = await client.get<AsideEntry[]>('aside');
      if (options.json) json(entries);
      else if (entries.length === 0) console.log('nothing was put aside');
      else
        table(
          ['id', 'part', 'queue', 'recipients', 'since', 'problem'],
          entries.map((one) => [
            ...[one.id, one.slip, one.queue, String(one.recipients)],
            ...[one.since === undefined ? '' : time(one.since), one.problem ?? ''],
          ]),
        );
    }),
  );
}
