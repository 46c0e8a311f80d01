/** The recipients a message names itself, for `sendmail -t`. */

import { formatAddress, headerValues, parseAddressList, splitHeader, withoutFields } from '../mail/index.ts';

/** Addresses of To, Cc and Bcc, and the message without its Bcc fields. */
export function headerRecipients(message: Uint8Array): { readonly recipients: readonly string[]; readonly withoutBcc: Uint8Array } {
  const header = splitHeader(message);
  const recipients = ['to', 'cc', 'bcc']
    .flatMap((name) => headerValues(header, name))
    .flatMap((value) => parseAddressList(value))
    .flatMap(({ mailbox, host }) =>
      mailbox === null || mailbox === '' ? [] : [host === null || host === '' ? mailbox : formatAddress({ local: mailbox, domain: host })],
    );
  return { recipients: [...new Set(recipients)], withoutBcc: withoutFields(message, ['bcc']) };
}
