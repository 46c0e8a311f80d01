/**
 * Whether a recipient of the LOCAL queue may have the message, before anything is written.
 *
 * The router decided when the message was filed; the account may have changed since.
 * Source: checklist LMDA-08, DIR-09
 */

import type { Dit } from '../dit/index.ts';
import type { QueuedRecipient } from '../queue/index.ts';
import type { Store } from '../store/index.ts';
import type { LmdaSettings } from './settings.ts';

export type Judgement =
  | { readonly is: 'deliver'; readonly account: string; readonly owner: string }
  | { readonly is: 'bounce'; readonly status: string; readonly text: string }
  | { readonly is: 'defer'; readonly status: string; readonly text: string };

export interface JudgeNeeds {
  readonly dit: Pick<Dit, 'recipientByUuid'>;
  readonly store: Pick<Store, 'usage'>;
}

/** `size` in octets, prefix included. Fault `unavailable` while the directory cannot say. */
export async function judge(needs: JudgeNeeds, recipient: QueuedRecipient, size: number, settings: LmdaSettings): Promise<Judgement> {
  const account = recipient.identifier;
  const owner = await needs.dit.recipientByUuid(account);
  if (!owner) return { is: 'bounce', status: '5.1.1', text: 'the mailbox of this address does not exist any more' };
  const mailbox = owner.connectors.filter(({ channel }) => channel === 'LOCAL');
  const receives =
    owner.permission !== 'send' && (mailbox.length === 0 || mailbox.some(({ permission }) => permission.endsWith('receive')));
  if (owner.status === 'disabled') return { is: settings.disabled, status: '5.2.1', text: 'this account is disabled' };
  if (!receives) return { is: settings.disabled, status: '5.2.1', text: 'this mailbox may not receive mail' };
  if (owner.quota !== undefined) {
    const { octets } = await needs.store.usage(account);
    if (octets + size > owner.quota) return { is: settings.overQuota, status: '5.2.2', text: 'the mailbox is full' };
  }
  return { is: 'deliver', account, owner: owner.mail };
}
