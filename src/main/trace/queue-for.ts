/** What a trace asks a queue: messages by id, and those that a question means. */

import type { Queue, QueueListing } from '../../queue/index.ts';
import type { TraceQueue } from './trace.ts';

/** Messages looked at for one question: a queue of a million is not read for it. */
const mostLooked = 100_000;

export function queueFor(queue: Pick<Queue, 'get' | 'list'>): TraceQueue {
  return {
    get: (id) => queue.get(id),
    async find(about, limit) {
      const found: QueueListing[] = [];
      for await (const listing of queue.list({ limit: mostLooked })) {
        if (!means(listing, about.toLowerCase())) continue;
        found.push(listing);
        // The newest count.
        if (found.length > limit) found.shift();
      }
      return found;
    },
  };
}

function means({ message, recipients }: QueueListing, about: string): boolean {
  const { id, sender, messageId } = message;
  const is = (text: string | undefined): boolean => text?.toLowerCase() === about;
  return id === about || is(sender) || is(messageId?.replace(/^<|>$/g, '')) || recipients.some(({ address }) => is(address));
}
