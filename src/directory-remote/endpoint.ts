/** Where the external directory is: LDAP URLs as the configuration writes them. Spec: RFC 4516 §2 (scheme, host and port only) */

import type { LdapPlace } from './connection.ts';

export interface Endpoint {
  /** As it was written: for messages. */
  readonly url: string;
  readonly place: LdapPlace;
  /** ldaps: TLS from the first octet. */
  readonly secure: boolean;
}

const ports = { ldap: 389, ldaps: 636 } as const;

/** `ldap://host[:port]`, `ldaps://host[:port]` or `ldapi://%2Fpath`; undefined where it is none of them. */
export function parseEndpoint(url: string): Endpoint | undefined {
  const socket = /^ldapi:\/\/(\/?[^/?]+|\/[^?]+)\/?$/i.exec(url);
  if (socket) {
    const path = decoded(socket[1] ?? '');
    return path?.startsWith('/') ? { url, place: { path }, secure: false } : undefined;
  }
  const match = /^(ldaps?):\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?\/?$/i.exec(url);
  if (!match) return undefined;
  const scheme = (match[1] ?? '').toLowerCase() as keyof typeof ports;
  const port = match[3] === undefined ? ports[scheme] : Number(match[3]);
  if (port < 1 || port > 65535) return undefined;
  return { url, place: { host: (match[2] ?? '').replace(/^\[|\]$/g, ''), port }, secure: scheme === 'ldaps' };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
