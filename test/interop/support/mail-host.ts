/** Mailtree on a host of a test network, on the ports that mail has: 25, 587, 465. Its other doors are on the host's loopback, and reachable from here. */

import type { Change } from 'ldapts';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ImapFlow } from 'imapflow';
import { ldapAdministrator, waiting } from '../../support/mail-clients.ts';
import { type Door, eventually, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../../support/server.ts';
import type { Host } from './network.ts';

export interface MailHost {
  readonly host: Host;
  /** Its ports are those of this machine's loopback that lead there. */
  readonly files: ServerFiles;
  readonly server: RunningServer;
  modify(dn: string, ...changes: Change[]): Promise<void>;
  add(dn: string, attributes: Record<string, string | string[]>): Promise<void>;
  remove(dn: string): Promise<void>;
  /** Messages in a user's INBOX, oldest first, whole, in Latin-1. */
  inbox(user: string): Promise<string[]>;
  /** Nothing waits in the queue any more. */
  drained(ms?: number): Promise<void>;
  /** Everything that waits has been put off for later. */
  deferred(): Promise<boolean>;
  /** Stopped, and started again at another time: `+5h`, as libfaketime has it. */
  restart(later?: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startMailHost(
  host: Host,
  options: { readonly name: string; readonly domain: string; readonly nameserver: string; readonly extra?: string },
): Promise<MailHost> {
  const prepared = await prepareServer({
    domain: options.domain,
    host: options.name,
    listen: { smtp: '[::]:25', submission: '[::]:587', smtps: '[::]:465' },
    extra: [`dns: ['${options.nameserver}']`, options.extra ?? ''].join('\n'),
  });
  let server = await runServer(prepared, { command: host.command });
  const doors: Door[] = ['ldap', 'smtp', 'submission', 'imap', 'pop3', 'http'];
  const ports = {
    ...prepared.ports,
    ...Object.fromEntries(await Promise.all(doors.map(async (door) => [door, await host.forward(prepared.ports[door])] as const))),
  };
  const files = { ...prepared, ports };
  let ldap = await ldapAdministrator(files);
  const end = async (): Promise<void> => {
    await ldap.unbind();
    const code = await server.stop();
    if (code !== 0) throw new Error(`the server ended with ${code}:\n${server.output()}`);
  };
  return {
    host,
    files,
    get server() {
      return server;
    },
    modify: (dn, ...changes) => ldap.modify(dn, changes),
    add: (dn, attributes) => ldap.add(dn, attributes),
    remove: (dn) => ldap.del(dn),
    inbox: (user) => inboxOf(ports.imap, user),
    drained: async (ms = 60_000) => void (await eventually(async () => (await waiting(files)).length === 0, ms)),
    async deferred() {
      const messages = await waiting(files);
      return messages.length > 0 && messages.every(({ recipients }) => recipients.every(({ reason }) => reason !== undefined));
    },
    async restart(later) {
      await end();
      server = await runServer(prepared, { command: [...host.command, ...(later === undefined ? [] : atAnotherTime(later))] });
      ldap = await ldapAdministrator(files);
    },
    async stop() {
      await end();
      await prepared.remove();
    },
  };
}

async function inboxOf(port: number, user: string): Promise<string[]> {
  const client = new ImapFlow({
    host: '127.0.0.1',
    port,
    auth: { user, pass: password },
    tls: { rejectUnauthorized: false },
    logger: false,
  });
  client.on('error', () => {});
  await client.connect();
  try {
    const mailbox = await client.mailboxOpen('INBOX');
    const found: string[] = [];
    if (mailbox.exists === 0) return found;
    for await (const message of client.fetch('1:*', { source: true })) found.push(message.source?.toString('latin1') ?? '');
    return found;
  } finally {
    await client.logout();
  }
}

/** Not by its program: that stays in between, and a signal to it does not reach the server. */
function atAnotherTime(offset: string): string[] {
  const library = readdirSync('/usr/lib')
    .map((folder) => join('/usr/lib', folder, 'faketime', 'libfaketime.so.1'))
    .find((file) => existsSync(file));
  if (!library) throw new Error('libfaketime is not installed');
  return ['env', `LD_PRELOAD=${library}`, `FAKETIME=${offset}`, 'FAKETIME_DONT_FAKE_MONOTONIC=1'];
}
