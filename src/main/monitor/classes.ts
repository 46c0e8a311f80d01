/**
 * The classes of the entries at and below `cn=monitor`.
 *
 * Their attributes are user attributes, so that a search shows them without being asked for each.
 * Source: checklist MTA-07, SMTPC-13; manual chapter 3 "Queue Status", chapter 6 "Queue Status"
 */

import type { EntryKind } from '../../directory/index.ts';
import { type AttributeDeclaration, type ClassDeclaration, declareClass, type Syntax } from '../../settings/index.ts';

const value = (attribute: string, syntax: Syntax, label: string, help: string, more: Partial<AttributeDeclaration> = {}) => ({
  ...{ attribute, syntax, label, help, single: true },
  ...more,
});

const since = value('mtMonitorSince', 'time', 'Since', 'Since when it has run.');
const problem = value('mtMonitorProblem', 'text', 'Problem', 'What is wrong, or the last thing that was.', { single: false });
const octets = value('mtMonitorOctets', 'integer', 'Octets', 'Octets it takes on disk.');
const state = value('mtMonitorState', 'ascii', 'State', 'How it is: running, stopped, waiting, starting, stopping, failed.');
const queueDeferred = value('mtQueueDeferred', 'integer', 'Deferred', 'Recipients that wait for another attempt.');
const queueReason = value('mtQueueReason', 'text', 'Reason', 'Why it waits.', { single: false });
const queueNextAttempt = value('mtQueueNextAttempt', 'time', 'Next attempt', 'When it is tried again; of several recipients, the first.');
const queueDestination = value('mtQueueDestination', 'text', 'Destination', 'Where it waits for: a domain, a mailbox, a decoder address.', {
  single: false,
});

export const serverClass = declareClass({
  name: 'mtMonitorServer',
  kind: 'structural',
  must: ['cn'],
  may: ['description', 'mtMonitorHost', 'mtMonitorVersion', 'mtMonitorSince', 'mtMonitorReady', 'mtMonitorProblem', 'mtMonitorMemory'],
  title: 'Server, as it is',
  help: 'The running server. Computed; what is at and below cn=monitor can only be read.',
  attributes: [
    value('mtMonitorHost', 'ascii', 'Host', 'Name of the host.'),
    value('mtMonitorVersion', 'ascii', 'Version', 'Version of the server.'),
    since,
    value('mtMonitorReady', 'boolean', 'Ready', 'Whether everything that is to run does, and mail can be kept.'),
    problem,
    value('mtMonitorMemory', 'integer', 'Memory', 'Octets of memory the process takes.'),
  ],
});

export const containerClass = declareClass({
  name: 'mtMonitorContainer',
  kind: 'structural',
  must: ['cn'],
  may: ['description'],
  title: 'Group of what is observed',
  help: 'Holds the entries below it together.',
});

export const componentClass = declareClass({
  name: 'mtMonitorComponent',
  kind: 'structural',
  must: ['cn'],
  may: ['description', 'mtMonitorState', 'mtMonitorSince', 'mtMonitorRestarts', 'mtMonitorProblem', 'mtMonitorAutoStart'],
  title: 'Component, as it is',
  help: 'One component of this host.',
  attributes: [
    state,
    value('mtMonitorRestarts', 'integer', 'Restarts', 'How often it was started again since the server was started.'),
    value('mtMonitorAutoStart', 'boolean', 'Is to run', 'Whether it is started with the server.'),
  ],
});

export const listenerClass = declareClass({
  name: 'mtMonitorListener',
  kind: 'structural',
  must: ['cn'],
  may: ['description', 'mtMonitorConnections'],
  title: 'Listener, as it is',
  help: 'One listener with its connections.',
  attributes: [value('mtMonitorConnections', 'integer', 'Connections', 'Connections open now.')],
});

export const diskClass = declareClass({
  name: 'mtMonitorDisk',
  kind: 'structural',
  must: ['cn'],
  may: ['description', 'mtMonitorDiskTotal', 'mtMonitorDiskFree', 'mtMonitorDiskMinimum'],
  title: 'Disk of the queue',
  help: 'The disk that queue and mailboxes are on.',
  attributes: [
    value('mtMonitorDiskTotal', 'integer', 'Total', 'Octets of the disk.'),
    value('mtMonitorDiskFree', 'integer', 'Free', 'Octets that are free.'),
    value('mtMonitorDiskMinimum', 'integer', 'Minimum', 'With fewer octets free, no mail is taken.'),
  ],
});

export const databaseClass = declareClass({
  name: 'mtMonitorDatabase',
  kind: 'structural',
  must: ['cn'],
  may: ['description', 'mtMonitorState', 'mtMonitorOctets', 'mtMonitorAccounts', 'mtMonitorChange'],
  title: 'Database, as it is',
  help: 'Directory or message store.',
  attributes: [
    octets,
    value('mtMonitorAccounts', 'integer', 'Accounts', 'Accounts with mailboxes.'),
    value('mtMonitorChange', 'integer', 'Last change', 'Number of the last change of the directory.'),
  ],
});

export const queueClass = declareClass({
  name: 'mtMonitorQueue',
  kind: 'structural',
  must: ['cn'],
  may: ['description', 'mtQueuePending', 'mtQueueDeferred', 'mtQueueHeld', 'mtQueueAside'],
  title: 'Queue, as it is',
  help: 'The input queue, or the queue of one output channel.',
  attributes: [
    value('mtQueuePending', 'integer', 'Pending', 'Recipients that are due or being worked on.'),
    queueDeferred,
    value('mtQueueHeld', 'integer', 'Held', 'Recipients that are kept back until they are released.'),
    value('mtQueueAside', 'integer', 'Put aside', 'Recipients of records that cannot be read and were put aside.'),
  ],
});

export const destinationClass = declareClass({
  name: 'mtMonitorDestination',
  kind: 'structural',
  must: ['mtQueueDestination'],
  may: ['description', 'mtQueueMessages', 'mtQueueDeferred', 'mtQueueReason', 'mtQueueNextAttempt'],
  title: 'Destination with mail that waits',
  help: 'A destination of a queue for which mail is deferred.',
  attributes: [
    queueDestination,
    value('mtQueueMessages', 'integer', 'Messages', 'Messages with recipients that wait for another attempt.'),
    queueReason,
    queueNextAttempt,
  ],
});

export const messageClass = declareClass({
  name: 'mtMonitorMessage',
  kind: 'structural',
  must: ['mtQueueId'],
  may: [
    ...['description', 'mtQueueName', 'mtQueueState', 'mtQueueSender', 'mtQueueRecipient', 'mtQueueRecipientCount', 'mtQueueDestination'],
    ...['mtQueueSize', 'mtQueueArrival', 'mtQueueAttempts', 'mtQueueNextAttempt', 'mtQueueReason', 'mtQueueWeight'],
    ...['mtQueueMessageId', 'mtQueueClient', 'mtQueueUser'],
  ],
  title: 'Message in a queue',
  help: 'A message with those of its recipients that wait in this queue.',
  attributes: [
    value('mtQueueId', 'ascii', 'Queue id', 'Names the message on this host, in the log and for the commands.'),
    value('mtQueueName', 'ascii', 'Queue', 'INPUT, or the output channel it waits at.'),
    value(
      'mtQueueState',
      'ascii',
      'State',
      'pending: due; deferred: waits for another attempt; leased: being worked on; held: kept back until it is released.',
      {
        choices: ['pending', 'deferred', 'leased', 'held'],
        single: false,
      },
    ),
    value('mtQueueSender', 'text', 'Sender', 'Envelope sender; <> is nobody.'),
    value('mtQueueRecipient', 'text', 'Recipients', 'Recipients that wait here.', { single: false }),
    value('mtQueueRecipientCount', 'integer', 'Number of recipients', 'How many recipients wait here.'),
    value('mtQueueSize', 'integer', 'Size', 'Octets.'),
    value('mtQueueArrival', 'time', 'Arrival', 'When it was accepted.'),
    value('mtQueueAttempts', 'integer', 'Attempts', 'Attempts so far, of the recipient with the most.'),
    value('mtQueueWeight', 'integer', 'Priority weight', 'A message with less is sent earlier.'),
    value('mtQueueMessageId', 'text', 'Message-ID', 'Message-ID of its header.'),
    value('mtQueueClient', 'ascii', 'Client', 'Address of the client it came from.'),
    value('mtQueueUser', 'text', 'User', 'Who had logged in to send it.'),
  ],
});

export const monitorClasses: readonly ClassDeclaration[] = [
  ...[serverClass, containerClass, componentClass, listenerClass, diskClass],
  ...[databaseClass, queueClass, destinationClass, messageClass],
];

/** What entries of these classes can be asked for. */
export function kindOf(...classes: readonly ClassDeclaration[]): EntryKind {
  const own = classes.flatMap(({ must = [], may = [] }) => [...must, ...may]).filter((name) => name.startsWith('mt'));
  return {
    classes: new Set(['top', ...classes.map(({ name }) => name.toLowerCase())]),
    attributes: new Set(own.map((name) => name.toLowerCase())),
  };
}
