/**
 * What the ESMTP parameters of MAIL and RCPT mean.
 *
 * Promise: a parameter is understood or refused (555), never passed over; values are checked against their grammar.
 * Spec: RFC 1870 §6 (SIZE), RFC 6152 §2 (BODY), RFC 6531 §3.4 (SMTPUTF8), RFC 3461 §4 (RET, ENVID, NOTIFY, ORCPT),
 * RFC 6533 §3 (ORCPT of type utf-8), RFC 4954 §5 (AUTH)
 */

import { fromAddrXtext } from '../mail/index.ts';
import type { DsnRequest } from '../queue/index.ts';
import { fromXtext } from './path.ts';

export interface MailParameters {
  /** Octets the client announces. */
  readonly size: number | undefined;
  readonly eightBit: boolean;
  readonly smtputf8: boolean;
  readonly ret?: 'full' | 'hdrs';
  readonly envelopeId?: string;
}

/** Which extensions are on: a parameter of one that is off is unknown. */
export interface Extensions {
  readonly size: boolean;
  readonly eightBit: boolean;
  readonly smtputf8: boolean;
  readonly dsn: boolean;
  readonly auth: boolean;
}

export interface BadParameter {
  readonly code: 501 | 555;
  readonly status: string;
  readonly say: string;
}

const malformed = (key: string): BadParameter => ({ code: 501, status: '5.5.4', say: `malformed ${key} parameter` });
const unknown = (key: string): BadParameter => ({ code: 555, status: '5.5.4', say: `parameter ${key.slice(0, 40)} is not supported` });
type Parameters = ReadonlyMap<string, string | undefined>;

export const isBad = (value: object): value is BadParameter => 'status' in value;

export function readMailParameters(parameters: Parameters, on: Extensions): MailParameters | BadParameter {
  let [size, eightBit, smtputf8] = [undefined as number | undefined, false, false];
  let ret: 'full' | 'hdrs' | undefined;
  let envelopeId: string | undefined;
  for (const [key, value] of parameters) {
    if (key === 'SIZE' && on.size) {
      if (value === undefined || !/^\d{1,20}$/.test(value)) return malformed(key);
      size = Number(value);
    } else if (key === 'BODY' && on.eightBit) {
      if (value === undefined || !/^(7bit|8bitmime)$/i.test(value)) return malformed(key);
      eightBit = value.toLowerCase() === '8bitmime';
    } else if (key === 'SMTPUTF8' && on.smtputf8) {
      if (value !== undefined) return malformed(key);
      smtputf8 = true;
    } else if (key === 'RET' && on.dsn) {
      if (value === undefined || !/^(full|hdrs)$/i.test(value)) return malformed(key);
      ret = value.toLowerCase() as 'full' | 'hdrs';
    } else if (key === 'ENVID' && on.dsn) {
      envelopeId = value === undefined || value.length > 100 ? undefined : fromXtext(value);
      if (envelopeId === undefined) return malformed(key);
    } else if (key === 'AUTH' && on.auth) {
      // RFC 4954 §5: who submitted it first. Taken and, as we trust nobody's word for it, not used.
      if (value === undefined || fromXtext(value) === undefined) return malformed(key);
    } else return unknown(key);
  }
  return { size, eightBit, smtputf8, ...(ret ? { ret } : {}), ...(envelopeId === undefined ? {} : { envelopeId }) };
}

const notifications = ['never', 'success', 'failure', 'delay'] as const;
type Notification = (typeof notifications)[number];

/** The DSN request of one recipient, undefined where it has none. */
export function readRcptParameters(parameters: Parameters, on: Extensions): { readonly dsn: DsnRequest | undefined } | BadParameter {
  let notify: readonly Notification[] | undefined;
  let originalRecipient: string | undefined;
  for (const [key, value] of parameters) {
    if (key === 'NOTIFY' && on.dsn) {
      notify = readNotify(value ?? '');
      if (!notify) return malformed(key);
    } else if (key === 'ORCPT' && on.dsn) {
      originalRecipient = value === undefined || value.length > 500 ? undefined : readOriginalRecipient(value, on.smtputf8);
      if (originalRecipient === undefined) return malformed(key);
    } else return unknown(key);
  }
  if (!notify && originalRecipient === undefined) return { dsn: undefined };
  return { dsn: { ...(notify ? { notify } : {}), ...(originalRecipient === undefined ? {} : { originalRecipient }) } };
}

/** Decoded. Where SMTPUTF8 is offered, an address of type utf-8 may stand there as it is. */
function readOriginalRecipient(value: string, smtputf8: boolean): string | undefined {
  const international = /^utf-8;/i.test(value);
  const text = international && smtputf8 && /[^ -~]/.test(value) && !/[\s\p{Cc}]/u.test(value) ? value : fromXtext(value);
  if (text === undefined || !/^[A-Za-z0-9-]+;./u.test(text)) return undefined;
  if (!international) return text;
  const address = fromAddrXtext(text.slice(6));
  return address === undefined ? undefined : `utf-8;${address}`;
}

function readNotify(value: string): readonly Notification[] | undefined {
  const words = value.toLowerCase().split(',');
  const known = notifications.filter((one) => words.includes(one));
  if (known.length !== words.length || (known.includes('never') && known.length > 1)) return undefined;
  return known;
}
