/**
 * What the operator of a domain puts into its DNS and on its web server so that others encrypt mail to this host.
 *
 * Promise: the policy's id changes exactly when the policy does. Pure.
 * Spec: RFC 8461 §3; RFC 8460 §3; RFC 7672 §3.1.1 (3 1 1 is what to publish)
 */

import { createHash, X509Certificate } from 'node:crypto';
import { subjectPublicKeyInfo } from './certificate-key.ts';
import type { StsMode } from './sts-policy.ts';

export interface PublishWish {
  readonly domain: string;
  /** Names of this host and of whoever else takes the domain's mail. */
  readonly mx: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly mode: StsMode;
  /** Seconds. */
  readonly maxAge: number;
  /** PEM; the first in it is this host's. */
  readonly certificate: string;
  /** An address for reports. */
  readonly reportsTo: string;
}

export interface Published {
  /** Lines of a zone. */
  readonly records: { readonly sts: string; readonly reports: string; readonly tlsa: string };
  readonly policyUrl: string;
  readonly policy: string;
  readonly certificate: { readonly names: string; readonly validTo: string };
}

export function published({ domain, mx, host, port, mode, maxAge, certificate, reportsTo }: PublishWish): Published {
  const lines = ['version: STSv1', `mode: ${mode}`, ...mx.map((one) => `mx: ${one}`), `max_age: ${maxAge}`, ''];
  const policy = lines.join('\r\n');
  const own = new X509Certificate(certificate);
  const key = subjectPublicKeyInfo(own.raw) ?? new Uint8Array(0);
  const digest = createHash('sha256').update(key).digest('hex').toUpperCase();
  return {
    records: {
      sts: `_mta-sts.${domain}. IN TXT "v=STSv1; id=${createHash('sha256').update(policy).digest('hex').slice(0, 20)};"`,
      reports: `_smtp._tls.${domain}. IN TXT "v=TLSRPTv1; rua=mailto:${encodeURI(reportsTo)}"`,
      tlsa: `_${port}._tcp.${host}. IN TLSA 3 1 1 ${digest}`,
    },
    policyUrl: `https://mta-sts.${domain}/.well-known/mta-sts.txt`,
    policy,
    certificate: { names: own.subjectAltName ?? own.subject, validTo: new Date(own.validTo).toISOString() },
  };
}
