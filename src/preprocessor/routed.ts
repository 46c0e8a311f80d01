/**
 * Asking routing about every recipient of a lease, and sorting the answers.
 *
 * Spec: RFC 3461 §5.2.7 (aliases: who asked to hear of success hears that the address leads to several)
 */

import { asFault } from '../base/index.ts';
import type { DsnRequest, Lease, QueuedRecipient } from '../queue/index.ts';
import type { Refusal, Route, Router } from '../routing/index.ts';
import type { RoutedRecipient } from './module.ts';

export interface Routed {
  readonly recipients: readonly RoutedRecipient[];
  /** Refused for good, wholly or a target of theirs. */
  readonly refused: readonly { readonly recipient: QueuedRecipient; readonly refusal: Refusal }[];
  /** Lead to several addresses, and their sender asked to hear of success: those behind them do not report it. */
  readonly expanded: readonly { readonly recipient: QueuedRecipient; readonly addresses: number }[];
  /** Nothing can be said for now. */
  readonly waiting: readonly { readonly recipient: QueuedRecipient; readonly text: string; readonly bug: unknown }[];
}

export async function routeAll(router: Router, lease: Lease): Promise<Routed> {
  const { sender, inputChannel } = lease.message;
  const recipients: RoutedRecipient[] = [];
  const refused: { recipient: QueuedRecipient; refusal: Refusal }[] = [];
  const waiting: { recipient: QueuedRecipient; text: string; bug: unknown }[] = [];
  const expanded: { recipient: QueuedRecipient; addresses: number }[] = [];
  const mailboxes = new Set<string>();
  for (const recipient of lease.recipients) {
    try {
      const { routes, refusals } = await router.route(recipient.address, { sender, inputChannel });
      const temporary = refusals.find(({ status }) => status.startsWith('4'));
      if (temporary) {
        waiting.push({ recipient, text: temporary.text, bug: undefined });
        continue;
      }
      const { quiet, addresses } = aliasOf(recipient, routes);
      if (quiet && addresses > 0) expanded.push({ recipient, addresses });
      for (const route of routes) {
        const { queue, identifier } = route;
        // Two addresses of one person in one message: one copy, as long as nobody wants a report about the second.
        const mailbox = queue === 'LOCAL' && !recipient.dsn ? identifier : undefined;
        if (mailbox !== undefined && mailboxes.has(mailbox)) continue;
        if (mailbox !== undefined) mailboxes.add(mailbox);
        const dsn = wishesOf(recipient, route, quiet);
        recipients.push({ from: recipient.number, ...route, ...(dsn ? { dsn } : {}) });
      }
      for (const refusal of refusals) refused.push({ recipient, refusal });
    } catch (thrown) {
      const fault = asFault(thrown);
      waiting.push({ recipient, text: fault.say, bug: fault.kind === 'bug' ? thrown : undefined });
    }
  }
  return { recipients, refused, expanded, waiting };
}

const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
/** The mailbox that the sender wrote to, and not one behind it. */
const isOwn = (recipient: QueuedRecipient, route: Route): boolean => route.queue === 'LOCAL' && same(route.address, recipient.address);

/**
 * `quiet`: success is not told by those behind the address, because its own mailbox tells it, or (`addresses` above 0) because the sender
 * is told now that it leads to so many.
 */
function aliasOf(recipient: QueuedRecipient, routes: readonly Route[]): { readonly quiet: boolean; readonly addresses: number } {
  const addresses = new Set(routes.map(({ address }) => address.toLowerCase())).size;
  const quiet = addresses > 1 && recipient.dsn?.notify?.includes('success') === true;
  return { quiet, addresses: quiet && !routes.some((route) => isOwn(recipient, route)) ? addresses : 0 };
}

/** What the sender wants to hear of this route. */
function wishesOf(recipient: QueuedRecipient, route: Route, quiet: boolean): DsnRequest | undefined {
  const { address, dsn } = recipient;
  const left = dsn?.notify?.filter((one) => one !== 'success') ?? [];
  const wishes: DsnRequest | undefined = quiet && !isOwn(recipient, route) ? { ...dsn, notify: left.length > 0 ? left : ['never'] } : dsn;
  // Another host's report shall name the address that the sender knows.
  if (route.queue !== 'SMTPC' || same(route.address, address) || wishes?.originalRecipient !== undefined) return wishes;
  return { ...wishes, originalRecipient: `${/[^ -~]/.test(address) ? 'utf-8' : 'rfc822'};${address}` };
}
