/**
 * What a submission needs to know of a header: who it names, and which fields it lacks.
 *
 * Spec: RFC 5322 §3.6.3; RFC 6409 §8 (fields that a submission server may add)
 */

import { formatLocal, normalizeAddress } from './address.ts';
import { parseAddressList } from './address-list.ts';
import { fieldValue, type HeaderField, splitHeader, withoutFields } from './header.ts';

const longestShown = 100;

/**
 * The addresses a message is for by its header, each once, and the message without its Bcc: those of To, Cc and Bcc, or where it was resent
 * those of the last resending alone (RFC 5322 §3.6.6). What is no address is given as it stands.
 */
export function headerAddresses(message: Uint8Array): { recipients: string[]; withoutBcc: Uint8Array } {
  const { fields } = splitHeader(message);
  const resent = lastResending(fields);
  const naming = resent.length > 0 ? resent : fields.filter(({ name }) => /^(?:to|cc|bcc)$/i.test(name));
  const found = new Set<string>();
  for (const field of naming) for (const address of addressesIn(fieldValue(field))) found.add(address);
  return { recipients: [...found], withoutBcc: withoutFields(message, ['bcc', 'resent-bcc']) };
}

/** Where a message was resent: To, Cc and Bcc of the block that was put in front last. */
function lastResending(fields: readonly HeaderField[]): HeaderField[] {
  const naming = /^resent-(?:to|cc|bcc)$/i;
  const seen = new Set<string>();
  const block: HeaderField[] = [];
  for (const field of fields) {
    const name = field.name.toLowerCase();
    // Another block begins where a field comes again, or behind what is none of it.
    const other = !name.startsWith('resent-') || seen.has(name);
    if (other && block.length > 0) break;
    if (other) seen.clear();
    if (name.startsWith('resent-')) seen.add(name);
    if (naming.test(name)) block.push(field);
  }
  return block;
}

/** The addresses of a list as it stands in a header: names and comments left out, groups taken apart. What is no address is given as it stands. */
export function addressesIn(list: string): string[] {
  const found = parseAddressList(list, Number.POSITIVE_INFINITY);
  let at = 0;
  const asWritten = (mailbox: string, host: string): string => {
    if (host === '') return mailbox;
    // Quotes and blanks are read away. Words with blanks between them are no local part, and must not become one that somebody else may have.
    const quoted = formatLocal(mailbox);
    const local = [quoted, mailbox].find((text) => list.includes(text, at)) ?? [quoted, mailbox].find((text) => list.includes(text));
    if (local === undefined) return list.trim().slice(0, longestShown);
    at = Math.max(at, list.indexOf(local, at));
    return normalizeAddress(`${local}@${host}`) ?? `${local}@${host}`;
  };
  const addresses = found.flatMap(({ mailbox, host }) => (mailbox && host !== null ? [asWritten(mailbox, host)] : []));
  // Nothing but groups without members is nobody; anything else was meant for somebody.
  const isNobody = list.trim() === '' || found.some(({ host }) => host === null);
  return addresses.length === 0 && !isNobody ? [list.trim()] : addresses;
}

/** Which of these names (lower case) the header of `message` does not have, in the order given. */
export function missingFields<N extends string>(message: Uint8Array, names: readonly N[]): N[] {
  const present = new Set(splitHeader(message).fields.map(({ name }) => name.toLowerCase()));
  return names.filter((name) => !present.has(name));
}
