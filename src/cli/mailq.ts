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
import { JsonList, jsonText, runner, withHelp } from './program.ts';
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
      const out = asJson ? new JsonList() : undefined;
      const print = (text: string): void => (out ? out.add(text) : console.log(text));
      // In the order they come in nothing is kept.
      const direct = sort === 'time' && !reverse;
      const kept: Line[] = [];
      let count = 0;
      for await (const view of streamControl<MessageView>(config, { path: '/queue/stream', query })) {
        const text = asJson ? jsonText(view) : blocksOf(view, verbose);
        if (direct) print(text);
        else kept.push({ rank: sort === 'time' ? 0 : sort === 'size' ? view.size : view.weight, text });
        if (++count >= most) break;
      }
      // Arrival is the order of equals.
      if (sort !== 'time') kept.sort((a, b) => a.rank - b.rank);
      if (reverse) kept.reverse();
      for (const { text } of kept) print(text);
      if (out) out.end();
      else if (count === 0) console.log(nothing(queue));
      if (count >= most) console.error(`mailq: only the first ${most} messages`);
    }),
  );

const nothing = (queue: string | undefined): string =>
  queue === undefined ? 'Mail queue is empty' : queue === '' ? 'nothing is pending' : oneLine(`nothing waits for ${queue}`);

/** A message as it is printed, and where it stands in the order: so a million of them fit into memory. */
interface Line {
  readonly rank: number;
  readonly text: string;
}

function blocksOf(view: MessageView, verbose: boolean): string {
  const places = new Map<string, RecipientView[]>();
  for (const one of view.recipients) {
    const place = JSON.stringify([one.queue, one.destination, reasonOf(one)]);
    const there = places.get(place);
    if (there) there.push(one);
    else places.set(place, [one]);
  }
  const lines: string[] = [];
  for (const recipients of places.values()) {
    const weight = verbose ? ` ${String(view.weight).padStart(6)}` : '';
    const sender = view.sender === '' ? '<>' : view.sender;
    lines.push(`${view.id} ${String(view.size).padStart(9)}${weight} ${time(view.arrivedAt)} ${sender}`);
    const reason = recipients[0] && reasonOf(recipients[0]);
    if (reason) lines.push(`    (${reason})`);
    for (const one of recipients) lines.push(`    ${one.address}${verbose ? detailOf(one) : ''}`);
  }
  return lines.map(oneLine).join('\n');
}

function reasonOf({ held, reason }: RecipientView): string | undefined {
  return held ? `held by ${held.by}${held.note === undefined ? '' : `: ${held.note}`}` : reason;
}

function detailOf({ queue, destination, state, attempts, nextAttempt, held }: RecipientView): string {
  // Nothing is tried before it is released.
  const next = held ? `since ${time(held.since)}` : `next ${time(nextAttempt)}`;
  return `  [${queue} ${destination}, ${state}, attempts ${attempts}, ${next}]`;
}

await program.parseAsync(withHelp(program, process.argv.slice(2)), { from: 'user' });
