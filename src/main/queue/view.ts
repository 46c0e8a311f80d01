/**
 * A queued message as the command line and the JSON interface show it.
 *
 * Times are milliseconds since 1970, sizes octets with the trace header of ours. Pure.
 */

import type { FoundMessage, FoundRecipient, Hold, QueueId, QueueName, RecipientState } from '../../queue/index.ts';

export interface RecipientView {
  readonly number: number;
  readonly address: string;
  readonly queue: QueueName;
  /** Domain, mailbox or decoder address it waits for; empty in the input queue. */
  readonly destination: string;
  readonly state: RecipientState;
  readonly attempts: number;
  readonly nextAttempt: number;
  readonly reason?: string;
  /** When it was put off for the first time. */
  readonly deferredSince?: number;
  readonly held?: Hold;
}

export interface MessageView {
  readonly id: QueueId;
  /** Empty is the null sender. */
  readonly sender: string;
  readonly size: number;
  readonly arrivedAt: number;
  /** Least goes first. */
  readonly weight: number;
  /** -2 (first) … 2 (last), as its sender or an administrator says; of several recipients the most urgent one's. */
  readonly precedence: number;
  readonly inputChannel: string;
  readonly messageId?: string;
  readonly client?: string;
  readonly user?: string;
  /** The message it came of. */
  readonly parent?: QueueId;
  /** Recipients of the message that wait, shown or not. */
  readonly waiting: number;
  readonly recipients: readonly RecipientView[];
}

/** With the trace header that was put in front, as SMTPC weighs it. */
export const sizeOf = ({ blob, prefix }: FoundMessage['message']): number => blob.size + Buffer.byteLength(prefix);

export function viewOf({ message, recipients, waiting, weight }: FoundMessage): MessageView {
  const { origin, messageId, parent } = message;
  const user = origin.login ?? origin.user;
  return {
    id: message.id,
    sender: message.sender,
    size: sizeOf(message),
    arrivedAt: message.arrivedAt,
    weight,
    precedence: recipients.length === 0 ? (message.precedence ?? 0) : Math.min(...recipients.map(({ precedence = 0 }) => precedence)),
    inputChannel: message.inputChannel,
    ...(messageId === undefined ? {} : { messageId }),
    ...(origin.address === undefined ? {} : { client: origin.address }),
    ...(user === undefined ? {} : { user }),
    ...(parent === undefined ? {} : { parent }),
    waiting,
    recipients: recipients.map(recipientOf),
  };
}

function recipientOf(one: FoundRecipient): RecipientView {
  const { number, address, queue, identifier, state, attempts, nextAttempt, reason, deferredSince, held } = one;
  return {
    number,
    address,
    queue,
    destination: identifier,
    state,
    attempts,
    nextAttempt,
    ...(reason === undefined ? {} : { reason }),
    ...(deferredSince === undefined ? {} : { deferredSince }),
    ...(held === undefined ? {} : { held }),
  };
}
