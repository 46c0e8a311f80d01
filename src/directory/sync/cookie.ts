/**
 * Synchronisation cookies: `rid=001,csn=20260102030405.006000Z#00002a#000#9f3c01`.
 *
 * The form is OpenLDAP's, because its consumers take cookies apart, keep the CSN alone (`contextCSN`) and put a cookie together from it
 * again. So everything a cookie has to say is in the CSN: time and number of the last change that is covered, and a seal (lineage.ts).
 * Whatever else comes as a cookie is not recognised; it is never an error.
 */

import { type Csn, csn, parseCsn } from '../history/csn.ts';

export interface Cookie {
  /** Which of its consumers is asking: OpenLDAP's number, given back as it came. */
  readonly replica: string | undefined;
  readonly numbers: readonly Csn[];
  /** It says nothing but who asks: a first request (RFC 4533 §2.1.2: pre-initialised state). */
  readonly initial: boolean;
}

const longest = 2_048;
const mostNumbers = 16;

export function parseCookie(octets: Uint8Array | undefined): Cookie {
  if (!octets || octets.length === 0) return { replica: undefined, numbers: [], initial: true };
  const fields = Buffer.from(octets.subarray(0, longest)).toString('latin1').split(',');
  const field = (name: string): string | undefined => fields.find((text) => text.startsWith(name))?.slice(name.length);
  const replica = field('rid=');
  const numbers = (octets.length > longest ? '' : (field('csn=') ?? '')).split(';', mostNumbers).flatMap((text) => parseCsn(text) ?? []);
  const known = replica !== undefined && /^\d{1,3}$/.test(replica) ? replica : undefined;
  const bare = known !== undefined && fields.every((text) => /^(rid=\d{1,3}|sid=[0-9a-f]{1,3})$/i.test(text));
  return { replica: known, numbers, initial: bare };
}

export function formatCookie(replica: string | undefined, at: number, change: number, seal: number): Uint8Array {
  const rid = replica === undefined ? '' : `rid=${replica},`;
  return Buffer.from(`${rid}csn=${csn(at, change, seal)}`, 'latin1');
}
