/** Postfix from Debian's packages: private directories, one smtpd. Needs root, as Postfix does. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from './process.ts';

export interface Postfix {
  /** For its commands: `postqueue -c`. */
  readonly etc: string;
  readonly log: string;
  /** Resolves when nothing waits in the queue any more. */
  drained(): Promise<void>;
  stop(): Promise<void>;
}

export interface PostfixOptions {
  readonly dir: string;
  /** Where smtpd listens, as in master.cf. */
  readonly listen: string;
  /** Lines of main.cf beyond its directories. */
  readonly main: readonly string[];
  /** Put before its commands, to run it elsewhere. */
  readonly command?: readonly string[];
}

const services = [
  ['pickup', 'unix', '60', 'pickup'],
  ['cleanup', 'unix', '-', 'cleanup'],
  ['qmgr', 'unix', '300', 'qmgr'],
  ['rewrite', 'unix', '-', 'trivial-rewrite'],
  ['bounce', 'unix', '-', 'bounce'],
  ['defer', 'unix', '-', 'bounce'],
  ['trace', 'unix', '-', 'bounce'],
  ['verify', 'unix', '-', 'verify'],
  ['flush', 'unix', '1000?', 'flush'],
  ['proxymap', 'unix', '-', 'proxymap'],
  ['tlsmgr', 'unix', '1000?', 'tlsmgr'],
  ['smtp', 'unix', '-', 'smtp'],
  ['relay', 'unix', '-', 'smtp'],
  ['showq', 'unix', '-', 'showq'],
  ['error', 'unix', '-', 'error'],
  ['retry', 'unix', '-', 'error'],
  ['discard', 'unix', '-', 'discard'],
  ['local', 'unix', '-', 'local'],
  ['virtual', 'unix', '-', 'virtual'],
  ['lmtp', 'unix', '-', 'lmtp'],
  ['anvil', 'unix', '-', 'anvil'],
  ['scache', 'unix', '-', 'scache'],
  ['postlog', 'unix-dgram', '-', 'postlogd'],
] as const;

function master(listen: string): string {
  const lines = [`${listen} inet n - n - - smtpd`];
  for (const [name, kind, n, command] of services) {
    const isPrivate = ['pickup', 'cleanup', 'qmgr', 'flush', 'showq', 'postlog'].includes(name) ? 'n' : '-';
    // As Debian ships it: these know each other's state and may run only once; bounce and cleanup as often as they are needed.
    const single = ['pickup', 'qmgr', 'postlog', 'verify', 'anvil', 'scache', 'tlsmgr'].includes(name);
    const unlimited = ['cleanup', 'bounce', 'defer', 'trace', 'flush'].includes(name);
    // These deliver as whoever owns a mailbox.
    const unprivileged = ['local', 'virtual'].includes(name) ? 'n' : '-';
    lines.push(`${name} ${kind} ${isPrivate} ${unprivileged} n ${n} ${single ? '1' : unlimited ? '0' : '-'} ${command}`);
  }
  return `${lines.join('\n')}\n`;
}

export async function startPostfix({ dir, listen, main, command = [] }: PostfixOptions): Promise<Postfix> {
  const [etc, spool, lib, log] = [join(dir, 'postfix-etc'), join(dir, 'postfix-spool'), join(dir, 'postfix-lib'), join(dir, 'postfix.log')];
  for (const folder of [etc, spool, lib]) mkdirSync(folder, { recursive: true });
  await reachable(dir);
  await run('chown', ['postfix', lib]);
  const own = [
    'compatibility_level = 3.6',
    `queue_directory = ${spool}`,
    `data_directory = ${lib}`,
    'command_directory = /usr/sbin',
    'daemon_directory = /usr/lib/postfix/sbin',
    'mail_owner = postfix',
    'setgid_group = postdrop',
    `maillog_file = ${log}`,
    `maillog_file_prefixes = ${dir}`,
    'alias_maps =',
    'local_recipient_maps =',
    'mydestination =',
  ];
  writeFileSync(join(etc, 'main.cf'), `${[...own, ...main].join('\n')}\n`);
  writeFileSync(join(etc, 'master.cf'), master(listen));
  const postfix = (...args: string[]) => {
    const [program = 'postfix', ...rest] = [...command, 'postfix', '-c', etc, ...args];
    return run(program, rest);
  };
  await postfix('set-permissions').catch(() => {});
  // Without a terminal Postfix tells its troubles to its log alone.
  await postfix('start').catch((thrown: unknown) => {
    const said = existsSync(log) ? readFileSync(log, 'utf8').slice(-2000) : '';
    throw new Error(`postfix does not start:\n${said}`, { cause: thrown });
  });
  const queues = ['incoming', 'active', 'deferred', 'maildrop'].map((name) => join(spool, name));
  return {
    etc,
    log,
    async drained() {
      for (;;) {
        const { stdout } = await run('find', [...queues, '-type', 'f', '-print', '-quit']);
        if (stdout === '') return;
        await sleep(20);
      }
    },
    stop: async () => void (await postfix('stop').catch(() => {})),
  };
}

/** Postfix and the mail user drop root's rights and must still reach their files from the root down. */
export async function reachable(dir: string): Promise<void> {
  for (let at = dir; at !== dirname(at); at = dirname(at)) await run('chmod', ['a+x', at]);
}
