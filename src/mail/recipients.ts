/**
 * What a submission needs to know of a header: who it names, and which fields it lacks.
 *
 * Spec: RFC 5322 §3.6.3; RFC 6409 §8 (fields that a submission server may add)
 */

import { normalizeAddress } from './address.ts';
import { parseAddressList } from './address-list.ts';
import { fieldValue, splitHeader, withoutFields } from './header.ts';

/** The addresses of To, Cc and Bcc, each once, and the message without its Bcc. Names that are no address are given as they stand. */
export function headerAddresses(message: Uint8Array): { recipients: string[]; withoutBcc: Uint8Array } {
  const fields = splitHeader(message).fields.filter(({ name }) => /^(?:to|cc|bcc)$/i.test(name));
  const found = new Set<string>();
  for (const field of fields) {
    for (const { mailbox, host } of parseAddressList(fieldValue(field))) {
      if (!mailbox || host === null) continue;
      found.add(host === '' ? mailbox : (normalizeAddress(`${mailbox}@${host}`) ?? `${mailbox}@${host}`));
    }
  }
  return { recipients: [...found], withoutBcc: withoutFields(message, ['bcc']) };
}

/** Which of these names (lower case) the header of `message` does not have, in the order given. */
export function missingFields<N extends string>(message: Uint8Array, names: readonly N[]): N[] {
  const present = new Set(splitHeader(message).fields.map(({ name }) => name.toLowerCase()));
  return names.filter((name) => !present.has(name));
}
