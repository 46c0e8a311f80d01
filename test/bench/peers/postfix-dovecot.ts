/**
 * Postfix and Dovecot as a peer: private directories, loopback, Debian's programs. Needs root, as Postfix does.
 *
 * Equal terms: the same users, LMTP into Dovecot's faster format, fsync as both ship it, no content checks, no TLS.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { answering, ended, type Peer, run, start } from './process.ts';

export interface MailPeer extends Peer {
  readonly smtp: number;
  readonly imap: number;
  readonly pop3: number;
  /** Resolves when nothing waits in the queue any more. */
  drained(): Promise<void>;
}

export async function startPostfixDovecot(options: {
  dir: string;
  ports: { smtp: number; lmtp: number; imap: number; pop3: number };
  users: readonly string[];
  password: string;
  format: 'mdbox' | 'maildir';
  /** A domain whose mail goes on to that port of loopback. */
  neighbour?: { domain: string; smtp: number };
  /** Everything that is not for the users goes on to that port of loopback. */
  relayPort?: number;
  /** Recipients and aliases are looked up in this LDAP server instead of a file. */
  ldap?: { port: number; base: string };
}): Promise<MailPeer> {
  const { dir, ports } = options;
  const { neighbour } = options;
  const domain = options.users[0]?.split('@')[1] ?? '';
  const dovecot = await startDovecot(options);
  const etc = join(dir, 'postfix-etc');
  const spool = join(dir, 'postfix-spool');
  const lib = join(dir, 'postfix-lib');
  const log = join(dir, 'postfix.log');
  for (const folder of [etc, spool, lib]) mkdirSync(folder, { recursive: true });
  await run('chown', ['postfix', lib]);
  writeFileSync(join(etc, 'users'), options.users.map((user) => `${user} ok\n`).join(''));
  writeFileSync(
    join(etc, 'main.cf'),
    [
      'compatibility_level = 3.6',
      `queue_directory = ${spool}`,
      `data_directory = ${lib}`,
      'command_directory = /usr/sbin',
      'daemon_directory = /usr/lib/postfix/sbin',
      'mail_owner = postfix',
      'setgid_group = postdrop',
      'inet_interfaces = 127.0.0.1',
      'inet_protocols = ipv4',
      'myhostname = peer.example.test',
      'mydestination =',
      'mynetworks = 127.0.0.0/8',
      `virtual_mailbox_domains = ${domain}`,
      `virtual_mailbox_maps = ${options.ldap ? `ldap:${join(etc, 'people.cf')}` : `texthash:${join(etc, 'users')}`}`,
      ...(options.ldap ? [`virtual_alias_maps = ldap:${join(etc, 'aliases.cf')}`] : []),
      ...(options.relayPort ? [`relayhost = [127.0.0.1]:${options.relayPort}`, 'smtp_dns_support_level = disabled'] : []),
      `virtual_transport = lmtp:inet:127.0.0.1:${ports.lmtp}`,
      'smtpd_tls_security_level = none',
      'lmtp_destination_concurrency_limit = 50',
      'default_process_limit = 200',
      `maillog_file = ${log}`,
      `maillog_file_prefixes = ${dir}`,
      'smtpd_client_connection_count_limit = 0',
      'smtpd_client_connection_rate_limit = 0',
      'alias_maps =',
      'local_recipient_maps =',
      ...(neighbour
        ? [`transport_maps = inline:{${neighbour.domain}=smtp:[127.0.0.1]:${neighbour.smtp}}`, 'smtp_dns_support_level = disabled']
        : []),
      '',
    ].join('\n'),
  );
  if (options.ldap) {
    const server = `server_host = ldap://127.0.0.1:${options.ldap.port}\nsearch_base = ${options.ldap.base}\nversion = 3\n`;
    writeFileSync(join(etc, 'people.cf'), `${server}query_filter = (mail=%s)\nresult_attribute = mail\n`);
    writeFileSync(join(etc, 'aliases.cf'), `${server}query_filter = (mailLocalAddress=%s)\nresult_attribute = mail\n`);
  }
  const master = [`127.0.0.1:${ports.smtp} inet n - n - - smtpd`];
  for (const [name, kind, n, command, args] of [
    ['pickup', 'unix', '60', 'pickup', ''],
    ['cleanup', 'unix', '-', 'cleanup', ''],
    ['qmgr', 'unix', '300', 'qmgr', ''],
    ['rewrite', 'unix', '-', 'trivial-rewrite', ''],
    ['bounce', 'unix', '-', 'bounce', ''],
    ['defer', 'unix', '-', 'bounce', ''],
    ['trace', 'unix', '-', 'bounce', ''],
    ['verify', 'unix', '-', 'verify', ''],
    ['flush', 'unix', '1000?', 'flush', ''],
    ['proxymap', 'unix', '-', 'proxymap', ''],
    ['smtp', 'unix', '-', 'smtp', ''],
    ['relay', 'unix', '-', 'smtp', ''],
    ['showq', 'unix', '-', 'showq', ''],
    ['error', 'unix', '-', 'error', ''],
    ['retry', 'unix', '-', 'error', ''],
    ['discard', 'unix', '-', 'discard', ''],
    ['local', 'unix', '-', 'local', ''],
    ['virtual', 'unix', '-', 'virtual', ''],
    ['lmtp', 'unix', '-', 'lmtp', ''],
    ['anvil', 'unix', '-', 'anvil', ''],
    ['scache', 'unix', '-', 'scache', ''],
    ['postlog', 'unix-dgram', '-', 'postlogd', ''],
  ] as const) {
    const isPrivate = ['pickup', 'cleanup', 'qmgr', 'flush', 'showq', 'postlog'].includes(name) ? 'n' : '-';
    // As Debian ships it: these know each other's state and may run only once; bounce and cleanup as often as they are needed.
    const single = ['pickup', 'qmgr', 'postlog', 'verify', 'anvil', 'scache'].includes(name);
    const unlimited = ['cleanup', 'bounce', 'defer', 'trace', 'flush'].includes(name);
    master.push(`${name} ${kind} ${isPrivate} - n ${n} ${single ? '1' : unlimited ? '0' : '-'} ${command} ${args}`);
  }
  writeFileSync(join(etc, 'master.cf'), `${master.join('\n')}\n`);
  await run('postfix', ['-c', etc, 'set-permissions']).catch(() => {});
  // Without a terminal Postfix tells its troubles to its log alone.
  await run('postfix', ['-c', etc, 'start']).catch(async (thrown: unknown) => {
    await dovecot.stop();
    const said = existsSync(log) ? readFileSync(log, 'utf8').slice(-2000) : '';
    throw new Error(`postfix does not start:\n${said}`, { cause: thrown });
  });
  await answering(ports.smtp);
  return {
    name: `Postfix + Dovecot (${options.format}${options.ldap ? ', LDAP tables' : ''})`,
    smtp: ports.smtp,
    imap: ports.imap,
    pop3: ports.pop3,
    async drained() {
      for (;;) {
        const { stdout } = await run('find', [
          join(spool, 'incoming'),
          join(spool, 'active'),
          join(spool, 'deferred'),
          join(spool, 'maildrop'),
          '-type',
          'f',
          '-print',
          '-quit',
        ]);
        if (stdout === '') return;
        await sleep(20);
      }
    },
    async stop() {
      await run('postfix', ['-c', etc, 'stop']).catch(() => {});
      await dovecot.stop();
    },
  };
}

/** Postfix and the mail user drop root's rights and must still reach their files from the root down. */
async function reachable(dir: string): Promise<void> {
  for (let at = dir; at !== dirname(at); at = dirname(at)) await run('chmod', ['a+x', at]);
}

async function startDovecot(options: {
  dir: string;
  ports: { lmtp: number; imap: number; pop3: number };
  users: readonly string[];
  password: string;
  format: 'mdbox' | 'maildir';
}): Promise<Peer> {
  const { dir, ports } = options;
  const base = join(dir, 'dovecot');
  mkdirSync(join(base, 'mail'), { recursive: true });
  await reachable(base);
  await run('chown', ['nobody:nogroup', join(base, 'mail')]);
  writeFileSync(join(base, 'users'), options.users.map((user) => `${user}:{PLAIN}${options.password}::::::\n`).join(''));
  writeFileSync(
    join(base, 'dovecot.conf'),
    `base_dir = ${base}/run
log_path = /dev/null
protocols = imap pop3 lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = ${options.format}:${base}/mail/%u
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
first_valid_gid = 1
default_process_limit = 400
default_client_limit = 4000
auth_cache_size = 10M
passdb {
  driver = passwd-file
  args = ${base}/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=${base}/mail/%u
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = ${ports.lmtp}
  }
}
service imap-login {
  inet_listener imap {
    port = ${ports.imap}
  }
  inet_listener imaps {
    port = 0
  }
}
service pop3-login {
  inet_listener pop3 {
    port = ${ports.pop3}
  }
  inet_listener pop3s {
    port = 0
  }
}
`,
  );
  const child = start('dovecot', ['-F', '-c', join(base, 'dovecot.conf')]);
  await answering(ports.lmtp);
  return {
    name: 'Dovecot',
    async stop() {
      child.kill('SIGTERM');
      await ended(child);
    },
  };
}
