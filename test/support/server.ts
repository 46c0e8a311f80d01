/**
 * A whole server as a process of its own, as its users run it: the built JavaScript, a temporary data directory, free ports.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { LdapClient } from '../../src/directory-remote/index.ts';
import { freePort, tempDir } from './temp.ts';

const doors = ['ldap', 'ldaps', 'smtp', 'submission', 'smtps', 'imap', 'imaps', 'pop3', 'pop3s', 'http', 'https'] as const;
export type Door = (typeof doors)[number];

export const adminDn = 'cn=admin,cn=admins,cn=mailtree';
export const adminPassword = 'admin-password-1';
/** Of user1, user2 and user3 at example.test and at jade.net. */
export const password = 'example-password-1';

export interface ServerFiles {
  readonly dir: string;
  readonly config: string;
  readonly ports: Readonly<Record<Door, number>>;
  /** Path of the LDAP socket. */
  readonly ldapi: string;
  /** Removes everything. */
  remove(): Promise<void>;
}

export interface RunningServer {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Milliseconds from start to `mailtree ready`. */
  readonly readyAfter: number;
  /** Everything on standard output and standard error so far. */
  output(): string;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

/** A directory with a configuration file; nothing runs yet. `extra` is YAML put at its end. */
export async function prepareServer(
  options: {
    readonly extra?: string;
    readonly example?: boolean;
    readonly domain?: string;
    readonly host?: string;
    /** Where doors listen that shall not be on a free port of loopback: `[::]:25`. */
    readonly listen?: Partial<Readonly<Record<Door, string>>>;
    /** Another server's directory instead of one of its own. */
    readonly directory?: { readonly urls: readonly string[]; readonly bindDn: string; readonly password: string; readonly extra?: string };
  } = {},
): Promise<ServerFiles> {
  const { path: dir, remove } = await tempDir();
  const listen = Object.fromEntries(
    await Promise.all(doors.map(async (door) => [door, options.listen?.[door] ?? `127.0.0.1:${await freePort()}`] as const)),
  ) as Record<Door, string>;
  const ports = Object.fromEntries(doors.map((door) => [door, Number(listen[door].split(':').at(-1))])) as Record<Door, number>;
  const domain = options.domain ?? 'example.test';
  const config = join(dir, 'mailtree.yaml');
  const ldapi = join(dir, 'ldapi');
  const { directory: external } = options;
  const passwordFile = join(dir, 'directory-password');
  if (external) writeFileSync(passwordFile, `${external.password}\n`, { mode: 0o600 });
  const lines = [
    `data: ${join(dir, 'data')}`,
    `host: ${options.host ?? `mail.${domain}`}`,
    `domain: ${domain}`,
    `admin: { password: ${adminPassword} }`,
    ...(options.example === false ? [] : ['example: true', `examplePassword: ${password}`]),
    'listen:',
    ...(external ? [] : [`  ldapi: ${ldapi}`]),
    ...doors
      .filter((door) => !external || !/^ldap/.test(door))
      .map((door) => `  ${door}: ${listen[door].startsWith('[') ? `'${listen[door]}'` : listen[door]}`),
    ...(external
      ? [
          'directory:',
          `  urls: [${external.urls.join(', ')}]`,
          `  bindDn: ${external.bindDn}`,
          `  passwordFile: ${passwordFile}`,
          external.extra ?? '',
        ]
      : []),
    options.extra ?? '',
    '',
  ];
  writeFileSync(config, lines.join('\n'));
  return { dir, config, ports, ldapi, remove };
}

/** Runs `mailtree start`; resolves at `mailtree ready`, rejects with the output when it ends before. */
export async function runServer(
  files: Pick<ServerFiles, 'config'>,
  options: {
    /** A program that starts it. */
    readonly command?: readonly string[];
    /** Options of node itself. */
    readonly node?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
    readonly onSpawn?: (child: ChildProcess) => void;
  } = {},
): Promise<RunningServer> {
  const begun = performance.now();
  const [program, ...before] = [...(options.command ?? []), process.execPath];
  const args = [...before, ...(options.node ?? []), resolve('dist/cli/mailtree.js'), 'start', '--config', files.config];
  const child = spawn(program ?? process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    // The tests' own loader options are not the server's.
    env: { ...process.env, NODE_OPTIONS: '', ...options.env },
  });
  options.onSpawn?.(child);
  let output = '';
  const gone = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
  await new Promise<void>((ready, fail) => {
    const take = (chunk: Buffer): void => {
      output += chunk.toString();
      if (/^mailtree ready$/m.test(output)) ready();
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.once('error', fail);
    void gone.then((code) => fail(new Error(`the server ended with code ${code}:\n${output}`)));
  });
  return {
    process: child,
    pid: child.pid ?? 0,
    readyAfter: performance.now() - begun,
    output: () => output,
    async stop() {
      child.kill('SIGTERM');
      return gone;
    },
    async kill() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** One of the commands, with its output and exit code. */
export async function command(
  name: 'mailtree' | 'sendmail' | 'mailq' | 'dbupdate' | 'iemsuser' | 'iemsdomacct' | 'ldif2ldbm' | 'ldbmcat',
  args: readonly string[],
  files: Pick<ServerFiles, 'config'>,
  input = '',
): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [resolve(`dist/cli/${name}.js`), ...args], {
    env: { ...process.env, NODE_OPTIONS: '', MAILTREE_CONFIG: files.config },
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  // A command that refuses before it reads closes its input.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const code = await new Promise<number | null>((done) => child.once('close', done));
  return { code, out, err };
}

/** An LDAP connection with all rights. */
export async function administrator(files: Pick<ServerFiles, 'ldapi'>): Promise<LdapClient> {
  const client = await LdapClient.connect({ path: files.ldapi });
  await client.bindExternal();
  return client;
}

/** Seconds of processor time a process has used. */
export function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Resident memory in megabytes. */
export function memoryOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1024;
}

/** Tries until it is true, or gives up after `ms`; returns after how many milliseconds it was. */
export async function eventually(check: () => Promise<boolean>, ms = 10_000): Promise<number> {
  const begun = performance.now();
  for (;;) {
    if (await check()) return performance.now() - begun;
    if (performance.now() - begun > ms) throw new Error(`not within ${ms} ms`);
    await new Promise((done) => setTimeout(done, 10));
  }
}
