/**
 * What a session must have, and whether the peer's certificate gives it that.
 *
 * Promise: the certificate is judged after the handshake and before another octet is sent over the session.
 * Spec: RFC 7672 §2.2 (DANE), RFC 8461 §4.2 (MTA-STS), RFC 6125 §6.4 and RFC 7817 (names), RFC 7435 (opportunistic)
 */

import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { DetailedPeerCertificate, SecureContext, TLSSocket } from 'node:tls';
import type { TlsaRecord } from '../../base/index.ts';
import { daneRefusal, type Refusal } from './dane.ts';

export type Verified = 'dane' | 'sts' | 'pkix' | 'none';

/** What is asked of a certificate. With `pkix` and not `enforced` a bad one is noted and used all the same. */
export type Check =
  | { readonly kind: 'none'; readonly names: readonly string[] }
  | { readonly kind: 'pkix' | 'sts'; readonly names: readonly string[]; readonly enforced: boolean }
  | { readonly kind: 'dane'; readonly names: readonly string[]; readonly records: readonly TlsaRecord[] };

/** What holds for a session with one host. */
export interface Demand {
  readonly tls: 'off' | 'opportunistic' | 'required';
  readonly check: Check;
  /** The name told in the handshake; undefined for none. */
  readonly servername: string | undefined;
  /** The handshake comes before the greeting. */
  readonly atOnce?: boolean;
  /** What decided it, for people. */
  readonly by: string;
}

export interface Encryption {
  /** `TLSv1.3` */
  readonly protocol: string;
  readonly cipher: string;
  readonly verified: Verified;
  /** What is wrong with the certificate where that did not matter. */
  readonly flaw?: Refusal;
}

/** Without names nobody is meant by a certificate. */
export const unverified = (names: readonly string[] = []): Check => ({ kind: 'none', names });

export interface TlsWish extends Omit<Demand, 'by'> {
  readonly context: () => SecureContext;
  readonly now: () => number;
}

export function judge(socket: TLSSocket, { check, now }: Pick<TlsWish, 'check' | 'now'>): Encryption | Refusal {
  const about = { protocol: socket.getProtocol() ?? 'TLS', cipher: socket.getCipher().name };
  if (check.kind === 'dane') {
    const refusal = daneRefusal(chainOf(socket.getPeerCertificate(true)), check.records, check.names, now());
    return refusal ?? { ...about, verified: 'dane' };
  }
  const flaw = pkixRefusal(socket, socket.getPeerX509Certificate(), check.names, check.kind === 'sts');
  if (!flaw) return { ...about, verified: check.kind === 'none' ? 'pkix' : check.kind };
  if (check.kind !== 'none' && check.enforced) return flaw;
  return { ...about, verified: 'none', ...(check.kind === 'none' ? {} : { flaw }) };
}

/** The peer's certificate and its issuers, as they were shown. */
function chainOf(first: DetailedPeerCertificate): X509Certificate[] {
  const chain: X509Certificate[] = [];
  const seen = new Set<string>();
  for (let one: DetailedPeerCertificate | undefined = first; one?.raw && !seen.has(one.fingerprint256); one = one.issuerCertificate) {
    seen.add(one.fingerprint256);
    chain.push(new X509Certificate(one.raw));
  }
  return chain;
}

const outOfDate = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);

function pkixRefusal(socket: TLSSocket, leaf: X509Certificate | undefined, names: readonly string[], strict: boolean): Refusal | undefined {
  if (!leaf) return { type: 'certificate-not-trusted', text: 'it has shown no certificate' };
  // The library gives the reason as text or as an error with a code.
  const why = socket.authorizationError as unknown as string | { code?: string } | null | undefined;
  if (why) {
    const code = typeof why === 'string' ? why : (why.code ?? String(why));
    return outOfDate.has(code)
      ? { type: 'certificate-expired', text: `its certificate is not valid at this time (${code})` }
      : { type: 'certificate-not-trusted', text: `its certificate is not trusted (${code})` };
  }
  if (names.length === 0) return { type: 'validation-failure', text: 'the policy of its domain names other hosts' };
  // RFC 8461 §4.2: only alternative names count there.
  const how = strict ? ({ subject: 'never' } as const) : {};
  const fits = names.some((name) => (isIP(name) ? leaf.checkIP(name) : leaf.checkHost(name, how)) !== undefined);
  return fits ? undefined : { type: 'certificate-host-mismatch', text: `its certificate is not for ${names.join(' or ')}` };
}
