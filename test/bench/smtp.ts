/**
 * What taking a message costs: real queue and blobs, clients in another process.
 *
 *     npx tsx test/bench/smtp.ts [messages] [octets]
 *
 * Prints messages a second and processor time of the server for a message: lock-step with 1, 20 and 100 connections, then pipelined.
 */

import { fork } from 'node:child_process';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { constant, createResolver, silentLog, systemClock } from '../../src/base/index.ts';
import { peerSettings } from '../../src/dit/index.ts';
import { openQueue } from '../../src/queue/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import { createSmtpd, smtpdSettings } from '../../src/smtpd/index.ts';
import { openBlobs, openKeyValue } from '../../src/storage/index.ts';
import { tempDir } from '../support/temp.ts';

interface Order {
  readonly port: number;
  readonly connections: number;
  readonly messages: number;
  readonly octets: number;
  readonly pipelined: boolean;
}

/** Sends its share over one connection. */
function send(order: Order, count: number): Promise<void> {
  const body = `Subject: bench\r\n\r\n${`${'x'.repeat(76)}\r\n`.repeat(Math.max(1, Math.floor(order.octets / 78)))}.\r\n`;
  const envelope = ['MAIL FROM:<a@x.example>\r\n', 'RCPT TO:<b@jade.example>\r\n', 'DATA\r\n', body];
  const steps = order.pipelined ? [envelope.slice(0, 3).join(''), body] : envelope;
  const replies = order.pipelined ? [3, 1] : [1, 1, 1, 1];
  return new Promise((resolve, reject) => {
    const socket = connect({ port: order.port, host: '127.0.0.1', noDelay: true });
    let [step, awaited, left] = [-2, 1, count];
    let buffer = '';
    const next = (): void => {
      step += 1;
      if (step === -1) {
        awaited = 1;
        socket.write('EHLO bench.example\r\n');
        return;
      }
      if (step === steps.length) {
        step = 0;
        left -= 1;
      }
      if (left === 0) {
        socket.end('QUIT\r\n');
        resolve();
        return;
      }
      awaited = replies[step] ?? 1;
      socket.write(steps[step] ?? '');
    };
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      buffer += chunk.toString('latin1');
      for (let end = buffer.indexOf('\r\n'); end >= 0; end = buffer.indexOf('\r\n')) {
        const line = buffer.slice(0, end);
        buffer = buffer.slice(end + 2);
        if (/^[45]/.test(line)) reject(new Error(line));
        if (line[3] !== '-') awaited -= 1;
        if (awaited === 0) next();
      }
    });
  });
}

async function client(): Promise<void> {
  process.on('message', (order: Order) => {
    const each = Math.ceil(order.messages / order.connections);
    const all = Array.from({ length: order.connections }, () => send(order, each));
    void Promise.all(all).then(
      () => process.send?.(each * order.connections),
      (thrown: unknown) => process.send?.(String(thrown)),
    );
  });
}

async function main(): Promise<void> {
  const messages = Number(process.argv[2] ?? 4_000);
  const octets = Number(process.argv[3] ?? 4_096);
  const dir = await tempDir();
  const keyValue = await openKeyValue({ path: `${dir.path}/kv`, clock: systemClock });
  const blobs = await openBlobs({ path: `${dir.path}/blobs`, clock: systemClock });
  const queue = await openQueue({ keyValue, clock: systemClock, log: silentLog, random: Math.random, epoch: 1 });
  const off = constant('off' as const);
  const smtpd = createSmtpd({
    queue,
    blobs,
    keyValue,
    resolver: createResolver({ servers: constant([]) }),
    settingsEntry: 'cn=smtpd,cn=mailtree',
    judge: async () => 'yes',
    dit: {
      login: () => Promise.reject(new Error('nobody logs in')),
      domain: async () => undefined,
      scram: undefined,
      blacklists: [],
      peer: () => ({ ...defaultsOf(peerSettings), peer: 'default', dn: undefined, saidBy: {} }),
      largestInbound: 0,
      spammer: () => undefined,
      recipient: async () => undefined,
    },
    settings: constant({ ...defaultsOf(smtpdSettings), maxSessionsPerAddress: 0 }),
    listeners: { smtp: constant({ host: '127.0.0.1', port: 0 }), submission: off, smtps: off },
    tls: constant(undefined),
    mta: constant({
      host: 'mx.jade.example',
      domain: 'jade.example',
      defaultLocalChannel: 'LOCAL',
      unknownLocalChannel: 'bounce',
      internetChannel: 'SMTPC',
      postmaster: 'postmaster@jade.example',
    }),
    log: silentLog,
  });
  await smtpd.start(() => {});
  const child = fork(fileURLToPath(import.meta.url), ['client'], { execArgv: ['--import', 'tsx'] });
  const port = smtpd.port('smtp') ?? 0;
  for (const [connections, pipelined] of [
    [20, false],
    [1, false],
    [20, false],
    [100, false],
    [1, true],
    [20, true],
  ] as const) {
    const share = connections === 1 ? Math.ceil(messages / 10) : messages;
    const [started, cpu] = [performance.now(), process.cpuUsage()];
    const done = await new Promise<number | string>((resolve) => {
      child.once('message', resolve);
      child.send({ port, connections, messages: share, octets, pipelined } satisfies Order);
    });
    const [ms, used] = [performance.now() - started, process.cpuUsage(cpu)];
    if (typeof done === 'string') throw new Error(done);
    const each = Math.round((used.user + used.system) / done);
    console.log(
      `${connections} connections${pipelined ? ', pipelined' : ''}: ${Math.round((done / ms) * 1_000)} messages/s, ${each} µs of processor a message`,
    );
  }
  child.disconnect();
  await smtpd.stop();
  queue.close();
  await keyValue.close();
  await blobs.close();
  await dir.remove();
}

if (process.argv[2] === 'client') await client();
else await main();
