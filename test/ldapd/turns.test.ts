/** Who works when: addresses that had much wait behind those that had little, and connections of one address take turns. */

import { expect, test } from '@jest/globals';
import { Turns } from '../../src/ldapd/turns.ts';

test('the address that had least goes first, connections of one address take turns, and nobody is left out', async () => {
  const turns = new Turns();
  turns.used('192.0.2.1', 15);
  turns.used('192.0.2.2', 5);
  const [one, two, three] = [{}, {}, {}];
  const order: string[] = [];
  const wait = (address: string, who: object, name: string): Promise<void> => turns.next(address, who).then(() => void order.push(name));
  await Promise.all([
    wait('192.0.2.1', one, 'much, first'),
    wait('192.0.2.1', one, 'much, first again'),
    wait('192.0.2.1', two, 'much, second'),
    wait('192.0.2.2', three, 'little'),
    wait('192.0.2.3', {}, 'new'),
  ]);
  expect(order).toEqual(['new', 'little', 'much, first', 'much, second', 'much, first again']);
});

test('an address is greedy when it had much of late and somebody waits', async () => {
  const turns = new Turns();
  for (let n = 0; n < 100; n++) turns.used('192.0.2.1', 20);
  expect(turns.greedy('192.0.2.1')).toBe(false);
  const waits = turns.next('192.0.2.2', {});
  expect([turns.greedy('192.0.2.1'), turns.greedy('192.0.2.2')]).toEqual([true, false]);
  await waits;
  expect(turns.greedy('192.0.2.1')).toBe(false);
});

test('while connections come in, whoever waits still gets a turn', async () => {
  const turns = new Turns();
  let served = false;
  turns.came();
  const waits = turns.next('192.0.2.1', {}).then(() => {
    served = true;
  });
  for (let rounds = 0; !served; rounds++) {
    expect(rounds).toBeLessThan(200);
    turns.came();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await waits;
});
