/** Programs a benchmark starts, and their end. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

export const run = promisify(execFile);

export interface Peer {
  readonly name: string;
  stop(): Promise<void>;
}

export function start(program: string, args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): ChildProcess {
  const child = spawn(program, args, { ...options, stdio: ['ignore', 'ignore', 'inherit'] });
  child.on('error', (thrown) => console.error(`${program}: ${thrown.message}`));
  return child;
}

export function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

/** Waits until something answers there. */
export async function answering(port: number, host = '127.0.0.1'): Promise<void> {
  for (let n = 0; n < 300; n++) {
    const there = await new Promise<boolean>((resolve) => {
      const socket = connect({ host, port });
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
    if (there) return;
    await sleep(100);
  }
  throw new Error(`nothing answers at ${host} port ${port}`);
}
