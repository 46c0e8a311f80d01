/** What is asked of the queue by JSON: everything is understood as it is meant, or refused by its name. */

import { expect, test } from '@jest/globals';
import { readFilter, readOrder, readQuery, readSearch } from '../../src/main/queue/ask.ts';

test.each([
  [{}, {}],
  [{ sender: '<>', recipient: '@jade.net', reason: 'refused', messageId: '<a@b>', identifier: '' }, undefined],
  [{ ids: 'ABCD, efgh' }, { ids: ['abcd', 'efgh'] }],
  [{ ids: ['abcd'] }, { ids: ['abcd'] }],
  [{ numbers: [1, 2] }, { numbers: [1, 2] }],
  [{ states: 'held,leased' }, { states: ['held', 'leased'] }],
  [
    { queue: 'smtpc', minSize: '5', maxAge: 7 },
    { queue: 'SMTPC', minSize: 5, maxAge: 7 },
  ],
])('%j is a filter', (given, filter) => {
  expect(readFilter(given)).toEqual(filter ?? given);
});

test.each([
  [{ sendr: 'x' }, 'sendr: there is no such filter'],
  [{ sender: 5 }, 'sender is missing or not text'],
  [{ sender: ['a', 'b'] }, 'sender is missing or not text'],
  [{ ids: [] }, 'ids is no list'],
  [{ ids: [{}] }, 'ids is missing or not text'],
  [{ minSize: '-1' }, 'minSize is less than 0'],
  [{ minSize: '1e9' }, 'minSize is not a whole number'],
  [{ maxAge: 1.5 }, 'maxAge is not a whole number'],
  [{ __proto__x: '1' }, 'there is no such filter'],
])('the filter %j is refused', (given, why) => {
  expect(() => readFilter(given)).toThrow(why);
});

test('a query is filter and page in one', () => {
  expect(readSearch({ queue: 'LOCAL', order: 'size', descending: 'true', limit: '20', after: 'x' })).toEqual({
    filter: { queue: 'LOCAL' },
    options: { order: 'size', descending: true, limit: 20, after: 'x' },
  });
  expect(() => readSearch({ order: 'beauty' })).toThrow('order is none of time, size, sender, priority, weight');
  expect(() => readSearch({ descending: 'perhaps' })).toThrow('descending is neither true nor false');
});

test.each([
  [{ do: 'hold', note: 'x' }],
  [{ do: 'release' }],
  [{ do: 'retry' }],
  [{ do: 'requeue' }],
  [{ do: 'delete' }],
  [{ do: 'bounce', reason: 'no', status: '5.1.1' }],
  [{ do: 'priority', precedence: -2 }],
])('%j is an operation', (operation) => {
  const order = readOrder({ operation, filter: { queue: 'DL' }, count: 3 });
  expect(order).toEqual({ operation, filter: { queue: 'DL' }, dryRun: false, count: 3, everything: false });
});

test.each([
  [undefined, 'the request is not an object'],
  [[], 'the request is not an object'],
  [{ operation: { do: 'delete' } }, 'filter is not an object'],
  [{ operation: { do: 'eat' }, filter: {} }, 'operation.do is none of'],
  [{ operation: { do: 'delete', reason: 'x' }, filter: {} }, 'reason does not go with delete'],
  [{ operation: { do: 'bounce' }, filter: {} }, 'reason is missing or not text'],
  [{ operation: { do: 'priority', precedence: 'high' }, filter: {} }, 'precedence is not a whole number'],
  [{ operation: { do: 'delete' }, filter: {}, all: true }, 'all: there is no such part'],
  [{ operation: { do: 'delete' }, filter: {}, everything: 1 }, 'everything is neither true nor false'],
  [{ operation: { do: 'delete' }, filter: {}, dryrun: true }, 'dryrun: there is no such part'],
])('the request %j is refused', (body, why) => {
  expect(() => readOrder(body)).toThrow(why);
});

test('of a query nothing is passed over', () => {
  expect(readQuery({ states: ['held,leased'], sender: [''] })).toEqual({ states: 'held,leased', sender: '' });
  expect(() => readQuery({ queue: ['SMTPC'], states: ['held', 'leased'] })).toThrow(/^states is given more than once/);
});
