/** A small DNS server for tests, over UDP and TCP, with its zones as data. */

import { createSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import dnsPacket, { type Answer, type DecodedPacket, type Packet } from 'dns-packet';

/** What a name has; missing names do not exist. `failing` answers SERVFAIL, `silent` nothing at all. */
export interface FakeName {
  readonly mx?: readonly (readonly [preference: number, exchange: string])[];
  readonly a?: readonly string[];
  readonly aaaa?: readonly string[];
  readonly cname?: string;
  readonly ptr?: readonly string[];
  readonly txt?: readonly string[];
  readonly tlsa?: readonly {
    readonly usage: number;
    readonly selector: number;
    readonly matchingType: number;
    readonly data: Uint8Array;
  }[];
  /** Answers about it are marked as validated (AD). */
  readonly secure?: boolean;
  readonly failing?: boolean;
  readonly silent?: boolean;
  /** Answers over UDP are cut short. */
  readonly big?: boolean;
  readonly ttl?: number;
}

export interface FakeDns {
  readonly port: number;
  zone: Record<string, FakeName>;
  /** `MX example.org` … in the order they came. */
  readonly asked: string[];
  /** The flags of a question come back in its answer. */
  echo?: boolean;
  /** Changes a response before it is sent; what it returns is sent, all of it. */
  tamper: ((packet: Packet) => Packet[]) | undefined;
  stop(): Promise<void>;
}

export async function startFakeDns(zone: Record<string, FakeName>): Promise<FakeDns> {
  const udp = createSocket('udp4');
  const tcp = createServer();
  const open = new Set<Socket>();
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  const address = tcp.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  await new Promise<void>((resolve, reject) => {
    udp.once('error', reject);
    udp.bind(port, '127.0.0.1', resolve);
  });
  const dns: FakeDns = {
    port,
    zone,
    asked: [],
    tamper: undefined,
    stop: async () => {
      for (const socket of open) socket.destroy();
      await Promise.all([new Promise<void>((resolve) => udp.close(resolve)), new Promise<void>((resolve) => tcp.close(() => resolve()))]);
    },
  };
  udp.on('message', (bytes, from) => {
    const query = dnsPacket.decode(bytes);
    const response = respond(dns, query);
    if (!response) return;
    const big = dns.zone[query.questions?.[0]?.name.toLowerCase() ?? '']?.big;
    const packets = dns.tamper?.(response) ?? [response];
    for (const one of packets) {
      const cut = big ? { ...one, flags: (one.flags ?? 0) | dnsPacket.TRUNCATED_RESPONSE, answers: [] } : one;
      udp.send(dnsPacket.encode(cut), from.port, from.address);
    }
  });
  tcp.on('connection', (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const response = respond(dns, dnsPacket.streamDecode(bytes) as DecodedPacket);
      if (response) socket.write(dnsPacket.streamEncode(response));
    });
  });
  return dns;
}

function respond(dns: FakeDns, query: DecodedPacket): Packet | undefined {
  const question = query.questions?.[0];
  if (!question) return undefined;
  dns.asked.push(`${question.type} ${question.name}`);
  const answers: Answer[] = [];
  let name = question.name.toLowerCase();
  let here = dns.zone[name];
  let secure = here?.secure === true;
  if (here?.silent) return undefined;
  // What does not exist is as authentic as what would stand above it.
  if (!here) secure = [...name.matchAll(/\./g)].some(({ index }) => dns.zone[name.slice(index + 1)]?.secure);
  while (here?.cname) {
    answers.push({ type: 'CNAME', name, ttl: here.ttl ?? 300, data: here.cname });
    name = here.cname;
    if (question.type === 'CNAME') break;
    here = dns.zone[name];
    secure &&= here?.secure === true;
  }
  const ttl = here?.ttl ?? 300;
  if (question.type === 'MX')
    for (const [preference, exchange] of here?.mx ?? []) answers.push({ type: 'MX', name, ttl, data: { preference, exchange } });
  if (question.type === 'A') for (const data of here?.a ?? []) answers.push({ type: 'A', name, ttl, data });
  if (question.type === 'AAAA') for (const data of here?.aaaa ?? []) answers.push({ type: 'AAAA', name, ttl, data });
  if (question.type === 'PTR') for (const data of here?.ptr ?? []) answers.push({ type: 'PTR', name, ttl, data });
  if (question.type === 'TXT')
    for (const text of here?.txt ?? []) answers.push({ type: 'TXT', name, ttl, data: text.match(/.{1,255}/gs) ?? [''] });
  if (question.type === 'TLSA')
    for (const { data, ...one } of here?.tlsa ?? [])
      answers.push({ type: 'TLSA', name, ttl, data: { ...one, certificate: Buffer.from(data) } });
  const rcode = here?.failing ? 2 : here ? 0 : 3;
  return {
    type: 'response',
    ...(query.id === undefined ? {} : { id: query.id }),
    flags:
      dnsPacket.RECURSION_DESIRED |
      dnsPacket.RECURSION_AVAILABLE |
      (secure ? dnsPacket.AUTHENTIC_DATA : 0) |
      (dns.echo ? (query.flags ?? 0) : 0) |
      rcode,
    questions: [question],
    answers: here?.failing ? [] : answers,
  };
}
