#!/usr/bin/env node
/**
 * `mailq`: what waits in the queue.
 *
 * Of each message one block for each place it waits for, as the manual has it: queue id, size, date and sender; the reason; the recipients.
 * Source: manual chapter 6, "MAILQ"; checklist CLI-01
 */

import { Command, Option } from 'commander';
import { oneLine } from '../base/index.ts';
import type { MessageView, RecipientView } from '../main/index.ts';
import { streamControl } from './control-client.ts';
import { json, runner } from './program.ts';
import { time } from './queue/show.ts';

interface Options {
  readonly sort: 'priority' | 'size' | 'time';
  readonly reverse?: boolean;
  readonly queue?: string;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

/** More than anybody reads, and few enough to be put in order here. */
const most = 1_000_000;

const program = new Command('mailq');
const run = runner(program);

program
  .description('print the mail queue: queue id, size, date and sender of each message, why it waits, and for whom')
  .option('--config <file>', 'configuration file of the server')
  .addOption(
    new Option('-s, --sort <order>', 'order').choices(['priority', 'size', 'time']).default('priority', 'priority: least weight first'),
  )
  .option('-r, --reverse', 'the other way round')
  .option('-q, --queue <channel>', 'only what is deferred for this domain; with "" only what is pending')
  .option('-v, --verbose', 'the priority weight as well, and attempts and next attempt of every recipient')
  .option('--json', 'as JSON')
  .action(
    run(async (config, { sort, reverse, queue, verbose = false, json: asJson }: Options) => {
      const query = queue === undefined ? {} : queue === '' ? { states: 'pending,leased' } : { identifier: queue, states: 'deferred,held' };
      const found: MessageView[] = [];
      for await (const view of streamControl<MessageView>(config, { path: '/queue/stream', query })) {
        found.push(view);
        if (found.length >= most) break;
      }
      // Arrival is the order they come in, and that of equals.
      if (sort !== 'time') found.sort((a, b) => (sort === 'size' ? a.size - b.size : a.weight - b.weight));
      if (reverse) found.reverse();
      if (asJson) json(found);
      else if (found.length === 0) console.log('Mail queue is empty');
      else for (const one of found) print(one, verbose);
      if (found.length >= most) console.error(`mailq: only the first ${most} messages`);
    }),
  );

function print(view: MessageView, verbose: boolean): void {
  const places = new Map<string, RecipientView[]>();
  for (const one of view.recipients) {
    const place = JSON.stringify([one.queue, one.destination, reasonOf(one)]);
    places.set(place, [...(places.get(place) ?? []), one]);
  }
  for (const recipients of places.values()) {
    const weight = verbose ? ` ${String(view.weight).padStart(6)}` : '';
    const sender = view.sender === '' ? '<>' : view.sender;
    console.log(oneLine(`${view.id} ${String(view.size).padStart(9)}${weight} ${time(view.arrivedAt)} ${sender}`));
    const reason = recipients[0] && reasonOf(recipients[0]);
    if (reason) console.log(`    (${oneLine(reason)})`);
    for (const one of recipients) console.log(oneLine(`    ${one.address}${verbose ? detailOf(one) : ''}`));
  }
}

function reasonOf({ held, reason }: RecipientView): string | undefined {
  return held ? `held by ${held.by}${held.note === undefined ? '' : `: ${held.note}`}` : reason;
}

function detailOf({ queue, destination, state, attempts, nextAttempt }: RecipientView): string {
  return `  [${queue} ${destination}, ${state}, attempts ${attempts}, next ${new Date(nextAttempt).toISOString()}]`;
}

await program.parseAsync();
