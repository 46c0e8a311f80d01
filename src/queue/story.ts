/**
 * The line in the log for each step of a message, and reading it back.
 *
 * `Delivered <id> size: 332 bytes from: <a> to b channel=LOCAL client=[192.0.2.1] … : text`: what an event says stands in words of
 * one form, so that `grep` for a queue id, a Message-ID or an address tells the story, and `mailtree trace` reads what we wrote.
 *
 * Promise: a line is of one message; nothing a stranger sends (address, HELO name, header, reply) can pass for another word of it, let
 * alone for a line. Every step counts in the metrics, logged or not.
 * Source: manual chapter 10; checklist SRV-06
 */

import { counter, type Log, type OutputChannel, outputChannels } from '../base/index.ts';
import type { QueuedMessage, QueueId } from './port.ts';

/**
 * Received: taken over by a door. Routed: filed under channels. From Delivered to Discarded they end or put off a recipient's way. From
 * Held on an administrator did it (and Bounced, where `by` says who).
 */
export const steps = [
  'Received',
  'Routed',
  'Delivered',
  'Sent',
  'Deferred',
  'Bounced',
  'Rejected',
  'Discarded',
  'Held',
  'Released',
  'Hastened',
  'Requeued',
  'Prioritized',
  'Deleted',
] as const;
export type Step = (typeof steps)[number];

export interface RouteTaken {
  /** The recipient as it came. */
  readonly original: string;
  readonly queue: OutputChannel;
  readonly identifier: string;
  /** The address it goes to now. */
  readonly address: string;
}

export interface StoryLine {
  readonly step: Step;
  readonly message: QueuedMessage;
  readonly recipients: readonly string[];
  /** Input or output channel: SMTPD, INPUT, LOCAL, SMTPC … */
  readonly channel: string;
  readonly routes?: readonly RouteTaken[];
  /** Next host that answered, or mailbox. */
  readonly host?: string;
  readonly mailbox?: string;
  readonly status?: string;
  /** Milliseconds since 1970: when it is tried again. */
  readonly until?: number;
  /** Of the session it was sent over: protocol and cipher, and what vouched for the other side (`none` for nothing). */
  readonly encryption?: { readonly protocol: string; readonly cipher: string; readonly verified: string } | 'none';
  /** Attempts so far, this one included. */
  readonly attempts?: number;
  /** The report about this that is on its way to the sender. */
  readonly report?: QueueId | undefined;
  /** The administrator who did it. */
  readonly by?: string;
  /** Of the door, as in its [SMTP] lines. */
  readonly session?: string;
  /** Setting, entry or module that decided it. */
  readonly rule?: string;
  /** What the other side or we said. */
  readonly text?: string;
}

/** Addresses and routes of one line; the rest is counted. */
export const shownAtMost = 20;
const longestWord = 320;

const recipientsTotal = counter(
  'mailtree_recipients_total',
  'Recipients by channel and what became of them there.',
  ['channel', 'result'],
  [...outputChannels.slice(0, 2).flatMap((channel) => ['delivered', 'deferred', 'bounced'].map((result) => [channel, result]))],
);
const receivedTotal = counter('mailtree_messages_received_total', 'Messages taken over into the queue, by how they came.', ['protocol']);
const receivedOctets = counter('mailtree_received_bytes_total', 'Octets of the messages taken over into the queue.');

const results: Readonly<Partial<Record<Step, string>>> = {
  Delivered: 'delivered',
  Sent: 'delivered',
  Deferred: 'deferred',
  Bounced: 'bounced',
  Rejected: 'bounced',
  Discarded: 'discarded',
  Deleted: 'deleted',
};

const special = /[\u0000-\u0020\u007f-\u00a0<>,"\\\u1680\u2000-\u200f\u2028-\u202f\u205f\u2060-\u206f\u3000\ufeff]/g;

/** Words as they are nearly always: printable ASCII, none of `special`. */
const ordinary = /^[!#-+.-;=?-[\]-~-]*$/;

/** Text as one word of a line: blanks, brackets, commas, quotes, controls as `\xNN` or `\uNNNN`; cut where it is very long. */
export function storyWord(text: string): string {
  if (text.length <= longestWord && ordinary.test(text) && !text.endsWith(':')) return text;
  const word = text.replace(special, (c) => {
    const code = c.charCodeAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
  // A colon before a blank ends the words.
  return word.length > longestWord ? `${word.slice(0, longestWord)}\\…` : word.replace(/:$/, '\\x3a');
}

/** The text behind a word. */
export function fromStoryWord(word: string): string {
  return word.replace(/\\x([0-9a-f]{2})|\\u([0-9a-f]{4})/g, (_, two?: string, four?: string) =>
    String.fromCharCode(Number.parseInt(two ?? four ?? '0', 16)),
  );
}

type Words = [name: string, value: string | undefined][];

/** The client a message came from, and what ties it to others. */
export function originWords(origin: QueuedMessage['origin']): Words {
  const { address, helo, tls, login, user, protocol } = origin;
  return [
    ['client', address === undefined ? undefined : `[${address}]`],
    ['helo', helo],
    ['tls', address === undefined ? undefined : tls ? 'yes' : 'no'],
    ['user', login ?? user],
    ['protocol', protocol],
  ];
}

function encryptionWords(encryption: StoryLine['encryption']): Words {
  if (encryption === undefined || encryption === 'none') return [['encrypted', encryption && 'no']];
  return [
    ['encrypted', `${encryption.protocol}/${encryption.cipher}`],
    ['verified', encryption.verified],
  ];
}

/** Writes the line and counts the step. */
export function tellStep(log: Log, line: StoryLine): void {
  const { step, message, recipients, channel } = line;
  const result = results[step];
  if (step === 'Received') {
    receivedTotal.count(message.origin.protocol ?? channel);
    receivedOctets.add(message.blob.size);
  } else if (result !== undefined) recipientsTotal.add(recipients.length, channel, result);
  if (!log.enabled('message')) return;
  const words: Words = [
    ['more', recipients.length > shownAtMost ? String(recipients.length - shownAtMost) : undefined],
    ['channel', channel],
    ...(line.routes ?? []).slice(0, shownAtMost).map((route): [string, string] => ['route', routeText(route)]),
    ['host', line.host],
    ['mailbox', line.mailbox],
    ...encryptionWords(line.encryption),
    ['status', line.status],
    ['rule', line.rule],
    ['attempts', line.attempts === undefined ? undefined : String(line.attempts)],
    ['until', line.until === undefined ? undefined : new Date(line.until).toISOString()],
    ['report', line.report],
    ['by', line.by],
    ['session', line.session],
    ['parent', message.parent],
    ['msgid', message.messageId],
    ...originWords(message.origin),
  ];
  const to = recipients.slice(0, shownAtMost).map(storyWord).join(',');
  const head = `${step} ${message.id} size: ${message.blob.size} bytes from: <${storyWord(message.sender)}>${recipients.length > 0 ? ` to ${to}` : ''}`;
  log.message(withWords(head, words, line.text), () => fieldsOf(line, words));
}

/** ` name=value …: text` behind the head of a line. */
export function withWords(head: string, words: Words, text: string | undefined): string {
  let line = head;
  for (const [name, value] of words) if (value !== undefined && value !== '') line += ` ${name}=${valueWord(name, value)}`;
  return text === undefined || text === '' ? line : `${line}: ${text}`;
}

function valueWord(name: string, value: string): string {
  // Made of words already.
  if (name === 'route') return value;
  // Brackets around the whole are how people write it, and what they search for.
  return name === 'msgid' ? `<${storyWord(value.replace(/^<|>$/g, ''))}>` : storyWord(value);
}

function routeText({ original, queue, identifier, address }: RouteTaken): string {
  const route = `${storyWord(original)}>${queue}${identifier === '' ? '' : `:${storyWord(identifier)}`}`;
  return address === original ? route : `${route}>${storyWord(address)}`;
}

function fieldsOf(line: StoryLine, words: Words): Record<string, unknown> {
  const { message } = line;
  return {
    step: line.step,
    id: message.id,
    size: message.blob.size,
    sender: message.sender,
    recipients: line.recipients.slice(0, shownAtMost),
    ...Object.fromEntries(words.filter(([name, value]) => value !== undefined && value !== '' && name !== 'route')),
    ...(line.routes ? { routes: line.routes.slice(0, shownAtMost) } : {}),
    ...(line.text === undefined ? {} : { reply: line.text }),
  };
}
