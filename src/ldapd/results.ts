/**
 * Results in LDAP's terms: what a fault is called, and the few answers that never change.
 *
 * Promise: a stranger reads `say` and nothing else of a fault.
 * Spec: RFC 4511 §4.1.9, Appendix A
 */

import { asFault, replies } from '../base/index.ts';
import { DirectoryFault, resultCodes } from '../directory/index.ts';
import {
  type Dn,
  encodeResponse,
  encodeResponseOperation,
  type LdapResult,
  noticeOfDisconnection,
  parseDn,
  type Response,
  success,
} from '../ldap-wire/index.ts';

/** Longest diagnostic message, in characters. */
const longestDiagnostic = 1_000;

/** A thrown value as an LDAPResult. */
export function resultOf(thrown: unknown): LdapResult {
  const fault = asFault(thrown);
  const diagnostic = fault.say.slice(0, longestDiagnostic);
  if (fault instanceof DirectoryFault) return { code: resultCodes[fault.result], matched: fault.matched?.toString() ?? '', diagnostic };
  return { code: replies[fault.kind].ldap, matched: '', diagnostic };
}

/** A name of the request. Throws DirectoryFault invalidDNSyntax. */
export function nameOf(text: string): Dn {
  return asDnFault(() => parseDn(text));
}

/** Turns the parser's complaint about a name into LDAP's result for it. */
export function asDnFault<T>(run: () => T): T {
  try {
    return run();
  } catch (thrown) {
    throw new DirectoryFault('invalidDNSyntax', asFault(thrown).say);
  }
}

type ResultOp = Exclude<Response['op'], 'entry' | 'reference' | 'intermediate'>;
const plain = new Map<ResultOp, Buffer>();

/** The encoded operation of an answer with nothing but success. */
export function successOperation(op: ResultOp): Buffer {
  let octets = plain.get(op);
  if (!octets) {
    octets = encodeResponseOperation({ op, result: success });
    plain.set(op, octets);
  }
  return octets;
}

/** Notice of Disconnection (RFC 4511 §4.4.1), a whole message. */
export function noticeMessage(result: 'protocolError' | 'unavailable' | 'busy' | 'strongerAuthRequired', diagnostic: string): Buffer {
  return encodeResponse(0, {
    op: 'extended',
    result: { code: resultCodes[result], matched: '', diagnostic: diagnostic.slice(0, longestDiagnostic) },
    oid: noticeOfDisconnection,
  });
}
