/** `mailtree trace`: where is my message? Source: checklist SRV-06 */

import type { Command } from 'commander';
import { oneLine } from '../../base/index.ts';
import { type Config, type Trace, type TracedMessage, type TraceQueue, type TraceStep, trace } from '../../main/index.ts';
import type { QueueListing } from '../../queue/index.ts';
import { askControl } from '../control-client.ts';
import { eitherWay, type Run } from '../program.ts';
import { utc } from '../queue/show.ts';

interface Options {
  readonly since?: string;
  readonly limit?: string;
  readonly json?: boolean;
}

export function addTraceCommand(program: Command, run: Run): void {
  program
    .command('trace <what>')
    .description('everything that happened to a message: by queue id, Message-ID or the address of a sender or recipient')
    .option(
      '--since <time>',
      "nothing from before: 2026-01-31T12:00 (the server's clock; UTC with Z behind it), or an age like 90m, 12h, 7d",
    )
    .option('--limit <number>', 'messages at most, the newest', '100')
    .option('--json', 'as JSON')
    .action(
      run(async (config, about: string, { since, limit, json }: Options) => {
        const question = { about, since, limit };
        const found = await eitherWay(
          async () => {
            // Whether a server runs is to be known before the log is read.
            await askControl(config, { path: '/trace/find', query: { about: '' } });
            return await trace(config, question, liveQueue(config));
          },
          () => trace(config, question, undefined),
        );
        if (json) console.log(JSON.stringify(found, null, 2));
        else print(found);
        if (found.messages.length + found.refused.length === 0) process.exitCode = 1;
      }),
    );
}

function liveQueue(config: Config): TraceQueue {
  return {
    get: async (id) => (await askControl<QueueListing | null>(config, { path: `/trace/message/${encodeURIComponent(id)}` })) ?? undefined,
    find: (about, limit) => askControl<QueueListing[]>(config, { path: '/trace/find', query: { about, limit: String(limit) } }),
  };
}

function print({ messages, refused, leftOut }: Trace): void {
  if (messages.length + refused.length === 0) console.log('nothing is known of it: neither the log files nor the queue have it');
  for (const message of messages) console.log(`${described(message).join('\n')}\n`);
  if (refused.length > 0) console.log(`refused at the door\n${refused.map((step) => `  ${stepText(step)}`).join('\n')}\n`);
  if (leftOut) console.log('there is more than is shown: ask with --since or a larger --limit');
}

function described({ id, parent, steps, waiting }: TracedMessage): string[] {
  const known = steps.find(({ size }) => size !== undefined);
  const words = steps.find(({ words: w }) => w?.['msgid'] !== undefined)?.words ?? {};
  const head = [
    id,
    known?.sender === undefined ? '' : `from <${known.sender}>`,
    known?.size === undefined ? '' : `${known.size} octets`,
    words['msgid'] === undefined ? '' : `Message-ID <${words['msgid']}>`,
    parent === undefined ? '' : `came of ${parent}`,
  ];
  return [
    oneLine(head.filter((text) => text !== '').join('  ')),
    ...steps.map((step) => `  ${stepText(step)}`),
    ...waiting.map((one) => oneLine(`  ${waitText(one)}`)),
    ...(waiting.length === 0 ? [`  nothing of it waits in the queue`] : []),
  ];
}

/** A step as one line. */
function waitText({ address, queue, identifier, attempts, nextAttempt, reason, held }: TracedMessage['waiting'][number]): string {
  const place = `${address} at ${queue}${identifier === '' ? '' : ` ${identifier}`}, ${attempts} attempts`;
  const why = (text: string | undefined): string => (text === undefined ? '' : `: ${text}`);
  if (held) return `held: ${place}, since ${utc(held.since)} by ${held.by}${why(held.note)}`;
  return `waits: ${place}, next ${utc(nextAttempt)}${why(reason)}`;
}

export function stepText(step: TraceStep): string {
  return oneLine(`${utc(Date.parse(step.time))}  ${step.component}  ${told(step)}`);
}

/** What the head line says is not said again. */
/** How it was sent; nothing where the line is older than that it says so. */
function encryption({ encrypted, verified }: NonNullable<TraceStep['words']>): string {
  if (encrypted === undefined) return '';
  return encrypted === 'no' ? ', not encrypted' : `, encrypted (${encrypted}, verified: ${verified ?? 'none'})`;
}

/** As the other times of the screen. */
const until = (text = ''): string => (Number.isNaN(Date.parse(text)) ? '?' : utc(Date.parse(text)));

function told({ step, recipients = [], routes = [], words = {}, text, line }: TraceStep): string {
  if (step === undefined) return line;
  const more = words['more'] === undefined ? '' : ` and ${words['more']} more`;
  const to = `${recipients.join(', ')}${more}`;
  const because = text === undefined ? '' : `: ${text}`;
  const report = words['report'] === undefined ? '' : `; report ${words['report']}`;
  const host = words['host'] === undefined ? '' : ` by ${words['host']}`;
  switch (step) {
    case 'Received':
      return `received ${from(words)}, to ${to}`;
    case 'Routed': {
      const ways = routes.map(({ original, queue, identifier, address }) => {
        const changed = address === original ? '' : ` (as ${address})`;
        return `${original} -> ${queue} ${identifier}${changed}`;
      });
      return `routed: ${ways.join(', ')}${more}`;
    }
    case 'Delivered':
      return `delivered to ${to}, mailbox ${words['mailbox'] ?? '?'}${report}`;
    case 'Sent':
      return `sent to ${to}, taken${host}${encryption(words)}${because}${report}`;
    case 'Deferred':
      return `deferred ${to}, attempt ${words['attempts'] ?? '?'}, next ${until(words['until'])}${host}${because}`;
    case 'Bounced':
    case 'Rejected': {
      const rule = words['rule'] === undefined ? '' : ` by rule ${words['rule']}`;
      const client = words['client'] === undefined || report !== '' ? '' : ` ${from(words)}`;
      const by = words['by'] === undefined ? '' : ` by ${words['by']}`;
      return `${step === 'Bounced' || report !== '' ? 'bounced' : 'rejected'} ${to}${by}${rule}${client}${host}${because}${report}`;
    }
    case 'Discarded':
      return `discarded ${to}${because}`;
    default:
      return `${step.toLowerCase()} for ${to}, by ${words['by'] ?? '?'}${because}`;
  }
}

function from({ client, helo, tls, user, protocol }: Readonly<Record<string, string>>): string {
  const parts = [
    client === undefined ? `by ${protocol ?? 'this host'}` : `from ${client}`,
    helo === undefined ? '' : `helo ${helo}`,
    tls === 'yes' ? 'over TLS' : '',
    user === undefined ? '' : `as user ${user}`,
  ];
  return parts.filter((text) => text !== '').join(' ');
}
