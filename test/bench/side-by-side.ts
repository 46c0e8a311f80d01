/**
 * Measuring several sides on one machine with one client.
 *
 * Rounds alternate between the sides, because such machines are noisy; the median counts. CPU is what the whole machine used less
 * what the load client used, the same way for every side.
 */

import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuOf } from '../support/server.ts';
import type { LoadResult } from './load/smtp.ts';
import type { MailtreePeer } from './peers/mailtree.ts';

export interface Measured {
  readonly perSecond: number;
  /** Milliseconds of processor time each: the whole machine's, less the load client's. */
  readonly cpu: number;
  /** The same of one process with all its threads, where the side is one process. */
  readonly process: number | undefined;
  readonly p99: number;
}

async function machineBusy(): Promise<number> {
  const [, user, nice, system, , , irq, softirq] = ((await readFile('/proc/stat', 'latin1')).split('\n')[0] ?? '').split(/\s+/).map(Number);
  return ((user ?? 0) + (nice ?? 0) + (system ?? 0) + (irq ?? 0) + (softirq ?? 0)) / 100;
}

export async function measure(
  load: () => Promise<LoadResult>,
  options: { readonly drained?: () => Promise<void>; readonly pid?: number } = {},
): Promise<Measured> {
  const { drained, pid } = options;
  const before = pid === undefined ? 0 : cpuOf(pid);
  const [busy, own, begun] = [await machineBusy(), process.cpuUsage(), performance.now()];
  const result = await load();
  await drained?.();
  const seconds = (performance.now() - begun) / 1000;
  const { user, system } = process.cpuUsage(own);
  const cpu = (await machineBusy()) - busy - (user + system) / 1e6;
  return {
    perSecond: result.count / seconds,
    cpu: (cpu * 1000) / result.count,
    process: pid === undefined ? undefined : ((cpuOf(pid) - before) * 1000) / result.count,
    p99: result.latencies[Math.floor(result.latencies.length * 0.99)] ?? 0,
  };
}

const rounds = Number(process.env['ROUNDS'] ?? 3);

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** Sides take turns; prints a line a side and the ratio of the first to each other. */
export async function compare(title: string, sides: readonly (readonly [name: string, round: () => Promise<Measured>])[]): Promise<void> {
  const results = new Map<string, Measured[]>(sides.map(([name]) => [name, []]));
  for (let n = 0; n < rounds; n++) for (const [name, round] of sides) results.get(name)?.push(await round());
  console.log(`\n${title}`);
  const first = median((results.get(sides[0]?.[0] ?? '') ?? []).map((m) => m.perSecond));
  for (const [name] of sides) {
    const all = results.get(name) ?? [];
    const rate = median(all.map((m) => m.perSecond));
    const middle = (value: (one: Measured) => number): string => median(all.map(value)).toFixed(3).padStart(8);
    const alone = all[0]?.process === undefined ? '' : `  (its process ${middle((one) => one.process ?? 0).trim()})`;
    console.log(
      `  ${name.padEnd(30)} ${rate.toFixed(0).padStart(7)}/s  ${middle(({ cpu }) => cpu)} ms CPU each  p99 ${middle(({ p99 }) => p99)} ms  ratio ${(first / rate).toFixed(2)}${alone}`,
    );
  }
}

/** Resolves when nothing waits in the queue any more. The list is asked, not the counts: those of a long queue are kept for a while. */
export async function mailtreeDrained(peer: MailtreePeer): Promise<void> {
  for (;;) {
    const { messages } = await new Promise<{ messages: unknown[] }>((resolve, reject) => {
      request({ socketPath: peer.control, path: '/queue/messages?limit=1' }, (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => resolve(JSON.parse(text)));
      })
        .on('error', reject)
        .end();
    });
    if (messages.length === 0) return;
    await sleep(20);
  }
}
