/**
 * Where a domain wants its reports: the record `_smtp._tls`.
 *
 * Promise: only what the grammar allows is a place; there is a bound on how many. Pure. Spec: RFC 8460 §3
 */

import { normalizeAddress } from '../../mail/index.ts';

export type ReportPlace =
  | { readonly kind: 'mail'; readonly address: string }
  | { readonly kind: 'https'; readonly url: string; readonly host: string; readonly port: number; readonly path: string };

const mostPlaces = 10;
/** Of a record: beyond it is nothing we would use. */
const longestRecord = 4_096;

/** Empty: the domain wants none, or its record is wrong. */
export function reportPlaces(records: readonly string[]): ReportPlace[] {
  const own = records.filter((one) => /^v=TLSRPTv1[ \t]*;/.test(one));
  const [text] = own;
  if (own.length !== 1 || text === undefined || text.length > longestRecord) return [];
  const fields = text.split(/[ \t]*;[ \t]*/).slice(1);
  if (fields.at(-1) === '') fields.pop();
  if (fields.some((field) => !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}=[^;\u0000-\u001f\u007f]+$/.test(field))) return [];
  const rua = fields.find((field) => field.startsWith('rua='))?.slice(4);
  const places = (rua ?? '').split(/[ \t]*,[ \t]*/).map(placeOf);
  return places.filter((one) => one !== undefined).slice(0, mostPlaces);
}

function placeOf(uri: string): ReportPlace | undefined {
  const mail = /^mailto:([^?]+)(\?.*)?$/i.exec(uri)?.[1];
  if (mail !== undefined) {
    const address = normalizeAddress(decoded(mail) ?? '');
    return address === undefined || /[^!-~]/.test(address) ? undefined : { kind: 'mail', address };
  }
  if (!/^https:\/\//i.test(uri) || !URL.canParse(uri)) return undefined;
  const { hostname, port, pathname, search, username, password } = new URL(uri);
  if (hostname === '' || username !== '' || password !== '') return undefined;
  const host = hostname.replace(/^\[|\]$/g, '');
  return { kind: 'https', url: uri, host, port: port === '' ? 443 : Number(port), path: `${pathname}${search}` };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
