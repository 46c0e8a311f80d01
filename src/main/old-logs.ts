/**
 * What becomes of a log file that was put aside: mailed to the postmaster, kept on disk or deleted, as the settings say.
 *
 * Promise: a file is deleted only when it is not to be kept and, where it is to be mailed, its mail is durable in the queue; one that
 * could not be mailed stays and is tried again, after a restart, too. Files are handled one after the other, without holding them in memory.
 * Source: manual chapter 2, "Log Files"; checklist SRV-08
 */

import { createReadStream, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cancel, Clock, Live, Log } from '../base/index.ts';
import type { MtaPolicy } from '../dit/index.ts';
import { formatDate, noticeHeader, textPart } from '../mail/index.ts';
import { noticeProtocol, type Queue } from '../queue/index.ts';
import type { Blobs } from '../storage/index.ts';
import { sequenceOf } from './log-file.ts';
import type { ServerLogs } from './logs.ts';

export interface OldLogNeeds {
  readonly settings: Live<{ readonly sendOldLog: boolean; readonly keepOldLogs: boolean; readonly logFilesKept: number }>;
  readonly queue: Pick<Queue, 'newId' | 'submit'>;
  readonly blobs: Pick<Blobs, 'create'>;
  readonly mta: Live<Pick<MtaPolicy, 'host' | 'postmaster'>>;
  readonly clock: Clock;
  readonly log: Log;
}

const attachedAtMost = 20_000_000;
/** A multiple of 57, the octets of a base64 line. */
const readAtOnce = 57 * 1_024;

/** After a failure. Milliseconds. */
const againAfter = 15 * 60_000;
/** Names of the files that are not dealt with yet, one a line. */
const openFile = 'unmailed';

/** Returns what ends it: what is in work is finished. */
export function handleOldLogs(logs: Pick<ServerLogs, 'folder' | 'onOld'>, needs: OldLogNeeds): () => Promise<void> {
  const { folder } = logs;
  const open = new OpenFiles(folder);
  let work: Promise<void> = Promise.resolve();
  let again: Cancel | undefined;
  const take = (name: string): void => {
    open.add(name);
    work = work.then(() => attempt(name));
  };
  const takeAll = (): void => {
    again = undefined;
    for (const name of open.names()) take(name);
  };
  const attempt = async (name: string): Promise<void> => {
    try {
      if (existsSync(join(folder, name))) await handle(folder, name, needs, open.names());
      open.remove(name);
    } catch (thrown) {
      needs.log.warning(`the old log file ${name} stays as it is, and is tried again`, thrown);
      again ??= needs.clock.after(againAfter, takeAll);
    }
  };
  takeAll();
  logs.onOld(take);
  return async () => {
    logs.onOld(() => {});
    await work;
    again?.();
  };
}

/** What is still to be done, on disk as far as that can be written. */
class OpenFiles {
  readonly #path: string;
  readonly #names: Set<string>;

  constructor(folder: string) {
    this.#path = join(folder, openFile);
    const lines = existsSync(this.#path) ? readFileSync(this.#path, 'utf8').split('\n') : [];
    this.#names = new Set(lines.filter((name) => sequenceOf(name) !== undefined));
  }

  names(): readonly string[] {
    return [...this.#names];
  }

  add(name: string): void {
    if (this.#names.has(name)) return;
    this.#names.add(name);
    this.#write();
  }

  remove(name: string): void {
    if (this.#names.delete(name)) this.#write();
  }

  #write(): void {
    try {
      if (this.#names.size === 0) rmSync(this.#path, { force: true });
      else writeFileSync(this.#path, [...this.#names, ''].join('\n'), { mode: 0o600 });
    } catch {
      // On a full disk it is known until the next restart.
    }
  }
}

async function handle(folder: string, name: string, needs: OldLogNeeds, open: readonly string[]): Promise<void> {
  const { sendOldLog, keepOldLogs, logFilesKept } = needs.settings.value;
  const attached = sendOldLog ? await send(folder, name, needs) : true;
  if (!keepOldLogs) {
    if (attached) await rm(join(folder, name), { force: true });
  } else if (logFilesKept > 0) await thinOut(folder, logFilesKept, sendOldLog ? open.filter((one) => one !== name) : []);
}

/** Deletes all but the newest, and those that are still to be mailed. */
async function thinOut(folder: string, most: number, unmailed: readonly string[]): Promise<void> {
  const old = (await readdir(folder)).flatMap((name) => {
    const sequence = sequenceOf(name);
    return sequence === undefined ? [] : [{ name, sequence }];
  });
  old.sort((a, b) => b.sequence - a.sequence);
  for (const { name } of old.slice(most)) if (!unmailed.includes(name)) await rm(join(folder, name), { force: true });
}

/** Durable when it resolves. Whether the file itself is in the mail. */
async function send(folder: string, name: string, { queue, blobs, mta, clock }: OldLogNeeds): Promise<boolean> {
  const path = join(folder, name);
  const { size } = await stat(path);
  const { host, postmaster: to } = mta.value;
  const id = queue.newId();
  const date = clock.now();
  const attached = size <= attachedAtMost;
  const head = noticeHeader({ host, id, to, subject: `Log file ${name} of ${host}`, date });
  const writer = blobs.create();
  try {
    for await (const piece of attached ? withFile(head, id, path, name) : withoutFile(head, path, size)) await writer.write(piece);
    const blob = await writer.commit({ sender: '', recipients: [to], arrivedAt: date });
    await queue.submit({
      id,
      sender: '',
      recipients: [{ address: to, dsn: { notify: ['never'] } }],
      blob,
      prefix: `Received: by ${host} id ${id}; ${formatDate(date)}\r\n`,
      inputChannel: 'LOCALOUT',
      origin: { protocol: noticeProtocol },
      smtputf8: /[^\u0000-\u007f]/.test(to),
      eightBit: false,
      arrivedAt: date,
      messageId: `<${id}@${host}>`,
    });
  } catch (thrown) {
    await writer.abort();
    throw thrown;
  }
  return attached;
}

function* withoutFile(head: readonly string[], path: string, size: number): Iterable<Uint8Array> {
  const text = `The log file ${path} has ${size} octets, too many for a mail. It stays where it is.\r\n`;
  yield Buffer.from([...head, textPart(text)].join('\r\n'));
}

async function* withFile(head: readonly string[], id: string, path: string, name: string): AsyncIterable<Uint8Array> {
  const boundary = `=_${id}`;
  const top = [
    ...head,
    `Content-Type: multipart/mixed; boundary="${boundary}"`,
    '',
    `--${boundary}`,
    textPart(`The log file ${name} is full and was put aside. It is attached.\r\n`),
    `--${boundary}`,
    `Content-Type: ${name.endsWith('.json') ? 'application/json' : 'text/plain; charset=utf-8'}`,
    'Content-Transfer-Encoding: base64',
    `Content-Disposition: attachment; filename="${name}${name.endsWith('.json') ? '' : '.txt'}"`,
    '',
    '',
  ];
  yield Buffer.from(top.join('\r\n'));
  let rest = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, { highWaterMark: readAtOnce })) {
    const bytes = Buffer.concat([rest, chunk as Buffer]);
    const whole = bytes.length - (bytes.length % 57);
    rest = Buffer.from(bytes.subarray(whole));
    if (whole > 0) yield base64Lines(bytes.subarray(0, whole));
  }
  if (rest.length > 0) yield base64Lines(rest);
  yield Buffer.from(`--${boundary}--\r\n`);
}

function base64Lines(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('base64').replace(/.{1,76}/g, '$&\r\n'));
}
