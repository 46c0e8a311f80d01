/**
 * Names and passwords as they are sent: where that may happen without TLS, and the PLAIN response. Pure.
 *
 * Spec: RFC 4616 §2, RFC 8314 §3
 */

import { isUtf8 } from 'node:buffer';

/** Whether the peer is this host. Empty stands for a Unix socket. */
export function isLoopback(address: string): boolean {
  return address === '' || address === '::1' || /^127\./.test(address);
}

export interface PlainResponse {
  /** Authorisation identity; empty: the same as `name`. */
  readonly authorize: string;
  readonly name: string;
  readonly password: string;
}

/** `[authzid] NUL authcid NUL passwd`, UTF-8; undefined for anything else. */
export function readPlain(octets: Uint8Array): PlainResponse | undefined {
  if (!isUtf8(octets)) return undefined;
  const [authorize, name, password, ...rest] = Buffer.from(octets).toString('utf8').split('\0');
  if (authorize === undefined || !name || password === undefined || rest.length > 0) return undefined;
  return { authorize, name, password };
}

/** The same in base64. */
export function decodePlain(base64: string): PlainResponse | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64) || base64.length % 4 !== 0) return undefined;
  return readPlain(Buffer.from(base64, 'base64'));
}

/** RFC 4616 §2: acting for somebody else is not offered. */
export function actsForAnother({ authorize, name }: PlainResponse): boolean {
  return authorize !== '' && authorize.toLowerCase() !== name.toLowerCase();
}
