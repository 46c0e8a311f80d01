/** The queue as tables for people: what the manual's queue status pages show. Source: manual chapter 6 "Queue Status"; checklist SMTPC-13 */

import { oneLine } from '../../base/index.ts';
import type { DeskSummary, Destinations, DomainChannel, MessagePage, MessageView } from '../../main/index.ts';
import { duration } from '../duration.ts';
import { table } from '../program.ts';

/** Recipients of a message in a list; the rest is counted. */
const shownRecipients = 3;

export function printSummary({ queues, disk }: DeskSummary): void {
  const aside = queues.some((one) => one.aside > 0);
  table(
    ['queue', 'pending', 'deferred', 'held', ...(aside ? ['put aside'] : [])],
    queues.map((one) => [one.queue, ...[one.pending, one.deferred, one.held, ...(aside ? [one.aside] : [])].map(String)]),
  );
  const percent = disk.total === 0 ? 0 : Math.round((disk.free / disk.total) * 100);
  console.log(`\ndisk of the queue: total ${megabytes(disk.total)} MB, free ${megabytes(disk.free)} MB (${percent} %)`);
  if (aside) console.log('what was put aside cannot be read: mailtree queue aside');
}

const megabytes = (octets: number): string => String(Math.floor(octets / 1_048_576));

export function printDestinations(found: Destinations, now: number): void {
  if (found.length === 0) console.log('nothing is deferred');
  else
    table(
      ['destination', 'messages', 'recipients', 'next attempt', 'reason'],
      found.map((one) => [
        one.identifier,
        String(one.messages),
        String(one.recipients),
        `${time(one.nextAttempt)} (${within(one.nextAttempt, now)})`,
        one.reason ?? '',
      ]),
    );
}

/** Source: manual chapter 6, "SMTPC Channel Information" */
export function printChannel({ domain, profile, deferred }: DomainChannel, now: number): void {
  const rows: [string, string][] = [
    ['domain', domain],
    ['profile', `of the peer ${profile.peer}`],
    ['  queue mail before attempting delivery', profile.queueFirst ? 'enabled' : 'disabled'],
    ['  queue run interval', `${profile.queueInterval} min`],
    ['  retry period', `${profile.retryPeriod} hours`],
    ['  maximum sessions', String(profile.sessions)],
    ['  messages per session', String(profile.messagesPerSession)],
    ['deferred messages', String(deferred?.messages ?? 0)],
    ['deferred recipients', String(deferred?.recipients ?? 0)],
    ...(deferred
      ? ([
          ['  reason', deferred.reason ?? ''],
          ['  next queue retry', `${time(deferred.nextAttempt)} (${within(deferred.nextAttempt, now)})`],
        ] as [string, string][])
      : []),
  ];
  for (const [name, text] of rows) console.log(`${name.padEnd(39)}  ${oneLine(text)}`.trimEnd());
  console.log('');
}

export function printPage({ messages, next }: MessagePage, now: number): void {
  if (messages.length === 0) {
    console.log('no message matches');
    return;
  }
  table(
    ['id', 'weight', 'sender', 'deferred', 'size', 'state', 'recipients'],
    messages.map((message) => [
      message.id,
      String(message.weight),
      message.sender === '' ? '<>' : message.sender,
      deferredFor(message, now),
      String(message.size),
      [...new Set(message.recipients.map(({ state }) => state))].join(','),
      recipientsOf(message),
    ]),
  );
  if (next !== undefined) console.log(`there are more: --after ${next}`);
}

function recipientsOf({ recipients }: MessageView): string {
  const first = recipients.slice(0, shownRecipients).map(({ address }) => address);
  const more = recipients.length - first.length;
  return more > 0 ? `${first.join(' ')} and ${more} more` : first.join(' ');
}

function deferredFor({ recipients }: MessageView, now: number): string {
  const since = recipients.flatMap(({ deferredSince }) => deferredSince ?? []);
  return since.length === 0 ? '' : duration(now - Math.min(...since));
}

export function printMessage(view: MessageView, now: number): void {
  const rows: [string, string | undefined][] = [
    ['id', view.id],
    ['sender', view.sender === '' ? '<>' : view.sender],
    ['size', `${view.size} octets`],
    ['accepted', `${utc(view.arrivedAt)} (${duration(now - view.arrivedAt)} ago) by ${view.inputChannel}`],
    ['Message-ID', view.messageId],
    ['client', view.client],
    ['user', view.user],
    ['came of', view.parent],
    ['weight', String(view.weight)],
    ['precedence', String(view.precedence)],
  ];
  for (const [name, text] of rows) if (text !== undefined) console.log(`${name.padEnd(11)} ${oneLine(text)}`);
  console.log('');
  table(
    ['recipient', 'queue', 'destination', 'state', 'attempts', 'next attempt', 'reason'],
    view.recipients.map((one) => [
      one.address,
      one.queue,
      one.destination,
      one.held ? `held by ${one.held.by} since ${utc(one.held.since)}` : one.state,
      String(one.attempts),
      one.state === 'deferred' ? `${utc(one.nextAttempt)} (${within(one.nextAttempt, now)})` : '',
      one.held?.note ?? one.reason ?? '',
    ]),
  );
}

/** UTC. */
export const time = (at: number): string => new Date(at).toISOString().replace('T', ' ').slice(0, 19);

/** Beside lines of the log, which have other times: `2026-01-31 12:00:00Z`. */
export const utc = (at: number): string => `${time(at)}Z`;

const within = (at: number, now: number): string => (at <= now ? 'due' : `in ${duration(at - now)}`);
