/** Servers of others, in the foreground. */

import { type ChildProcess, spawn } from 'node:child_process';

export interface Started {
  readonly child: ChildProcess;
  /** Everything on standard output and standard error so far. */
  said(): string;
  readonly gone: Promise<void>;
}

/** `prefix` is put before the command, to run it elsewhere. */
export function run(prefix: readonly string[], command: readonly string[]): Started {
  const [program = '', ...args] = [...prefix, ...command];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_OPTIONS: '' } });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
  child.on('error', (thrown) => {
    text += thrown.message;
  });
  const gone = new Promise<void>((done) => child.once('close', () => done()));
  return { child, said: () => text, gone };
}
