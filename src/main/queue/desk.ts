/**
 * The queue for administrators: what both interfaces, the command line's socket and the network's JSON, do with it.
 *
 * Promise: an operation on what a filter finds can be tried first, and is held to the number it was tried with.
 * Source: checklist MTA-07, SMTPC-13
 */

import { statfs } from 'node:fs/promises';
import { Fault } from '../../base/index.ts';
import type { Peer } from '../../dit/index.ts';
import { domainOf } from '../../mail/index.ts';
import type {
  FoundMessage,
  OperationReport,
  Queue,
  QueueControl,
  QueueFilter,
  QueueId,
  QueueName,
  QueueSummary,
  SearchOptions,
  Weighed,
} from '../../queue/index.ts';
import { asIdentifier, queueNames } from '../../queue/index.ts';
import type { Order } from './ask.ts';
import { type MessageView, sizeOf, viewOf } from './view.ts';

export interface DeskNeeds {
  readonly queue: Pick<Queue, 'summary' | 'destinations'>;
  readonly control: QueueControl;
  /** Least goes first; settings decide, so it is asked for anew each time. */
  readonly weigh: () => (message: Weighed) => number;
  readonly peer: (domain: string) => Peer;
  /** Why precedence does not count, where it does not. */
  readonly noPrecedence?: () => string | undefined;
  /** Folder whose disk has the queue. */
  readonly folder: string;
}

/** What holds for a domain at SMTPC; units as of the peers' settings. */
export interface DomainProfile
  extends Pick<Peer, 'peer' | 'queueFirst' | 'queueInterval' | 'retryPeriod' | 'sessions' | 'messagesPerSession'> {}

/** A domain channel of SMTPC: its profile, and what is deferred there, where anything is. */
export interface DomainChannel {
  readonly domain: string;
  readonly profile: DomainProfile;
  readonly deferred?: Destinations[number];
}

export interface DeskSummary {
  readonly queues: readonly QueueSummary[];
  /** Octets. */
  readonly disk: { readonly total: number; readonly free: number };
}

export interface MessagePage {
  readonly messages: readonly MessageView[];
  readonly next?: string;
}

export interface Counted {
  readonly messages: number;
  readonly recipients: number;
}

/** What was done, or in a dry run what would have been. */
export type OrderReport = Counted &
  Partial<OperationReport> & {
    readonly dryRun: boolean;
    /** Of the ids that were named, those that no message has. */
    readonly absent?: readonly QueueId[];
    /** Why what was done may not have the effect that is expected; for people. */
    readonly note?: string;
  };

export interface SenderDomain extends Counted {
  /** `<>`: the null sender. */
  readonly domain: string;
}

const mostDomains = 10_000;

export type Destinations = Awaited<ReturnType<Queue['destinations']>>;

export class QueueDesk {
  readonly #needs: DeskNeeds;

  constructor(needs: DeskNeeds) {
    this.#needs = needs;
  }

  get control(): QueueControl {
    return this.#needs.control;
  }

  async summary(): Promise<DeskSummary> {
    const { bsize, blocks, bavail } = await statfs(this.#needs.folder);
    return { queues: await this.#needs.queue.summary(), disk: { total: blocks * bsize, free: bavail * bsize } };
  }

  destinations(name: string): Promise<Destinations> {
    const queue = queueNames.find((one) => one === name.toUpperCase());
    if (!queue) throw new Fault('not-found', `there is no queue ${name.slice(0, 40)}; there are ${queueNames.join(', ')}`);
    return this.#needs.queue.destinations(queue as QueueName);
  }

  async channel(name: string): Promise<DomainChannel> {
    const domain = asIdentifier(name.trim());
    if (domain === '' || domain.length > 255) throw new Fault('malformed', 'a domain is needed');
    const { peer, queueFirst, queueInterval, retryPeriod, sessions, messagesPerSession } = this.#needs.peer(domain);
    const [deferred] = await this.#needs.queue.destinations('SMTPC', domain);
    const profile = { peer, queueFirst, queueInterval, retryPeriod, sessions, messagesPerSession };
    return { domain, profile, ...(deferred ? { deferred } : {}) };
  }

  /** What waits by the domains of senders, most messages first. Beyond so many domains the rest is one, without a name. */
  async senders(filter: QueueFilter): Promise<readonly SenderDomain[]> {
    const found = new Map<string, { messages: number; recipients: number }>();
    for await (const { message, recipients } of this.#needs.control.find(filter)) {
      const named = message.sender === '' ? '<>' : domainOf(message.sender);
      const domain = found.has(named) || found.size < mostDomains ? named : '';
      const known = found.get(domain) ?? { messages: 0, recipients: 0 };
      found.set(domain, { messages: known.messages + 1, recipients: known.recipients + recipients.length });
    }
    return [...found].map(([domain, counts]) => ({ domain, ...counts })).sort((a, b) => b.messages - a.messages);
  }

  async page(filter: QueueFilter, options: SearchOptions): Promise<MessagePage> {
    const { messages, next } = await this.#needs.control.search(filter, { ...options, weigh: this.#needs.weigh() });
    return { messages: messages.map(viewOf), ...(next === undefined ? {} : { next }) };
  }

  /** Everything that matches, oldest first, with its weight. */
  async *all(filter: QueueFilter): AsyncGenerator<MessageView> {
    const weigh = this.#needs.weigh();
    for await (const found of this.#needs.control.find(filter)) yield viewOf({ ...found, weight: weigh(weighed(found)) });
  }

  /** Fault not-found. */
  async message(id: QueueId): Promise<MessageView> {
    for await (const view of this.all({ ids: [id] })) return view;
    throw noMessage(id);
  }

  /** Fault not-found. */
  async header(id: QueueId): Promise<Uint8Array> {
    const header = await this.#needs.control.header(id);
    if (!header) throw noMessage(id);
    return header;
  }

  /** Throws Fault conflict where another number matches than was expected. */
  async carryOut({ operation, filter, dryRun, count, everything }: Order, by: string): Promise<OrderReport> {
    if (!everything && Object.keys(filter).length === 0)
      throw new Fault('malformed', 'no filter: to mean everything that waits, say so (everything)');
    const absent = await this.#absent(filter.ids);
    if (dryRun) return { ...(await this.#count(filter)), dryRun, ...absent };
    if (count !== undefined) {
      const found = await this.#count(filter);
      if (found.messages !== count)
        throw new Fault('conflict', `messages that match: ${found.messages}, expected: ${count}; nothing was done`);
      if (count === 0) return { ...found, dryRun, ...absent };
    }
    // What comes meanwhile was not meant.
    const options = { by, ...(everything ? { all: true } : {}), ...(count === undefined ? {} : { limit: count }) };
    const report = await this.#needs.control.operate(operation, filter, options);
    const note = operation.do === 'priority' ? this.#needs.noPrecedence?.() : undefined;
    return { ...report, dryRun, ...absent, ...(note === undefined ? {} : { note }) };
  }

  async #absent(ids: readonly QueueId[] | undefined): Promise<Pick<OrderReport, 'absent'>> {
    if (!ids || ids.length === 0) return {};
    const missing = new Set(ids);
    for await (const { message } of this.#needs.control.find({ ids })) missing.delete(message.id);
    return missing.size > 0 ? { absent: [...missing] } : {};
  }

  async #count(filter: QueueFilter): Promise<Counted> {
    let [messages, recipients] = [0, 0];
    for await (const found of this.#needs.control.find(filter)) {
      messages += 1;
      recipients += found.recipients.length;
    }
    return { messages, recipients };
  }
}

/** The most urgent recipient counts, and the one that waits longest. */
function weighed({ message, recipients }: FoundMessage): Weighed {
  const precedence = recipients.reduce((least, one) => Math.min(least, one.precedence ?? 0), Number.POSITIVE_INFINITY);
  const since = recipients.flatMap(({ deferredSince }) => deferredSince ?? []);
  return {
    precedence,
    arrivedAt: message.arrivedAt,
    size: sizeOf(message),
    ...(since.length === 0 ? {} : { deferredSince: since.reduce((least, one) => Math.min(least, one)) }),
  };
}

const noMessage = (id: string): Fault => new Fault('not-found', `there is no message ${id.slice(0, 60)} in the queue`);
