/** The queue as an administrator works it: puts the pieces of this folder together. What it promises stands in control-port.ts. */

import type { Clock, Log } from '../../base/index.ts';
import { splitHeader } from '../../mail/index.ts';
import type { Blobs, Key, KeyValue } from '../../storage/index.ts';
import type {
  AsideEntry,
  FoundMessage,
  OperateOptions,
  Operation,
  OperationReport,
  QueueControl,
  QueueFilter,
  SearchOptions,
  SearchPage,
} from '../control-port.ts';
import { isQueueId } from '../ids.ts';
import type { QueueId } from '../port.ts';
import { decodeMessage, messageKey, placeOf } from '../records.ts';
import type { Reporter } from '../reports.ts';
import { tellStep } from '../story.ts';
import { aside, deleteAsidePart, isSlipName, retryAsidePart } from './aside.ts';
import { type OperateNeeds, operate } from './operate.ts';
import { findAll, search } from './search.ts';
import { Wishes } from './wishes.ts';

/** What the control uses beside the queue itself. */
export interface ControlNeeds {
  readonly blobs: Pick<Blobs, 'read'>;
  /** Writes what senders are told of bounces. */
  readonly reporter: Pick<Reporter, 'report'>;
}

export interface ControlInside extends Omit<OperateNeeds, 'reporter' | 'now'> {
  readonly clock: Clock;
  /** This key is due (again). */
  readonly again: (due: Key) => void;
}

const headerAtMost = 256 * 1024;

export class Control implements QueueControl {
  readonly #inside: ControlInside;
  readonly #needs: ControlNeeds;
  readonly #keyValue: KeyValue;
  readonly #log: Log;
  readonly #operating: OperateNeeds;
  readonly #wishes: Wishes;

  constructor(inside: ControlInside, needs: ControlNeeds) {
    this.#inside = inside;
    this.#needs = needs;
    this.#keyValue = inside.keyValue;
    this.#log = inside.log;
    this.#operating = { ...inside, reporter: needs.reporter, now: () => inside.clock.now() };
    this.#wishes = new Wishes(inside, this.#operating);
  }

  /** Nothing more that was noted is done. */
  close(): void {
    this.#wishes.close();
  }

  search(filter: QueueFilter, options: SearchOptions = {}): Promise<SearchPage> {
    return search(this.#keyValue, this.#inside.clock.now(), filter, options);
  }

  find(filter: QueueFilter): AsyncIterable<FoundMessage> {
    return findAll(this.#keyValue, this.#inside.clock.now(), filter);
  }

  async header(id: QueueId): Promise<Uint8Array | undefined> {
    const value = isQueueId(id) ? await this.#keyValue.get(messageKey(id)) : undefined;
    if (!value) return undefined;
    const { blob, prefix } = decodeMessage(value).message;
    const before = Buffer.from(prefix);
    const own = await this.#needs.blobs.read(blob.id, 0, Math.min(blob.size, headerAtMost));
    const { fields } = splitHeader(own);
    return Buffer.concat([before, ...fields.map(({ raw }) => raw)]).subarray(0, headerAtMost);
  }

  operate(operation: Operation, filter: QueueFilter, options: OperateOptions): Promise<OperationReport> {
    return operate(this.#operating, operation, filter, options);
  }

  aside(): AsyncIterable<AsideEntry> {
    return aside(this.#keyValue);
  }

  async retryAside(id: QueueId, slip: string, by: string): Promise<boolean> {
    if (!isQueueId(id) || !isSlipName(slip)) return false;
    const back = await this.#keyValue.transact(retryAsidePart(id, slip), 'durable');
    if (!back) return false;
    this.#log.info(`${id}: what was put aside (${slip}) waits in ${placeOf(back.due).queue} again, by ${by}`);
    this.#inside.again(back.due);
    return true;
  }

  async deleteAside(id: QueueId, slip: string, by: string): Promise<boolean> {
    if (!isQueueId(id) || !isSlipName(slip)) return false;
    const deleted = await this.#keyValue.transact(deleteAsidePart(id, slip, this.#log), 'durable');
    if (deleted === undefined) return false;
    if (deleted)
      tellStep(this.#log, { step: 'Deleted', message: deleted, recipients: [], channel: 'aside', by, text: `put aside as ${slip}` });
    else this.#log.warning(`${id}: what was put aside (${slip}) is deleted, by ${by}`);
    return true;
  }
}
