/** OpenLDAP's slapd from Debian's packages as the external directory: a private folder, a free port, our schema beside its own. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { type Log, silentLog, systemClock } from '../../src/base/index.ts';
import { parseEndpoint, type RemoteOptions } from '../../src/directory-remote/index.ts';
import { parseDn } from '../../src/ldap-wire/index.ts';
import { eventually } from './server.ts';
import { freePort, tempDir } from './temp.ts';

export interface SlapdOptions {
  /** One database each; `''` is one that holds everything. */
  readonly suffixes?: readonly string[];
  /** Content synchronisation (overlay syncprov). */
  readonly sync?: boolean;
  /** Changes its session log remembers: 0 none, so that whoever comes back must compare. */
  readonly sessionLog?: number;
  /** Our schema files too. */
  readonly schema?: boolean;
  /** Also on ldaps, and StartTLS, with a certificate for 127.0.0.1 and localhost that `ca` vouches for. */
  readonly tls?: boolean;
  /** Further modules to load. */
  readonly modules?: readonly string[];
  /** Further lines of the global section, and of each database but the service account's own. */
  readonly global?: readonly string[];
  readonly database?: readonly string[];
}

export interface Slapd {
  readonly port: number;
  readonly url: string;
  readonly secureUrl: string;
  /** Its Unix socket. */
  readonly socketUrl: string;
  /** PEM file of the authority behind its certificate. */
  readonly ca: string;
  readonly process: ChildProcess;
  start(): Promise<void>;
  /** SIGTERM, and gone. */
  stop(): Promise<void>;
  kill(): Promise<void>;
  signal(name: NodeJS.Signals): void;
  /** `ldapadd`, `ldapmodify`, … as the service account, with LDIF on its input; throws with its output where it fails. */
  tool(name: string, args: readonly string[], ldif?: string): string;
  /** While it does not run. */
  slapadd(ldif: string): void;
  /** The same: everything that is in it. */
  slapcat(): string;
  remove(): Promise<void>;
}

export const serviceDn = 'cn=service';
export const servicePassword = 'service-password-1';

/** One database; the service account is its root, and its password stands where its name belongs. */
function database(dir: string, suffix: string, n: number, options: SlapdOptions): string[] {
  const { sync = true, sessionLog = 1000 } = options;
  const addresses = options.schema === false ? '' : ',mailLocalAddress,mtMailAddress';
  mkdirSync(join(dir, `db${n}`), { recursive: true });
  return [
    'database mdb',
    `suffix "${suffix}"`,
    `rootdn "${serviceDn}"`,
    ...(suffix === '' || suffix === serviceDn ? [`rootpw ${servicePassword}`] : []),
    `directory ${dir}/db${n}`,
    'maxsize 4294967296',
    'dbnosync',
    `index objectClass,entryUUID,entryCSN,mail${addresses} eq`,
    ...(options.database ?? []),
    ...(sync ? ['overlay syncprov', ...(sessionLog > 0 ? [`syncprov-sessionlog ${sessionLog}`] : [])] : []),
  ];
}

function configuration(dir: string, options: SlapdOptions): string {
  const { suffixes = [''], sync = true } = options;
  const files = ['core', 'cosine', 'inetorgperson'].map((name) => `/etc/ldap/schema/${name}.schema`);
  const own = options.schema === false ? [] : ['mail.schema', 'openldap/mailtree.schema'].map((name) => resolve('schema', name));
  // Where no database holds the service account, it has a small one of its own.
  const all = suffixes.includes('') ? suffixes : [...suffixes, serviceDn];
  return [
    ...[...files, ...own].map((file) => `include ${file}`),
    'modulepath /usr/lib/ldap',
    'moduleload back_mdb',
    ...(sync ? ['moduleload syncprov'] : []),
    ...(options.modules ?? []).map((module) => `moduleload ${module}`),
    `pidfile ${dir}/pid`,
    ...(options.tls ? [`TLSCertificateFile ${dir}/certificate.pem`, `TLSCertificateKeyFile ${dir}/key.pem`] : []),
    ...(options.global ?? []),
    ...all.flatMap((suffix, n) => database(dir, suffix, n, n < suffixes.length ? options : { ...options, database: [] })),
    '',
  ].join('\n');
}

export async function createSlapd(options: SlapdOptions = {}): Promise<Slapd> {
  const { path: dir, remove } = await tempDir();
  const port = await freePort();
  const suffixes = options.suffixes ?? [''];
  const securePort = await freePort();
  const conf = join(dir, 'slapd.conf');
  const ca = join(dir, 'certificate.pem');
  if (options.tls) makeCertificate(dir, ca);
  writeFileSync(conf, configuration(dir, options));
  let child: ChildProcess | undefined;
  const gone = async (signal: NodeJS.Signals): Promise<void> => {
    const one = child;
    if (!one || one.exitCode !== null || one.signalCode !== null) return;
    const ended = new Promise((done) => one.once('exit', done));
    one.kill(signal);
    one.kill('SIGCONT');
    await ended;
  };
  return {
    port,
    url: `ldap://127.0.0.1:${port}`,
    secureUrl: `ldaps://127.0.0.1:${securePort}`,
    socketUrl: `ldapi://${encodeURIComponent(join(dir, 'ldapi'))}`,
    ca,
    get process() {
      return child!;
    },
    async start() {
      let output = '';
      child = spawn(
        '/usr/sbin/slapd',
        [
          '-d',
          'none',
          '-f',
          conf,
          '-h',
          `ldap://127.0.0.1:${port}/ ldapi://${encodeURIComponent(join(dir, 'ldapi'))}/${options.tls ? ` ldaps://127.0.0.1:${securePort}/` : ''}`,
        ],
        {
          stdio: ['ignore', 'ignore', 'pipe'],
        },
      );
      child.stderr?.on('data', (chunk) => {
        output += chunk;
      });
      const one = child;
      await eventually(async () => {
        if (one.exitCode !== null) throw new Error(`slapd ended: ${output}`);
        return answers(port);
      });
    },
    stop: () => gone('SIGTERM'),
    kill: () => gone('SIGKILL'),
    signal: (name) => {
      child?.kill(name);
    },
    tool: (name, args, ldif = '') =>
      execFileSync(name, ['-x', '-H', `ldap://127.0.0.1:${port}`, '-D', serviceDn, '-w', servicePassword, ...args], {
        input: ldif,
        encoding: 'utf8',
        stdio: ['pipe', 'pipe', 'pipe'],
      }),
    slapadd(ldif) {
      writeFileSync(join(dir, 'add.ldif'), ldif);
      execFileSync('/usr/sbin/slapadd', ['-q', '-w', '-f', conf, '-b', suffixes[0] ?? '', '-l', join(dir, 'add.ldif')], { stdio: 'pipe' });
    },
    slapcat: () =>
      execFileSync('/usr/sbin/slapcat', ['-f', conf, '-b', suffixes[0] ?? '', '-o', 'ldif-wrap=no'], {
        encoding: 'utf8',
        stdio: 'pipe',
        maxBuffer: 1024 * 1024 * 1024,
      }),
    async remove() {
      await gone('SIGKILL');
      await remove();
    },
  };
}

function makeCertificate(dir: string, file: string): void {
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1';
  const make = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/CN=localhost', '-addext', names];
  execFileSync('openssl', [...make, '-keyout', join(dir, 'key.pem'), '-out', file], { stdio: 'pipe' });
}

function answers(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}

/** Options for a directory at these URLs, with the service account. */
export function remoteOptions(urls: readonly string[], more: Partial<RemoteOptions> = {}): RemoteOptions {
  return {
    endpoints: urls.map((url) => {
      const endpoint = parseEndpoint(url);
      if (!endpoint) throw new Error(url);
      return endpoint;
    }),
    bindDn: serviceDn,
    password: () => servicePassword,
    tls: () => ({ ca: undefined, certificate: undefined, key: undefined }),
    startTls: false,
    systemBase: parseDn('cn=mailtree'),
    domainBase: parseDn(''),
    clock: systemClock,
    random: Math.random,
    log: silentLog as Log,
    connections: 4,
    timeoutMs: 10_000,
    keepAliveMs: 2_000,
    pollMs: 200,
    failureDelay: () => 0,
    ...more,
  };
}
