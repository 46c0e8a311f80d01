/**
 * The way to the external directory: connects, tries the next server where one does not answer, tries again until it is back.
 *
 * Promise: a server counts as there once its feed is current, so that nothing read from it is older than what the view was told. While
 * none is there every question fails at once. The log has one line when the directory goes and one when it is back.
 */

import { type Cancel, Fault } from '../base/index.ts';
import { DirectoryFault } from '../directory/index.ts';
import type { Feed } from './feed.ts';
import type { RemoteOptions } from './options.ts';
import { Consumer } from './sync/consumer.ts';
import { syncRequestOid } from './sync/messages.ts';
import { Poller } from './sync/poller.ts';
import { Replica, type Source } from './sync/source.ts';
import { basesOf, Upstream } from './upstream.ts';

export interface LinkStatus {
  /** `waiting`: was never reached since the start. */
  readonly state: 'connected' | 'away' | 'waiting';
  /** The server in use, or the one that is tried. */
  readonly url: string;
  /** Since when (milliseconds since 1970). */
  readonly since: number;
  /** How changes are heard of. */
  readonly feed: 'sync' | 'polling' | undefined;
  /** Why it is away. */
  readonly problem: string | undefined;
}

const firstDelayMs = 100;
/** A server that is back is found within a second. */
const longestDelayMs = 1_000;

/** Refusals that waiting does not mend. */
const hopeless = new Set([
  'invalidCredentials',
  'inappropriateAuthentication',
  'authMethodNotSupported',
  'confidentialityRequired',
  'strongerAuthRequired',
  'adminLimitExceeded',
]);

export class Link {
  readonly #options: RemoteOptions;
  readonly #feed: Feed;
  readonly #onBack = new Set<() => void>();
  #replicas: readonly Replica[] = [];
  #sources: readonly Source[] = [];
  #upstream: Upstream | undefined;
  #closed = false;
  #wake: () => void = () => {};
  #next = 0;
  #status: LinkStatus;
  #first: { resolve(): void; reject(thrown: unknown): void } | undefined;

  constructor(options: RemoteOptions, feed: Feed) {
    this.#options = options;
    this.#feed = feed;
    const url = options.endpoints[0]?.url ?? '';
    this.#status = { state: 'waiting', url, since: options.clock.now(), feed: undefined, problem: undefined };
  }

  /** Calls when the directory is there again after it was away. */
  onBack(listener: () => void): Cancel {
    this.#onBack.add(listener);
    return () => this.#onBack.delete(listener);
  }

  get status(): LinkStatus {
    return this.#status;
  }

  /** Resolves when the directory is there for the first time; rejects where no waiting would help, or at `close`. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#first = { resolve, reject };
      void this.#run();
    });
  }

  /** The server in use; DirectoryFault `unavailable` where there is none. */
  get upstream(): Upstream {
    if (!this.#upstream) throw new DirectoryFault('unavailable', 'the directory does not answer at the moment', { told: true });
    return this.#upstream;
  }

  /** Something was written above or at a base that did not exist. */
  kick(): void {
    for (const source of this.#sources) source.kick();
  }

  close(): void {
    this.#closed = true;
    this.#leave();
    this.#wake();
    this.#first?.reject(new Fault('unavailable', 'the start was broken off'));
    this.#first = undefined;
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#closed; ) {
      const endpoint = this.#options.endpoints[this.#next % this.#options.endpoints.length]!;
      let upstream: Upstream | undefined;
      try {
        upstream = await Upstream.open(endpoint, this.#options);
        await this.#follow(upstream);
        if (this.#closed) {
          upstream.close();
          return;
        }
        failures = 0;
        const gone = new Promise<unknown>((resolve) => upstream?.feed.onLost(resolve));
        this.#arrived(upstream);
        this.#away(await gone);
      } catch (thrown) {
        failures++;
        if (this.#giveUp(thrown)) {
          upstream?.close();
          return;
        }
        this.#away(thrown);
        this.#next++;
      }
      this.#leave();
      upstream?.close();
      // All servers in turn, then a pause.
      if (failures === 0 || failures % this.#options.endpoints.length === 0) await this.#pause(failures);
    }
  }

  /** The feed of this server, until it is current. */
  async #follow(upstream: Upstream): Promise<void> {
    const { clock, log, timeoutMs, pollMs } = this.#options;
    const bases = basesOf(upstream.features, this.#options);
    const same = bases.length === this.#replicas.length && bases.every((dn, n) => dn.key === this.#replicas[n]?.base.key);
    if (!same) {
      // Other trees than before: nobody knows what changed.
      if (this.#replicas.length > 0) this.#feed.lose();
      this.#replicas = bases.map((base) => new Replica(base));
    }
    const syncs = upstream.features.controls.has(syncRequestOid);
    const parts = { upstream, feed: this.#feed, clock, log, timeoutMs, pollMs };
    this.#sources = this.#replicas.map((replica) => (syncs ? new Consumer({ ...parts, replica }) : new Poller({ ...parts, replica })));
    await Promise.all(this.#sources.map((source) => source.start()));
    const { lost } = upstream.feed;
    if (lost) throw lost;
  }

  #arrived(upstream: Upstream): void {
    const { log, clock, pollMs } = this.#options;
    const { state, since } = this.#status;
    const syncs = upstream.features.controls.has(syncRequestOid);
    this.#upstream = upstream;
    const { url } = upstream.endpoint;
    if (state === 'away') log.warning(`the directory is back: ${url}, after ${Math.round((clock.now() - since) / 1000)} s`);
    else if (state === 'waiting') log.info(`the directory is ${url}`);
    if (!syncs && state === 'waiting')
      log.warning(`${url} tells of no changes (RFC 4533): they are looked for every ${Math.round(pollMs / 1000)} s, and count only then`);
    this.#status = { state: 'connected', url, since: clock.now(), feed: syncs ? 'sync' : 'polling', problem: undefined };
    this.#first?.resolve();
    this.#first = undefined;
    if (state === 'away') for (const listener of this.#onBack) listener();
  }

  #away(thrown: unknown): void {
    if (this.#closed) return;
    const { log, clock, endpoints } = this.#options;
    const problem = textOf(thrown);
    const { state } = this.#status;
    const url = endpoints[this.#next % endpoints.length]?.url ?? '';
    if (state === 'connected') log.error(`the directory is away (${problem}): work goes on from what is known, anything else waits`);
    else if (state === 'waiting' && this.#status.problem === undefined)
      log.warning(`the directory does not answer (${problem}): the start waits for it`);
    this.#status = {
      ...this.#status,
      state: state === 'waiting' ? 'waiting' : 'away',
      since: state === 'connected' ? clock.now() : this.#status.since,
      problem,
      url,
    };
  }

  /** At the first start a wrong password or certificate ends it; later the directory may only be in the middle of a change. */
  #giveUp(thrown: unknown): boolean {
    const final = thrown instanceof DirectoryFault && (hopeless.has(thrown.result) || /certificate/.test(thrown.say));
    const other = !(thrown instanceof DirectoryFault);
    if (!this.#first || !(final || other)) return false;
    this.#first.reject(thrown);
    this.#first = undefined;
    this.close();
    return true;
  }

  #leave(): void {
    for (const source of this.#sources) source.stop();
    this.#sources = [];
    this.#upstream?.close();
    this.#upstream = undefined;
  }

  #pause(failures: number): Promise<void> {
    const { clock, random } = this.#options;
    const ms = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(failures, 10)) * (0.75 + random() / 4);
    return new Promise((resolve) => {
      let cancel: Cancel = () => {};
      this.#wake = () => {
        cancel();
        resolve();
      };
      cancel = clock.after(ms, resolve);
      if (this.#closed) this.#wake();
    });
  }
}

function textOf(thrown: unknown): string {
  if (!(thrown instanceof Fault)) return String(thrown);
  const cause = thrown.cause instanceof Error ? `, ${thrown.cause.message}` : '';
  return `${thrown.say}${cause}`;
}
