/**
 * What a filter means.
 *
 * Promise: a filter that makes no sense is refused with words that name what is wrong; matching takes time in proportion to the text,
 * whatever the pattern.
 */

import { domainToASCII } from 'node:url';
import { Fault } from '../../base/index.ts';
import type { QueueFilter, RecipientState } from '../control-port.ts';
import { isQueueId } from '../ids.ts';
import { queueNames } from '../inspect.ts';
import type { QueuedMessage, QueuedRecipient, QueueId } from '../port.ts';
import { sizeOf } from '../records.ts';
import type { Needles } from './walk.ts';

export interface Matcher {
  readonly filter: QueueFilter;
  /** No condition at all: everything matches. */
  readonly any: boolean;
  /** Only these, each once, in order. */
  readonly ids: readonly QueueId[] | undefined;
  /** What is in the records of everything that matches. */
  readonly needles: Needles;
  /** Size, age and queue are the only conditions beside states and destination. */
  readonly plain: boolean;
  size(octets: number): boolean;
  age(arrivedAt: number): boolean;
  state(state: RecipientState): boolean;
  message(message: QueuedMessage): boolean;
  /** All conditions on a recipient but its state. */
  recipient(recipient: QueuedRecipient): boolean;
}

export const recipientStates: readonly RecipientState[] = ['pending', 'deferred', 'leased', 'held'];
const longestText = 1_000;
const mostIds = 1_000;
const mostNumbers = 10_000;

const malformed = (say: string): Fault => new Fault('malformed', say);

export function matcherOf(filter: QueueFilter, now: number): Matcher {
  checkFilter(filter);
  const { queue, identifier, states, numbers } = filter;
  const size = between(filter.minSize, filter.maxSize);
  const age = between(filter.minAge, filter.maxAge);
  const sender = filter.sender === undefined ? () => true : addressTest(filter.sender);
  const address = filter.recipient === undefined ? () => true : addressTest(filter.recipient);
  const bare = (text: string): string => text.trim().replace(/^<|>$/g, '');
  const messageId = filter.messageId === undefined ? undefined : bare(filter.messageId);
  const reason = filter.reason?.toLowerCase();
  const wanted = numbers && new Set(numbers);
  const destination = identifier === undefined ? undefined : asIdentifier(identifier);
  return {
    filter,
    any: Object.values(filter).every((value) => value === undefined),
    ids: filter.ids && [...new Set(filter.ids)].sort(),
    needles: {
      message: [filter.sender, messageId].flatMap(needles),
      slips: [filter.recipient, filter.reason, identifier].flatMap(needles),
    },
    plain: [filter.ids, filter.sender, filter.recipient, numbers, filter.messageId, filter.reason].every((one) => one === undefined),
    size,
    age: (arrivedAt) => age(Math.max(0, now - arrivedAt)),
    state: (state) => states === undefined || states.includes(state),
    message: (message) =>
      size(sizeOf(message)) &&
      age(Math.max(0, now - message.arrivedAt)) &&
      sender(message.sender) &&
      (messageId === undefined || (message.messageId !== undefined && bare(message.messageId) === messageId)),
    recipient: (one) =>
      (queue === undefined || one.queue === queue) &&
      (destination === undefined || one.identifier.toLowerCase() === destination) &&
      (wanted === undefined || wanted.has(one.number)) &&
      (reason === undefined || (one.reason ?? one.held?.note ?? '').toLowerCase().includes(reason)) &&
      address(one.address),
  };
}

/**
 * The longest plain part of a text: what needs no escape in a record and has but one upper case (i and k have two). Nothing of a text
 * with other letters: a domain among them is kept in another form.
 */
function needles(text: string | undefined): string[] {
  if (text === undefined || /[^\u0000-\u007f]/.test(text)) return [];
  const parts = text.toLowerCase().match(/[a-hjl-z0-9.@_-]{3,}/g) ?? [];
  const [longest] = parts.sort((a, b) => b.length - a.length);
  return longest === undefined ? [] : [longest];
}

/** Domains are kept as A-labels in lower case; whoever looks for one may write it as people do. */
export function asIdentifier(text: string): string {
  return (/[^\u0000-\u007f]/.test(text) && domainToASCII(text)) || text.toLowerCase();
}

function checkFilter(filter: QueueFilter): void {
  const { ids, queue, numbers, states } = filter;
  if (ids !== undefined && ids.length > mostIds) throw malformed(`at most ${mostIds} queue ids can be looked for at once`);
  for (const id of ids ?? []) if (!isQueueId(id)) throw malformed(`${JSON.stringify(id.slice(0, 60))} is no queue id`);
  if (queue !== undefined && !queueNames.includes(queue))
    throw malformed(`there is no queue ${String(queue).slice(0, 60)}; there are ${queueNames.join(', ')}`);
  if (numbers !== undefined && (numbers.length > mostNumbers || numbers.some((n) => !Number.isSafeInteger(n) || n < 1)))
    throw malformed('recipients are numbered from 1');
  for (const state of states ?? [])
    if (!recipientStates.includes(state))
      throw malformed(`there is no state ${String(state).slice(0, 60)}; there are ${recipientStates.join(', ')}`);
  for (const name of ['identifier', 'sender', 'recipient', 'messageId', 'reason'] as const) {
    const text = filter[name];
    if (text !== undefined && text.length > longestText) throw malformed(`${name} is longer than ${longestText} characters`);
    if (text === '' && name !== 'identifier') throw malformed(`${name} is empty${name === 'sender' ? '; the null sender is <>' : ''}`);
  }
  for (const name of ['minSize', 'maxSize', 'minAge', 'maxAge'] as const) {
    const bound = filter[name];
    if (bound !== undefined && !(bound >= 0)) throw malformed(`${name} must be a number from 0`);
  }
}

function between(least = 0, most = Number.POSITIVE_INFINITY): (n: number) => boolean {
  return (n) => n >= least && n <= most;
}

/** Whether an address is meant by the text: see `QueueFilter`. */
export function addressTest(text: string): (address: string) => boolean {
  if (text === '<>') return (address) => address === '';
  const at = text.lastIndexOf('@');
  const domain = text.slice(at + 1);
  const wanted = at < 0 ? text.toLowerCase() : `${text.slice(0, at).toLowerCase()}@${asIdentifier(domain)}`;
  if (text.includes('*')) {
    const whole = wanted.startsWith('@') ? `*${wanted}` : wanted;
    return (address) => glob(whole, address.toLowerCase());
  }
  if (at > 0 && domain === '') return (address) => address.toLowerCase().startsWith(text.toLowerCase());
  if (at === 0) return (address) => address.toLowerCase().endsWith(wanted);
  if (at > 0) return (address) => address.toLowerCase() === wanted;
  return (address) => address.toLowerCase().includes(wanted);
}

/** `*` stands for any text. Every piece between two of them is found where it first can be: no way back is ever tried. */
function glob(pattern: string, text: string): boolean {
  const pieces = pattern.split('*');
  const first = pieces.shift() ?? '';
  const last = pieces.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last)) return false;
  let from = first.length;
  const end = text.length - last.length;
  for (const piece of pieces) {
    const at = text.indexOf(piece, from);
    if (at < 0 || at + piece.length > end) return false;
    from = at + piece.length;
  }
  return true;
}
