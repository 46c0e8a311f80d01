/** Postfix's smtp-sink on a host of a test network: takes everything, and keeps each message in a file. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { reachable } from '../../bench/peers/postfix.ts';
import { eventually } from '../../support/server.ts';
import { tempDir } from '../../support/temp.ts';
import type { Host } from './network.ts';
import { run } from './process.ts';

export interface SmtpSink {
  /** Everything taken so far, with the envelope in front, as `smtp-sink -d` writes it, in Latin-1; the last ones perhaps in part. */
  messages(): string[];
  stop(): Promise<void>;
}

export async function startSmtpSink(host: Host, args: readonly string[] = []): Promise<SmtpSink> {
  const { path: dir, remove } = await tempDir();
  const taken = join(dir, 'taken');
  mkdirSync(taken);
  await reachable(dir);
  execFileSync('chown', ['nobody:nogroup', taken]);
  const command = ['/usr/sbin/smtp-sink', '-u', 'nobody', '-d', join(taken, '%M.'), ...args, ':25', '1000'];
  const { child, said, gone } = run(host.command, command);
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`smtp-sink ended: ${said()}`);
    const socket = await host.connect('127.0.0.1', 25).catch(() => undefined);
    socket?.destroy();
    return socket !== undefined;
  }, 30_000);
  return {
    messages: () => readdirSync(taken).map((name) => readFileSync(join(taken, name), 'latin1')),
    async stop() {
      child.kill('SIGTERM');
      await gone;
      await remove();
    },
  };
}
