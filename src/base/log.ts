/**
 * Log lines in the manual's form: `Wed Dec 27 13:51:47 SMTPD: [Warning] text`; message lines carry no tag. The same event as
 * a JSON object has its parts under names.
 *
 * Promise: a line is one line whatever a stranger put into it, and shows no terminal anything but text; passwords are never handed
 * to it by any caller. Levels include those above them. Where lines go (file, console) is `main`'s business.
 * Source: manual chapter 10, "Levels of Logging"; checklist SRV-05, SRV-06, SRV-14
 */

import { Fault } from './fault.ts';
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
  /** One line about one message's fate; `fields` are what it says, made for the JSON form alone. */
  message(text: string, fields?: () => LogFields): void;
  smtp(text: string): void;
  info(text: string): void;
  diagnostic(text: string): void;
  /** Whether a line of this level would be written; ask before building an expensive one. */
  enabled(level: LogLevel): boolean;
}

/** Names and values of a JSON line. */
export type LogFields = Readonly<Record<string, unknown>>;

/** One event, not yet a line. Its text is one line already. */
export interface LogRecord {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly component: string;
  readonly level: LogLevel;
  readonly text: string;
  readonly fields: (() => LogFields) | undefined;
}

export type LogSink = (record: LogRecord) => void;

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (n: number): string => (n < 10 ? `0${n}` : `${n}`);

let stampedSecond = Number.NaN;
let stamp = '';

/** Local time, as the manual has it. */
export function logStamp(now: number): string {
  const second = Math.floor(now / 1_000);
  // Lines come many a second.
  if (second === stampedSecond) return stamp;
  stampedSecond = second;
  stamp = stampOf(new Date(now));
  return stamp;
}

function stampOf(d: Date): string {
  return `${weekdays[d.getDay()]} ${months[d.getMonth()]} ${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** C0 and C1 controls (a terminal takes U+009B for the start of an escape sequence), line and paragraph separators, and what turns the direction of text around. */
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

const escaped = (c: string): string => {
  const code = c.charCodeAt(0);
  return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
};

/** Text made safe for one line of a log or a terminal: control characters become visible escapes. */
export function oneLine(text: string): string {
  return text.replace(controls, (c) => (c === '\n' ? '\\n' : c === '\r' ? '\\r' : escaped(c)));
}

/** The line of the text form, without its end. */
export function textLine({ at, component, level, text }: LogRecord): string {
  return `${logStamp(at)} ${component}: ${tags[level]}${text}`;
}

/** The line of the JSON form, without its end: time in UTC, component, level, text, and the fields of the event. */
export function jsonLine({ at, component, level, text, fields }: LogRecord): string {
  const line = JSON.stringify({ time: new Date(at).toISOString(), component, level, text, ...fields?.() });
  // Fields are what strangers said, and JSON leaves the upper controls as they are.
  return line.replace(controls, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function causeText(cause: unknown): string {
  if (cause === undefined) return '';
  if (!(cause instanceof Error)) return `: ${String(cause)}`;
  const inner = cause.cause === undefined ? '' : causeText(cause.cause);
  return `: ${cause.stack ?? cause.message}${inner}`;
}

export function createLog(component: string, level: Live<LogLevel>, sink: LogSink, now: () => number = Date.now): Log {
  const enabled = (l: LogLevel): boolean => logLevels.indexOf(l) <= logLevels.indexOf(level.value);
  const write = (given: LogLevel, text: string, cause?: unknown): void => {
    // An outage has its line already: what it keeps from being done is no news.
    const l = cause instanceof Fault && cause.told ? 'diagnostic' : given;
    if (enabled(l)) sink({ at: now(), component, level: l, text: oneLine(text + causeText(cause)), fields: undefined });
  };
  return {
    error: (text, cause) => write('error', text, cause),
    warning: (text, cause) => write('warning', text, cause),
    message(text, fields) {
      if (enabled('message')) sink({ at: now(), component, level: 'message', text: oneLine(text), fields });
    },
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
