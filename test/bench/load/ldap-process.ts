/** The process behind `ldapLoad`: does the job given as JSON, and prints what it took. */

import { connect, type Socket } from 'node:net';
import { encodeRequest } from '../../../src/ldap-wire/index.ts';
import { cpuOf } from '../../support/server.ts';
import type { LdapJob } from './ldap.ts';
import { encoded } from './ldap-requests.ts';

const job = JSON.parse(process.argv[2] ?? '') as LdapJob;
const tagOfEntry = 0x64;

/** Counts entries and calls back with the result code of each answer. */
class Answers {
  #rest: Buffer = Buffer.alloc(0);
  entries = 0;
  done: (code: number) => void = () => {};

  take(chunk: Buffer): void {
    let octets = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const [from, end] = contentOf(octets, 0);
      if (end === 0 || end > octets.length) break;
      const at = from + 2 + (octets[from + 1] ?? 0);
      if (octets[at] === tagOfEntry) this.entries++;
      else this.done(octets[contentOf(octets, at)[0] + 2] ?? -1);
      octets = octets.subarray(end);
    }
    this.#rest = octets;
  }
}

/** Where the content of the element at `at` begins and ends; 0 where its header is not there yet. */
function contentOf(octets: Buffer, at: number): [from: number, end: number] {
  if (octets.length < at + 2) return [0, 0];
  const first = octets[at + 1] ?? 0;
  if (first < 0x80) return [at + 2, at + 2 + first];
  const size = first & 0x7f;
  if (octets.length < at + 2 + size) return [0, 0];
  return [at + 2 + size, at + 2 + size + octets.readUIntBE(at + 2, size)];
}

interface Connection {
  readonly socket: Socket;
  readonly answers: Answers;
}

async function open(): Promise<Connection> {
  const socket = connect({ host: job.host, port: job.port, noDelay: true });
  const answers = new Answers();
  socket.on('data', (chunk) => answers.take(chunk));
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    answers.done = (code) => (code === 0 ? resolve() : reject(new Error(`bind: result ${code}`)));
    const method = { type: 'simple', password: Buffer.from(job.bind.password) } as const;
    socket.write(encodeRequest(1, { op: 'bind', version: 3, name: job.bind.dn, method }));
  });
  socket.removeAllListeners('error');
  return { socket, answers };
}

/** Sends all requests, each connection its next one when it has the answer. */
function drive(connections: readonly Connection[], requests: readonly Buffer[], latencies: number[]): Promise<void> {
  return new Promise((resolve, reject) => {
    let [next, left] = [0, requests.length];
    for (const { socket, answers } of connections) {
      let sent = 0;
      const ask = (): void => {
        const request = requests[next++];
        if (!request) return;
        sent = performance.now();
        socket.write(request);
      };
      socket.removeAllListeners('close').once('close', () => reject(new Error('the server has closed a connection')));
      socket.on('error', reject);
      answers.done = (code) => {
        if (code !== 0) return reject(new Error(`${job.kind}: result ${code}`));
        latencies.push(performance.now() - sent);
        if (--left === 0) resolve();
        else ask();
      };
      ask();
    }
  });
}

const connections: Connection[] = [];
while (connections.length < job.connections) connections.push(await open());
const all = Array.from({ length: job.warm + job.count }, (_, n) => encoded(job.kind, job.first + n, job));
if (job.warm > 0) await drive(connections, all.slice(0, job.warm), []);
for (const { answers } of connections) answers.entries = 0;
const latencies: number[] = [];
const [server, client, begun] = [cpuOf(job.pid), process.cpuUsage(), performance.now()];
await drive(connections, all.slice(job.warm), latencies);
const seconds = (performance.now() - begun) / 1000;
const { user, system } = process.cpuUsage(client);
const used = cpuOf(job.pid) - server;
const entries = connections.reduce((sum, { answers }) => sum + answers.entries, 0);
const expected = { equality: 1, base: 1, page: 100, add: 0, modify: 0, bind: 0, mixed: undefined }[job.kind];
if (expected !== undefined && entries !== expected * job.count) throw new Error(`${job.kind}: ${entries} entries in ${job.count} answers`);
for (const { socket } of connections) socket.removeAllListeners('close').destroy();
process.stdout.write(
  JSON.stringify({ seconds, count: job.count, server: used, client: (user + system) / 1e6, latencies: latencies.sort((a, b) => a - b) }),
);
