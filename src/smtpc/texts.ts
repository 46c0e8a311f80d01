/**
 * An administrator's words for notices: from the directory, or from a text file.
 *
 * Promise: a notice is always written; what cannot be read is an error in the log, once until it changes, and the built-in text is used.
 * Only files that everybody on this host may read are taken: whoever may change a setting must not have the server's secrets sent out.
 * Source: manual chapter 6, "Delayed mail notification text"; checklist SMTPC-09
 */

import { isUtf8 } from 'node:buffer';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Live, Log } from '../base/index.ts';
import type { ReporterNeeds } from '../queue/index.ts';
import type { SmtpcSettings } from './settings/index.ts';

export interface NoticeTextNeeds {
  readonly settings: Live<SmtpcSettings>;
  readonly log: Pick<Log, 'error'>;
  /** Paths that do not begin at the root begin here. */
  readonly folder: string;
}

const octetsAtMost = 65_536;
const readableByAll = 0o004;

export function createNoticeTexts({ settings, log, folder }: NoticeTextNeeds): NonNullable<ReporterNeeds['texts']> {
  /** What was last wrong with a file. */
  const complaints = new Map<string, string>();
  return async (action, late) => {
    const chosen = choose(settings.value, action, late);
    if (!chosen) return undefined;
    const [text, file] = chosen;
    if (text.trim() !== '') return text;
    if (file === '') return undefined;
    const path = resolve(folder, file);
    try {
      const read = await readText(path);
      complaints.delete(path);
      return read;
    } catch (thrown) {
      const why = String((thrown as { message?: unknown } | undefined)?.message ?? thrown);
      if (complaints.get(path) !== why) log.error(`the text of a notice cannot be used: ${path}: ${why}; the built-in text is`);
      if (complaints.size > 100) complaints.clear();
      complaints.set(path, why);
      return undefined;
    }
  };
}

function choose(value: SmtpcSettings, action: string, late: boolean): readonly [text: string, file: string] | undefined {
  if (action === 'failed') return [value.bounceText, value.bounceFile];
  if (action === 'delayed') return [value.delayNoticeText, value.delayNoticeFile];
  return late ? [value.successNoticeText, value.successNoticeFile] : undefined;
}

async function readText(path: string): Promise<string> {
  // Not waiting for a writer where somebody put a pipe there.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new Error('it is no file');
    if ((stat.mode & readableByAll) === 0) throw new Error('not everybody on this host may read it (chmod a+r)');
    if (stat.size > octetsAtMost) throw new Error(`it has more than ${octetsAtMost} octets`);
    const bytes = Buffer.alloc(stat.size);
    const { bytesRead } = await file.read(bytes, 0, stat.size, 0);
    const text = bytes.subarray(0, bytesRead);
    if (!isUtf8(text)) throw new Error('it is not UTF-8');
    return text.toString('utf8').replace(/^\ufeff/, '');
  } finally {
    await file.close();
  }
}
