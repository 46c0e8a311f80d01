/**
 * The feeds of one queue: what is urgent, what is ordinary and what may wait, and whose turn it is.
 *
 * Promise: urgent mail goes first, and none starves: in every eight askings the ordinary and the patient lane are asked first once each.
 */

import type { Clock } from '../base/index.ts';
import type { Key } from '../storage/index.ts';
import { type Candidate, Feed, type FeedLimits } from './feed.ts';
import { type Lane, laneOfKey, lanes } from './records.ts';

const turns = 8;
const usual: readonly Lane[] = ['+', '', '-'];
const ordinaryFirst: readonly Lane[] = ['', '+', '-'];
const patientFirst: readonly Lane[] = ['-', '', '+'];

export class Lanes {
  /** Where the next look around the destinations begins. */
  around: Key = '';
  readonly #feeds: Readonly<Record<Lane, Feed>>;
  readonly #wake: () => void;
  #turn = 0;

  constructor(clock: Clock, limits: FeedLimits, wake: () => void) {
    this.#wake = wake;
    const feed = (): Feed => new Feed(clock, limits, wake);
    this.#feeds = { '+': feed(), '': feed(), '-': feed() };
  }

  of(lane: Lane): Feed {
    return this.#feeds[lane];
  }

  /** The lane a due key stands in. */
  for(due: Key): Feed {
    return this.#feeds[laneOfKey(due)];
  }

  /** In which order the lanes are asked this time. */
  turn(): readonly Lane[] {
    this.#turn = (this.#turn + 1) % turns;
    return this.#turn === 0 ? patientFirst : this.#turn === turns / 2 ? ordinaryFirst : usual;
  }

  /** Whether the index may hold due entries of any lane that are not known here. */
  get behind(): boolean {
    return lanes.some((lane) => this.#feeds[lane].behind);
  }

  add(candidates: readonly Candidate[]): void {
    const [first] = candidates;
    if (!first) return;
    const lane = laneOfKey(first.due);
    if (candidates.length === 1 || candidates.every(({ due }) => laneOfKey(due) === lane)) this.of(lane).add(candidates);
    else for (const each of lanes) this.of(each).add(candidates.filter(({ due }) => laneOfKey(due) === each));
  }

  /** Only the index knows what is due. */
  lookAgain(): void {
    for (const lane of lanes) this.of(lane).lookFrom('');
    this.#wake();
  }

  close(): void {
    for (const lane of lanes) this.of(lane).close();
  }
}
