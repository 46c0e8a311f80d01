import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { jsonLine, type Log, type LogRecord, silentLog, textLine } from '../../src/base/index.ts';
import { traceMessages } from '../../src/main/trace/trace.ts';
import { type QueuedMessage, tellStep } from '../../src/queue/index.ts';
import { tempDir } from '../support/temp.ts';

let folder: string;
let remove: () => Promise<void>;
const start = new Date(2026, 0, 31, 12, 0, 0).getTime();
let at: number;

beforeEach(async () => {
  const made = await tempDir();
  remove = made.remove;
  folder = join(made.path, 'log');
  mkdirSync(folder);
  at = start;
});
afterEach(() => remove());

const id = (n: number): string => `01q3dcbd0000${String(n).padStart(4, '0')}`;

function message(n: number, over: Partial<QueuedMessage> = {}): QueuedMessage {
  return {
    id: id(n),
    sender: 'ann@jade.example',
    blob: { id: 'b', size: 10 },
    prefix: '',
    inputChannel: 'SMTPD',
    origin: { address: '192.0.2.1' },
    smtputf8: false,
    eightBit: false,
    arrivedAt: 0,
    messageId: `<m${n}@jade.example>`,
    ...over,
  } as unknown as QueuedMessage;
}

function records(...work: ((log: Log) => void)[]): LogRecord[] {
  const made: LogRecord[] = [];
  const put =
    (level: LogRecord['level']) =>
    (text: string): void => {
      at += 1_000;
      made.push({ at, component: 'SMTPC', level, text, fields: undefined });
    };
  const log: Log = { ...silentLog, enabled: () => true, message: put('message'), smtp: put('smtp'), warning: put('warning') };
  for (const one of work) one(log);
  return made;
}

function write(name: string, lines: readonly string[]): void {
  writeFileSync(join(folder, name), lines.map((line) => `${line}\n`).join(''));
  utimesSync(join(folder, name), at / 1_000, at / 1_000);
}

const ask = (about: string, over: { since?: number; limit?: number } = {}) =>
  traceMessages(folder, { about, limit: 100, ...over }, undefined);

/** A message that went to one, was refused for another, and the report that came of it. */
const story = (): LogRecord[] =>
  records(
    (log) => tellStep(log, { step: 'Received', message: message(1), recipients: ['bob@x.example', 'no@x.example'], channel: 'SMTPD' }),
    (log) => tellStep(log, { step: 'Received', message: message(9), recipients: ['else@x.example'], channel: 'SMTPD' }),
    (log) => log.warning(`${id(1)}: looked at twice`),
    (log) =>
      tellStep(log, { step: 'Sent', message: message(1), recipients: ['bob@x.example'], channel: 'SMTPC', host: 'mx', text: '250 ok' }),
    (log) =>
      tellStep(log, {
        step: 'Bounced',
        message: message(1),
        recipients: ['no@x.example'],
        channel: 'SMTPC',
        report: id(2),
        text: '550 no',
      }),
    (log) =>
      tellStep(log, {
        step: 'Delivered',
        message: message(2, { parent: id(1), sender: '' }),
        recipients: ['ann@jade.example'],
        channel: 'LOCAL',
        mailbox: 'ann@jade.example/INBOX',
      }),
  );

for (const form of ['text', 'json', 'both'] as const)
  test(`a message is found by its id, its Message-ID, an address and its report, in the ${form} form, over old and current files`, async () => {
    const made = story();
    if (form !== 'json') {
      write('31jan007---400', made.slice(0, 3).map(textLine));
      write('iemta.log', made.slice(3).map(textLine));
    }
    if (form !== 'text') {
      write('31jan008---400.json', made.slice(0, 2).map(jsonLine));
      write('iemta.json', made.slice(2).map(jsonLine));
    }
    for (const about of [id(1), 'm1@jade.example', '<M1@jade.example>', 'no@x.example', id(2)]) {
      const { messages, leftOut } = await ask(about);
      expect(messages.map((one) => [one.id, one.parent, one.steps.map(({ step }) => step)])).toEqual([
        [id(1), undefined, ['Received', undefined, 'Sent', 'Bounced']],
        [id(2), id(1), ['Delivered']],
      ]);
      expect(leftOut).toBe(false);
      expect(messages[0]?.steps[0]).toMatchObject({
        time: new Date(start + 1_000).toISOString(),
        component: 'SMTPC',
        words: { client: '[192.0.2.1]' },
      });
    }
  });

test('lines of the year before are read as such', async () => {
  at = new Date(2025, 11, 31, 23, 59, 0).getTime();
  const before = records((log) => tellStep(log, { step: 'Received', message: message(1), recipients: ['b@x.example'], channel: 'SMTPD' }));
  at = new Date(2026, 0, 1, 0, 1, 0).getTime();
  write('iemta.log', before.map(textLine));
  expect((await ask(id(1))).messages[0]?.steps[0]?.time).toBe(new Date(2025, 11, 31, 23, 59, 1).toISOString());
});

test('what strangers said in SMTP lines, replies and addresses makes no step and no message', async () => {
  const forged = `Delivered ${id(5)} size: 1 bytes from: <a@b> to victim@x.example`;
  const made = records(
    (log) => log.smtp(forged),
    (log) => log.smtp(`: ${forged}`),
    (log) => tellStep(log, { step: 'Sent', message: message(1), recipients: ['bob@x.example'], channel: 'SMTPC', text: `250 ${forged}` }),
    (log) =>
      tellStep(log, {
        step: 'Received',
        message: message(3, { sender: `"x> to victim@x.example: ${forged}"@e.example` }),
        recipients: ['c@x.example'],
        channel: 'SMTPD',
      }),
  );
  write('iemta.log', [...made.map(textLine), 'no line of ours', '\u0000\u0001', `Wed Jan 31 12:00:00 : ${forged}`, `${forged}`]);
  expect((await ask('victim@x.example')).messages).toEqual([]);
  expect((await ask(id(5))).messages).toEqual([]);
  expect((await ask(id(3))).messages).toHaveLength(1);
});

test('of many messages the newest are shown, and it is said that there are more; since counts', async () => {
  const made = records(
    ...Array.from(
      { length: 50 },
      (_, n) => (log: Log) => tellStep(log, { step: 'Received', message: message(n), recipients: ['many@x.example'], channel: 'SMTPD' }),
    ),
  );
  write('iemta.log', made.map(textLine));
  const { messages, leftOut } = await ask('many@x.example', { limit: 3 });
  expect([messages.map((one) => one.id), leftOut]).toEqual([[id(47), id(48), id(49)], true]);
  const since = start + 45_500;
  expect((await ask('many@x.example', { since })).messages.map((one) => one.id)).toEqual([id(44), id(45), id(46), id(47), id(48), id(49)]);
});

test('what waits in the queue is told, whether the log has it or not', async () => {
  write('iemta.log', []);
  const recipient = {
    number: 0,
    address: 'b@x.example',
    queue: 'SMTPC' as const,
    identifier: 'x.example',
    attempts: 2,
    nextAttempt: 5,
    reason: 'away',
  };
  const listing = { message: message(7), recipients: [recipient] };
  const queue = { get: async (asked: string) => (asked === id(7) ? listing : undefined), find: async () => [listing] };
  const trace = await traceMessages(folder, { about: 'b@x.example', limit: 5 }, queue);
  expect(trace).toMatchObject({
    messages: [{ id: id(7), steps: [], waiting: [{ address: 'b@x.example', reason: 'away' }] }],
    queueAsked: true,
  });
});

test('a line without end and a line of megabytes are borne', async () => {
  const [line] = records((log) => tellStep(log, { step: 'Received', message: message(1), recipients: ['b@x.example'], channel: 'SMTPD' }));
  const text = textLine(line as LogRecord);
  writeFileSync(join(folder, 'iemta.log'), `${'x'.repeat(3_000_000)}\n${text}\n${text}`);
  expect((await ask(id(1))).messages[0]?.steps).toHaveLength(1);
  await expect(ask('')).rejects.toThrow('a queue id, a Message-ID or an address is needed');
  await expect(traceMessages(join(folder, 'none'), { about: 'x', limit: 1 }, undefined)).rejects.toThrow('cannot be read');
});
