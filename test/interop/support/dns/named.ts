/**
 * BIND's named from Debian's packages as the authority for zones given as values: private directory, own port, no rndc.
 *
 * Everything that is in none of the zones does not exist: named is the root, too. It does not ask anybody else; whoever wants a resolver that
 * follows and validates puts `startUnbound` in front.
 */

import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../../../support/server.ts';
import { freePort, tempDir } from '../../../support/temp.ts';
import { run } from '../process.ts';
import { type Answer, dig } from './dig.ts';
import { masterFile, type Zone, type Zones } from './zones.ts';

export interface NamedOptions {
  readonly zones: Zones;
  /** Zones that are signed (ECDSA P-256, NSEC): `expired` with signatures of long ago, which no validator takes. */
  readonly signed?: Readonly<Record<string, 'good' | 'expired'>>;
  /** Seconds of all records that say nothing else. 0, the default: nobody remembers, changes are seen at once. */
  readonly ttl?: number;
  /** Where it listens; 127.0.0.1 and a free port where they lack. */
  readonly address?: string;
  readonly port?: number;
  /** Put before the command, to run it elsewhere: `ip netns exec NAME`. */
  readonly command?: readonly string[];
}

export interface Named {
  readonly address: string;
  readonly port: number;
  /** `address:port`, as `mtDnsServer` and `dns:` of the configuration take it. */
  readonly server: string;
  readonly pid: number;
  readonly zones: readonly string[];
  /** A DNSKEY record of each signed zone, in master file form. */
  readonly trustAnchors: readonly string[];
  /** `MX example.test` … in the order they were asked. */
  asked(): string[];
  /** Puts another content into zones; resolves when it is served. Zones that were not there cannot come. */
  change(zones: Zones): Promise<void>;
  /** It hears and does not answer, until `resume`. */
  pause(): void;
  resume(): void;
  ask(type: string, name: string): Promise<Answer>;
  stop(): Promise<void>;
}

export async function startNamed(options: NamedOptions): Promise<Named> {
  const { path: dir, remove } = await tempDir();
  const address = options.address ?? '127.0.0.1';
  const port = options.port ?? (await freePort());
  // A zone whose name server is in it and has no address is not loaded.
  const zones: Zones = { '': { 'ns.invalid': { a: [address.includes(':') ? '127.0.0.1' : address] } }, ...options.zones };
  const files = new ZoneFiles(dir, options);
  for (const [name, zone] of Object.entries(zones)) files.write(name, zone);
  writeFileSync(join(dir, 'named.conf'), configuration(dir, address, port, Object.keys(zones)));
  const { child, said, gone } = run(options.command ?? [], ['/usr/sbin/named', '-g', '-n', '1', '-c', join(dir, 'named.conf')]);
  const serves = async (name: string): Promise<boolean> => {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('named ended');
    if (/not loaded due to errors/.test(said())) throw new Error('a zone is wrong');
    const soa = await dig(options.command ?? [], { address, port }, 'SOA', name === '' ? '.' : name, 'norecurse');
    return soa.records.some((record) => record.split(' ')[2] === String(files.serial));
  };
  await eventually(() => serves(''), 30_000).catch((thrown: unknown) => {
    child.kill('SIGKILL');
    throw new Error(`named does not serve its zones: ${said()}`, { cause: thrown });
  });
  return {
    address,
    port,
    server: `${address.includes(':') ? `[${address}]` : address}:${port}`,
    pid: child.pid ?? 0,
    zones: Object.keys(zones),
    trustAnchors: files.anchors,
    asked: () => [...said().matchAll(/ query: (\S+) IN (\S+) /g)].map(([, name, type]) => `${type} ${name}`),
    async change(changed) {
      files.serial += 1;
      for (const [name, zone] of Object.entries(changed)) {
        if (!(name in zones)) throw new Error(`no zone ${name}`);
        files.write(name, zone);
      }
      child.kill('SIGHUP');
      for (const name of Object.keys(changed)) await eventually(() => serves(name), 30_000);
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    ask: (type, name) => dig(options.command ?? [], { address, port }, type, name, 'norecurse'),
    async stop() {
      child.kill('SIGTERM');
      child.kill('SIGCONT');
      await gone;
      await remove();
    },
  };
}

function configuration(dir: string, address: string, port: number, zones: readonly string[]): string {
  const [four, six] = address.includes(':') ? ['none', address] : [address, 'none'];
  return `options {
  directory "${dir}";
  pid-file none;
  lock-file none;
  session-keyfile none;
  listen-on port ${port} { ${four}; };
  listen-on-v6 port ${port} { ${six}; };
  recursion no;
  allow-query { any; };
  allow-transfer { none; };
  notify no;
  dnssec-validation no;
  empty-zones-enable no;
  querylog yes;
};
controls { };
${zones.map((name) => `zone "${name === '' ? '.' : name}" { type primary; file "${fileOf(name)}"; };`).join('\n')}
`;
}

const fileOf = (zone: string): string => `zone-${zone}`;

/** Master files of a directory, signed where they shall be. */
class ZoneFiles {
  serial = 1;
  readonly anchors: string[] = [];
  readonly #dir: string;
  readonly #options: NamedOptions;

  constructor(dir: string, options: NamedOptions) {
    this.#dir = dir;
    this.#options = options;
    for (const name of Object.keys(options.signed ?? {})) {
      if (!(name in options.zones)) throw new Error(`a zone that is not there cannot be signed: ${name}`);
      this.#makeKey(name);
    }
  }

  write(name: string, zone: Zone): void {
    const file = join(this.#dir, fileOf(name));
    const text = masterFile(zone, { serial: this.serial, ttl: this.#options.ttl ?? 0 });
    const signed = this.#options.signed?.[name];
    writeFileSync(signed ? `${file}.plain` : file, text);
    if (!signed) return;
    const times = signed === 'expired' ? ['-s', '20200101000000', '-e', '20200201000000'] : [];
    // One key signs everything (-z), the result is not verified (-P). -S takes it from its directory and puts it into the zone.
    const args = ['-S', '-z', '-P', '-q', '-K', join(this.#dir, `keys-${name}`), '-o', name, ...times, '-f', file, `${file}.plain`];
    execFileSync('dnssec-signzone', args, { cwd: this.#dir, stdio: 'pipe' });
  }

  #makeKey(name: string): void {
    const keys = join(this.#dir, `keys-${name}`);
    mkdirSync(keys);
    execFileSync('dnssec-keygen', ['-q', '-a', 'ECDSAP256SHA256', '-f', 'KSK', '-K', keys, name], { stdio: 'pipe' });
    const file = readdirSync(keys).find((one) => one.endsWith('.key')) ?? '';
    const record = readFileSync(join(keys, file), 'utf8')
      .split('\n')
      .find((line) => / DNSKEY /.test(line));
    this.anchors.push((record ?? '').replace(/\s+/g, ' '));
  }
}
