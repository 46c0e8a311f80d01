/**
 * SMTPC: takes what waits for other hosts and sends it there.
 *
 * Promise: `stop` lets transactions that run come to their end and hands back the rest within ten seconds.
 * What is sent when is in scheduler.ts, how a message is sent in errand.ts and deliver.ts, what happens then in books.ts and settle.ts.
 * Source: manual chapter 3 "SMTPC", chapter 6; checklist SMTPC-01 … 14
 */

import type { SecureContextOptions } from 'node:tls';
import { type Cancel, type Clock, type Component, type Live, type Log, type Random, type Resolver, systemClock } from '../base/index.ts';
import type { MtaPolicy, Peer } from '../dit/index.ts';
import { ClockWatch, createReporter, type Queue, type ReporterNeeds } from '../queue/index.ts';
import type { Blobs, KeyValue } from '../storage/index.ts';
import { Books } from './books.ts';
import { Channels } from './channels.ts';
import type { SignMessage } from './deliver.ts';
import type { EtrnAnswer } from './etrn.ts';
import type { RelayStatus } from './relays.ts';
import { Scheduler } from './scheduler.ts';
import type { SmtpcSettings } from './settings/index.ts';
import { TlsDesk } from './tls/desk.ts';
import { TlsReporter } from './tls/reporter.ts';
import { Way } from './way.ts';

export interface SmtpcOptions {
  readonly queue: Queue;
  readonly keyValue: Pick<KeyValue, 'transact' | 'flush' | 'get' | 'scan'>;
  readonly blobs: Blobs;
  readonly resolver: Resolver;
  readonly settings: Live<SmtpcSettings>;
  /** The server's own certificate, for who asks. */
  readonly certificate?: Live<SecureContextOptions | undefined>;
  /** What is agreed with the peer a destination belongs to, as it is now. */
  readonly peer: (destination: string) => Peer;
  /** Calls when something else may be agreed. */
  readonly onPeers?: (listener: () => void) => Cancel;
  readonly mta: Live<MtaPolicy>;
  readonly log: Log;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Signs what is sent; absent: nothing is signed. */
  readonly sign?: SignMessage;
  /** Whether we ourselves listen there for mail: sending to it would be a loop. */
  readonly isOwn?: (address: string, port: number) => boolean;
  /** What reports say, and to whom there are too many. */
  readonly reports?: Pick<ReporterNeeds, 'copyBounces' | 'texts' | 'limit'>;
  /** Whether delivery status notifications are asked of other hosts: the same switch by which we offer them. */
  readonly dsn?: () => boolean;
  /** Whether SIZE is used with hosts that offer it: the same switch by which we offer it. */
  readonly size?: () => boolean;
}

const stopMs = 8_000;
/** `mtPeerRetryPeriod` has 30 days at most. */
const longestWait = 32 * 86_400_000;

export interface SmtpcComponent extends Component {
  /** Asks a host to send what waits there for us (for these names alone, where given); what it said. */
  etrn(host: string, names?: readonly string[]): Promise<EtrnAnswer[]>;
  /** Which mail relay host is used now. */
  relays(): RelayStatus;
  /** By which hosts mail for a destination would go now, for people. */
  wayTo(destination: string): Promise<string>;
  /** What administrators ask about encryption. */
  readonly tls: TlsDesk;
}

export function createSmtpc(options: SmtpcOptions): SmtpcComponent {
  return new Smtpc(options);
}

class Smtpc implements SmtpcComponent {
  readonly name = 'SMTPC';
  readonly #clock: Clock;
  readonly #way: Way;
  readonly #tlsReporter: TlsReporter;
  readonly tls: TlsDesk;
  readonly #watch: ClockWatch;
  readonly #scheduler: Scheduler;
  /** What a wrong clock had wait for a time that no retry period reaches. */
  readonly #hasten: () => Promise<unknown>;
  #abort = new AbortController();

  constructor(options: SmtpcOptions) {
    const { blobs, log, mta, queue, reports, dsn = () => true } = options;
    const clock = options.clock ?? systemClock;
    const random = options.random ?? Math.random;
    this.#clock = clock;
    this.#way = new Way({ isOwn: () => false, ...options, clock, random });
    const { encryption } = this.#way;
    this.#tlsReporter = new TlsReporter({ ...options, ...encryption.forReports, clock, random });
    this.tls = new TlsDesk({
      ...options,
      encryption,
      reporter: this.#tlsReporter,
      relay: () => this.#way.relay(),
      plan: (destination) => this.#way.plan(destination),
      probe: (destination, host, wish) => this.#way.probe(destination, host, wish),
    });
    this.#watch = new ClockWatch(clock, log, () => this.#scheduler.moved());
    const reporter = createReporter({ blobs, mta, clock, random, newId: () => queue.newId(), log, ...reports });
    this.#hasten = () =>
      queue.retryFar('SMTPC', longestWait).catch((thrown: unknown) => log.warning('mail that waits too long cannot be hastened', thrown));
    const channels = new Channels();
    const { credit } = this.#watch;
    const books = new Books({ ...options, clock, random, reporter, credit });
    const signal = (): AbortSignal => this.#abort.signal;
    this.#scheduler = new Scheduler({ ...options, clock, random, dsn, way: this.#way, channels, books, signal });
  }

  async start(): Promise<void> {
    this.#abort = new AbortController();
    await this.#way.start();
    this.#tlsReporter.start();
    this.#watch.start();
    await this.#hasten();
    await this.#scheduler.start();
  }

  etrn(host: string, names?: readonly string[]): Promise<EtrnAnswer[]> {
    return this.#way.etrn(host, names);
  }

  wayTo(destination: string): Promise<string> {
    return this.#way.described(destination);
  }

  relays(): RelayStatus {
    return this.#way.relays();
  }

  async stop(): Promise<void> {
    this.#watch.stop();
    this.#abort.abort();
    this.#way.stop();
    await this.#tlsReporter.stop();
    const settled = this.#scheduler.stop();
    let cancel: Cancel = () => {};
    const grace = new Promise<void>((resolve) => {
      cancel = this.#clock.after(stopMs, resolve);
    });
    await Promise.race([settled, grace]);
    cancel();
    this.#scheduler.cutOff();
    await settled;
  }
}
