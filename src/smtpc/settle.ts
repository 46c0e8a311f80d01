/**
 * Writes down what became of a lease's recipients: done, to be tried again, or reported to the sender.
 *
 * Promise: one commit does all of it: a notice exists exactly where its recipient is done with; nothing is reported to the
 * null sender, nor against NOTIFY. After a message was taken by the peer this is the next thing that happens. With a notice the commit is
 * durable; without one it is written, and books.ts sees to it that it is on the disk soon after.
 * Spec: RFC 3461 §4.1, §5.2; RFC 5321 §4.5.5, §6.1
 */

import type { Clock, Log, Random } from '../base/index.ts';
import { isSpamTagged } from '../mail/index.ts';
import {
  countedFrom,
  type Deferral,
  type Lease,
  type Queue,
  type QueuedMessage,
  type QueuedRecipient,
  type ReportEntry,
  type Reporter,
  type StoryLine,
  tellStep,
} from '../queue/index.ts';
import { type Blobs, join, type KeyValue } from '../storage/index.ts';
import type { Outcome } from './fate.ts';
import { nextAttempt, type RetryRule } from './retry.ts';

/** Where it is the destination that keeps mail waiting, and not the message. */
export interface RunWait {
  /** When the destination is tried next. */
  readonly at: number;
  /** Sleeps until it has to be looked at in any case, and goes with the run. */
  readonly asleep: boolean;
  /** Whether there was an attempt. */
  readonly tried: boolean;
}

export interface SettleNeeds {
  readonly keyValue: Pick<KeyValue, 'transact'>;
  readonly queue: Pick<Queue, 'settlePart' | 'submitPart'>;
  readonly reporter: Reporter;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly retry: RetryRule;
  readonly run?: RunWait;
  /** Milliseconds by which a message may be older, because the clock was put forward since it came. */
  readonly credit?: (arrivedAt: number) => number;
  /** Senders who did not say what they want to hear are told of a delay, too. */
  readonly delayNotice: boolean;
  /** Milliseconds. */
  readonly delayNoticeAfter: number;
  /** Who was told of a delay hears that the message has been sent after all. */
  readonly successNotice: boolean;
  /** Milliseconds that a report about spam is tried for. */
  readonly spamReportPeriod: number;
  /** Whether a message, which is a report of another host, is about spam by what stands in its header. */
  readonly isSpam: (message: QueuedMessage) => Promise<boolean>;
}

type Outcomes = ReadonlyMap<QueuedRecipient, Outcome>;

export async function settle(lease: Lease, fates: Outcomes, needs: SettleNeeds): Promise<void> {
  const { message } = lease;
  const now = needs.clock.now();
  const credit = needs.credit?.(message.arrivedAt) ?? 0;
  const retry = { ...needs.retry, period: await periodOf(message, fates, now, needs) };
  const done: number[] = [];
  const deferred: Deferral[] = [];
  const notices: ReportEntry[] = [];
  const lines: StoryLine[] = [];
  for (const [recipient, fate] of fates) {
    const judged = judge(recipient, fate, { now, arrivedAt: countedFrom(message, recipient) + credit }, { ...needs, retry });
    if (judged.notice) notices.push(judged.notice);
    if (judged.deferral) deferred.push(judged.deferral);
    else done.push(recipient.number);
    lines.push(storyLine(lease, recipient, fate, judged.deferral));
  }
  const settled = needs.queue.settlePart(lease, { done, deferred });
  const report = notices.length > 0 ? await needs.reporter.report(message, notices) : undefined;
  if (report) await needs.keyValue.transact(join(settled, needs.queue.submitPart(report)), 'durable');
  else await needs.keyValue.transact(settled, 'soon');
  for (const line of lines) tellStep(needs.log, line.step === 'Rejected' ? { ...line, report: report?.id } : line);
}

/** How long the message is tried. Only reports that have waited too long for spam are looked into. */
async function periodOf(message: QueuedMessage, fates: Outcomes, now: number, needs: SettleNeeds): Promise<number> {
  const { retry, spamReportPeriod, isSpam } = needs;
  const late = now - message.arrivedAt >= spamReportPeriod && spamReportPeriod < retry.period;
  if (message.sender !== '' || !late || ![...fates.values()].some(({ kind }) => kind === 'defer')) return retry.period;
  return message.spam || (await isSpam(message)) ? spamReportPeriod : retry.period;
}

interface Judged {
  readonly deferral?: Deferral;
  readonly notice?: ReportEntry;
}

interface Times {
  readonly now: number;
  readonly arrivedAt: number;
}

function judge(recipient: QueuedRecipient, fate: Outcome, { now, arrivedAt }: Times, needs: SettleNeeds): Judged {
  const { address, dsn } = recipient;
  const about = {
    address,
    lastAttemptAt: now,
    ...(dsn ? { dsn } : {}),
    ...(fate.host === undefined ? {} : { remoteMta: fate.host }),
    ...(fate.said === undefined ? {} : { diagnostic: fate.said }),
  };
  if (fate.kind === 'sent') {
    const asked = dsn?.notify !== undefined && !fate.passedOn;
    const late = needs.successNotice && recipient.delayNotified === true;
    if (!asked && !late) return {};
    const wasLate = late ? { wasLate: true } : {};
    return { notice: { ...about, ...wasLate, action: 'relayed', status: '2.0.0', text: `handed to ${fate.host}` } };
  }
  if (fate.kind === 'bounce') return { notice: { ...about, action: 'failed', status: fate.status, text: fate.text } };
  const at = nextAttempt({ attempts: recipient.attempts, arrivedAt, now }, needs.retry, needs.random);
  if (at === undefined) {
    const text = `tried for ${hours(needs.retry.period)} without success; last: ${fate.text}`;
    return {
      notice: { ...about, action: 'failed', status: fate.status === '4.0.0' || fate.status === '4.4.2' ? '4.4.7' : fate.status, text },
    };
  }
  const willRetryUntil = arrivedAt + needs.retry.period;
  const noticeAt = wantsNotice(recipient, needs) ? arrivedAt + needs.delayNoticeAfter : undefined;
  const wait = waitFor({ at, end: willRetryUntil, noticeAt, now }, needs);
  const deferral: Deferral = { number: recipient.number, reason: reasonOf(fate), ...wait };
  if (noticeAt === undefined || noticeAt > now) return { deferral };
  return {
    deferral: { ...deferral, delayNotified: true },
    notice: { ...about, action: 'delayed', status: fate.status, text: fate.text, willRetryUntil },
  };
}

/** Why it waits: where a host said so, which one. */
const reasonOf = ({ host, text }: Extract<Outcome, { kind: 'defer' }>): string =>
  host === undefined || text.startsWith(host) ? text : `${host}: ${text}`;

/** Who asked to hear of delays does so in any case; who said nothing, as the setting says. */
function wantsNotice({ delayNotified, dsn }: QueuedRecipient, needs: SettleNeeds): boolean {
  return !delayNotified && (dsn?.notify ? dsn.notify.includes('delay') : needs.delayNotice);
}

/** Until its own time; until the destination is tried again; or, asleep, until it is given up or its sender is told. */
function waitFor(
  { at, end, noticeAt = end, now }: { at: number; end: number; noticeAt: number | undefined; now: number },
  { run }: SettleNeeds,
): Pick<Deferral, 'nextAttempt' | 'runAt' | 'untried'> {
  if (!run) return { nextAttempt: at };
  const tried = run.tried ? {} : { untried: true };
  if (!run.asleep) return { nextAttempt: Math.min(end, run.at), ...tried };
  return { nextAttempt: noticeAt > now ? Math.min(end, noticeAt) : end, runAt: Math.min(end, run.at), ...tried };
}

function storyLine(lease: Lease, recipient: QueuedRecipient, fate: Outcome, deferral: Deferral | undefined): StoryLine {
  const host = fate.host === undefined ? {} : { host: fate.host };
  const line = {
    message: lease.message,
    recipients: [recipient.address],
    channel: 'SMTPC',
    attempts: recipient.attempts + (deferral?.untried ? 0 : 1),
    ...host,
  };
  if (fate.kind === 'sent') return { step: 'Sent', text: fate.said, encryption: fate.encryption ?? 'none', ...line };
  if (deferral) return { step: 'Deferred', status: fate.status, until: deferral.runAt ?? deferral.nextAttempt, text: fate.text, ...line };
  return { ...line, step: 'Rejected', status: fate.status, text: `${fate.status} ${fate.text}` };
}

function hours(ms: number): string {
  const count = Math.round(ms / 3_600_000);
  return count === 1 ? 'an hour' : `${count} hours`;
}

/** Of a header no more is looked at. */
const headerAtMost = 32_768;

/** What a scanner, or this server, wrote in front of the message. One that cannot be read is not taken for spam. */
export async function isSpam({ prefix, blob }: QueuedMessage, blobs: Pick<Blobs, 'read'>): Promise<boolean> {
  try {
    return isSpamTagged(prefix, await blobs.read(blob.id, 0, Math.min(blob.size, headerAtMost)));
  } catch {
    return false;
  }
}
