/**
 * Very many domains that are down, each with a little mail: what each costs, and what other mail notices of it.
 *
 *     npx tsx test/bench/dead-domains.ts [domains] [messages each] [refused|silent|sick]
 *
 * SMTPC with its queue in one process, and a DNS that is a table. `refused`: nobody listens; `silent`: the address `HOLE` never answers (in a network
 * namespace: `ip link add v0 type veth peer name v1`, both up and without ARP, 10.9.9.1/24 on v0, then 10.9.9.2); `sick`: the DNS has no answer.
 * CPU is the whole process, the engine's own threads included. Ends when every message was put off, for `silent` after `SECONDS_AT_MOST`; mail for a
 * host that is well is queued each second, and how long it takes is printed. With `UNKNOWN` nothing was sent to it before.
 */

import { constant, LiveValue, type Log, silentLog, systemClock } from '../../src/base/index.ts';
import { openQueue } from '../../src/queue/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import { createSmtpc, type SmtpcSettings, smtpcSettings } from '../../src/smtpc/index.ts';
import { openBlobs, openKeyValue } from '../../src/storage/index.ts';
import { peerThat, tableResolver, type Zone } from '../smtpc/helpers.ts';
import { newMessage } from '../support/queue.ts';
import { startSink } from '../support/smtp-sink.ts';
import { tempDir } from '../support/temp.ts';

const [count = 10_000, each = 1] = process.argv.slice(2, 4).map(Number);
const kind = process.argv[4] ?? 'refused';
const dead = '127.0.0.9';

const folder = await tempDir();
const keyValue = await openKeyValue({ path: `${folder.path}/db`, clock: systemClock });
const blobs = await openBlobs({ path: `${folder.path}/blobs`, clock: systemClock });
const queue = await openQueue({ keyValue, clock: systemClock, log: silentLog, random: Math.random, epoch: 'bench' });
const sink = await startSink();
const zones: Record<string, Zone> = {
  'well.example': { mx: [{ preference: 1, exchange: 'mx.well.example' }] },
  'mx.well.example': { a: ['127.0.0.1'] },
};
for (let n = 0; n < count; n += 1) {
  zones[`d${n}.example`] = kind === 'sick' ? { mx: 'sick' } : { mx: [{ preference: 1, exchange: `mx.d${n}.example` }] };
  zones[`mx.d${n}.example`] = { a: [process.env['HOLE'] ?? dead] };
}
const sent = new Map<string, number>();
const delays: number[] = [];
const tried = new Set<string>();
let deferred = 0;
const log: Log = {
  ...silentLog,
  enabled: (level) => level === 'message',
  message: (line) => {
    const to = / to \S+@(d\d+)\.example/.exec(line)?.[1];
    if (line.startsWith('Deferred')) deferred += 1;
    if (to && line.startsWith('Deferred')) tried.add(to);
    const probe = /^Sent .* to (good\d+)@/.exec(line)?.[1];
    if (probe) delays.push(performance.now() - (sent.get(probe) ?? 0));
  },
  error: (line, cause) => console.log('error', line, cause),
  warning: (line) => console.log('warning', line),
};
const settings = new LiveValue<SmtpcSettings>({ ...defaultsOf(smtpcSettings), port: sink.port });
const policy = {
  host: 'mx.jade.example',
  domain: 'jade.example',
  defaultLocalChannel: 'LOCAL',
  unknownLocalChannel: 'bounce',
  internetChannel: 'SMTPC',
  postmaster: 'p@jade.example',
} as const;
const resolver = tableResolver(zones, () => {});
const smtpc = createSmtpc({ queue, keyValue, blobs, resolver, settings, peer: () => peerThat({}), mta: constant(policy), log });

const blob = await blobs.put(Buffer.from('Subject: hi\r\n\r\nhello\r\n'));
const submit = (address: string, identifier: string) =>
  queue.submit(
    newMessage(queue.newId(), [{ address, filed: { queue: 'SMTPC', identifier } }], {
      sender: 'ann@jade.example',
      blob,
      arrivedAt: Date.now(),
    }),
  );
const rss = (): number => Math.round(process.memoryUsage.rss() / 1_048_576);
if (process.env['UNKNOWN'] === undefined) {
  await smtpc.start(() => {});
  sent.set('good', performance.now());
  await submit('good@well.example', 'well.example');
  while (sink.messages.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
}
for (let n = 0; n < count * each; n += 256)
  await Promise.all(
    Array.from({ length: Math.min(256, count * each - n) }, (_, i) =>
      submit(`a@d${(n + i) % count}.example`, `d${(n + i) % count}.example`),
    ),
  );

console.log(`${count} domains, ${each} messages each, ${kind}; ${rss()} MB`);
const cpu = process.cpuUsage();
const began = performance.now();
if (process.env['UNKNOWN'] !== undefined) await smtpc.start(() => {});
let most = 0;
for (let second = 0; second < 600; second += 1) {
  await submit(`good${second}@well.example`, 'well.example');
  sent.set(`good${second}`, performance.now());
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  most = Math.max(most, rss());
  if (second % 10 === 9) {
    const used = process.cpuUsage(cpu);
    console.log(
      `${Math.round((performance.now() - began) / 1_000)} s: ${tried.size} domains tried, ${deferred} put off, ${delays.length}/${sent.size} good, CPU ${((used.user + used.system) / 1e6).toFixed(1)} s, ${rss()} MB`,
    );
  }
  if (tried.size === count && deferred >= count * each) break;
  if (kind === 'silent' && second >= Number(process.env['SECONDS_AT_MOST'] ?? 60)) break;
}
const used = process.cpuUsage(cpu);
const whole = (used.user + used.system) / 1_000;
delays.sort((a, b) => a - b);
console.log(
  `${((performance.now() - began) / 1_000).toFixed(1)} s; ${(whole / count).toFixed(2)} ms CPU a domain, ${(whole / count / each).toFixed(2)} a message; ${most} MB at most; ` +
    `other mail: ${delays.length} of ${sent.size}, ${Math.round(delays[0] ?? -1)} / ${Math.round(delays[delays.length >> 1] ?? -1)} / ${Math.round(delays.at(-1) ?? -1)} ms (least, median, most)`,
);
await smtpc.stop();
await sink.stop();
queue.close();
await keyValue.close();
await blobs.close();
await folder.remove();
process.exit(0);
