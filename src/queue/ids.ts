/**
 * Queue ids: sixteen characters of lower-case base 32, ten of time and six of chance.
 *
 * Promise: sorted by time of making, unique across restarts and hosts, safe in file names and headers. Within one process
 * ids rise strictly even when the clock stands still or steps back.
 */

import type { Clock, Random } from '../base/index.ts';
import type { QueueId } from './port.ts';

const digits = '0123456789abcdefghjkmnpqrstvwxyz';
const chanceLimit = 2 ** 30;

function base32(n: number, width: number): string {
  let text = '';
  let left = n;
  for (let i = 0; i < width; i++) {
    text = digits.charAt(left % 32) + text;
    left = Math.floor(left / 32);
  }
  return text;
}

export function idMaker(clock: Clock, random: Random): () => QueueId {
  let time = 0;
  let chance = 0;
  return () => {
    const now = clock.now();
    if (now > time) {
      time = now;
      chance = Math.floor(random() * chanceLimit);
    } else {
      // A step of chance, so that ids of one millisecond cannot be guessed from each other by adding one.
      chance += 1 + Math.floor(random() * 1024);
      if (chance >= chanceLimit) {
        time++;
        chance = Math.floor(random() * 1024);
      }
    }
    return base32(time, 10) + base32(chance, 6);
  };
}

/** Whether a text has the form of a queue id; what has not never reaches a key. */
export function isQueueId(text: string): boolean {
  return /^[0-9a-z]{4,40}$/.test(text);
}
