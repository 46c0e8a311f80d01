/** Asking routing about every recipient of a lease, and sorting the answers. */

import { asFault } from '../base/index.ts';
import type { Lease, QueuedRecipient } from '../queue/index.ts';
import type { Refusal, Router } from '../routing/index.ts';
import type { RoutedRecipient } from './module.ts';

export interface Routed {
  readonly recipients: readonly RoutedRecipient[];
  /** Refused for good, wholly or a target of theirs. */
  readonly refused: readonly { readonly recipient: QueuedRecipient; readonly refusal: Refusal }[];
  /** Nothing can be said for now. */
  readonly waiting: readonly { readonly recipient: QueuedRecipient; readonly text: string; readonly bug: unknown }[];
}

export async function routeAll(router: Router, lease: Lease): Promise<Routed> {
  const { sender, inputChannel } = lease.message;
  const recipients: RoutedRecipient[] = [];
  const refused: { recipient: QueuedRecipient; refusal: Refusal }[] = [];
  const waiting: { recipient: QueuedRecipient; text: string; bug: unknown }[] = [];
  const mailboxes = new Set<string>();
  for (const recipient of lease.recipients) {
    try {
      const { routes, refusals } = await router.route(recipient.address, { sender, inputChannel });
      const temporary = refusals.find(({ status }) => status.startsWith('4'));
      if (temporary) {
        waiting.push({ recipient, text: temporary.text, bug: undefined });
        continue;
      }
      for (const { address, queue, identifier } of routes) {
        // Two addresses of one person in one message: one copy, as long as nobody wants a report about the second.
        const mailbox = queue === 'LOCAL' && !recipient.dsn ? identifier : undefined;
        if (mailbox !== undefined && mailboxes.has(mailbox)) continue;
        if (mailbox !== undefined) mailboxes.add(mailbox);
        const dsn = recipient.dsn ? { dsn: recipient.dsn } : {};
        recipients.push({ from: recipient.number, address, queue, identifier, ...dsn });
      }
      for (const refusal of refusals) refused.push({ recipient, refusal });
    } catch (thrown) {
      const fault = asFault(thrown);
      waiting.push({ recipient, text: fault.say, bug: fault.kind === 'bug' ? thrown : undefined });
    }
  }
  return { recipients, refused, waiting };
}
