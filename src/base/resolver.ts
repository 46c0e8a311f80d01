/**
 * Names and addresses from the DNS, as values.
 *
 * Promise: every question ends, with an answer or with `temporary`; "there is none" and "I could not find out" are never mixed up;
 * answers are remembered as long as their TTL allows and within a bound; the same question asked by many at one time is asked
 * once. Aliases (CNAME) are followed. Whoever needs other numbers of tries than the settings' makes another resolver.
 * `secure` is only what a server whose word counts has validated; who cannot be asked safely is never believed.
 * Spec: RFC 1035, RFC 2308 (negative answers), RFC 2181 §5.2, RFC 6840 §5.8 (AD), RFC 6698 (TLSA)
 */

import { isIPv4, isIPv6 } from 'node:net';
import type { DecodedPacket, Answer as PacketAnswer, TxtData } from 'dns-packet';
import { type Clock, systemClock } from './clock.ts';
import { type DnsServer, exchange, type QuestionType } from './dns-exchange.ts';
import { dnsServers } from './dns-servers.ts';
import type { Live } from './live.ts';
import { Lru } from './lru.ts';
import { isLoopback } from './plain-login.ts';

/** `none`: the name exists and has no such record. `ttl` in seconds. */
export type DnsAnswer<T> =
  | ({ readonly outcome: 'found'; readonly records: readonly T[]; readonly ttl: number } & Authentic)
  | ({ readonly outcome: 'none' | 'no-such-domain'; readonly ttl: number } & Authentic)
  | { readonly outcome: 'temporary'; readonly reason: string };

interface Authentic {
  /** Validated by DNSSEC, aliases included. */
  readonly secure?: boolean;
  /** Where aliases led; absent where the name asked for is none. */
  readonly canonical?: string;
}

/** RFC 6698 §2.1 */
export interface TlsaRecord {
  readonly usage: number;
  readonly selector: number;
  readonly matchingType: number;
  readonly data: Uint8Array;
}

export interface MxRecord {
  readonly preference: number;
  /** Lower case, no final dot; empty is the null MX (RFC 7505). */
  readonly exchange: string;
}

export interface Resolver {
  mx(name: string): Promise<DnsAnswer<MxRecord>>;
  /** IPv4 addresses first. Found when either family was. */
  addresses(name: string): Promise<DnsAnswer<string>>;
  /** IPv4 addresses alone, as DNS blacklists answer with (RFC 5782 §2.1). */
  ipv4(name: string): Promise<DnsAnswer<string>>;
  /** Names of an IP address. */
  ptr(address: string): Promise<DnsAnswer<string>>;
  /** Each record's strings joined. */
  txt(name: string): Promise<DnsAnswer<string>>;
  /** What certificates there may be; `name` with its port and protocol: `_25._tcp.mx.example.org`. */
  tlsa(name: string): Promise<DnsAnswer<TlsaRecord>>;
  /** The name itself is an alias of another. For whether that is `secure` when what it leads to is not. */
  alias(name: string): Promise<DnsAnswer<string>>;
}

export interface ResolverOptions {
  /** Empty: the servers the system is set up with. */
  readonly servers: Live<readonly DnsServer[]>;
  /** Further tries after the first, one server after the other. */
  readonly retries?: () => number;
  readonly timeoutMs?: () => number;
  /** Answers remembered; 0 for none. */
  readonly cacheSize?: () => number;
  readonly clock?: Clock;
  /** Whether a server's word (AD) counts that it has validated an answer, asked each time. Without this: only what runs on this host (RFC 4035 §4.9.3). */
  readonly validates?: (server: DnsServer) => boolean;
}

const longestTtl = 86_400;
const longestNegativeTtl = 3_600;
const negativeTtl = 60;
const mostAliases = 8;
/** Questions at one time; more are answered `temporary` at once. */
const mostQuestions = 500;
const mostRecords = 100;

/** `vouches`: the server that says it has validated the answer. Whether it is believed may change while the answer is remembered. */
type Raw = DnsAnswer<PacketAnswer> & { readonly vouches?: DnsServer | undefined };
/** `leadsTo`: the response ends with an alias of this name, and does not say what that has. */
type Judged = Raw & { readonly leadsTo?: string };

export function createResolver(options: ResolverOptions): Resolver {
  const clock = options.clock ?? systemClock;
  const retries = options.retries ?? (() => 4);
  const timeoutMs = options.timeoutMs ?? (() => 5_000);
  const cacheSize = options.cacheSize ?? (() => 50_000);
  const validates = options.validates ?? (({ host }) => isLoopback(host));
  const cache = new Lru<string, { until: number; answer: Raw }>(cacheSize());
  const asking = new Map<string, Promise<Raw>>();
  const servers = dnsServers(() => options.servers.value, clock);
  options.servers.onChange(() => {
    cache.clear();
    servers.forget();
  });

  /** One name, as one response has it. */
  const askOnce = async (name: string, type: QuestionType): Promise<Judged> => {
    const order = servers.inOrder();
    let reason = order.length > 0 ? `no name server answered for ${name}` : 'no name server is known';
    for (let n = 0; n <= retries() && order.length > 0; n += 1) {
      const server = order[n % order.length] as DnsServer;
      const packet = await exchange(server, { name, type }, timeoutMs(), clock);
      servers[packet ? 'answered' : 'keptSilent'](server);
      const rcode = (packet as (DecodedPacket & { rcode?: string }) | undefined)?.rcode;
      if (packet && isReferral(packet, rcode)) {
        reason = `the name server ${server.host} does not look for names of others, such as ${name}`;
        continue;
      }
      if (packet && (rcode === 'NOERROR' || rcode === 'NXDOMAIN'))
        return { ...judged(packet, rcode, name, type), ...(packet.flag_ad ? { vouches: server } : {}) };
      if (packet) reason = `the name server answered ${rcode} for ${name}`;
    }
    return { outcome: 'temporary', reason };
  };

  /** Some servers tell an alias and leave it to us to ask on (RFC 1034 §3.6.2). */
  const ask = async (asked: string, type: QuestionType): Promise<Raw> => {
    let answer = await askOnce(asked, type);
    for (let n = 0; answer.outcome !== 'temporary' && answer.leadsTo !== undefined; n += 1) {
      const { leadsTo: name, ttl, vouches } = answer;
      if (n >= mostAliases) return tooManyAliases(asked);
      const next = await askOnce(name, type);
      if (next.outcome === 'temporary') return next;
      // As secure as its weakest part.
      answer = { canonical: name, ...next, ttl: Math.min(ttl, next.ttl), vouches: vouches && next.vouches };
    }
    return answer;
  };

  const remembered = (asked: string, type: QuestionType): Promise<Raw> => {
    const name = asked.toLowerCase().replace(/\.$/, '');
    if (!isName(name)) return Promise.resolve({ outcome: 'no-such-domain', ttl: longestNegativeTtl });
    const key = `${type} ${name}`;
    const kept = cache.get(key);
    if (kept && kept.until > clock.now() && cacheSize() > 0) return Promise.resolve(kept.answer);
    const running = asking.get(key);
    if (running) return running;
    if (asking.size >= mostQuestions) return Promise.resolve({ outcome: 'temporary', reason: 'too many questions to the DNS at one time' });
    const tried = ask(name, type).catch(
      (thrown: unknown): Raw => ({ outcome: 'temporary', reason: `asking for ${name} failed: ${thrown}` }),
    );
    const made = tried.then((answer) => {
      asking.delete(key);
      cache.resize(cacheSize());
      if (answer.outcome !== 'temporary') cache.set(key, { until: clock.now() + answer.ttl * 1_000, answer });
      return answer;
    });
    asking.set(key, made);
    return made;
  };

  const query = async (asked: string, type: QuestionType): Promise<Raw> => {
    const answer = await remembered(asked, type);
    if (answer.outcome === 'temporary') return answer;
    return { ...answer, secure: answer.vouches !== undefined && validates(answer.vouches) };
  };

  return {
    mx: async (name) =>
      map(await query(name, 'MX'), (record) => {
        const data = record.type === 'MX' ? record.data : undefined;
        return data && { preference: data.preference ?? 0, exchange: host(data.exchange) };
      }),
    async addresses(name) {
      const [four, six] = await Promise.all([query(name, 'A'), query(name, 'AAAA')]);
      return joined(map(four, addressOf), map(six, addressOf));
    },
    ipv4: async (name) => map(await query(name, 'A'), addressOf),
    async ptr(address) {
      const name = reverseName(address);
      if (name === undefined) return { outcome: 'no-such-domain', ttl: longestNegativeTtl };
      return map(await query(name, 'PTR'), (record) => (record.type === 'PTR' ? host(record.data) : undefined));
    },
    txt: async (name) => map(await query(name, 'TXT'), (record) => (record.type === 'TXT' ? joinedText(record.data) : undefined)),
    tlsa: async (name) => map(await query(name, 'TLSA'), tlsaOf),
    alias: async (name) => map(await query(name, 'CNAME'), (record) => (record.type === 'CNAME' ? host(record.data) : undefined)),
  };
}

const addressOf = (record: PacketAnswer): string | undefined => (record.type === 'A' || record.type === 'AAAA' ? record.data : undefined);

function tlsaOf(record: PacketAnswer): TlsaRecord | undefined {
  if (record.type !== 'TLSA') return undefined;
  const { usage, selector, matchingType, certificate } = record.data;
  return { usage, selector, matchingType, data: certificate };
}

const host = (name: string): string => name.toLowerCase().replace(/\.$/, '');

/** Labels of at most 63 octets, 253 in all; what they consist of is the DNS's business, but for blanks and controls. */
function isName(name: string): boolean {
  if (name.length === 0 || name.length > 253 || !/^[!-~]+$/.test(name)) return false;
  return name.split('.').every((label) => label.length > 0 && label.length <= 63);
}

function map<T>(raw: Raw, read: (record: PacketAnswer) => T | undefined): DnsAnswer<T> {
  if (raw.outcome !== 'found') return raw;
  const { ttl, secure, canonical } = raw;
  const about = { ttl, ...(secure === undefined ? {} : { secure }), ...(canonical === undefined ? {} : { canonical }) };
  const records = raw.records.map(read).filter((one) => one !== undefined);
  return records.length > 0 ? { outcome: 'found', records, ...about } : { outcome: 'none', ...about };
}

function joined(four: DnsAnswer<string>, six: DnsAnswer<string>): DnsAnswer<string> {
  const records = [four, six].flatMap((one) => (one.outcome === 'found' ? one.records : []));
  if (records.length > 0) {
    const found = [four, six].flatMap((one) => (one.outcome === 'found' ? [one] : []));
    const { canonical } = found[0] ?? {};
    const secure = found.every((one) => one.secure === true && one.canonical === canonical);
    const ttl = Math.min(...found.map((one) => one.ttl));
    return { outcome: 'found', records, ttl, secure, ...(canonical === undefined ? {} : { canonical }) };
  }
  if (four.outcome === 'temporary') return four;
  return six.outcome === 'temporary' ? six : four;
}

/** Who neither has the zone nor asks others sends us on, with nothing found: that is not "there is none" (RFC 1034 §4.3.1, RFC 2308 §2.2). */
function isReferral(packet: DecodedPacket, rcode: string | undefined): boolean {
  const told = (packet.answers ?? []).length > 0 || (packet.authorities ?? []).some((one) => one.type === 'SOA');
  return rcode === 'NOERROR' && !told && !packet.flag_aa && !packet.flag_ra;
}

/** Follows the aliases of one response to the records that were asked for. */
function judged(packet: DecodedPacket, rcode: 'NOERROR' | 'NXDOMAIN', asked: string, type: QuestionType): Judged {
  const records = (packet.answers ?? []).slice(0, 1_000);
  let name = asked;
  let ttl = longestTtl;
  for (let n = 0; n <= mostAliases; n += 1) {
    const here = records.filter((one) => host(one.name) === name);
    const found = here.filter((one) => one.type === type).slice(0, mostRecords);
    const canonical = name === asked ? {} : { canonical: name };
    if (found.length > 0) return { outcome: 'found', records: found, ttl: Math.min(ttl, ...found.map(ttlOf)), ...canonical };
    const alias = here.find((one) => one.type === 'CNAME');
    if (alias?.type !== 'CNAME') {
      // A response that says "nothing" has the SOA record of the zone that says so (RFC 2308 §2.2).
      const open = name !== asked && rcode === 'NOERROR' && !(packet.authorities ?? []).some((one) => one.type === 'SOA');
      if (open) return { outcome: 'none', ttl, ...canonical, leadsTo: name };
      return { outcome: rcode === 'NXDOMAIN' ? 'no-such-domain' : 'none', ttl: Math.min(ttl, negativeTtlOf(packet)), ...canonical };
    }
    ttl = Math.min(ttl, ttlOf(alias));
    name = host(alias.data);
  }
  return tooManyAliases(asked);
}

const tooManyAliases = (asked: string): Raw => ({ outcome: 'temporary', reason: `${asked} has too many aliases` });

const ttlOf = (record: PacketAnswer): number => {
  const ttl = 'ttl' in record ? record.ttl : undefined;
  // RFC 2181 §8: a TTL with the top bit set is 0.
  return ttl === undefined || ttl < 0 || ttl > 0x7fffffff ? 0 : Math.min(ttl, longestTtl);
};

/** RFC 2308 §5: the lesser of the SOA record's own TTL and its minimum. */
function negativeTtlOf(packet: DecodedPacket): number {
  const soa = (packet.authorities ?? []).find((one) => one.type === 'SOA');
  if (soa?.type !== 'SOA') return negativeTtl;
  return Math.min(ttlOf(soa), soa.data.minimum ?? negativeTtl, longestNegativeTtl);
}

function joinedText(data: TxtData): string {
  const parts = Array.isArray(data) ? data : [data];
  return parts.map((one) => (typeof one === 'string' ? one : Buffer.from(one).toString('utf8'))).join('');
}

function reverseName(address: string): string | undefined {
  const reversed = reversedAddress(address);
  return reversed === undefined ? undefined : `${reversed}.${isIPv4(address) ? 'in-addr' : 'ip6'}.arpa`;
}

/** Its octets or nibbles in reverse order (RFC 1035 §3.5, RFC 3596 §2.5, RFC 5782 §2); undefined where it is no address. */
export function reversedAddress(address: string): string | undefined {
  if (isIPv4(address)) return address.split('.').reverse().join('.');
  if (!isIPv6(address) || address.includes('%') || address.includes('.')) return undefined;
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...left, ...Array.from({ length: tail === undefined ? 0 : 8 - left.length - right.length }, () => '0'), ...right];
  return [...groups.map((group) => group.padStart(4, '0')).join('')].reverse().join('.');
}
