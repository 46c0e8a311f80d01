/**
 * `cn=queues,cn=monitor`: every queue with its counts, the destinations that mail waits for, and the messages.
 *
 * Promise: messages are read as they are taken; nothing is kept.
 * Source: manual chapter 3 "Queue Status", chapter 6 "Queue Status"; checklist MTA-07, SMTPC-13
 */

import { couldMatch, generalizedTime } from '../../directory/index.ts';
import type { Dn, Filter } from '../../ldap-wire/index.ts';
import { isQueueId, type Queue, type QueueFilter, type QueueName, type QueueSummary, queueNames } from '../../queue/index.ts';
import type { MessageView } from '../queue/view.ts';
import { containerClass, destinationClass, kindOf, messageClass, queueClass } from './classes.ts';
import { below, branch, group, isNamed, leaf, type Node, named, type Values } from './node.ts';

export interface QueuesNeeds {
  readonly queue: Pick<Queue, 'summary' | 'destinations'>;
  /** Everything that matches, oldest first, read as it is taken. */
  readonly messages: (filter: QueueFilter) => AsyncIterable<MessageView>;
}

const time = (at: number): string => generalizedTime(at);

export function queuesNode(top: Dn, needs: QueuesNeeds): Node {
  const dn = below(top, 'cn', 'queues');
  const queues = (): Node[] => queueNames.map((name) => queueNode(below(dn, 'cn', name), name, needs));
  const classes = [queueClass, containerClass, destinationClass, messageClass];
  return group(dn, { cn: 'queues', description: 'The shared message queue' }, classes, queues);
}

async function countsOf(name: QueueName, { queue }: Pick<QueuesNeeds, 'queue'>): Promise<QueueSummary | undefined> {
  return (await queue.summary()).find((one) => one.queue === name);
}

function queueNode(dn: Dn, name: QueueName, needs: QueuesNeeds): Node {
  const nodes = [destinationsNode(below(dn, 'cn', 'destinations'), name, needs), messagesNode(below(dn, 'cn', 'messages'), name, needs)];
  return branch(dn, {
    declaration: queueClass,
    async values() {
      const counts = await countsOf(name, needs);
      return {
        cn: name,
        mtQueuePending: counts?.pending,
        mtQueueDeferred: counts?.deferred,
        mtQueueHeld: counts?.held,
        mtQueueAside: counts?.aside,
      };
    },
    below: kindOf(containerClass, destinationClass, messageClass),
    children: () => nodes,
    child: (rdn) => nodes.find((node) => isNamed(rdn, named(node.dn.rdns[0] ?? [], 'cn') ?? '')),
  });
}

function destinationsNode(dn: Dn, name: QueueName, needs: QueuesNeeds): Node {
  const all = async (): Promise<Node[]> => (await needs.queue.destinations(name)).map((one) => destinationNode(dn, one));
  return branch(dn, {
    values: () => ({ cn: 'destinations', description: `What mail of ${name} waits for` }),
    below: kindOf(destinationClass),
    async *children() {
      yield* await all();
    },
    async child(rdn) {
      const wanted = named(rdn, 'mtQueueDestination');
      if (wanted === undefined) return undefined;
      const [exactly] = await needs.queue.destinations(name, wanted);
      const lower = wanted.toLowerCase();
      const found = exactly ?? (await needs.queue.destinations(name)).find(({ identifier }) => identifier.toLowerCase() === lower);
      return found && destinationNode(dn, found);
    },
    some: async () => ((await countsOf(name, needs))?.deferred ?? 0) > 0,
  });
}

function destinationNode(above: Dn, one: Awaited<ReturnType<Queue['destinations']>>[number]): Node {
  return leaf(below(above, 'mtQueueDestination', one.identifier), destinationClass, () => ({
    mtQueueDestination: one.identifier,
    mtQueueMessages: one.messages,
    mtQueueDeferred: one.recipients,
    mtQueueNextAttempt: time(one.nextAttempt),
    mtQueueReason: one.reason,
  }));
}

function messagesNode(dn: Dn, name: QueueName, { messages, ...needs }: QueuesNeeds): Node {
  const kind = kindOf(messageClass);
  const some = async (): Promise<boolean> => {
    const counts = await countsOf(name, needs);
    return !counts || counts.pending + counts.deferred + counts.held > 0;
  };
  async function* byId(text: string): AsyncGenerator<Node> {
    const id = text.trim().toLowerCase();
    if (isQueueId(id)) for await (const view of messages({ ids: [id], queue: name })) yield messageNode(dn, name, view);
  }
  return branch(dn, {
    values: () => ({ cn: 'messages', description: `Messages that wait in ${name}` }),
    below: kind,
    async *children(filter: Filter) {
      // Reading a million records for nothing is not for free.
      if (!couldMatch(filter, kind) || !(await some())) return;
      const id = onlyId(filter);
      if (id !== undefined) yield* byId(id);
      else for await (const view of messages({ queue: name })) yield messageNode(dn, name, view);
    },
    async child(rdn) {
      for await (const node of byId(named(rdn, 'mtQueueId') ?? '')) return node;
      return undefined;
    },
    some,
  });
}

/** The one id that a filter can be true for, where it says so. */
function onlyId(filter: Filter): string | undefined {
  if (filter.type === 'and') return filter.filters.map(onlyId).find((id) => id !== undefined);
  const asked = filter.type === 'equal' && filter.attribute.toLowerCase() === 'mtqueueid';
  return asked ? Buffer.from(filter.value).toString('utf8') : undefined;
}

function messageNode(above: Dn, name: QueueName, view: MessageView): Node {
  return leaf(below(above, 'mtQueueId', view.id), messageClass, () => messageValues(name, view));
}

function messageValues(name: QueueName, view: MessageView): Values {
  const { recipients } = view;
  const distinct = (values: readonly string[]): string[] => [...new Set(values)];
  const attempts = recipients.reduce((most, recipient) => Math.max(most, recipient.attempts), 0);
  const next = recipients.reduce((least, recipient) => Math.min(least, recipient.nextAttempt), Number.POSITIVE_INFINITY);
  return {
    mtQueueId: view.id,
    mtQueueName: name,
    mtQueueState: distinct(recipients.map(({ state }) => state)),
    mtQueueSender: view.sender === '' ? '<>' : view.sender,
    mtQueueRecipient: distinct(recipients.map(({ address }) => address)),
    mtQueueRecipientCount: recipients.length,
    mtQueueDestination: distinct(recipients.map(({ destination }) => destination)),
    mtQueueSize: view.size,
    mtQueueArrival: time(view.arrivedAt),
    mtQueueAttempts: attempts,
    mtQueueNextAttempt: Number.isFinite(next) ? time(next) : undefined,
    mtQueueReason: distinct(recipients.flatMap(({ held, reason }) => held?.note ?? reason ?? [])),
    mtQueueWeight: view.weight,
    mtQueueMessageId: view.messageId,
    mtQueueClient: view.client,
    mtQueueUser: view.user,
  };
}
