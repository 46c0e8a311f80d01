/**
 * A message as `sendmail` puts it into the control socket: a line of JSON that says for whom it is, and the message behind it.
 *
 * Promise: any number of recipients fits, which a query would not hold; what is not understood is refused by name (Fault malformed).
 */

import { Fault } from '../base/index.ts';
import type { DsnRequest } from '../queue/index.ts';
import type { HandedIn } from './hand-in.ts';

/** What stands in the first line. */
export type HandedInEnvelope = Omit<HandedIn, 'message'>;

/** 100,000 addresses fit. */
const envelopeAtMost = 40 * 1_048_576;
const lineFeed = 10;

export const handedInLine = (envelope: HandedInEnvelope): string => `${JSON.stringify(envelope)}\n`;

export async function readHandedIn(body: AsyncIterable<Uint8Array>): Promise<HandedIn> {
  const chunks = body[Symbol.asyncIterator]();
  const line: Uint8Array[] = [];
  let octets = 0;
  for (;;) {
    const { value, done } = await chunks.next();
    if (done) throw new Fault('malformed', 'the envelope of the message is missing');
    const end = value.indexOf(lineFeed);
    line.push(end < 0 ? value : value.subarray(0, end));
    octets += value.length;
    if (octets > envelopeAtMost && end < 0) throw new Fault('too-large', 'the envelope of the message is too large');
    if (end < 0) continue;
    const rest = value.subarray(end + 1);
    async function* message(): AsyncIterable<Uint8Array> {
      if (rest.length > 0) yield rest;
      yield* { [Symbol.asyncIterator]: () => chunks };
    }
    return { ...envelopeOf(Buffer.concat(line).toString('utf8')), message: message() };
  }
}

function envelopeOf(line: string): HandedInEnvelope {
  let given: Partial<Record<keyof HandedInEnvelope, unknown>>;
  try {
    given = JSON.parse(line) as typeof given;
  } catch {
    throw new Fault('malformed', 'the envelope of the message is not JSON');
  }
  const { sender = '', recipients, fullName, ret, envelopeId, notify } = given ?? {};
  if (typeof sender !== 'string' || !isTexts(recipients)) throw new Fault('malformed', 'sender or recipients are not addresses');
  return {
    sender,
    recipients,
    ...(typeof fullName === 'string' ? { fullName } : {}),
    ...(ret === 'full' || ret === 'hdrs' ? { ret } : {}),
    ...(typeof envelopeId === 'string' ? { envelopeId } : {}),
    ...(isTexts(notify) ? { notify: noticesIn(notify) } : {}),
  };
}

const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every((one) => typeof one === 'string');

/** Of what `sendmail -N` says; what is none is passed over. */
function noticesIn(words: readonly string[]): NonNullable<DsnRequest['notify']> {
  return (['never', 'success', 'failure', 'delay'] as const).filter((notice) => words.includes(notice));
}
