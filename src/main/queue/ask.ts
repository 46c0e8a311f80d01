/**
 * What is asked of the queue by JSON: filters in a query or an object, operations in an object.
 *
 * Promise: what cannot be understood is refused by its name, never passed over: a slip must not make "everything" of "some".
 */

import { Fault } from '../../base/index.ts';
import type { Operation, QueueFilter, QueueName, QueueOrder, RecipientState, SearchOptions } from '../../queue/index.ts';

const numbers = ['minSize', 'maxSize', 'minAge', 'maxAge'] as const;
const texts = ['identifier', 'sender', 'recipient', 'messageId', 'reason'] as const;
const orders: readonly QueueOrder[] = ['time', 'size', 'sender', 'priority', 'weight'];
const paging = new Set(['order', 'descending', 'limit', 'after']);
type Given = Readonly<Record<string, unknown>>;

/** A filter; Fault malformed. Whether its values make sense is the queue's business. */
export function readFilter(given: Given): QueueFilter {
  const filter: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (numbers.some((one) => one === name)) filter[name] = numberOf(name, value);
    else if (texts.some((one) => one === name)) filter[name] = textOf(name, value);
    else if (name === 'queue') filter.queue = textOf(name, value).toUpperCase() as QueueName;
    else if (name === 'ids') filter.ids = listOf(name, value).map((id) => id.trim().toLowerCase());
    else if (name === 'states') filter.states = listOf(name, value) as RecipientState[];
    else if (name === 'numbers') filter.numbers = listOf(name, value).map((text) => numberOf(name, text));
    else throw new Fault('malformed', `${name.slice(0, 40)}: there is no such filter`);
  }
  return filter;
}

/** The parts of a query, each given once. */
export function readQuery(given: Readonly<Record<string, readonly string[]>>): Readonly<Record<string, string>> {
  const twice = Object.keys(given).find((name) => (given[name]?.length ?? 0) > 1);
  if (twice !== undefined)
    throw new Fault('malformed', `${twice.slice(0, 40)} is given more than once; several values stand in one, with commas`);
  return Object.fromEntries(Object.entries(given).map(([name, [value = '']]) => [name, value]));
}

/** A query: filter and page in one. */
export function readSearch(query: Given): { filter: QueueFilter; options: SearchOptions } {
  const { order, descending, limit, after } = query;
  const filter = readFilter(Object.fromEntries(Object.entries(query).filter(([name]) => !paging.has(name))));
  return {
    filter,
    options: {
      ...(order === undefined ? {} : { order: orderOf(order) }),
      ...(descending === undefined ? {} : { descending: flagOf('descending', descending) }),
      ...(limit === undefined ? {} : { limit: numberOf('limit', limit) }),
      ...(after === undefined ? {} : { after: textOf('after', after) }),
    },
  };
}

/** What is to be done, with what, and on which conditions. */
export interface Order {
  readonly operation: Operation;
  readonly filter: QueueFilter;
  /** Only say what would be done. */
  readonly dryRun: boolean;
  /** So many messages are expected to match; with another number nothing is done. */
  readonly count: number | undefined;
  /** A filter without conditions means everything that waits. */
  readonly everything: boolean;
}

export function readOrder(body: unknown): Order {
  const given = objectOf('the request', body);
  const wrong = Object.keys(given).find((name) => !['operation', 'filter', 'dryRun', 'count', 'everything'].includes(name));
  if (wrong !== undefined) throw new Fault('malformed', `${wrong.slice(0, 40)}: there is no such part of a request`);
  return {
    operation: readOperation(objectOf('operation', given.operation)),
    filter: readFilter(objectOf('filter', given.filter)),
    dryRun: flagOf('dryRun', given.dryRun ?? false),
    count: given.count === undefined ? undefined : numberOf('count', given.count),
    everything: flagOf('everything', given.everything ?? false),
  };
}

function readOperation(given: Given): Operation {
  const only = (...names: string[]): void => {
    const wrong = Object.keys(given).find((name) => name !== 'do' && !names.includes(name));
    if (wrong !== undefined) throw new Fault('malformed', `${wrong.slice(0, 40)} does not go with ${String(given.do)}`);
  };
  switch (given.do) {
    case 'release':
    case 'retry':
    case 'requeue':
    case 'delete':
      only();
      return { do: given.do };
    case 'hold':
      only('note');
      return { do: 'hold', ...(given.note === undefined ? {} : { note: textOf('note', given.note) }) };
    case 'bounce': {
      only('reason', 'status');
      const status = given.status === undefined ? {} : { status: textOf('status', given.status) };
      return { do: 'bounce', reason: textOf('reason', given.reason), ...status };
    }
    case 'priority':
      only('precedence');
      return { do: 'priority', precedence: integerOf('precedence', given.precedence) };
    default:
      throw new Fault('malformed', 'operation.do is none of hold, release, retry, requeue, delete, bounce, priority');
  }
}

function objectOf(name: string, value: unknown): Given {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Fault('malformed', `${name} is not an object`);
  return value as Given;
}

function textOf(name: string, value: unknown): string {
  if (typeof value !== 'string') throw new Fault('malformed', `${name} is missing or not text`);
  return value;
}

/** A list, or text with commas. */
function listOf(name: string, value: unknown): string[] {
  const list = typeof value === 'string' ? value.split(',') : Array.isArray(value) ? value : undefined;
  if (!list || list.length === 0) throw new Fault('malformed', `${name} is no list, or an empty one`);
  return list.map((one) => textOf(name, typeof one === 'number' ? String(one) : one));
}

function numberOf(name: string, value: unknown): number {
  const number = integerOf(name, value);
  if (number < 0) throw new Fault('malformed', `${name} is less than 0`);
  return number;
}

function integerOf(name: string, value: unknown): number {
  const number = typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
  if (!Number.isSafeInteger(number)) throw new Fault('malformed', `${name} is not a whole number`);
  return number as number;
}

function flagOf(name: string, value: unknown): boolean {
  if (value === true || value === 'true') return true;
  if (value === false || value === 'false') return false;
  throw new Fault('malformed', `${name} is neither true nor false`);
}

function orderOf(value: unknown): QueueOrder {
  const order = orders.find((one) => one === value);
  if (!order) throw new Fault('malformed', `order is none of ${orders.join(', ')}`);
  return order;
}
