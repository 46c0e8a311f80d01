/** `mailtree start`: runs the server until SIGTERM or SIGINT. */

import type { Command } from 'commander';
import { asFault } from '../../base/index.ts';
import { type FirstStart, startServer } from '../../main/index.ts';
import { loadConfig } from '../config-file.ts';
import { complain } from '../program.ts';

/** Stopping takes at most this long, then the process ends all the same: what was acknowledged is on disk. */
const stopWithinMs = 10_000;

export function addStartCommand(program: Command): void {
  program
    .command('start')
    .description('run the server in the foreground; SIGTERM ends it cleanly')
    .action(async () => {
      const end = endOnSignal();
      try {
        const server = await startServer(loadConfig(program.opts<{ config?: string }>().config), {
          firstStart: welcome,
          print: (line) => console.log(line),
          stoppable: end.by,
        });
        end.tell = (text) => server.log.info(text);
        if (!end.begun) console.log('mailtree ready');
      } catch (thrown) {
        // A start cut short by a signal ends with the stop.
        if (end.begun) return;
        complain(thrown);
        // Something may be open already (a listener, a database): an unsuccessful start does not linger.
        process.exit(1);
      }
    });
}

interface End {
  begun: boolean;
  /** Where the reason is logged. */
  tell: (text: string) => void;
  /** How to stop; a signal that came before is obeyed now. */
  readonly by: (stop: () => Promise<void>) => void;
}

/** The first SIGTERM or SIGINT stops the server, also while it is being started; the second ends the process at once. */
function endOnSignal(): End {
  let asked = false;
  let stop: (() => Promise<void>) | undefined;
  const go = (): void => {
    if (end.begun || !stop) return;
    end.begun = true;
    setTimeout(() => process.exit(1), stopWithinMs).unref();
    stop().then(
      () => process.exit(0),
      (thrown: unknown) => {
        complain(asFault(thrown));
        process.exit(1);
      },
    );
  };
  const end: End = {
    begun: false,
    tell: () => {},
    by(given) {
      stop = given;
      if (asked) go();
    },
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (asked) process.exit(1);
      asked = true;
      end.tell(`${signal}: stopping`);
      go();
    });
  }
  return end;
}

/** What a newcomer needs to know, once. */
function welcome(first: FirstStart): void {
  const secrets = first.adminPassword !== undefined || first.examplePassword !== undefined;
  const lines = ['', `First start.${secrets ? ' Note the passwords: they are shown only once.' : ''}`, ''];
  if (first.adminPassword) lines.push(`  administrator  ${first.adminDn}`, `  password       ${first.adminPassword}`, '');
  if (first.accounts.length > 0) {
    lines.push(`  accounts       ${first.accounts.join(', ')}`);
    if (first.examplePassword) lines.push(`  password       ${first.examplePassword} (the same for all of them)`);
    lines.push('');
  }
  lines.push(...first.howTo, '');
  console.log(lines.join('\n'));
}
