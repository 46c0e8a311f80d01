/**
 * The SubjectPublicKeyInfo of a certificate, octet for octet as it stands there: what TLSA records with selector 1 are made from.
 *
 * A key that was read and written again may be encoded otherwise, and its digest would not match. Spec: RFC 5280 §4.1; RFC 6698 §1.2
 */

interface Element {
  readonly tag: number;
  /** Where its contents begin and end in the whole. */
  readonly from: number;
  readonly to: number;
}

/** One DER element at `at`; undefined where there is none. */
function element(der: Uint8Array, at: number): Element | undefined {
  const tag = der[at];
  const first = der[at + 1];
  if (tag === undefined || first === undefined) return undefined;
  let from = at + 2;
  let length = first;
  if (first >= 0x80) {
    const octets = first & 0x7f;
    if (octets === 0 || octets > 4) return undefined;
    length = 0;
    for (let n = 0; n < octets; n += 1) length = length * 256 + (der[from + n] ?? 0);
    from += octets;
  }
  const to = from + length;
  return to > der.length ? undefined : { tag, from, to };
}

/** Undefined for what is no certificate. */
export function subjectPublicKeyInfo(der: Uint8Array): Uint8Array | undefined {
  const certificate = element(der, 0);
  const tbs = certificate && element(der, certificate.from);
  if (certificate?.tag !== 0x30 || tbs?.tag !== 0x30) return undefined;
  let at = tbs.from;
  // The version is there only where it is not the first.
  const before = element(der, at)?.tag === 0xa0 ? 6 : 5;
  for (let n = 0; n < before; n += 1) {
    const one = element(der, at);
    if (!one) return undefined;
    at = one.to;
  }
  const key = element(der, at);
  return key?.tag === 0x30 && key.to <= tbs.to ? der.subarray(at, key.to) : undefined;
}
