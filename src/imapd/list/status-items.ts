/** The items of STATUS and of LIST RETURN (STATUS …). Spec: RFC 3501 §6.3.10, RFC 7162 §3.1.7, RFC 8438, RFC 5819 */

import type { AccountId, MailboxInfo, Store } from '../../store/index.ts';
import type { Cursor } from '../wire/cursor.ts';
import { quote } from '../wire/quote.ts';
import { encodeUtf7 } from '../wire/utf7.ts';

const names = ['MESSAGES', 'RECENT', 'UIDNEXT', 'UIDVALIDITY', 'UNSEEN', 'HIGHESTMODSEQ', 'SIZE', 'DELETED'] as const;
export type StatusItem = (typeof names)[number];

export function readStatusItems(args: Cursor): StatusItem[] {
  return args.list(20, () => {
    const name = args.name('a status item');
    return names.find((known) => known === name) ?? args.fail('a status item');
  });
}

/** A whole `* STATUS` response. */
export async function statusLine(store: Store, account: AccountId, info: MailboxInfo, items: readonly StatusItem[]): Promise<string> {
  const values: string[] = [];
  for (const item of new Set(items)) values.push(`${item} ${await statusValue(store, account, info, item)}`);
  return `* STATUS ${quote(encodeUtf7(info.name))} (${values.join(' ')})\r\n`;
}

function statusValue(store: Store, account: AccountId, info: MailboxInfo, item: StatusItem): number | Promise<number> {
  switch (item) {
    case 'MESSAGES':
      return info.messages;
    case 'RECENT':
      return recent(store, account, info);
    case 'UIDNEXT':
      return info.uidNext;
    case 'UIDVALIDITY':
      return info.uidValidity;
    case 'UNSEEN':
      return info.unseen;
    case 'HIGHESTMODSEQ':
      return info.highestModSeq;
    case 'SIZE':
      return info.size;
    case 'DELETED':
      return info.deleted;
  }
}

/** Counted only where the UIDs do not tell it already. */
async function recent(store: Store, account: AccountId, info: MailboxInfo): Promise<number> {
  if (info.recentFrom >= info.uidNext || info.messages === 0) return 0;
  if (info.messages === info.uidNext - 1) return info.uidNext - info.recentFrom;
  if (info.recentFrom <= 1) return info.messages;
  const entries = await store.index(account, info.id);
  return entries.filter((entry) => entry.uid >= info.recentFrom).length;
}
