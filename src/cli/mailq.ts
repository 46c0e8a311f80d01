#!/usr/bin/env node
/** `mailq`: what waits in the queue. Source: manual chapter 6, "MAILQ"; checklist CLI-01 */

import { Command } from 'commander';
import type { QueueListing } from '../queue/index.ts';
import { askControl } from './control-client.ts';
import { runner } from './program.ts';

interface Options {
  readonly sort: 'size' | 'time';
  readonly queue?: string;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

/** A message with those of its recipients that are shown. */
type Waiting = QueueListing;

const program = new Command('mailq');
const run = runner(program);

program
  .description('print the mail queue')
  .option('--config <file>', 'configuration file of the server')
  .option(
    '-s, --sort <order>',
    'size or time',
    (text) => {
      if (text !== 'size' && text !== 'time') throw new Error('-s takes size or time');
      return text;
    },
    'time' as const,
  )
  .option('-q, --queue <channel>', 'only mail that waits for this domain; "" shows only what is pending')
  .option('-v, --verbose', 'attempts and next attempt of every recipient')
  .option('--json', 'as JSON')
  .action(
    run(async (config, options: Options) => {
      const all = await askControl<QueueListing[]>(config, { path: '/queue', query: { limit: '100000' } });
      const shown = all
        .flatMap((listing) => select(listing, options.queue))
        .sort((a, b) => order(options.sort)(a) - order(options.sort)(b));
      if (options.json) console.log(JSON.stringify(shown, null, 2));
      else if (shown.length === 0) console.log('Mail queue is empty');
      else for (const one of shown) print(one, options.verbose ?? false);
    }),
  );

const order =
  (sort: Options['sort']) =>
  (w: Waiting): number =>
    sort === 'size' ? w.message.blob.size : w.message.arrivedAt;

function select(listing: QueueListing, queue: string | undefined): Waiting[] {
  const recipients = listing.recipients.filter((r) =>
    queue === undefined ? true : queue === '' ? r.attempts === 0 : r.attempts > 0 && r.identifier.toLowerCase() === queue.toLowerCase(),
  );
  return recipients.length > 0 ? [{ message: listing.message, recipients }] : [];
}

function print({ message, recipients }: Waiting, verbose: boolean): void {
  const size = String(message.blob.size + message.prefix.length).padStart(9);
  console.log(
    `${message.id} ${size} ${new Date(message.arrivedAt).toISOString().replace('T', ' ').slice(0, 19)} ${message.sender === '' ? '<>' : message.sender}`,
  );
  for (const reason of new Set(recipients.map((r) => r.reason).filter((text) => text !== undefined))) console.log(`    (${reason})`);
  for (const r of recipients) {
    const detail = verbose ? `  [${r.queue} ${r.identifier}, attempts ${r.attempts}, next ${new Date(r.nextAttempt).toISOString()}]` : '';
    console.log(`    ${r.address}${detail}`);
  }
}

await program.parseAsync();
