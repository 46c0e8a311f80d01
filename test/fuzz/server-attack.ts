/**
 * Random and mutated bytes against the doors of a running server, and ordinary clients beside them.
 *
 * Seeded: the same seed sends the same bytes (when, and how the server interleaves them, is chance).
 */

import type { RunningServer, ServerFiles } from '../support/server.ts';
import { Wire } from '../support/wire.ts';
import { clientHello, conversation, opening, type Protocol } from './server-corpus.ts';

export interface Attack {
  readonly connections: number;
  readonly octets: number;
}

const spice = [
  '\0',
  '\r',
  '\n',
  '\r\n',
  '\r\n.\r\n',
  '\xff',
  '\x80',
  '(',
  ')',
  '"',
  '\\',
  '{99999999999}\r\n',
  '{3}\r\n',
  '%',
  '*',
  '<',
  '>',
  '@',
  ':',
];
const larger = [
  'A'.repeat(3_000),
  '('.repeat(500),
  '\x30\x84\x7f\xff\xff\xff',
  '\xa0\x80'.repeat(300),
  '99999999999999999999',
  'a '.repeat(900),
];

function pick<T>(from: readonly T[], random: () => number): T {
  return from[Math.floor(random() * from.length)] as T;
}

/** Some octets changed, taken out, doubled or put in. */
export function mutate(octets: Buffer, random: () => number): Buffer {
  let result = octets;
  for (let changes = 1 + Math.floor(random() * 4); changes > 0; changes--) {
    const at = Math.floor(random() * (result.length + 1));
    const until = Math.min(result.length, at + Math.floor(random() ** 3 * result.length));
    const [before, middle, after] = [result.subarray(0, at), result.subarray(at, until), result.subarray(until)];
    const insert = Buffer.from(pick(random() < 0.1 ? larger : spice, random), 'latin1');
    const choices = [
      () => [before, Buffer.from([Math.floor(random() * 256)]), result.subarray(at + 1)],
      () => [before, insert, result.subarray(at)],
      () => [before, after],
      () => [before, middle, middle, after],
    ];
    result = Buffer.concat(pick(choices, random)());
    if (result.length > 100_000) result = result.subarray(0, 100_000);
  }
  return result;
}

function rubbish(random: () => number): Buffer {
  return Buffer.from(Array.from({ length: 1 + Math.floor(random() ** 2 * 4_000) }, () => Math.floor(random() * 256)));
}

/** What one client says, in the pieces it is written in. */
function script(protocol: Protocol, tlsPort: boolean, password: string, random: () => number): Buffer[] {
  const talk = conversation(protocol, password);
  if (tlsPort && random() < 0.4) return [pick([rubbish(random), mutate(clientHello, random), clientHello], random), rubbish(random)];
  const kind = random();
  if (kind < 0.15) return [rubbish(random), rubbish(random)];
  const begin = random() < 0.7 ? talk.slice(0, opening[protocol]) : [];
  if (kind < 0.25) return [...begin, rubbish(random), rubbish(random)];
  if (kind < 0.35) return [mutate(Buffer.concat(talk), random)];
  const rest = talk.slice(random() < 0.7 ? begin.length : 0).filter(() => random() < 0.8);
  if (random() < 0.2) rest.sort(() => random() - 0.5);
  return [...begin, ...rest.map((message) => (random() < 0.25 ? mutate(message, random) : message))];
}

/** From a different address each time, as strangers do: slowing down one of them must not spoil the others. */
export function somewhere(random: () => number): string {
  return `127.${1 + Math.floor(random() * 200)}.${Math.floor(random() * 256)}.${1 + Math.floor(random() * 254)}`;
}

async function attackOnce(port: number, tls: boolean, pieces: readonly Buffer[], random: () => number): Promise<number> {
  const wire = await Wire.open(port, { tls, from: somewhere(random) });
  const closed = new Promise<void>((done) => wire.socket.once('close', done));
  const pause = (ms: number): Promise<void> => Promise.race([closed, new Promise<void>((done) => setTimeout(done, ms))]);
  wire.socket.resume();
  let octets = 0;
  const together = random() < 0.5;
  for (const piece of together ? [Buffer.concat(pieces)] : pieces) {
    if (wire.gone) break;
    wire.say(piece);
    octets += piece.length;
    if (!together) await pause(random() < 0.2 ? 20 : 1);
  }
  await pause(random() * 40);
  const end = random();
  if (end < 0.4) wire.socket.end();
  if (end < 0.7) await pause(50);
  if (end > 0.9 && !tls) wire.socket.resetAndDestroy();
  wire.end();
  await closed;
  return octets;
}

/** Attacks one door for a time with several clients at once. `port` is the one of `protocol`, or of its TLS variant. */
export async function attack(options: {
  readonly protocol: Protocol;
  readonly port: number;
  readonly tls: boolean;
  readonly password: string;
  readonly ms: number;
  readonly clients: number;
  readonly random: () => number;
}): Promise<Attack> {
  const { protocol, port, tls, password, random } = options;
  const until = performance.now() + options.ms;
  let connections = 0;
  let octets = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < until) {
      const pieces = script(protocol, tls, password, random);
      // On a TLS port half of the clients do the handshake as they should.
      const shake = tls && random() < 0.5;
      octets += await attackOnce(port, shake, pieces, random).catch((thrown: NodeJS.ErrnoException) => {
        // A door that is gone is what we are looking for; one that hangs up is not.
        if (thrown.code === 'ECONNREFUSED') throw thrown;
        return 0;
      });
      connections += 1;
    }
  };
  await Promise.all(Array.from({ length: options.clients }, client));
  return { connections, octets };
}

export type Exchange = (files: ServerFiles) => Promise<void>;

export interface Witness {
  /** Ends after the exchange under way; milliseconds of the slowest of each name. Rejects when one has failed. */
  stop(): Promise<ReadonlyMap<string, number>>;
}

/** Does every exchange once a second, and measures. One that is not over after `limit` milliseconds has failed. */
export function startWitness(files: ServerFiles, exchanges: Readonly<Record<string, Exchange>>, limit = 20_000): Witness {
  const slowest = new Map<string, number>();
  let stopped = false;
  let wake = (): void => {};
  const run = async ([name, exchange]: [string, Exchange]): Promise<void> => {
    while (!stopped) {
      const begun = performance.now();
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${name}: no answer within ${limit} ms`)), limit);
      });
      await Promise.race([exchange(files), late]).finally(() => clearTimeout(timer));
      slowest.set(name, Math.max(slowest.get(name) ?? 0, performance.now() - begun));
      if (stopped) return;
      await new Promise<void>((done) => {
        const pause = setTimeout(done, 1_000);
        const before = wake;
        wake = () => {
          before();
          clearTimeout(pause);
          done();
        };
      });
    }
  };
  const all = Promise.all(Object.entries(exchanges).map(run));
  all.catch(() => {});
  return {
    async stop() {
      stopped = true;
      wake();
      await all;
      return slowest;
    },
  };
}

/** Lines of the server's output that tell of a defect of ours. */
export function complaints(server: RunningServer): string[] {
  return [...server.output().matchAll(/^.*\[Error\].*$/gm)].map(([line]) => line);
}
