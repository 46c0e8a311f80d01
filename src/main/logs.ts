/**
 * The server's log: what every component writes goes into the files of the log folder, errors and warnings to standard error too.
 *
 * Promise: level, size and form follow the settings at once; what ends the process is in the log before it does.
 * Source: checklist SRV-05 to SRV-08, SRV-14
 */

import { createLog, jsonLine, type Live, LiveValue, type Log, type LogLevel, type LogRecord, oneLine, textLine } from '../base/index.ts';
import { type LogFile, openLogFile, openLogFolder } from './log-file.ts';

export interface LogSettings {
  readonly logLevel: LogLevel;
  readonly logFileSize: number;
  readonly logFormat: 'text' | 'json' | 'both';
}

export interface ServerLogs {
  readonly folder: string;
  /** The log of one component. */
  of(component: string): Log;
  follow(settings: Live<LogSettings>): void;
  /** Calls `taker` with the name of every file that was put aside, those of before included. */
  onOld(taker: (name: string) => void): void;
  /** Writes what waits. */
  close(): void;
}

export function openLogs(path: string): ServerLogs {
  const folder = openLogFolder(path);
  const level = new LiveValue<LogLevel>('message');
  const maxSize = new LiveValue(0);
  let format: LogSettings['logFormat'] = 'text';
  let taker: ((name: string) => void) | undefined;
  const aside: string[] = [];
  const own = (about: LogLevel, text: string): LogRecord => ({
    at: Date.now(),
    component: 'Server',
    level: about,
    text: oneLine(text),
    fields: undefined,
  });
  const open = (form: 'text' | 'json'): LogFile => {
    const line = form === 'text' ? textLine : jsonLine;
    const file: LogFile = openLogFile({
      folder,
      form,
      maxSize,
      complain: (text) => console.error(`mailtree: ${text}`),
      lostLine: (lines) => line(own('warning', `${lines} lines of the log could not be written`)),
      onOld(name) {
        if (level.value === 'informational' || level.value === 'diagnostic')
          file.write(line(own('informational', `old logfile renamed to ${name}`)));
        if (taker) taker(name);
        else aside.push(name);
      },
    });
    return file;
  };
  const text = open('text');
  let json: LogFile | undefined;
  const sink = (record: LogRecord): void => {
    const line = format !== 'json' || record.level === 'error' || record.level === 'warning' ? textLine(record) : '';
    if (format !== 'json') text.write(line);
    if (format !== 'text') {
      json ??= open('json');
      json.write(jsonLine(record));
    }
    // Trouble is for whoever looks at the terminal or the journal too.
    if (record.level === 'error' || record.level === 'warning') console.error(line);
  };
  const flush = (): void => {
    text.flush();
    json?.flush();
  };
  const last = (thrown: unknown): void => {
    createLog('Server', level, sink).error('the process ends: nobody foresaw this', thrown);
    flush();
  };
  process.on('uncaughtExceptionMonitor', last);
  const apply = (now: LogSettings): void => {
    level.set(now.logLevel);
    maxSize.set(now.logFileSize);
    format = now.logFormat;
  };
  return {
    folder: path,
    of: (component) => createLog(component, level, sink),
    follow(settings) {
      apply(settings.value);
      settings.onChange(apply);
    },
    onOld(given) {
      taker = given;
      for (const name of aside.splice(0)) given(name);
    },
    close() {
      process.off('uncaughtExceptionMonitor', last);
      flush();
    },
  };
}
