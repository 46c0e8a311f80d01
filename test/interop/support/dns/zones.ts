/** DNS zones as values, and their master files (RFC 1035 §5). */

import { isIP, isIPv4 } from 'node:net';
import { reversedAddress } from '../../../../src/base/index.ts';

/** What one name has. */
export interface Records {
  readonly mx?: readonly (readonly [preference: number, exchange: string])[];
  readonly a?: readonly string[];
  readonly aaaa?: readonly string[];
  readonly cname?: string;
  readonly ns?: readonly string[];
  readonly ptr?: readonly string[];
  /** One record each; as long as they like. */
  readonly txt?: readonly string[];
  readonly tlsa?: readonly (readonly [usage: number, selector: number, matching: number, hex: string])[];
  /** Further records in master file form without name and TTL: `SRV 0 0 25 mx.example.test.` */
  readonly other?: readonly string[];
  /** Seconds; the zone's where it lacks. */
  readonly ttl?: number;
}

/**
 * Names below the zone's: `@` is the zone itself, `mx` a name in it, `_25._tcp.mx` and `*` too. Names that end in a dot are whole. A name that is
 * an IP address stands for its reverse name in the zones `in-addr.arpa`, `ip6.arpa` and in zones made by `dnsBl`.
 */
export type Zone = Readonly<Record<string, Records>>;

/** Zones by name, without the final dot. */
export type Zones = Readonly<Record<string, Zone>>;

/** A DNS-BL's zone: answers and reason of each address that it has (RFC 5782), with the two entries every list has for testing (§5). */
export function dnsBl(listed: Readonly<Record<string, { readonly answers?: readonly string[]; readonly reason?: string }>>): Zone {
  const test = { answers: ['127.0.0.2'], reason: 'test entry' };
  return Object.fromEntries(
    Object.entries({ '127.0.0.2': test, '::ffff:7f00:2': test, ...listed }).map(([address, { answers = ['127.0.0.2'], reason }]) => [
      address,
      { a: answers, ...(reason === undefined ? {} : { txt: [reason] }) },
    ]),
  );
}

/** The reverse zones of these addresses: an address to its names. */
export function reverseZones(names: Readonly<Record<string, readonly string[]>>): Zones {
  const of = (family: (address: string) => boolean): Zone =>
    Object.fromEntries(
      Object.entries(names)
        .filter(([address]) => family(address))
        .map(([address, ptr]) => [address, { ptr }]),
    );
  return { 'in-addr.arpa': of(isIPv4), 'ip6.arpa': of((address) => !isIPv4(address)) };
}

/** The zone `test` with domains below it, each with one mail exchanger `mx` at this address. */
export function mailDomains(addresses: Readonly<Record<string, string>>): Zones {
  const names = Object.entries(addresses).map(
    ([domain, address]): Zone => ({
      [domain]: { mx: [[10, `mx.${domain}.test`]] },
      [`mx.${domain}`]: { a: [address] },
    }),
  );
  return { test: Object.assign({}, ...names) };
}

/** The master file. `serial` must grow with every change. */
export function masterFile(zone: Zone, options: { readonly serial: number; readonly ttl: number }): string {
  const { serial, ttl } = options;
  const own = zone['@']?.ns;
  return [
    `$TTL ${ttl}`,
    `@ SOA ns.invalid. hostmaster.invalid. ${serial} 3600 600 86400 ${ttl}`,
    ...(own ? [] : ['@ NS ns.invalid.']),
    ...Object.entries(zone).flatMap(([name, records]) => lines(isIP(name) ? (reversedAddress(name) ?? name) : name, records)),
    '',
  ].join('\n');
}

function lines(name: string, records: Records): string[] {
  const { mx = [], a = [], aaaa = [], cname, ns = [], ptr = [], txt = [], tlsa = [], other = [], ttl = '' } = records;
  return [
    ...mx.map(([preference, exchange]) => `MX ${preference} ${whole(exchange)}`),
    ...a.map((address) => `A ${address}`),
    ...aaaa.map((address) => `AAAA ${address}`),
    ...(cname === undefined ? [] : [`CNAME ${whole(cname)}`]),
    ...ns.map((server) => `NS ${whole(server)}`),
    ...ptr.map((target) => `PTR ${whole(target)}`),
    ...txt.map((text) => `TXT ${strings(text)}`),
    ...tlsa.map((fields) => `TLSA ${fields.join(' ')}`),
    ...other,
  ].map((record) => `${name} ${ttl} ${record}`);
}

const whole = (name: string): string => (name.endsWith('.') ? name : `${name}.`);

/** Character strings of at most 255 octets; what is not plain text as \DDD (RFC 1035 §5.1). */
function strings(text: string): string {
  const octets = Buffer.from(text, 'utf8');
  const parts: string[] = [];
  for (let at = 0; at === 0 || at < octets.length; at += 255) {
    const part = [...octets.subarray(at, at + 255)].map((octet) =>
      octet < 0x20 || octet > 0x7e || octet === 0x22 || octet === 0x5c ? `\\${String(octet).padStart(3, '0')}` : String.fromCharCode(octet),
    );
    parts.push(`"${part.join('')}"`);
  }
  return parts.join(' ');
}
