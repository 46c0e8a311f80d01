/**
 * `mailtree queue …`: looking at the message queue. Working it is `../queue/work.ts`.
 * Source: manual chapter 6 "Queue Status"; checklist MTA-07, SMTPC-13
 */

import type { Command } from 'commander';
import {
  type DeskSummary,
  type Destinations,
  type DomainChannel,
  type MessagePage,
  type MessageView,
  type SenderDomain,
  type TraceStep,
  trace,
} from '../../main/index.ts';
import { loadConfig } from '../config-file.ts';
import { complain, JsonList, json, jsonText, type Run, table } from '../program.ts';
import { defaultUser, localQueue, type QueueClient, remoteQueue } from '../queue/client.ts';
import { addFilterOptions, type FilterOptions, filterOf } from '../queue/filter.ts';
import { printChannel, printDestinations, printMessage, printPage, printSummary } from '../queue/show.ts';
import { addAside, addWork, type Common, type Work } from '../queue/work.ts';
import { stepText } from './trace.ts';

interface ListOptions extends Common, FilterOptions {
  readonly sort: string;
  readonly reverse?: boolean;
  readonly limit?: string;
  readonly after?: string;
  readonly all?: boolean;
}

export function addQueueCommands(program: Command, _run: Run): void {
  const queue = program.command('queue').description('the message queue: what waits, why, and what is to become of it');
  /** A configuration file is needed for the server of this host alone. */
  const act =
    <A extends unknown[], O extends Common>(work: Work<A, O>) =>
    async (...args: unknown[]): Promise<void> => {
      const given = args.slice(0, -1) as [...A, O];
      const options = given[given.length - 1] as O;
      try {
        const config = options.config ?? program.opts<{ config?: string }>().config;
        given[given.length - 1] = { ...options, ...(config === undefined ? {} : { config }) };
        await work(options.server === undefined ? localQueue(loadConfig(config)) : await remoteQueue(options), ...given);
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
