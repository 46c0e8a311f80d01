/** Exim as a neighbour: the program that `test/interop/exim.sh` unpacks, with a configuration and a spool of its own. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { reachable } from '../../../bench/peers/postfix.ts';
import { eventually } from '../../../support/server.ts';
import { tempDir } from '../../../support/temp.ts';
import { run } from '../process.ts';
import { makeCertificate, maildir, type Neighbour, type NeighbourOptions } from './neighbour.ts';

const user = 'Debian-exim';

export async function startEximNeighbour(options: NeighbourOptions): Promise<Neighbour> {
  const { host, name, users } = options;
  const program = execFileSync('bash', [resolve('test/interop/exim.sh')], { encoding: 'utf8' }).trim();
  const { path: dir, remove } = await tempDir();
  await reachable(dir);
  for (const folder of ['spool', 'log', 'mail']) mkdirSync(join(dir, folder));
  const { cert, key } = makeCertificate(dir, name);
  execFileSync('chown', [`${user}:${user}`, cert, key, ...['spool', 'log', 'mail'].map((folder) => join(dir, folder))]);
  writeFileSync(join(dir, 'users'), users.map((one) => `${one}: ${one}\n`).join(''));
  const conf = join(dir, 'exim.conf');
  writeFileSync(conf, configuration({ ...options, dir, program, cert, key }));
  const { child, said, gone } = run(host.command, [program, '-C', conf, '-bdf', '-q1h']);
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`exim ended: ${said()}`);
    const socket = await host.connect('127.0.0.1', 25).catch(() => undefined);
    socket?.destroy();
    return socket !== undefined;
  }, 30_000);
  const exim = async (...args: string[]): Promise<string> => {
    const ran = await host.tool(program, ['-C', conf, ...args]);
    if (ran.code !== 0) throw new Error(`exim ${args.join(' ')}: ${ran.all}`);
    return ran.out;
  };
  return {
    name: 'Exim',
    domain: options.domain,
    host,
    inbox: (one) => maildir(join(dir, 'mail', one)),
    settled: async () => void (await eventually(async () => processesWith(conf) === 1, 30_000)),
    flush: async () => void (await exim('-qff')),
    waiting: async () => Number(await exim('-bpc')),
    log: () => readFileSync(join(dir, 'log', 'mainlog'), 'utf8'),
    async stop() {
      child.kill('SIGTERM');
      await gone;
      await remove();
    },
  };
}

/** The daemon, and one for each connection and each message that is being delivered. */
function processesWith(argument: string): number {
  const lineOf = (pid: string): string => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
    } catch {
      return '';
    }
  };
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && lineOf(pid).includes(`\0${argument}\0`)).length;
}

function configuration(
  options: NeighbourOptions & { readonly dir: string; readonly program: string; readonly cert: string; readonly key: string },
): string {
  const { dir, program, cert, key, name, domain, relayFor = [], relayDomains = [], sizeLimit = 10_000_000 } = options;
  // `<;` makes semicolons the separator, as addresses of IPv6 have colons.
  return `exim_path = ${program}
spool_directory = ${dir}/spool
log_file_path = ${dir}/log/%slog
primary_hostname = ${name}
qualify_domain = ${domain}
domainlist local_domains = ${domain}
domainlist relay_domains = ${relayDomains.join(' : ')}
hostlist relay_hosts = <; 127.0.0.1 ; ::1 ${relayFor.map((one) => `; ${one}`).join(' ')}
local_interfaces = <; 0.0.0.0 ; ::0
daemon_smtp_ports = 25
deliver_drop_privilege
never_users =
keep_environment =
trusted_users = ${user}
tls_advertise_hosts = *
tls_certificate = ${cert}
tls_privatekey = ${key}
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
accept_8bitmime
pipelining_advertise_hosts = *
message_size_limit = ${sizeLimit}
rfc1413_query_timeout = 0s
host_lookup =
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
acl_smtp_etrn = accept
# Its own way respects retry times, and what a client said may not be put into a command: everything is tried.
smtp_etrn_command = ${program} -C ${dir}/exim.conf -qff
smtp_accept_max = 100
smtp_accept_max_per_host = 100
smtp_accept_queue_per_connection = 0
remote_max_parallel = 10
recipients_max = 5000
bounce_return_size_limit = 1M
ignore_bounce_errors_after = 0s

begin acl
rcpt:
  accept domains = +local_domains
         verify = recipient
  accept domains = +relay_domains
  accept hosts = +relay_hosts
  deny message = relay not permitted

begin routers
elsewhere:
  driver = dnslookup
  domains = ! +local_domains
  transport = smtp
  ignore_target_hosts = 127.0.0.0/8
  no_more
mailbox:
  driver = accept
  local_parts = lsearch;${dir}/users
  transport = maildir

begin transports
smtp:
  driver = smtp
  hosts_try_fastopen =
  hosts_try_dane =
maildir:
  driver = appendfile
  directory = ${dir}/mail/$local_part_data
  maildir_format
  create_directory
  delivery_date_add
  envelope_to_add
  return_path_add
  user = ${user}
  group = ${user}

begin retry
* * F,1h,5m
`;
}
