/** The components of this host, in the order in which they are started: what is filled first, doors after, LDAP and web with them. */

import { userInfo } from 'node:os';
import {
  accessList,
  constant,
  createResolver,
  isLoopback,
  type Live,
  LiveValue,
  type Place,
  type Resolver,
  shareOf,
  systemClock,
} from '../base/index.ts';
import { system } from '../directory/index.ts';
import { serverSettings } from '../dit/index.ts';
import { createImapd, imapdSettings } from '../imapd/index.ts';
import { createLdapd, ldapdSettings } from '../ldapd/index.ts';
import { createLmda, lmdaSettings } from '../lmda/index.ts';
import { createMailAuthentication, mailAuthSettings } from '../mail-auth/index.ts';
import { createPop3d, pop3dSettings } from '../pop3d/index.ts';
import { createPreprocessor, loopDetectionSettings, type PreprocessorComponent, preprocessorSettings } from '../preprocessor/index.ts';
import { components, type Responder } from '../responder/index.ts';
import { createSmtpc, type SmtpcComponent, smtpcSettings } from '../smtpc/index.ts';
import { createSmtpd, smtpdSettings } from '../smtpd/index.ts';
import { createWeb, type Monitor, type QueueDoor, type Service } from '../web/index.ts';
import { formatWhere, parseWhere, type Where } from './config.ts';
import { dnsServer } from './dns-servers.ts';
import { isOwn } from './own-address.ts';
import type { ReportRules } from './reports.ts';
import type { Parts } from './server.ts';
import { createSigning } from './signing.ts';
import { virtualEntries } from './virtual.ts';

/** What the components below have in common. */
function common(parts: Parts) {
  const { dit, certificate } = parts;
  const server = dit.settings(serverSettings);
  const smtpc = dit.settings(smtpcSettings);
  return {
    server,
    /** One for SMTPC and SMTPD, so that each profits from what the other has asked. */
    resolver: createResolver({
      servers: derived(server, (value) => value.dnsServers.flatMap(dnsServer)),
      retries: () => smtpc.value.dnsRetries,
      timeoutMs: () => smtpc.value.dnsTimeout * 1_000,
      cacheSize: () => smtpc.value.dnsCacheSize,
      validates: (asked) => smtpc.value.dnssec === 'all' || (smtpc.value.dnssec === 'loopback' && isLoopback(asked.host)),
      clock: systemClock,
    }),
    host: (): string => server.value.host,
    mta: dit.mta,
    tls: certificate.context,
    clock: systemClock,
    random: Math.random,
    policies: {
      smtpd: dit.settings(components.SMTPD),
      imapd: dit.settings(components.IMAPD),
      pop3d: dit.settings(components.POP3D),
    },
  };
}
type Common = ReturnType<typeof common>;

/** Components that are asked over the control socket, too. */
export interface AskedLater {
  readonly preprocessor: Pick<PreprocessorComponent, 'modules'>;
  readonly smtpc: Pick<SmtpcComponent, 'etrn' | 'relays' | 'tls' | 'wayTo'>;
}

export function addComponents(
  responder: Responder,
  parts: Parts,
  given: { readonly monitor: Omit<Monitor, 'admits'>; readonly queue: QueueDoor; readonly reports: ReportRules },
): AskedLater & { readonly resolver: Resolver } {
  const shared = common(parts);
  const asked = addProcessors(responder, parts, shared, given.reports);
  addDirectoryDoor(responder, parts, shared);
  addMailDoors(responder, parts, shared);
  addWeb(responder, parts, shared, { monitor: { ...given.monitor, admits: monitorAccess(shared.server) }, queue: given.queue });
  return { ...asked, resolver: shared.resolver };
}

/** Preprocessor and channel processors. */
function addProcessors(
  responder: Responder,
  parts: Parts,
  { mta, clock, random, resolver, policies }: Common,
  reports: ReportRules,
): AskedLater {
  const { dit, logs, queue, store, keyValue, blobs, router } = parts;
  const how = dit.settings(preprocessorSettings);
  const settings = dit.settings(smtpcSettings);
  const smtpd = dit.settings(smtpdSettings);
  const preprocessor = createPreprocessor({
    queue,
    router,
    blobs,
    mta,
    clock,
    random,
    loopDetection: dit.settings(loopDetectionSettings),
    settings: how,
    reports,
    log: logs('PreProcessor'),
  });
  responder.add(preprocessor, dit.settings(components.PREPROCESSOR));
  const lmda = { queue, store, keyValue, blobs, dit, mta, clock, random, reports };
  responder.add(createLmda({ ...lmda, settings: dit.settings(lmdaSettings), log: logs('LMDA') }), dit.settings(components.LMDA));

  const mailDoors = (): Where[] => [policies.smtpd.value.smtp, policies.smtpd.value.submission, policies.smtpd.value.smtps].map(place);
  const smtpc = createSmtpc({
    queue,
    keyValue,
    blobs,
    resolver,
    settings,
    certificate: parts.certificate.context,
    peer: (destination) => dit.peer(destination),
    onPeers: (listener) => dit.onPeers(listener),
    mta,
    clock,
    random,
    reports,
    dsn: () => smtpd.value.offerDsn,
    size: () => smtpd.value.offerSize,
    sign: createSigning(dit, dit.settings(mailAuthSettings), clock),
    isOwn: (address, port) => isOwn(address, port, mailDoors()),
    log: logs('SMTPC'),
  });
  responder.add(smtpc, dit.settings(components.SMTPC));
  return { preprocessor, smtpc };
}

function addDirectoryDoor(responder: Responder, parts: Parts, { tls, clock }: Common): void {
  const { dit, bundled, logs } = parts;
  // An external directory has its own door.
  if (!bundled) return;
  const { ldap, ldaps, ldapi } = parts.config.listen;
  responder.add(
    createLdapd({
      directory: bundled,
      followed: bundled,
      virtual: virtualEntries(parts),
      settings: dit.settings(ldapdSettings),
      listen: { ldap: constant(ldap), ldaps: constant(ldaps), ldapi: constant<Place>(ldapi === 'off' ? 'off' : { path: ldapi }) },
      tls,
      external: { ...system('ldapi'), address: `user ${ownUser()}` },
      userNamed: (name) => dit.loginDn(name),
      log: logs('LDAP Server'),
      clock,
    }),
    dit.settings(components.DIRECTORY),
  );
}

/** Of the 500 that there may be at one time. One for all addresses of a name is two of those. */
const questionsOfStrangers = 200;

function addMailDoors(responder: Responder, parts: Parts, { host, mta, tls, clock, random, policies, ...shared }: Common): void {
  // What strangers have us look up never keeps SMTPC from asking.
  const resolver = shareOf(shared.resolver, questionsOfStrangers);
  const { config, dit, logs, queue, store, keyValue, blobs, router, freeSpace } = parts;
  responder.add(
    createSmtpd({
      queue,
      blobs,
      keyValue,
      judge: (address) => router.judge(address),
      dit,
      resolver,
      authentication: createMailAuthentication({
        lookup: resolver,
        clock,
        random,
        host,
        settings: dit.settings(mailAuthSettings),
        ruleOf: (domain) => dit.mailAuthRule(domain),
      }),
      settingsEntry: `${smtpdSettings.entry},${config.systemBase}`,
      settings: dit.settings(smtpdSettings),
      tls,
      mta,
      clock,
      listeners: {
        smtp: derived(policies.smtpd, (v) => place(v.smtp)),
        submission: derived(policies.smtpd, (v) => place(v.submission)),
        smtps: derived(policies.smtpd, (v) => place(v.smtps)),
      },
      freeSpace,
      log: logs('SMTPD'),
    }),
    policies.smtpd,
  );
  const revoked = (listener: (account: string) => void) => dit.onRevoked(listener);
  const readers = { store, dit, tls, host, clock, revoked };
  responder.add(
    createImapd({
      ...readers,
      blobs,
      settings: dit.settings(imapdSettings),
      listeners: { imap: derived(policies.imapd, (v) => place(v.imap)), imaps: derived(policies.imapd, (v) => place(v.imaps)) },
      log: logs('IMAP4 Server'),
    }),
    policies.imapd,
  );
  responder.add(
    createPop3d({
      ...readers,
      settings: dit.settings(pop3dSettings),
      listeners: { pop3: derived(policies.pop3d, (v) => place(v.pop3)), pop3s: derived(policies.pop3d, (v) => place(v.pop3s)) },
      log: logs('POP3 Server'),
    }),
    policies.pop3d,
  );
}

/** Who may ask how the server is, live. */
function monitorAccess(server: Live<{ readonly monitorClients: readonly string[] }>): Monitor['admits'] {
  const list = derived(server, ({ monitorClients }) => monitorClients);
  let admits = accessList(list.value);
  list.onChange((now) => {
    admits = accessList(now);
  });
  return (address) => admits(address);
}

function addWeb(
  responder: Responder,
  { dit, config, logs, certificate }: Parts,
  { host, server, policies }: Common,
  doors: { readonly monitor: Monitor; readonly queue: QueueDoor },
): void {
  responder.add(
    createWeb({
      where: config.listen.http,
      secure: { where: config.listen.https, tls: certificate.context },
      host,
      domain: () => server.value.domain,
      services: () => services(policies),
      ...doors,
      log: logs('Web'),
    }),
    dit.settings(components.WEB),
  );
}

/** A part of a live value, live. */
function derived<T, U>(live: Live<T>, read: (value: T) => U): Live<U> {
  const value = new LiveValue(read(live.value));
  live.onChange((now) => {
    const next = read(now);
    if (JSON.stringify(next) !== JSON.stringify(value.value)) value.set(next);
  });
  return value;
}

/** The setting's pattern keeps out nearly everything that is no place; a port of 70000 is as good as off. */
function place(text: string): Where {
  return parseWhere(text) ?? 'off';
}

interface Policies {
  readonly smtpd: Live<{ readonly submission: string; readonly smtps: string }>;
  readonly imapd: Live<{ readonly imap: string; readonly imaps: string }>;
  readonly pop3d: Live<{ readonly pop3: string; readonly pop3s: string }>;
}

function services({ smtpd, imapd, pop3d }: Policies): Service[] {
  return [
    { name: 'IMAP', address: imapd.value.imaps, security: 'TLS' },
    { name: 'IMAP', address: imapd.value.imap, security: 'STARTTLS' },
    { name: 'POP3', address: pop3d.value.pop3s, security: 'TLS' },
    { name: 'POP3', address: pop3d.value.pop3, security: 'STARTTLS' },
    { name: 'Submission', address: smtpd.value.smtps, security: 'TLS' },
    { name: 'Submission', address: smtpd.value.submission, security: 'STARTTLS' },
  ].filter((service) => service.address !== formatWhere('off'));
}

/** Who may open the Unix socket: the system user this process runs as (and root). */
function ownUser(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}
