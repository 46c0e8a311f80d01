/**
 * The header lines a server adds: Received, Return-Path, Delivered-To, Message-ID.
 *
 * Promise: what a stranger said (HELO name, addresses) cannot break out of its place: no line breaks, no controls, no unbalanced
 * comments; lines are folded and end in CRLF.
 * Spec: RFC 5321 §4.4; RFC 3848 and RFC 6531 §4.3 (WITH); RFC 5322 §3.6.4; RFC 9228 (Delivered-To)
 */

import { domainToASCII } from 'node:url';
import { formatDate } from './date.ts';

export interface ReceivedOptions {
  /** The name the client gave. */
  readonly from?: string;
  readonly ip?: string;
  /** Name of the client by reverse DNS, where it was confirmed. */
  readonly hostname?: string;
  /** This server. */
  readonly by: string;
  /** ESMTP, ESMTPS, ESMTPSA, UTF8SMTPS, LMTP … */
  readonly with: string;
  readonly id: string;
  /** The recipient; leave out where there are several (it would tell one about the others). */
  readonly for?: string;
  /** Milliseconds since 1970. */
  readonly date: number;
  /** Protocol and cipher, for a comment: `TLSv1.3 TLS_AES_256_GCM_SHA384`. */
  readonly tls?: string;
}

const soft = 78;

/** Folds a field at spaces so that no line is longer than 78 characters where that can be had; CRLF at the end. */
export function foldField(name: string, value: string): string {
  const words = clean(value).split(/ +/);
  let line = `${name}:`;
  const lines: string[] = [];
  for (const word of words) {
    if (line.length + 1 + word.length > soft && line.trim() !== '' && line !== `${name}:`) {
      lines.push(line);
      line = '\t';
      line += word;
    } else line += line === '\t' ? word : ` ${word}`;
  }
  lines.push(line);
  return `${lines.join('\r\n')}\r\n`;
}

/** Control characters and line separators become spaces. */
export function clean(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim();
}

/** Text for inside a comment. */
function commented(text: string): string {
  return clean(text).replace(/[()\\]/g, '\\$&');
}

/** A name in the place of a domain: only what can be one, in A-labels, for the message may have to travel where there is but ASCII. */
function domainText(text: string): string {
  const name = /[^ -~]/.test(text) && !/[%/\\?#:@[\]\s]/.test(text) ? domainToASCII(text) || text : text;
  const safe = name.replace(/[^\w.:[\]-]/g, '?').slice(0, 255);
  return safe === '' ? 'unknown' : safe;
}

export function receivedLine(options: ReceivedOptions): string {
  const parts: string[] = [];
  const { ip } = options;
  if (options.from !== undefined || ip !== undefined) {
    const literal = ip === undefined ? undefined : ip.includes(':') ? `[IPv6:${ip}]` : `[${ip}]`;
    const info = [options.hostname, literal].filter((part) => part !== undefined).map(commented);
    parts.push(`from ${domainText(options.from ?? literal ?? '')}${info.length > 0 ? ` (${info.join(' ')})` : ''}`);
  }
  parts.push(`by ${domainText(options.by)}`);
  if (options.tls) parts.push(`(${commented(options.tls)})`);
  parts.push(`with ${options.with.replace(/[^A-Za-z0-9-]/g, '')}`);
  parts.push(`id ${options.id.replace(/[^\w.@+-]/g, '?')}`);
  if (options.for) parts.push(`for <${angle(options.for)}>`);
  return foldField('Received', `${parts.join(' ')}; ${formatDate(options.date)}`);
}

/** An address for between angle brackets. The bracket and blanks can only stand in a quoted local part. */
function angle(address: string): string {
  const text = clean(address);
  return text.startsWith('"') ? text : text.replace(/[<>\s]/g, '');
}

/** The empty string is the null sender. RFC 5321 §4.4 */
export function returnPathLine(sender: string): string {
  return `Return-Path: <${angle(sender)}>\r\n`;
}

export function deliveredToLine(address: string): string {
  return `Delivered-To: ${angle(address)}\r\n`;
}

/** `<unique@host>`. `unique` is anything that no other message of this host has. */
export function messageId(unique: string, host: string): string {
  return `<${unique.replace(/[^A-Za-z0-9.+_-]/g, '')}@${domainText(host)}>`;
}
