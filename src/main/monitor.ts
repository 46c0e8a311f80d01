/**
 * What the server says about itself: whether it is ready, and its metrics.
 *
 * Promise: asking costs the mail nothing: what takes long to count (a queue of a million) is counted once for many questions.
 * The names are documented in docs/monitoring.md, held by a test.
 */

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { type Clock, metricsText, openConnections, type Sample, sampleText } from '../base/index.ts';
import type { LinkStatus } from '../directory-remote/index.ts';
import type { Queue } from '../queue/index.ts';
import type { Responder } from '../responder/index.ts';
import type { Failing } from '../web/index.ts';
import { version } from './version.ts';

export interface MonitorNeeds {
  readonly responder: Pick<Responder, 'status'>;
  readonly queue: Pick<Queue, 'summary' | 'list'>;
  /** What keeps databases from being written, one line each. */
  readonly databaseProblems: () => readonly string[];
  /** The way to an external directory, where there is one. */
  readonly external: { readonly status: LinkStatus } | undefined;
  /** Undefined while there is none that can be used. */
  readonly certificate: { readonly context: { readonly value: unknown } };
  readonly freeSpace: () => Promise<number>;
  /** Octets that must stay free for mail to be taken. */
  readonly minFree: () => number;
  /** Folder of the bundled directory's database. */
  readonly directoryFolder: string | undefined;
  readonly clock: Clock;
  readonly startedAt: number;
}

export interface ServerMonitor {
  failing(): Promise<readonly Failing[]>;
  metrics(): Promise<string>;
  close(): void;
}

/** A count that took long is shown for so many times as long. */
const keptFor = 50;
const loopResolutionMs = 20;

type Values = Sample['values'];
const gauge = (name: string, help: string, values: Values): Sample => ({ name, help, type: 'gauge', values });
const one = (name: string, help: string, value: number): Sample => gauge(name, help, [{ value }]);

export function createMonitor(needs: MonitorNeeds): ServerMonitor {
  const loop = monitorEventLoopDelay({ resolution: loopResolutionMs });
  loop.enable();
  const queues = remembered(() => queueSamples(needs), needs.clock);
  return {
    failing: () => failing(needs),
    async metrics() {
      const samples = [
        ...(await queues()),
        ...connectionSamples(),
        ...componentSamples(needs),
        ...(await stateSamples(needs)),
        ...processSamples(needs, loop),
      ];
      return metricsText() + samples.map(sampleText).join('');
    },
    close: () => loop.disable(),
  };
}

async function failing({
  responder,
  certificate,
  databaseProblems,
  external,
  freeSpace,
  minFree,
}: MonitorNeeds): Promise<readonly Failing[]> {
  const found: Failing[] = [];
  for (const { name, policy, state } of responder.status())
    if (policy.autoStart && state !== 'running') found.push({ name, why: `${name} is ${state}` });
  for (const why of databaseProblems()) found.push({ name: 'database', why });
  if (external && external.status.state !== 'connected')
    found.push({ name: 'directory', why: `the directory is ${external.status.state}: ${external.status.problem ?? 'not reached yet'}` });
  if (certificate.context.value === undefined) found.push({ name: 'certificate', why: 'there is no certificate that can be used: no TLS' });
  const free = await freeSpace().catch(() => undefined);
  if (free === undefined) found.push({ name: 'disk', why: 'the data directory cannot be looked at' });
  else if (free < minFree()) found.push({ name: 'disk', why: `only ${Math.floor(free / 1_048_576)} MB are free` });
  return found;
}

async function queueSamples({ queue, clock }: MonitorNeeds): Promise<Sample[]> {
  const summary = await queue.summary();
  let oldest: number | undefined;
  for await (const { message } of queue.list({ limit: 1 })) oldest = message.arrivedAt;
  return [
    gauge(
      'mailtree_queue_recipients',
      'Recipients that wait, by queue and state: pending (due or in work), deferred, held by an administrator, aside because unreadable.',
      summary.flatMap(({ queue: name, ...states }) =>
        (['pending', 'deferred', 'held', 'aside'] as const).map((state) => ({ labels: { queue: name, state }, value: states[state] })),
      ),
    ),
    one(
      'mailtree_queue_oldest_age_seconds',
      'Age of the oldest message in the queue; 0 while it is empty.',
      oldest === undefined ? 0 : Math.max(0, clock.now() - oldest) / 1_000,
    ),
  ];
}

function connectionSamples(): Sample[] {
  const values = openConnections().map(({ listener, open }) => ({ labels: { listener }, value: open }));
  return [gauge('mailtree_connections_open', 'Connections open now, by listener.', values)];
}

function componentSamples({ responder }: MonitorNeeds): Sample[] {
  const components = responder.status();
  const of = (read: (component: (typeof components)[number]) => boolean): Values =>
    components.map((component) => ({ labels: { component: component.name }, value: read(component) ? 1 : 0 }));
  return [
    gauge(
      'mailtree_component_running',
      'Whether the component runs.',
      of(({ state }) => state === 'running'),
    ),
    gauge(
      'mailtree_component_wanted',
      'Whether the component is to run (Auto Start).',
      of(({ policy }) => policy.autoStart),
    ),
  ];
}

async function stateSamples(needs: MonitorNeeds): Promise<Sample[]> {
  const { databaseProblems, external, freeSpace, directoryFolder } = needs;
  const free = await freeSpace().catch(() => Number.NaN);
  return [
    one('mailtree_ready', 'Whether the server is ready, as /health/ready says.', (await failing(needs)).length === 0 ? 1 : 0),
    one('mailtree_databases_writable', 'Whether the databases can be written.', databaseProblems().length === 0 ? 1 : 0),
    one('mailtree_directory_connected', 'Whether the directory answers.', !external || external.status.state === 'connected' ? 1 : 0),
    ...(directoryFolder === undefined
      ? []
      : [one('mailtree_directory_bytes', 'Octets of the bundled directory on disk.', await folderSize(directoryFolder))]),
    one('mailtree_disk_free_bytes', 'Octets free where the data directory is.', free),
  ];
}

/** Octets of the files directly in a folder; 0 where there is none. */
export async function folderSize(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  // Files come and go with every compaction.
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(folder, name))
        .then(({ size }) => size)
        .catch(() => 0),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

function processSamples({ startedAt }: MonitorNeeds, loop: IntervalHistogram): Sample[] {
  const memory = process.memoryUsage();
  const cpu = process.cpuUsage();
  // The histogram has the time-out of its own timer in it.
  const lag = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - loopResolutionMs / 1_000) || 0;
  const delays = [0.5, 0.99].map((quantile) => ({
    labels: { percentile: String(quantile * 100) },
    value: lag(loop.percentile(quantile * 100)),
  }));
  const longest = { labels: { percentile: '100' }, value: loop.max < 0 || loop.count === 0 ? 0 : lag(loop.max) };
  loop.reset();
  return [
    gauge('mailtree_build_info', 'Always 1; the version is in its label.', [{ labels: { version, node: process.version }, value: 1 }]),
    gauge('mailtree_event_loop_lag_seconds', 'How late timers ran since the metrics were last asked for.', [...delays, longest]),
    one('process_start_time_seconds', 'Start of the process, in seconds since 1970.', Math.floor(startedAt / 1_000)),
    { ...one('process_cpu_seconds_total', 'Processor time of the process.', (cpu.user + cpu.system) / 1e6), type: 'counter' },
    one('process_resident_memory_bytes', 'Memory of the process.', memory.rss),
    one('nodejs_heap_size_used_bytes', 'Memory in use by JavaScript objects.', memory.heapUsed),
    one('nodejs_external_memory_bytes', 'Memory of buffers outside the heap.', memory.external),
  ];
}

/** The last answer, for so many times as long as it took. Those who ask meanwhile share one. */
function remembered<T>(ask: () => Promise<T>, clock: Clock): () => Promise<T> {
  let answer: Promise<T> | undefined;
  let until = Number.POSITIVE_INFINITY;
  return () => {
    if (answer && clock.now() < until) return answer;
    const began = clock.now();
    until = Number.POSITIVE_INFINITY;
    answer = ask().finally(() => {
      const end = clock.now();
      until = end + (end - began < 20 ? 0 : (end - began) * keptFor);
    });
    answer.catch(() => {
      answer = undefined;
    });
    return answer;
  };
}
