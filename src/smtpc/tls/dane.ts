/**
 * Whether the certificates a peer shows are those that its TLSA records name.
 *
 * Promise: a record this cannot judge counts for nothing, and of several for one thing only the strongest digest counts. With DANE-EE(3)
 * neither names nor dates matter: the record alone binds the key; with DANE-TA(2) both do, and every link up to the trust anchor.
 * Pure: certificates, records, names and time are arguments.
 * Spec: RFC 7672 §2.2, §3.1, §3.2; RFC 7671 §4.2, §5.1, §5.2, §9; RFC 6698 §2.1
 */

import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import type { TlsaRecord } from '../../base/index.ts';
import { subjectPublicKeyInfo } from './certificate-key.ts';

const trustAnchor = 2;
const endEntity = 3;
const digests: Readonly<Record<number, { readonly name: string; readonly octets: number }>> = {
  1: { name: 'sha256', octets: 32 },
  2: { name: 'sha512', octets: 64 },
};
/** Links of a chain looked at. */
const longestChain = 20;
const serverAuth = '1.3.6.1.5.5.7.3.1';

/** Usages 0 and 1 are undefined for SMTP (RFC 7672 §3.1.3); what is not well formed cannot match. */
export function usable({ usage, selector, matchingType, data }: TlsaRecord): boolean {
  if ((usage !== trustAnchor && usage !== endEntity) || selector > 1) return false;
  if (matchingType !== 0) return digests[matchingType]?.octets === data.length;
  return selector === 0 ? certificateOf(data) !== undefined : keyOf(data) !== undefined;
}

/** Of the records for one usage and selector those with the strongest digest, and those with no digest (RFC 7671 §9). */
export function strongest(records: readonly TlsaRecord[]): readonly TlsaRecord[] {
  return records.filter(
    (one) =>
      one.matchingType !== 1 ||
      !records.some(({ usage, selector, matchingType }) => matchingType === 2 && usage === one.usage && selector === one.selector),
  );
}

/** The presentation form of RFC 6698 §2.2. */
export function tlsaText({ usage, selector, matchingType, data }: TlsaRecord): string {
  return `${usage} ${selector} ${matchingType} ${Buffer.from(data).toString('hex').toUpperCase()}`;
}

export interface Refusal {
  /** RFC 8460 §4.3 */
  readonly type: 'certificate-host-mismatch' | 'certificate-expired' | 'certificate-not-trusted' | 'validation-failure';
  readonly text: string;
}

/** `chain`: the peer's own certificate first, then its issuers. Undefined where a record matches. */
export function daneRefusal(
  chain: readonly X509Certificate[],
  records: readonly TlsaRecord[],
  names: readonly string[],
  now: number,
): Refusal | undefined {
  const [leaf] = chain;
  if (!leaf) return { type: 'validation-failure', text: 'it has shown no certificate' };
  const counted = strongest(records.filter(usable));
  if (counted.some((record) => record.usage === endEntity && matches(record, leaf))) return undefined;
  let best: Refusal | undefined;
  for (const record of counted) {
    if (record.usage !== trustAnchor) continue;
    const refusal = anchorRefusal(chain.slice(0, longestChain), record, names, now);
    if (!refusal) return undefined;
    // What is wrong beyond "no anchor" says more.
    if (!best || best.type === 'validation-failure') best = refusal;
  }
  return best ?? { type: 'validation-failure', text: 'no TLSA record matches its certificate' };
}

function matches({ selector, matchingType, data }: TlsaRecord, certificate: X509Certificate): boolean {
  const chosen = selector === 0 ? certificate.raw : subjectPublicKeyInfo(certificate.raw);
  if (!chosen) return false;
  const digest = digests[matchingType];
  return Buffer.from(data).equals(digest ? createHash(digest.name).update(chosen).digest() : chosen);
}

function anchorRefusal(chain: readonly X509Certificate[], record: TlsaRecord, names: readonly string[], now: number): Refusal | undefined {
  const links = linksTo(chain, record);
  if (!links) return { type: 'validation-failure', text: 'no TLSA record matches its certificate or one of its issuers' };
  const [leaf] = links as [X509Certificate];
  for (const one of links) {
    if (now < Date.parse(one.validFrom))
      return { type: 'certificate-expired', text: `the certificate of ${subject(one)} is not valid yet` };
    if (now > Date.parse(one.validTo)) return { type: 'certificate-expired', text: `the certificate of ${subject(one)} has expired` };
  }
  if (links.slice(1).some((one) => !one.ca))
    return { type: 'certificate-not-trusted', text: 'an issuer of its certificate may not issue any' };
  // The library's name for extended key usages.
  if (leaf.keyUsage !== undefined && !leaf.keyUsage.includes(serverAuth))
    return { type: 'certificate-not-trusted', text: 'its certificate is not one for servers' };
  if (!names.some((name) => leaf.checkHost(name) !== undefined))
    return { type: 'certificate-host-mismatch', text: `its certificate is for none of ${names.join(', ')}` };
  return undefined;
}

const subject = ({ subject: text }: X509Certificate): string => text?.split('\n').at(-1) ?? 'nobody';

/** The certificates from the peer's own to the anchor, each signed by the next; undefined where there is no such way. */
function linksTo(chain: readonly X509Certificate[], record: TlsaRecord): X509Certificate[] | undefined {
  const links = chain.slice(0, 1);
  for (let n = 0; n < chain.length; n += 1) {
    const here = chain[n] as X509Certificate;
    const next = chain[n + 1];
    // The anchor need not be shown where the record has all of it (RFC 7671 §5.2.2, §5.2.3).
    if (signedByRecord(here, record)) {
      const whole = record.selector === 0 ? certificateOf(record.data) : undefined;
      return whole ? [...links, whole] : links;
    }
    if (!next || !here.checkIssued(next) || !verified(here, next.publicKey)) return undefined;
    links.push(next);
    if (matches(record, next)) return links;
  }
  return undefined;
}

function signedByRecord(certificate: X509Certificate, { selector, matchingType, data }: TlsaRecord): boolean {
  if (matchingType !== 0) return false;
  if (selector === 1) {
    const key = keyOf(data);
    return key !== undefined && verified(certificate, key);
  }
  const anchor = certificateOf(data);
  return anchor !== undefined && certificate.checkIssued(anchor) && verified(certificate, anchor.publicKey);
}

/** A key of another kind than the signature's makes the library throw. */
function verified(certificate: X509Certificate, key: KeyObject): boolean {
  try {
    return certificate.verify(key);
  } catch {
    return false;
  }
}

function certificateOf(der: Uint8Array): X509Certificate | undefined {
  try {
    return new X509Certificate(Buffer.from(der));
  } catch {
    return undefined;
  }
}

function keyOf(der: Uint8Array): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}
