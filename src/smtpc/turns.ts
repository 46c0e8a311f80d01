/**
 * One message over one session in as many transactions as the peer's own limit on recipients asks for.
 *
 * Promise: whom the peer did not take because there were too many gets the message in another transaction at once, as long as each
 * one brings it to somebody; no recipient gets it twice.
 * Spec: RFC 5321 §4.5.3.1.10 (452, and 552 of older hosts), RFC 3463 (X.5.3)
 */

import type { PeerAnswer, PeerMessage, PeerSession } from './peer-session.ts';

export async function sendInTurns(session: Pick<PeerSession, 'send' | 'open'>, message: PeerMessage): Promise<Map<string, PeerAnswer>> {
  const answers = new Map<string, PeerAnswer>();
  for (let left = message.recipients; ; ) {
    const said = await session.send({ ...message, recipients: left });
    for (const [address, answer] of said) answers.set(address, answer);
    const further = left.filter(({ address }) => isTooMany(said.get(address)));
    const brought = left.some(({ address }) => said.get(address)?.kind === 'taken');
    if (further.length === 0 || !brought || !session.open) return answers;
    left = further;
  }
}

function isTooMany(answer: PeerAnswer | undefined): boolean {
  if (!answer || answer.kind === 'taken' || answer.phase !== 'rcpt' || (answer.code !== 452 && answer.code !== 552)) return false;
  // Where the peer says more than the code, it must be that: a full mailbox has the same code.
  const status = /^\d{3}[ -][45](\.\d{1,3}\.\d{1,3})\b/.exec(answer.said)?.[1];
  return status === undefined || status === '.5.3';
}
