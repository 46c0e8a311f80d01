/**
 * Postfix and Dovecot as a peer: private directories, loopback, Debian's programs. Needs root, as Postfix does.
 *
 * Equal terms: the same users, LMTP into Dovecot's faster format, fsync as both ship it, no content checks, no TLS.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { reachable, startPostfix } from './postfix.ts';
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
  /** Everything that is not for the users goes on to that port of loopback. */
  relayPort?: number;
  /** Recipients and aliases are looked up in this LDAP server instead of a file. */
  ldap?: { port: number; base: string };
}): Promise<MailPeer> {
  const { dir, ports } = options;
  const domain = options.users[0]?.split('@')[1] ?? '';
  const dovecot = await startDovecot(options);
  writeFileSync(join(dir, 'users'), options.users.map((user) => `${user} ok\n`).join(''));
  if (options.ldap) {
    const server = `server_host = ldap://127.0.0.1:${options.ldap.port}\nsearch_base = ${options.ldap.base}\nversion = 3\n`;
    writeFileSync(join(dir, 'people.cf'), `${server}query_filter = (mail=%s)\nresult_attribute = mail\n`);
    writeFileSync(join(dir, 'aliases.cf'), `${server}query_filter = (mailLocalAddress=%s)\nresult_attribute = mail\n`);
  }
  const postfix = await startPostfix({
    dir,
    listen: `127.0.0.1:${ports.smtp}`,
    main: [
      'inet_interfaces = 127.0.0.1',
      'inet_protocols = ipv4',
      'myhostname = peer.example.test',
      'mynetworks = 127.0.0.0/8',
      `virtual_mailbox_domains = ${domain}`,
      `virtual_mailbox_maps = ${options.ldap ? `ldap:${join(dir, 'people.cf')}` : `texthash:${join(dir, 'users')}`}`,
      ...(options.ldap ? [`virtual_alias_maps = ldap:${join(dir, 'aliases.cf')}`] : []),
      ...(options.relayPort ? [`relayhost = [127.0.0.1]:${options.relayPort}`, 'smtp_dns_support_level = disabled'] : []),
      `virtual_transport = lmtp:inet:127.0.0.1:${ports.lmtp}`,
      'smtpd_tls_security_level = none',
      'lmtp_destination_concurrency_limit = 50',
      'default_process_limit = 200',
      'smtpd_client_connection_count_limit = 0',
      'smtpd_client_connection_rate_limit = 0',
    ],
  }).catch(async (thrown: unknown) => {
    await dovecot.stop();
    throw thrown;
  });
  await answering(ports.smtp);
  return {
    name: `Postfix + Dovecot (${options.format}${options.ldap ? ', LDAP tables' : ''})`,
    smtp: ports.smtp,
    imap: ports.imap,
    pop3: ports.pop3,
    drained: postfix.drained,
    async stop() {
      await postfix.stop();
      await dovecot.stop();
    },
  };
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
