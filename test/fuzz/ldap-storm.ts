/**
 * Mutated LDAP requests by the million, over several connections at once, in batches with a question behind each that tells that all
 * before it were read.
 *
 * Promise: a request counts where the server has read it: the question behind it was answered, or it was the one that ended the
 * connection. What breaks the stream is kept for the end of a connection, so that it does not take others with it.
 */

import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { decodeRequest, encodeRequest, Framer } from '../../src/ldap-wire/index.ts';
import { type FuzzRole, ldapCorpus } from './ldap-corpus.ts';
import { Mutator } from './ldap-mutate.ts';
import { somewhere } from './server-attack.ts';

export interface StormJob {
  readonly port: number;
  readonly tlsPort: number;
  readonly requests: number;
  /** It ends after so long, requests or not. */
  readonly seconds?: number | null;
  readonly seed: number;
  /** Connections of each role, every fourth one over TLS. */
  readonly connections: number;
  /** Name and password of each role that has one. */
  readonly logins: Readonly<Partial<Record<FuzzRole, readonly [name: string, password: string]>>>;
}

export interface StormCount {
  /** Requests that the server has read. */
  requests: number;
  /** Requests of batches that a connection ended in: read or not, nobody knows. */
  unknown: number;
  connections: number;
  octets: number;
  /** Log-ins of ours that were refused: a mutated write has got at the account. */
  refused: Record<string, number>;
  /** Answers with each result code. */
  results: Record<number, number>;
  /** Batches that were not answered at all, as base64. */
  unanswered: string[];
  /** The batch that was answered latest: milliseconds, and what it was. */
  slowest: { ms: number; batch: string };
}

const batchSize = 64;
const batchesOf = { plain: 8, tls: 32 } as const;
/** A batch that takes longer is taken for one that is never answered, in milliseconds: five log-ins that fail wait for a minute at most. */
const answerMs = 90_000;
const firstQuestion = 0x70000000;
const startTls = Buffer.from('1.3.6.1.4.1.1466.20037');

const question = (id: number): Buffer =>
  Buffer.from(encodeRequest(id, { op: 'extended', oid: '1.3.6.1.4.1.4203.1.11.3', value: undefined }));

/** Whether what comes behind this request on the connection would be lost. */
function breaks(octets: Buffer, ids: Set<number>): boolean {
  const framer = new Framer();
  framer.push(octets);
  try {
    const frame = framer.next(60_000);
    if (!frame || framer.waiting > 0) return true;
    const { id, body } = decodeRequest(frame);
    if (ids.has(id) || id >= firstQuestion) return true;
    ids.add(id);
    return body.op === 'unbind' || (body.op === 'extended' && octets.includes(startTls));
  } catch (thrown) {
    const { id, operation } = thrown as { id?: number; operation?: string };
    if (id === undefined || operation === 'unbind' || ids.has(id) || id >= firstQuestion) return true;
    ids.add(id);
    return false;
  }
}

/** Message id, and the result code of an answer that is no entry. */
function glance(frame: Buffer): { id: number; code: number | undefined } {
  const behind = (at: number): number => at + 2 + ((frame[at + 1] as number) >= 0x80 ? (frame[at + 1] as number) & 0x7f : 0);
  let at = behind(0);
  const size = frame[at + 1] as number;
  const id = frame.readIntBE(at + 2, size);
  at += 2 + size;
  const tag = frame[at] as number;
  if (tag === 0x64 || tag === 0x79) return { id, code: undefined };
  return { id, code: frame[behind(at) + 2] };
}

class Client {
  readonly #socket: Socket;
  readonly #count: StormCount;
  #framer = new Framer();
  #awaited: { id: number; resolve: (answered: boolean) => void } | undefined;
  #gone = false;
  readonly closed: Promise<void>;

  private constructor(socket: Socket, count: StormCount) {
    this.#socket = socket;
    this.#count = count;
    socket.on('error', () => {});
    this.closed = new Promise((resolve) =>
      socket.once('close', () => {
        this.#gone = true;
        this.#awaited?.resolve(false);
        resolve();
      }),
    );
    socket.on('data', (chunk: Buffer) => {
      try {
        this.#framer.push(chunk);
        for (let frame = this.#framer.next(100_000_000); frame; frame = this.#framer.next(100_000_000)) this.#take(frame);
      } catch {
        // The answer to a StartTLS of ours.
        socket.destroy();
      }
    });
  }

  static open(job: StormJob, tls: boolean, from: string, count: StormCount): Promise<Client> {
    return new Promise((resolve, reject) => {
      const place = { host: '127.0.0.1', port: tls ? job.tlsPort : job.port, localAddress: from };
      const socket = tls ? connectTls({ ...place, rejectUnauthorized: false }) : connect({ ...place, noDelay: true });
      socket.once('error', reject);
      socket.once(tls ? 'secureConnect' : 'connect', () => {
        socket.off('error', reject);
        resolve(new Client(socket, count));
      });
    });
  }

  #take(frame: Buffer): void {
    const { id, code } = glance(frame);
    if (id === this.#awaited?.id) this.#awaited.resolve(true);
    else if (code !== undefined) this.#count.results[code] = (this.#count.results[code] ?? 0) + 1;
    this.lastCode = code ?? this.lastCode;
  }
  lastCode = 0;

  /** Whether the message with this id is answered. */
  say(octets: Buffer, id: number): Promise<boolean> {
    if (this.#gone) return Promise.resolve(false);
    let timer: NodeJS.Timeout | undefined;
    return new Promise((resolve) => {
      this.#awaited = { id, resolve };
      this.#socket.write(octets);
      this.#count.octets += octets.length;
      timer = setTimeout(() => {
        this.#count.unanswered.push(octets.toString('base64'));
        this.#socket.destroy();
      }, answerMs);
    }).then((answered) => {
      clearTimeout(timer);
      this.#awaited = undefined;
      return answered as boolean;
    });
  }

  /** Says something last; true when the other side ends the connection for it. */
  async last(octets: Buffer, abrupt: boolean): Promise<void> {
    this.#count.octets += octets.length;
    if (abrupt) {
      this.#socket.write(octets, () => this.#socket.destroy());
    } else this.#socket.end(octets);
    const timer = setTimeout(() => this.#socket.destroy(), 2_000);
    await this.closed;
    clearTimeout(timer);
  }

  end(): void {
    this.#socket.destroy();
  }
}

/** Runs the job; `told` hears how far it is about twice a second. */
export async function storm(job: StormJob, random: () => number, told: (count: StormCount) => void): Promise<StormCount> {
  const count: StormCount = {
    requests: 0,
    unknown: 0,
    connections: 0,
    octets: 0,
    refused: {},
    results: {},
    unanswered: [],
    slowest: { ms: 0, batch: '' },
  };
  const all = Object.keys({ anonymous: 0, user: 0, domain: 0, super: 0 } satisfies Record<FuzzRole, 0>) as FuzzRole[];
  const until = performance.now() + (job.seconds ?? Number.POSITIVE_INFINITY) * 1_000;
  const going = (): boolean => count.requests < job.requests && performance.now() < until;
  const client = async (role: FuzzRole, tls: boolean): Promise<void> => {
    const mutator = new Mutator(ldapCorpus(role), random);
    while (going()) {
      await oneConnection({ job, role, tls, mutator, random, count, going }).catch((thrown: NodeJS.ErrnoException) => {
        if (thrown.code === 'ECONNREFUSED') throw thrown;
      });
      count.connections += 1;
    }
  };
  const timer = setInterval(() => told(count), 500);
  const clients = all.flatMap((role) => Array.from({ length: job.connections }, (_, n) => client(role, n % 4 === 3)));
  await Promise.all(clients).finally(() => clearInterval(timer));
  return count;
}

async function oneConnection(given: {
  readonly job: StormJob;
  readonly role: FuzzRole;
  readonly tls: boolean;
  readonly mutator: Mutator;
  readonly random: () => number;
  readonly count: StormCount;
  readonly going: () => boolean;
}): Promise<void> {
  const { job, role, tls, mutator, random, count, going } = given;
  const client = await Client.open(job, tls, somewhere(random), count);
  const login = job.logins[role];
  if (login) {
    const [name, password] = login;
    const request = encodeRequest(1, { op: 'bind', version: 3, name, method: { type: 'simple', password: Buffer.from(password) } });
    const answered = await client.say(Buffer.from(request), 1);
    if (answered && client.lastCode !== 0) count.refused[role] = (count.refused[role] ?? 0) + 1;
  }
  let id = 10;
  const breakers: Buffer[] = [];
  for (let n = batchesOf[tls ? 'tls' : 'plain']; n > 0 && going(); n--) {
    const ids = new Set<number>();
    const batch: Buffer[] = [];
    while (batch.length < batchSize) {
      const octets = mutator.next(++id);
      if (!breaks(octets, ids)) batch.push(octets);
      else if (breakers.length < 8) breakers.push(octets);
    }
    const asked = firstQuestion + n;
    const begun = performance.now();
    const octets = Buffer.concat([...batch, question(asked)]);
    const answered = await client.say(octets, asked);
    const ms = performance.now() - begun;
    if (ms > count.slowest.ms) count.slowest = { ms, batch: `${role} ${octets.toString('base64')}` };
    if (!answered) {
      count.unknown += batch.length;
      return client.end();
    }
    count.requests += batch.length;
  }
  const breaker = breakers[Math.floor(random() * breakers.length)];
  if (!breaker) return client.end();
  await client.last(breaker, random() < 0.2);
  count.requests += 1;
}
