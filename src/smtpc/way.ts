/**
 * The way to other hosts as the settings have it: host table, relay hosts, addresses, time-outs and encryption, put together for
 * reach.ts; and ETRN, which goes the same way.
 *
 * Promise: every setting holds from the next connection on.
 */

import { setMaxListeners } from 'node:events';
import type { SecureContextOptions } from 'node:tls';
import type { Clock, Live, Log, Random, Resolver } from '../base/index.ts';
import type { MtaPolicy, Peer } from '../dit/index.ts';
import type { Queue } from '../queue/index.ts';
import type { KeyValue } from '../storage/index.ts';
import { type Host, hostOf, type Plan, planFor } from './destination.ts';
import { type EtrnAnswer, EtrnSender } from './etrn.ts';
import { createHostTable, type HostTable } from './host-table.ts';
import { Idle } from './idle.ts';
import type { PhaseTimeouts } from './peer-session.ts';
import { type Reached, type ReachNeeds, reach, reachHost, relayNeeds } from './reach.ts';
import { type RelayHost, type RelayStatus, Relays } from './relays.ts';
import { sourceFor } from './settings/connections.ts';
import type { SmtpcSettings } from './settings/index.ts';
import { type DestinationWish, Encryption } from './tls/encryption.ts';
import type { Encryption as SessionEncryption } from './tls/verify.ts';

export interface WayOptions {
  readonly queue: Pick<Queue, 'retryNow'>;
  readonly keyValue: Pick<KeyValue, 'transact' | 'get' | 'scan'>;
  readonly resolver: Resolver;
  readonly settings: Live<SmtpcSettings>;
  /** The server's own certificate, for who asks. */
  readonly certificate?: Live<SecureContextOptions | undefined>;
  readonly peer: (destination: string) => Peer;
  readonly mta: Live<MtaPolicy>;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly isOwn: (address: string, port: number) => boolean;
  readonly size?: () => boolean;
}

/** Destinations that wait for a relay host and are hastened one by one; with more the whole queue is. */
const mostWaiting = 100;

export interface ErrandWish {
  /** A report about encryption, which goes out whatever is wrong with that. */
  readonly report?: boolean;
  /** A connection that is idle will do, where less than so many messages have gone over it. */
  readonly keptWith?: number;
  /** Hosts that have had their turn in this attempt. */
  readonly passed?: ReadonlySet<string> | undefined;
  /** A connection is about to be made. */
  readonly dialling?: () => void;
  /** Somebody has taken up the connection. */
  readonly dialled?: () => void;
}

export class Way {
  readonly #options: WayOptions;
  readonly #table: HostTable;
  readonly #relays: Relays;
  readonly #etrn: EtrnSender;
  readonly #waiting = new Set<string>();
  readonly encryption: Encryption;
  /** Connections that no mail is sent over at present. */
  readonly idle: Idle;
  #abort = new AbortController();

  constructor(options: WayOptions) {
    this.#options = options;
    const { settings, clock, log, keyValue, mta } = options;
    this.encryption = new Encryption(options);
    this.idle = new Idle({ settings, clock });
    this.#table = createHostTable(() => settings.value.hostTable, log);
    this.#relays = new Relays({ settings, clock, log, keyValue, hasten: () => void this.#hasten() });
    this.#etrn = new EtrnSender({ settings, clock, log, host: () => mta.value.host, open: (host) => this.#open(host) });
  }

  async start(): Promise<void> {
    this.#abort = new AbortController();
    // Each attempt that runs listens, and thousands may.
    setMaxListeners(0, this.#abort.signal);
    await this.#relays.start();
    this.encryption.start();
    this.idle.start();
    this.#etrn.start();
  }

  stop(): void {
    this.#abort.abort();
    this.idle.stop();
    this.#relays.stop();
    this.encryption.stop();
    this.#etrn.stop();
  }

  /** Whether the host table, where it is used, says something else than when this was asked before. */
  async tableChanged(): Promise<boolean> {
    const { nameResolution } = this.#options.settings.value;
    return nameResolution !== 'DNSOnly' && nameResolution !== 'MailRelayHost' && this.#table.changed();
  }

  async reach(destination: string, peer: Peer, errand: ErrandWish = {}): Promise<Reached> {
    const reached = await reach(destination, this.#needs(peer, errand));
    if (reached.kind === 'defer' && this.#relays.configured) this.#waits(destination);
    if (reached.kind !== 'session' || reached.line.used > 0) return reached;
    await this.#etrn.alongWith(reached.line.session);
    // A peer that hangs up at ETRN is not asked again, and gets the mail all the same.
    return reached.line.session.open ? reached : reach(destination, this.#needs(peer, errand));
  }

  /** The relay host that is used now. */
  relay(): RelayHost | undefined {
    const { using, primary, secondary } = this.#relays.status();
    const name = using === 'primary' ? primary : using === 'secondary' ? secondary : '';
    return name === '' ? undefined : this.#relays.named(hostOf(name, this.#options.settings.value.port).name);
  }

  /** The way mail for a destination would go now; undefined: to a relay host. */
  async plan(destination: string): Promise<Plan | undefined> {
    const needs = this.#needs(this.#options.peer(destination));
    if (needs.resolution === 'MailRelayHost') return undefined;
    const plan = await planFor(destination, needs);
    return this.#relays.configured && (plan.kind === 'unknown' || (plan.kind === 'defer' && needs.relayWithoutDns)) ? undefined : plan;
  }

  /** The same for people. */
  async described(destination: string): Promise<string> {
    const plan = await this.plan(destination);
    const relay = this.relay();
    if (!plan)
      return relay ? `by the ${relay.which} mail relay host ${relay.name} port ${relay.port}` : 'by the mail relay host, and none is set';
    if (plan.kind !== 'hosts') return `${plan.kind === 'defer' ? 'waits' : 'goes back'}: ${plan.text}`;
    const hosts = plan.hosts.map(({ name, port }) => `${name} port ${port}`).join(', ');
    return plan.table ? `to ${hosts}, as the host table ${this.#options.settings.value.hostTable} has it` : `to ${hosts}`;
  }

  /** A session with one of the hosts of `plan`, as mail would have it, and ended at once: how it was encrypted, or why there is none. */
  async probe(
    destination: string,
    host: Host,
    wish: Omit<DestinationWish, 'peer'>,
  ): Promise<SessionEncryption | 'none' | { readonly failed: string }> {
    const { encryption } = this;
    const uncounted: ReachNeeds['encryption'] = { for: (domain, asked) => encryption.for(domain, { ...asked, ...wish }, 'uncounted') };
    const reached = await reachHost(host, { ...this.#needs(this.#options.peer(destination)), encryption: uncounted }, destination);
    if (reached.kind !== 'session') return { failed: reached.text };
    const { session } = reached.line;
    session.quit();
    return session.encryption ?? 'none';
  }

  etrn(host: string, names?: readonly string[]): Promise<EtrnAnswer[]> {
    return this.#etrn.ask(host, names);
  }

  relays(): RelayStatus {
    return this.#relays.status();
  }

  #waits(destination: string): void {
    if (this.#waiting.size <= mostWaiting) this.#waiting.add(destination);
  }

  /** What waits for the primary relay host need not wait any longer. */
  async #hasten(): Promise<void> {
    const { queue, log, settings } = this.#options;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    const whole = waiting.length > mostWaiting || settings.value.nameResolution === 'MailRelayHost';
    try {
      if (whole) await queue.retryNow('SMTPC');
      else for (const destination of waiting) await queue.retryNow('SMTPC', destination);
    } catch (thrown) {
      log.warning('mail that waits for a mail relay host cannot be hastened', thrown);
    }
  }

  /** A host by its own name, for ETRN; with the log-in where it is a relay host. */
  async #open(text: string): Promise<Reached> {
    const host = hostOf(text, this.#options.settings.value.port);
    const needs = this.#needs(this.#options.peer(host.name));
    const relay = this.#relays.named(host.name);
    return relay ? reachHost({ ...relay, port: host.port }, relayNeeds(relay, needs)) : reachHost(host, needs);
  }

  #needs(peer: Peer, { report = false, keptWith, passed, dialling, dialled }: ErrandWish = {}): ReachNeeds {
    const { resolver, log, clock, random, mta, settings, isOwn } = this.#options;
    const { idle } = this;
    const value = settings.value;
    const timeouts = timeoutsOf(value);
    return {
      resolver,
      table: this.#table,
      relays: this.#relays,
      log,
      clock,
      random,
      host: mta.value.host,
      port: value.port,
      resolution: value.nameResolution,
      relayWithoutDns: value.relayWithoutDns,
      plainAllowed: value.relayPlainPassword,
      family: value.addressFamily,
      source: (address) => sourceFor(address, value),
      timeouts,
      dataBuffer: value.dataBuffer,
      esmtp: value.esmtp,
      size: this.#options.size?.() ?? true,
      encryption: this.encryption,
      wish: { peer, report },
      isOwn,
      signal: this.#abort.signal,
      passed,
      ...(keptWith !== undefined && idle.size > 0
        ? { kept: { has: (target) => idle.has(target), take: (terms) => idle.take(terms, keptWith) } }
        : {}),
      ...(dialling ? { dialling } : {}),
      ...(dialled ? { dialled } : {}),
    };
  }
}

function timeoutsOf(value: SmtpcSettings): PhaseTimeouts {
  const ms = 60_000;
  return {
    initial: value.timeoutInitial * ms,
    helo: value.timeoutHelo * ms,
    mail: value.timeoutMail * ms,
    rcpt: value.timeoutRcpt * ms,
    data: value.timeoutData * ms,
    block: value.timeoutBlock * ms,
    end: value.timeoutEnd * ms,
    quit: value.timeoutQuit * ms,
  };
}
