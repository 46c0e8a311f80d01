/** Making room in a mailbox's keyword table by forgetting keywords that no message carries any more. */

import { decodeChunk } from './chunk.ts';
import { type Context, draftPart } from './context.ts';
import { KeywordTable } from './flags.ts';
import { chunkRange, keywordsKey, lastNumber } from './keys.ts';
import type { AccountId, MailboxId } from './port.ts';

/** Returns whether any could be forgotten. Reads the whole index: for the rare case of a full table. */
export function freeKeywords(ctx: Context, account: AccountId, mailbox: MailboxId): Promise<boolean> {
  return ctx.keyValue.transact(
    draftPart(account, async (draft) => {
      const key = keywordsKey(account, mailbox);
      const table = new KeywordTable(await draft.read.get(key));
      const used = new Set<number>();
      for (const [chunk, bytes] of await draft.read.scan(chunkRange(account, mailbox))) {
        for (const row of decodeChunk(bytes, lastNumber(chunk))) for (const word of row.words) used.add(word);
      }
      const freed = table.keepOnly(used);
      if (freed) draft.put(key, table.bytes());
      return freed;
    }),
    'soon',
  );
}
