/**
 * Log lines in the manual's form: `Wed Dec 27 13:51:47 SMTPD: [Warning] text`; message lines carry no tag.
 *
 * Promise: a line is one line whatever a stranger put into it; passwords are never handed to it by any caller.
 * Levels include those above them. Where lines go (file, console) is `main`'s business.
 * Source: manual chapter 10, "Levels of Logging"
 */

import type { Live } from './live.ts';

export const logLevels = ['error', 'warning', 'message', 'smtp', 'informational', 'diagnostic'] as const;
export type LogLevel = (typeof logLevels)[number];

const tags: Readonly<Record<LogLevel, string>> = {
  error: '[Error] ',
  warning: '[Warning] ',
  message: '',
  smtp: '[SMTP] ',
  informational: '[Informational] ',
  diagnostic: '[Diagnosis] ',
};

/** One component's voice. */
export interface Log {
  error(text: string, cause?: unknown): void;
  warning(text: string, cause?: unknown): void;
  /** One line about one message's fate. */
  message(text: string): void;
  smtp(text: string): void;
  info(text: string): void;
  diagnostic(text: string): void;
  /** Whether a line of this level would be written; ask before building an expensive one. */
  enabled(level: LogLevel): boolean;
}

export type LogSink = (line: string) => void;

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (n: number): string => (n < 10 ? `0${n}` : `${n}`);

export function logStamp(now: number): string {
  const d = new Date(now);
  return `${weekdays[d.getDay()]} ${months[d.getMonth()]} ${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** C1 controls too: a terminal takes U+009B for the start of an escape sequence. */
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/** Text made safe for one line of a log or a terminal: control characters become visible escapes. */
export function oneLine(text: string): string {
  return text.replace(controls, (c) => (c === '\n' ? '\\n' : c === '\r' ? '\\r' : `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`));
}

function causeText(cause: unknown): string {
  if (cause === undefined) return '';
  if (!(cause instanceof Error)) return `: ${String(cause)}`;
  const inner = cause.cause === undefined ? '' : causeText(cause.cause);
  return `: ${cause.stack ?? cause.message}${inner}`;
}

export function createLog(component: string, level: Live<LogLevel>, sink: LogSink, now: () => number = Date.now): Log {
  const enabled = (l: LogLevel): boolean => logLevels.indexOf(l) <= logLevels.indexOf(level.value);
  const write = (l: LogLevel, text: string, cause?: unknown): void => {
    if (enabled(l)) sink(`${logStamp(now())} ${component}: ${tags[l]}${oneLine(text + causeText(cause))}`);
  };
  return {
    error: (text, cause) => write('error', text, cause),
    warning: (text, cause) => write('warning', text, cause),
    message: (text) => write('message', text),
    smtp: (text) => write('smtp', text),
    info: (text) => write('informational', text),
    diagnostic: (text) => write('diagnostic', text),
    enabled,
  };
}

/** A log that says nothing. */
export const silentLog: Log = {
  error() {},
  warning() {},
  message() {},
  smtp() {},
  info() {},
  diagnostic() {},
  enabled: () => false,
};
