/**
 * `mailtree queue …`: looking at the message queue, and working it.
 *
 * Promise: what a filter finds is worked only where that is said (`--all-matching`), and everything only where that is said too
 * (`--everything`); a dry run tells how much it would be, and `--count` holds the work to that number.
 * Exit codes: 0 done · 1 refused, or nothing was done · 2 done, but for what a component had in hand.
 * Source: manual chapter 3 "MTA Queue Management", chapter 6 "Queue Status"; checklist MTA-07, SMTPC-13
 */

import type { Command } from 'commander';
import { Fault } from '../../base/index.ts';
import {
  type DeskSummary,
  type Destinations,
  type DomainChannel,
  type MessagePage,
  type MessageView,
  type OrderReport,
  type SenderDomain,
  type TraceStep,
  trace,
} from '../../main/index.ts';
import type { AsideEntry, Operation } from '../../queue/index.ts';
import { loadConfig } from '../config-file.ts';
import { complain, JsonList, json, jsonText, type Run, table } from '../program.ts';
import { defaultUser, localQueue, type QueueClient, remoteQueue, type ServerOptions } from '../queue/client.ts';
import { addFilterOptions, type FilterOptions, filterOf } from '../queue/filter.ts';
import { printChannel, printDestinations, printMessage, printPage, printSummary, time } from '../queue/show.ts';
import { stepText } from './trace.ts';

interface Common extends ServerOptions {
  readonly json?: boolean;
  readonly config?: string;
}

interface ListOptions extends Common, FilterOptions {
  readonly sort: string;
  readonly reverse?: boolean;
  readonly limit?: string;
  readonly after?: string;
  readonly all?: boolean;
}

interface WorkOptions extends Common, FilterOptions {
  readonly allMatching?: boolean;
  readonly everything?: boolean;
  readonly dryRun?: boolean;
  readonly count?: string;
}

type Work<A extends unknown[], O> = (client: QueueClient, ...args: [...A, O]) => Promise<void>;

export function addQueueCommands(program: Command, _run: Run): void {
  const queue = program.command('queue').description('the message queue: what waits, why, and what is to become of it');
  /** A configuration file is needed for the server of this host alone. */
  const act =
    <A extends unknown[], O extends Common>(work: Work<A, O>) =>
    async (...args: unknown[]): Promise<void> => {
      const given = args.slice(0, -1) as [...A, O];
      const options = given[given.length - 1] as O;
      try {
        const local = (): QueueClient => localQueue(loadConfig(options.config ?? program.opts<{ config?: string }>().config));
        await work(options.server === undefined ? local() : await remoteQueue(options), ...given);
      } catch (thrown) {
        complain(thrown);
      }
    };
  const command = (usage: string, about: string): Command =>
    queue
      .command(usage)
      .description(about)
      .option('--json', 'as JSON')
      .option('--server <url>', 'another server, as https://mail.jade.net:2443 (its Message queue access mask decides who may ask)')
      .option('--user <name>', `administrator to log in as with --server (password: MAILTREE_PASSWORD, or asked for)`, defaultUser)
      .option('--ca <file>', 'certificate to trust with --server');

  command('summary', 'how much waits in each queue, and the disk').action(
    act(async (client, options: Common) => {
      const summary = await client.get<DeskSummary>('summary');
      if (options.json) json(summary);
      else printSummary(summary);
    }),
  );
  command(
    'destinations [queue]',
    'what mail is deferred for, why, and when it is tried again (SMTPC unless another queue is named)',
  ).action(
    act(async (client, name: string | undefined, options: Common) => {
      const found = await client.get<Destinations>('destinations', { queue: name });
      if (options.json) json(found);
      else printDestinations(found, Date.now());
    }),
  );
  command('domain <domain>', 'a domain of SMTPC: what is agreed with it, what is deferred for it, and the messages')
    .option('--sort <order>', 'time, size, sender, priority or weight', 'weight')
    .action(
      act(async (client, domain: string, options: Common & { sort: string }) => {
        const channel = await client.get<DomainChannel>('domain', { name: domain });
        const page = await client.get<MessagePage>('messages', { queue: 'SMTPC', identifier: domain, order: options.sort });
        if (options.json) return json({ ...channel, ...page });
        printChannel(channel, Date.now());
        printPage({ messages: page.messages }, Date.now());
        if (page.next !== undefined) console.log(`there are more: mailtree queue list --destination ${domain} --sort ${options.sort}`);
      }),
    );
  addFilterOptions(command('senders', 'how much waits of each domain that sends')).action(
    act(async (client, options: Common & FilterOptions) => {
      const found = await client.get<SenderDomain[]>('senders', filterOf([], options));
      if (options.json) json(found);
      else if (found.length === 0) console.log('no message matches');
      else
        table(
          ['sender domain', 'messages', 'recipients'],
          found.map(({ domain, messages, recipients }) => [domain === '' ? '(others)' : domain, String(messages), String(recipients)]),
        );
    }),
  );
  for (const name of ['list', 'search'] as const)
    addFilterOptions(command(name, name === 'list' ? 'messages that wait, a page at a time' : 'the same as list'))
      .option('--sort <order>', 'time, size, sender, priority or weight', 'time')
      .option('--reverse', 'the other way round')
      .option('--limit <number>', 'messages of a page, 1 to 1,000: 100 unless given, 1,000 with --all')
      .option('--after <place>', 'the next page: what the one before ended with')
      .option('--all', 'page after page, to the end')
      .action(act(list));
  command('show <id>', 'a message: envelope, recipients, what happened to it').action(act(show));
  command('headers <id>', 'the header of a message').action(
    act(async (client, id: string, options: Common) => {
      const header = await client.text(`messages/${encodeURIComponent(id)}/header`);
      if (options.json) json({ id, header });
      else process.stdout.write(printable(header));
    }),
  );
  addWork(command, act);
  addAside(command, act);
}

/** Header fields come from anybody: control characters are shown, not sent to the terminal; those of a redirected output stay. */
function printable(header: string): string {
  const text = header.replace(/\r\n/g, '\n');
  return process.stdout.isTTY ? text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd') : text;
}

async function list(client: QueueClient, options: ListOptions): Promise<void> {
  const { sort, reverse, all, after } = options;
  // Who wants all wants few askings.
  const limit = options.limit ?? (all ? '1000' : '100');
  const query = { ...filterOf([], options), order: sort, limit, ...(reverse ? { descending: 'true' } : {}) };
  let page = await client.get<MessagePage>('messages', { ...query, after });
  const out = options.json ? new JsonList('messages') : undefined;
  for (;;) {
    const { messages, next } = page;
    if (out) for (const message of messages) out.add(jsonText(message));
    else printPage(all ? { messages } : page, Date.now());
    if (!all || next === undefined) return out?.end(next === undefined ? {} : { next });
    page = await client.get<MessagePage>('messages', { ...query, after: next });
  }
}

async function show(client: QueueClient, id: string, options: Common): Promise<void> {
  const view = await client.get<MessageView>(`messages/${encodeURIComponent(id)}`);
  // The log stands where the server runs.
  const story = options.server === undefined ? await storyOf(view.id, options.config) : undefined;
  if (options.json) json({ ...view, ...(story ? { story } : {}) });
  else {
    printMessage(view, Date.now());
    if (story && story.length > 0) console.log(`\n${story.map(stepText).join('\n')}`);
  }
}

async function storyOf(id: string, config: string | undefined): Promise<readonly TraceStep[]> {
  // The server that runs has the queue, and has been asked already.
  const none = { get: async () => undefined, find: async () => [] };
  const { messages } = await trace(loadConfig(config), { about: id, since: undefined, limit: '10' }, none);
  return messages.find((message) => message.id === id)?.steps ?? [];
}

type Adding = (usage: string, about: string) => Command;
type Acting = <A extends unknown[], O extends Common>(work: Work<A, O>) => (...args: unknown[]) => Promise<void>;

/** What can be done with messages: each takes queue ids, or a filter. */
function addWork(command: Adding, act: Acting): void {
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
  if (options.json) json(report);
  else console.log(told(operation.do, report));
  if (!confirmed && options.dryRun !== true) {
    if (!options.json) console.error(`mailtree: nothing was done; to do it: --all-matching --count ${report.messages}`);
    process.exitCode = 1;
  } else if (!report.dryRun) process.exitCode = codeOf(report);
}

function codeOf({ recipients, inHand = 0, unchanged = 0, failed = 0, more }: OrderReport): number {
  if (inHand + failed > 0 || more) return 2;
  return recipients + unchanged > 0 ? 0 : 1;
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
  const { messages, recipients, inHand = 0, unchanged = 0, failed = 0 } = report;
  const all = `${counted(messages, 'message')} with ${counted(recipients, 'recipient')}`;
  if (report.dryRun) return `${all} would be ${done[what]}`;
  const lines = [`${all} ${messages === 1 ? 'was' : 'were'} ${done[what]}`];
  if (unchanged > 0) lines.push(`${counted(unchanged, 'recipient')} ${unchanged === 1 ? 'was' : 'were'} so already`);
  if (inHand > 0) lines.push(`worked on at this moment, and left alone: ${counted(inHand, 'recipient')}; try again`);
  if (failed > 0) lines.push(`${counted(failed, 'message')} could not be changed: the log says why`);
  if (report.more) lines.push('there are more');
  return lines.join('\n');
}

const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

function wholeNumber(flag: string, text: string): number {
  if (!/^-?\d{1,9}$/.test(text)) throw new Fault('malformed', `${flag}: ${text} is not a whole number`);
  return Number(text);
}

/** What cannot be read, and was put aside so that it keeps nobody waiting. */
function addAside(command: Adding, act: Acting): void {
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
