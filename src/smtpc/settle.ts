/**
 * Writes down what became of a lease's recipients: done, to be tried again, or reported to the sender.
 *
 * Promise: one durable commit does all of it: a notice exists exactly where its recipient is done with; nothing is reported to the
 * null sender, nor against NOTIFY. After a message was taken by the peer this is the next thing that happens.
 * Spec: RFC 3461 §4.1, §5.2; RFC 5321 §4.5.5, §6.1
 */

import type { Clock, Log, Random } from '../base/index.ts';
import type { Deferral, Lease, NewMessage, Queue, QueuedRecipient } from '../queue/index.ts';
import { type Blobs, join, type KeyValue } from '../storage/index.ts';
import type { Fate, Fates } from './fate.ts';
import { buildReport, type ReportRecipient } from './report.ts';
import { nextAttempt, type RetryRule } from './retry.ts';

export interface SettleNeeds {
  readonly keyValue: Pick<KeyValue, 'transact'>;
  readonly queue: Pick<Queue, 'settlePart' | 'submitPart' | 'newId'>;
  readonly blobs: Pick<Blobs, 'read' | 'put'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly host: string;
  readonly retry: RetryRule;
  /** Senders who did not say what they want to hear are told of a delay, too. */
  readonly delayNotice: boolean;
  /** Milliseconds. */
  readonly delayNoticeAfter: number;
}

/** More of a message than this is not sent back. */
const largestReturned = 1_048_576;
const largestHeader = 65_536;

export async function settle(lease: Lease, fates: Fates, needs: SettleNeeds): Promise<void> {
  const { message } = lease;
  const now = needs.clock.now();
  const done: number[] = [];
  const deferred: Deferral[] = [];
  const notices: ReportRecipient[] = [];
  for (const [recipient, fate] of fates) {
    const judged = judge(lease, recipient, fate, now, needs);
    if (judged.notice && message.sender !== '') notices.push(judged.notice);
    if (judged.deferral) deferred.push(judged.deferral);
    else done.push(recipient.number);
    needs.log.message(logLine(lease, recipient, fate, judged.deferral));
  }
  const settled = needs.queue.settlePart(lease, { done, deferred });
  if (notices.length === 0) {
    await needs.keyValue.transact(settled, done.length > 0 ? 'durable' : 'soon');
    return;
  }
  const kinds = [...new Set(notices.map((one) => one.action))];
  const reports = await Promise.all(
    kinds.map((kind) =>
      report(
        lease,
        notices.filter((one) => one.action === kind),
        now,
        needs,
      ),
    ),
  );
  await needs.keyValue.transact(join(settled, ...reports.map((one) => needs.queue.submitPart(one))), 'durable');
}

interface Judged {
  readonly deferral?: Deferral;
  readonly notice?: ReportRecipient;
}

function judge(lease: Lease, recipient: QueuedRecipient, fate: Fate, now: number, needs: SettleNeeds): Judged {
  const about = { address: recipient.address, originalRecipient: recipient.dsn?.originalRecipient };
  const notify = recipient.dsn?.notify;
  if (fate.kind === 'sent') {
    if (!notify?.includes('success') || fate.passedOn) return {};
    return { notice: { ...about, action: 'relayed', status: '2.0.0', text: `handed to ${fate.host}`, host: fate.host, said: fate.said } };
  }
  const failed = (text: string): Judged => {
    if (notify && !notify.includes('failure')) return {};
    const status = fate.kind === 'defer' && fate.status === '4.0.0' ? '4.4.7' : fate.status;
    return { notice: { ...about, action: 'failed', status, text, host: fate.host, said: fate.said } };
  };
  if (fate.kind === 'bounce') return failed(fate.text);
  const at = nextAttempt({ attempts: recipient.attempts, arrivedAt: lease.message.arrivedAt, now }, needs.retry, needs.random);
  if (at === undefined) return failed(`tried for ${Math.round(needs.retry.period / 3_600_000)} hours without success; last: ${fate.text}`);
  const deferral: Deferral = { number: recipient.number, nextAttempt: at, reason: fate.text };
  const late = now - lease.message.arrivedAt >= needs.delayNoticeAfter;
  if (!late || recipient.delayNotified || !(notify ? notify.includes('delay') : needs.delayNotice)) return { deferral };
  return {
    deferral: { ...deferral, delayNotified: true },
    notice: {
      ...about,
      action: 'delayed',
      status: fate.status,
      text: fate.text,
      host: fate.host,
      said: fate.said,
      until: lease.message.arrivedAt + needs.retry.period,
    },
  };
}

async function report(lease: Lease, recipients: readonly ReportRecipient[], now: number, needs: SettleNeeds): Promise<NewMessage> {
  const { message } = lease;
  const id = needs.queue.newId();
  // RFC 3461 §4.3: RET=FULL is about failures; without RET the header will do.
  const whole = message.ret === 'full' && recipients[0]?.action === 'failed' && message.blob.size <= largestReturned;
  const own = await needs.blobs.read(message.blob.id, 0, whole ? undefined : Math.min(message.blob.size, largestHeader));
  const all = Buffer.concat([Buffer.from(message.prefix, 'utf8'), own]);
  const bytes = buildReport({ message, recipients, host: needs.host, id, now, returned: { bytes: whole ? all : headerOf(all), whole } });
  const blob = await needs.blobs.put(bytes, { sender: '', recipients: [message.sender] });
  return {
    id,
    sender: '',
    recipients: [{ address: message.sender, dsn: { notify: ['never'] } }],
    blob,
    prefix: '',
    inputChannel: 'LOCALOUT',
    origin: { protocol: 'report' },
    smtputf8: [message.sender, ...recipients.map((one) => one.address)].some((one) => /[^ -~]/.test(one)),
    eightBit: bytes.some((octet) => octet > 127),
    arrivedAt: now,
  };
}

/** Everything before the first empty line, with the line end of its last line. */
function headerOf(bytes: Buffer): Buffer {
  const end = bytes.indexOf('\r\n\r\n');
  return end < 0 ? bytes : bytes.subarray(0, end + 2);
}

function logLine(lease: Lease, recipient: QueuedRecipient, fate: Fate, deferral: Deferral | undefined): string {
  const { message } = lease;
  const who = `${message.id} size: ${message.blob.size} from <${message.sender}> to <${recipient.address}>`;
  if (fate.kind === 'sent') return `Sent ${who} via ${fate.host}: ${fate.said}`;
  if (deferral) return `Deferred ${who} until ${new Date(deferral.nextAttempt).toISOString()}: ${fate.text}`;
  return `Bounced ${who}: ${fate.status} ${fate.text}`;
}
