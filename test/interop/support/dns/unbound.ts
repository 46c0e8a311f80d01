/** Unbound from Debian's packages as a validating resolver in front of a `Named`: it follows aliases, and sets AD on what is signed well. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../../../support/server.ts';
import { freePort, tempDir } from '../../../support/temp.ts';
import { run } from '../process.ts';
import { type Answer, dig } from './dig.ts';
import type { Named } from './named.ts';

export interface Unbound {
  readonly address: string;
  readonly port: number;
  /** `address:port`, as `mtDnsServer` and `dns:` of the configuration take it. */
  readonly server: string;
  readonly pid: number;
  ask(type: string, name: string): Promise<Answer>;
  stop(): Promise<void>;
}

export async function startUnbound(
  named: Named,
  options: {
    readonly address?: string;
    readonly port?: number;
    readonly command?: readonly string[];
    /** Records in master file form; those of the signed zones where they lack. */
    readonly trustAnchors?: readonly string[];
  } = {},
): Promise<Unbound> {
  const { path: dir, remove } = await tempDir();
  const address = options.address ?? '127.0.0.1';
  const port = options.port ?? (await freePort());
  const conf = join(dir, 'unbound.conf');
  writeFileSync(conf, configuration(dir, { address, port, named, anchors: options.trustAnchors ?? named.trustAnchors }));
  const { child, said, gone } = run(options.command ?? [], ['/usr/sbin/unbound', '-d', '-d', '-p', '-c', conf]);
  const ask = (type: string, name: string): Promise<Answer> => dig(options.command ?? [], { address, port }, type, name);
  await eventually(async () => {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`unbound ended: ${said()}`);
    return (await ask('SOA', '.')).status !== undefined;
  }, 30_000).catch((thrown: unknown) => {
    child.kill('SIGKILL');
    throw new Error(`unbound does not answer: ${said()}`, { cause: thrown });
  });
  return {
    address,
    port,
    server: `${address.includes(':') ? `[${address}]` : address}:${port}`,
    pid: child.pid ?? 0,
    ask,
    async stop() {
      child.kill('SIGTERM');
      await gone;
      await remove();
    },
  };
}

function configuration(
  dir: string,
  { address, port, named, anchors }: { address: string; port: number; named: Named; anchors: readonly string[] },
): string {
  return [
    'server:',
    `  interface: ${address}@${port}`,
    '  access-control: 0.0.0.0/0 allow',
    '  access-control: ::0/0 allow',
    `  directory: "${dir}"`,
    '  chroot: ""',
    '  username: ""',
    '  num-threads: 1',
    '  use-syslog: no',
    '  do-not-query-localhost: no',
    // It has answers of its own for names such as test, localhost and private addresses: here they are the zones'.
    '  unblock-lan-zones: yes',
    '  insecure-lan-zones: yes',
    ...['test.', 'invalid.', 'onion.', 'home.arpa.'].map((name) => `  local-zone: "${name}" nodefault`),
    '  val-log-level: 2',
    ...anchors.map((anchor) => `  trust-anchor: "${anchor}"`),
    'remote-control:',
    '  control-enable: no',
    ...named.zones.flatMap((zone) => ['stub-zone:', `  name: "${zone}."`, `  stub-addr: ${named.address}@${named.port}`]),
    '',
  ].join('\n');
}
