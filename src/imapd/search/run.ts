/**
 * Answers SEARCH: positions of the messages that match, ascending.
 *
 * Promise: what the session's table can answer reads nothing; the rest is read in batches, and stops when the peer has gone.
 * Spec: RFC 3501 §6.4.4
 */

import { bySequenceLoose, byUid, type Runs } from '../mailbox/runs.ts';
import type { SelectedMailbox } from '../mailbox/selected.ts';
import { batches, pace } from '../pace.ts';
import type { Session } from '../session.ts';
import type { SearchKey } from './keys.ts';
import { known, matches, type Scope } from './match.ts';
import { MessageText } from './message-text.ts';

const batchSize = 100;

export async function search(session: Session, mailbox: SelectedMailbox, key: SearchKey): Promise<number[]> {
  const members = new Map<SearchKey, Runs>();
  resolveSets(key, mailbox, members);
  const weight = keysIn(key);
  const scope: Scope = { mailbox, members, now: session.clock.now() };
  const found: number[] = [];
  const open: number[] = [];
  const step = pace(Math.max(1, Math.floor(2000 / weight)));
  for (let position = 0; position < mailbox.table.length; position++) {
    const answer = known(key, scope, position);
    if (answer === true) found.push(position);
    else if (answer === undefined) open.push(position);
    await step();
  }
  if (open.length === 0) return found;
  for (const batch of batches(open, batchSize)) found.push(...(await searchStored(session, scope, key, weight, batch)));
  return found.sort((a, b) => a - b);
}

async function searchStored(session: Session, scope: Scope, key: SearchKey, weight: number, batch: readonly number[]): Promise<number[]> {
  const { mailbox } = scope;
  const uids = batch.map((position) => mailbox.table.uid(position));
  const messages = await session.store.messages(mailbox.account, mailbox.info.id, uids);
  const step = pace(Math.max(1, Math.floor(20 / weight)));
  const found: number[] = [];
  for (const [n, position] of batch.entries()) {
    const message = messages[n];
    if (message && (await matches(key, scope, position, message, new MessageText(session.store, message)))) found.push(position);
    await step();
    await session.out.room();
  }
  return found;
}

/** Depth is bounded by the reader of the keys. */
function resolveSets(key: SearchKey, mailbox: SelectedMailbox, members: Map<SearchKey, Runs>): void {
  if (key.kind === 'and') for (const k of key.keys) resolveSets(k, mailbox, members);
  else if (key.kind === 'not') resolveSets(key.key, mailbox, members);
  else if (key.kind === 'or') {
    resolveSets(key.left, mailbox, members);
    resolveSets(key.right, mailbox, members);
  } else if (key.kind === 'set') {
    // The saved result may be long and named often: it is resolved once.
    const same = key.set.saved ? [...members].find(([other]) => other.kind === 'set' && other.set.saved) : undefined;
    members.set(key, same?.[1] ?? (key.uid ? byUid : bySequenceLoose)(key.set, mailbox.table, mailbox.saved));
  }
}

function keysIn(key: SearchKey): number {
  if (key.kind === 'and') return key.keys.reduce((sum, k) => sum + keysIn(k), 1);
  if (key.kind === 'not') return 1 + keysIn(key.key);
  return key.kind === 'or' ? 1 + keysIn(key.left) + keysIn(key.right) : 1;
}

/** Whether the search asks for mod-sequences (RFC 7162 §3.1.5). */
export function usesModSeq(key: SearchKey): boolean {
  if (key.kind === 'and') return key.keys.some(usesModSeq);
  if (key.kind === 'not') return usesModSeq(key.key);
  if (key.kind === 'or') return usesModSeq(key.left) || usesModSeq(key.right);
  return key.kind === 'mod-seq';
}
