/** Programs of others, run to their end. */

import { spawn } from 'node:child_process';
import { resolve } from 'node:path';

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  /** Both, in the order they came. */
  readonly all: string;
}

/** Runs it with nothing, or `input`, on its standard input. A program that hangs is ended after `ms`. */
export async function tool(
  program: string,
  args: readonly string[],
  options: { readonly input?: string | Buffer; readonly env?: NodeJS.ProcessEnv; readonly cwd?: string; readonly ms?: number } = {},
): Promise<Ran> {
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...process.env, NODE_OPTIONS: '', ...options.env },
    timeout: options.ms ?? 120_000,
  });
  let [out, err, all] = ['', '', ''];
  child.stdout.setEncoding('latin1').on('data', (chunk: string) => {
    out += chunk;
    all += chunk;
  });
  child.stderr.setEncoding('latin1').on('data', (chunk: string) => {
    err += chunk;
    all += chunk;
  });
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  const code = await new Promise<number | null>((done, fail) => {
    child.once('error', fail);
    child.once('close', done);
  });
  return { code, out, err, all };
}

/** Like `tool`, and fails with everything it said when it does not end well. */
export async function succeeds(...args: Parameters<typeof tool>): Promise<Ran> {
  const ran = await tool(...args);
  if (ran.code !== 0) throw new Error(`${args[0]} ${args[1].join(' ')}: code ${ran.code}\n${ran.all.slice(-4000)}`);
  return ran;
}

/** Debian's Python, which has Debian's modules, with a script of `clients/`. Answers with the JSON it printed. */
export async function python<T>(script: string, args: readonly (string | number)[]): Promise<T> {
  const ran = await succeeds('/usr/bin/python3', [resolve('test/interop/clients', script), ...args.map(String)], { ms: 300_000 });
  return JSON.parse(ran.out) as T;
}
