/**
 * One DNS question to one server: over UDP, and over TCP where the answer did not fit.
 *
 * Promise: only an answer from the server asked, with our number and our question, is taken; anything else is passed over and the
 * time runs on. Every question has a random number and a port of its own.
 * Spec: RFC 1035 §4, RFC 4035 §3.2.1, RFC 5452 §9, RFC 7766, RFC 6891 §6.2
 */

import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type dnsPacket from 'dns-packet';
import type { DecodedPacket, Packet } from 'dns-packet';
import type { Clock } from './clock.ts';
import { onDemand } from './on-demand.ts';

const packets = onDemand<typeof dnsPacket>('dns-packet', import.meta.url);

export interface DnsServer {
  /** An IP address. */
  readonly host: string;
  readonly port: number;
}

export type QuestionType = 'MX' | 'A' | 'AAAA' | 'PTR' | 'TXT' | 'CNAME' | 'TLSA';

/** What fits through nearly every network unfragmented (DNS flag day 2020). */
const udpSize = 1_232;

/**
 * Where it matters whether the answer is authentic: with DO in the question a validating server sets AD in its answer (RFC 6840 §5.8). AD in
 * the question would do, too, but servers that know nothing of it send back the flags they were asked with.
 */
const vouched: ReadonlySet<QuestionType> = new Set(['MX', 'A', 'AAAA', 'CNAME', 'TLSA']);

interface Question {
  readonly name: string;
  readonly type: QuestionType;
}

/** The server's answer, or undefined where none came in time or the server could not be reached. */
export async function exchange(server: DnsServer, question: Question, timeoutMs: number, clock: Clock): Promise<DecodedPacket | undefined> {
  const id = randomInt(65_536);
  const query = {
    type: 'query' as const,
    id,
    flags: packets().RECURSION_DESIRED,
    questions: [{ name: question.name, type: question.type }],
    additionals: [
      {
        type: 'OPT' as const,
        name: '.',
        udpPayloadSize: udpSize,
        flags: vouched.has(question.type) ? packets().DNSSEC_OK : 0,
        options: [],
        extendedRcode: 0,
        ednsVersion: 0,
        flag_do: vouched.has(question.type),
      },
    ],
  };
  const fits = (packet: DecodedPacket | undefined): boolean => packet !== undefined && packet.id === id && answers(packet, question);
  const short = await overUdp(server, packets().encode(query), fits, timeoutMs, clock);
  if (withoutEdns(short)) return inFull(server, { ...query, additionals: [] }, fits, timeoutMs, clock);
  return short?.flag_tc ? overTcp(server, packets().streamEncode(query), fits, timeoutMs, clock) : short;
}

/** RFC 6891 §7: a server that knows no EDNS says that it does not understand, or that it does not do such things. */
function withoutEdns(packet: DecodedPacket | undefined): boolean {
  const rcode = (packet as (DecodedPacket & { rcode?: string }) | undefined)?.rcode;
  return rcode === 'FORMERR' || rcode === 'NOTIMP';
}

async function inFull(server: DnsServer, query: Packet, fits: Fits, timeoutMs: number, clock: Clock): Promise<DecodedPacket | undefined> {
  const short = await overUdp(server, packets().encode(query), fits, timeoutMs, clock);
  return short?.flag_tc ? overTcp(server, packets().streamEncode(query), fits, timeoutMs, clock) : short;
}

function answers(packet: DecodedPacket, question: Question): boolean {
  const asked = packet.questions?.[0];
  if (packet.type !== 'response' || packet.questions?.length !== 1 || !asked) return false;
  return asked.type === question.type && asked.name.toLowerCase() === question.name.toLowerCase();
}

function decoded(bytes: Buffer): DecodedPacket | undefined {
  try {
    return packets().decode(bytes);
  } catch {
    return undefined;
  }
}

type Fits = (packet: DecodedPacket | undefined) => boolean;

function overUdp(server: DnsServer, query: Buffer, fits: Fits, timeoutMs: number, clock: Clock): Promise<DecodedPacket | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(server.host) ? 'udp6' : 'udp4');
    let over = false;
    const finish = (packet: DecodedPacket | undefined): void => {
      if (over) return;
      over = true;
      cancel();
      socket.close();
      resolve(packet);
    };
    const cancel = clock.after(timeoutMs, () => finish(undefined));
    socket.on('error', () => finish(undefined));
    socket.on('message', (bytes) => {
      const packet = decoded(bytes);
      if (fits(packet)) finish(packet);
    });
    // Connected: the system drops datagrams from anybody else and reports a closed port.
    const connected = (error?: Error): void => {
      // No way to the network: told here, not by an event.
      if (error) finish(undefined);
      else if (!over) socket.send(query);
    };
    socket.connect(server.port, server.host, connected);
  });
}

function overTcp(server: DnsServer, query: Buffer, fits: Fits, timeoutMs: number, clock: Clock): Promise<DecodedPacket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: server.host, port: server.port, noDelay: true });
    const chunks: Buffer[] = [];
    let octets = 0;
    /** Of the whole answer, once its first two octets are there: one that comes an octet at a time is put together once. */
    let wanted = 2;
    const finish = (packet: DecodedPacket | undefined): void => {
      cancel();
      socket.destroy();
      resolve(packet);
    };
    const cancel = clock.after(timeoutMs, () => finish(undefined));
    socket.on('error', () => finish(undefined));
    socket.on('close', () => finish(undefined));
    socket.on('connect', () => socket.write(query));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      octets += chunk.length;
      if (octets < wanted) return;
      const all = Buffer.concat(chunks.splice(0));
      wanted = all.readUInt16BE(0) + 2;
      if (octets < wanted) {
        chunks.push(all);
        return;
      }
      const packet = decoded(all.subarray(2, wanted));
      finish(fits(packet) ? packet : undefined);
    });
  });
}
