/**
 * What each user has sent today, kept beside the queue: counted in the commit that takes the message, so it survives restarts and crashes.
 *
 * Promise: a limit holds however many sessions a user has. A day is one of this host's local time; what earlier days left is removed.
 * Source: manual chapter 6, "Maximum number of messages can be sent/relayed per day"; checklist SMTPD-13
 */

import { type Clock, Fault, type Log } from '../../base/index.ts';
import { type Changes, join, type KeyValue, type Part } from '../../storage/index.ts';

export interface Sent {
  readonly messages: number;
  readonly octets: number;
}

/** 0 is no limit. */
export interface DailyLimits {
  readonly messages: number;
  readonly octets: number;
}

const prefix = 'smtpd/daily/';
const page = 1_000;

export class DailyCounts {
  readonly #keyValue: KeyValue;
  readonly #clock: Clock;
  readonly #log: Log;
  #tidied = '';

  constructor(keyValue: KeyValue, clock: Clock, log: Log) {
    this.#keyValue = keyValue;
    this.#clock = clock;
    this.#log = log;
  }

  async today(uuid: string): Promise<Sent> {
    return read(await this.#keyValue.get(this.#key(uuid)));
  }

  /** Files a message and counts it, or does neither: Fault over-quota where it would be too much. Durable when it resolves. */
  async submit(uuid: string, octets: number, limits: DailyLimits, message: Part<void>): Promise<void> {
    const key = this.#key(uuid);
    const count: Part<void> = async (reader): Promise<Changes<void>> => {
      const before = read(await reader.get(key));
      const after = { messages: before.messages + 1, octets: before.octets + octets };
      if (exceeds(after, limits)) throw new Fault('over-quota', 'you have sent all you may today, try again tomorrow');
      return { puts: [[key, Buffer.from(JSON.stringify(after))]], result: undefined };
    };
    await this.#keyValue.transact(join(count, message), 'durable');
    this.#tidy();
  }

  #day(): string {
    const at = new Date(this.#clock.now());
    const two = (n: number): string => String(n).padStart(2, '0');
    return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  }

  #key(uuid: string): string {
    return `${prefix}${this.#day()}/${uuid}`;
  }

  /** Once a day, in the background. */
  #tidy(): void {
    const day = this.#day();
    if (this.#tidied === day) return;
    this.#tidied = day;
    void this.#removeBefore(`${prefix}${day}`).catch((thrown: unknown) =>
      this.#log.warning('counts of earlier days could not be removed', thrown),
    );
  }

  async #removeBefore(end: string): Promise<void> {
    for (;;) {
      const removed = await this.#keyValue.transact<number>(async (reader) => {
        const old = await reader.scan({ from: prefix, to: end }, page);
        return { deletes: old.map(([key]) => key), result: old.length };
      }, 'soon');
      if (removed < page) return;
    }
  }
}

export const exceeds = (sent: Sent, limits: DailyLimits): boolean =>
  (limits.messages > 0 && sent.messages > limits.messages) || (limits.octets > 0 && sent.octets > limits.octets);

function read(bytes: Uint8Array | undefined): Sent {
  return bytes ? (JSON.parse(Buffer.from(bytes).toString()) as Sent) : { messages: 0, octets: 0 };
}
