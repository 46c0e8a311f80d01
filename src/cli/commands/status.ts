/** `mailtree status`, `mailtree retry`, `mailtree component start|stop|restart NAME`: the running server's components and queues. */

import type { Command } from 'commander';
import { Fault } from '../../base/index.ts';
import type { ComponentStatus, ServerStatus } from '../../main/index.ts';
import { askControl } from '../control-client.ts';
import { duration } from '../duration.ts';
import { type Run, table } from '../program.ts';

export function addStatusCommands(program: Command, run: Run): void {
  program
    .command('status')
    .description('components, queues and memory of the running server')
    .option('--json', 'as JSON')
    .action(
      run(async (config, options: { json?: boolean }) => {
        const status = await askControl<ServerStatus>(config, { path: '/status' });
        if (options.json) console.log(JSON.stringify(status, null, 2));
        else print(status);
      }),
    );
  program
    .command('retry [destination]')
    .description('try deferred mail now: all of it, or what waits for one destination (a domain, as mailq -v shows it)')
    .action(
      run(async (config, destination: string | undefined) => {
        if (destination !== undefined && destination.trim() === '')
          throw new Fault('malformed', `which destination? ${whatIsOne}; without one, all deferred mail is tried`);
        const { queues } = await askControl<ServerStatus>(config, { path: '/status' });
        let recipients = 0;
        for (const { queue } of queues) {
          const path = `/queue/${encodeURIComponent(queue)}/retry`;
          // The input queue knows no destinations.
          if (queue === 'INPUT' && destination !== undefined) continue;
          recipients += (await askControl<{ recipients: number }>(config, { method: 'POST', path, query: { identifier: destination } }))
            .recipients;
        }
        if (destination !== undefined && recipients === 0)
          throw new Fault('not-found', `nothing waits for ${destination}; ${destination.includes('@') ? ofOne(destination) : whatIsOne}`);
        console.log(`${recipients} ${recipients === 1 ? 'recipient is' : 'recipients are'} tried again now`);
      }),
    );
  const component = program.command('component').description('start and stop components alone');
  for (const order of ['start', 'stop', 'restart'] as const) {
    component
      .command(`${order} <name>`)
      .description(`${order} one component: SMTPD, IMAPD …`)
      .action(
        run(async (config, name: string) => {
          printComponents(
            await askControl<ComponentStatus[]>(config, { method: 'POST', path: `/components/${encodeURIComponent(name)}/${order}` }),
          );
        }),
      );
  }
}

const whatIsOne = 'a destination is a domain, as `mailtree queue destinations` lists it';
const ofOne = (address: string): string => `mail to one recipient: mailtree queue now --recipient ${address} --all-matching`;

function print(status: ServerStatus): void {
  console.log(
    `Mailtree ${status.version} on ${status.host}, pid ${status.pid}, up ${duration(Date.now() - status.startedAt)}, ${Math.round(status.memory / 1_048_576)} MB${status.writable ? '' : ', DATABASE NOT WRITABLE'}`,
  );
  for (const problem of status.problems) console.log(`${problem}. Mail and changes are refused for now, reading goes on`);
  if (status.directory) console.log(directoryLine(status.directory));
  console.log('');
  printComponents(status.components);
  console.log('');
  table(['queue', 'pending', 'deferred', 'held', ''], queueRows(status));
}

/** `directory  ldaps://ldap1.jade.net, connected for 3d 4h`, or why not. */
function directoryLine({ url, state, since, feed, problem }: NonNullable<ServerStatus['directory']>): string {
  const time = duration(Date.now() - since);
  if (state === 'connected')
    return `directory ${url}, connected for ${time}${feed === 'polling' ? ', changes are looked for now and then' : ''}`;
  return `directory ${url} AWAY for ${time}, the last view is served: ${problem ?? ''}`;
}

/** The component that works a queue, where it is not called the same. */
const workers: Readonly<Record<string, string>> = { INPUT: 'PREPROCESSOR', LOCAL: 'LMDA' };

/** Queues that some component works, and those that hold mail all the same: it waits until one is there that does. */
export function queueRows({ queues, components }: Pick<ServerStatus, 'queues' | 'components'>): string[][] {
  const worked = (queue: string): boolean => components.some(({ name }) => name === (workers[queue] ?? queue));
  return queues
    .filter(({ queue, pending, deferred, held, aside }) => worked(queue) || pending + deferred + held + aside > 0)
    .map(({ queue, pending, deferred, held, aside }) => [
      ...[queue, String(pending), String(deferred), String(held)],
      [
        ...(worked(queue) ? [] : ['no component of this server works this queue']),
        ...(aside > 0 ? [`${aside} cannot be read (mailtree queue aside)`] : []),
      ].join('; '),
    ]);
}

function printComponents(components: readonly ComponentStatus[]): void {
  table(
    ['component', 'state', 'up', 'last error'],
    components.map((c) => [c.name, c.state, c.since === undefined ? '' : duration(Date.now() - c.since), c.lastError ?? '']),
  );
}
