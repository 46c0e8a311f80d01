/** Postfix as a neighbour. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { reachable, startPostfix } from '../../../bench/peers/postfix.ts';
import { eventually } from '../../../support/server.ts';
import { tempDir } from '../../../support/temp.ts';
import { makeCertificate, maildir, type Neighbour, type NeighbourOptions } from './neighbour.ts';

export async function startPostfixNeighbour(options: NeighbourOptions & { readonly main?: readonly string[] }): Promise<Neighbour> {
  const { host, name, domain, users, relayFor = [], relayDomains = [], sizeLimit = 10_000_000, main = [] } = options;
  const { path: dir, remove } = await tempDir();
  const mail = join(dir, 'mail');
  mkdirSync(mail);
  await reachable(dir);
  execFileSync('chown', ['nobody:nogroup', mail]);
  writeFileSync(join(dir, 'users'), users.map((user) => `${user}@${domain} ${user}/\n`).join(''));
  const { cert, key } = makeCertificate(dir, name);
  const networks = ['127.0.0.0/8', '[::1]/128', ...relayFor];
  const postfix = await startPostfix({
    dir,
    listen: '25',
    command: host.command,
    main: [
      `myhostname = ${name}`,
      `myorigin = ${domain}`,
      'inet_interfaces = all',
      'inet_protocols = all',
      `mynetworks = ${networks.join(' ')}`,
      `relay_domains = ${relayDomains.join(' ')}`,
      'relay_recipient_maps =',
      `virtual_mailbox_domains = ${domain}`,
      `virtual_mailbox_maps = texthash:${join(dir, 'users')}`,
      `virtual_mailbox_base = ${mail}`,
      'virtual_uid_maps = static:65534',
      'virtual_gid_maps = static:65534',
      'virtual_minimum_uid = 1',
      'virtual_mailbox_limit = 0',
      `message_size_limit = ${sizeLimit}`,
      'smtputf8_enable = yes',
      `smtpd_tls_cert_file = ${cert}`,
      `smtpd_tls_key_file = ${key}`,
      'smtpd_tls_security_level = may',
      'smtp_tls_security_level = may',
      'smtpd_tls_received_header = yes',
      'smtpd_tls_loglevel = 1',
      'smtp_tls_loglevel = 1',
      'smtp_host_lookup = dns',
      'smtpd_client_connection_count_limit = 0',
      'smtpd_client_connection_rate_limit = 0',
      'smtpd_error_sleep_time = 0',
      'minimal_backoff_time = 300s',
      'fast_flush_domains = $relay_domains',
      ...main,
    ],
  });
  const command = async (program: string, ...args: string[]): Promise<string> => {
    const ran = await host.tool(program, ['-c', postfix.etc, ...args]);
    if (ran.code !== 0) throw new Error(`${program} ${args.join(' ')}: ${ran.all}`);
    return ran.out;
  };
  const settled = async (): Promise<void> =>
    void (await eventually(async () => !/"queue_name": "(?:active|incoming)"/.test(await command('postqueue', '-j')), 30_000));
  await eventually(async () => {
    await (await host.connect('127.0.0.1', 25)).destroy();
    return true;
  }, 30_000);
  return {
    name: 'Postfix',
    domain,
    host,
    inbox: (user) => maildir(join(mail, user)),
    settled,
    async flush() {
      // What is being worked on at the moment would miss it.
      await settled();
      await command('postqueue', '-f');
    },
    waiting: async () => (await command('postqueue', '-j')).split('\n').filter((line) => line !== '').length,
    log: () => readFileSync(postfix.log, 'utf8'),
    async stop() {
      await postfix.stop();
      await remove();
    },
  };
}
