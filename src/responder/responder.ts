/**
 * Runs the components: starts, stops and restarts each alone, and knows how they are.
 *
 * Promise: one component's failure leaves the others running; one that fails is started again after a growing pause when
 * its policy says so; orders for one component are carried out one after the other.
 * Source: manual chapter 2, "Component Status"; checklist SRV-01, SRV-02
 */

import { asFault, type Cancel, type Clock, type Component, Fault, type Live, type Log } from '../base/index.ts';

export interface ComponentPolicy {
  readonly autoStart: boolean;
  readonly autoRestart: boolean;
  readonly autoStop: boolean;
  /** Seconds. */
  readonly waitTime: number;
}

export type ComponentState = 'stopped' | 'waiting' | 'starting' | 'running' | 'stopping' | 'failed';

export interface ComponentStatus {
  readonly name: string;
  readonly state: ComponentState;
  /** Milliseconds since 1970, while it runs. */
  readonly since?: number;
  readonly lastError?: string;
  /** How often it was started again, by itself or by an order, since the process began. */
  readonly restarts: number;
  readonly policy: ComponentPolicy;
}

interface Managed {
  readonly component: Component;
  readonly policy: Live<ComponentPolicy>;
  state: ComponentState;
  since: number | undefined;
  lastError: string | undefined;
  failures: number;
  starts: number;
  retry: Cancel | undefined;
  /** Orders run behind this. */
  last: Promise<void>;
}

const firstPause = 1_000;
const longestPause = 60_000;
/** After running this long a component counts as healthy again. */
const healthyAfter = 60_000;
/** A component gets this long to stop; then it is given up. Of the ten seconds a process has to end, the rest is for the databases. */
const stopWithin = 9_000;

export class Responder {
  readonly #managed = new Map<string, Managed>();
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #ended: (name: string) => Promise<unknown>;
  /** The process ends: nothing is started any more. */
  #ending = false;

  /** `ended`: a component was stopped, was given up or failed; what it left behind can be taken from it. */
  constructor(options: { readonly log: Log; readonly clock: Clock; readonly ended?: (name: string) => Promise<unknown> }) {
    this.#ended = options.ended ?? (() => Promise.resolve());
    this.#log = options.log;
    this.#clock = options.clock;
  }

  /** In the order in which they are to be started; stopped in reverse. */
  add(component: Component, policy: Live<ComponentPolicy>): void {
    this.#managed.set(component.name, {
      component,
      policy,
      state: 'stopped',
      since: undefined,
      lastError: undefined,
      failures: 0,
      starts: 0,
      retry: undefined,
      last: Promise.resolve(),
    });
  }

  status(): ComponentStatus[] {
    return [...this.#managed.values()].map((m) => {
      const problem = (m.state === 'running' ? m.component.problem?.() : undefined) ?? m.lastError;
      return {
        name: m.component.name,
        state: m.state,
        ...(m.since === undefined ? {} : { since: m.since }),
        ...(problem === undefined ? {} : { lastError: problem }),
        restarts: Math.max(0, m.starts - 1),
        policy: m.policy.value,
      };
    });
  }

  /** Starts what has Auto Start, in order; throws the first failure. Those with a Wait Time are waited for. */
  async startAll(): Promise<void> {
    const waiting: Promise<void>[] = [];
    for (const m of this.#managed.values()) {
      if (!m.policy.value.autoStart) continue;
      if (m.policy.value.waitTime > 0) {
        const later = this.#startLater(m, m.policy.value.waitTime * 1000);
        // It may fail while the others are still being started; it is heard below.
        later.catch(() => {});
        waiting.push(later);
      } else await this.start(m.component.name);
    }
    await Promise.all(waiting);
  }

  #startLater(m: Managed, ms: number): Promise<void> {
    m.state = 'waiting';
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(ms, () => {
        m.retry = undefined;
        this.start(m.component.name).then(resolve, reject);
      });
      // Whoever starts or stops it meanwhile has decided: there is nothing left to wait for.
      m.retry = () => {
        cancel();
        resolve();
      };
    });
  }

  /** Resolves when the component serves; throws why it could not. Already running: nothing happens. */
  async start(name: string): Promise<void> {
    const m = this.#find(name);
    m.retry?.();
    m.retry = undefined;
    await this.#order(m, async () => {
      if (m.state === 'running') return;
      if (this.#ending) throw new Fault('wrong-moment', 'the server is being stopped');
      m.state = 'starting';
      try {
        await m.component.start((cause) => this.#failed(m, cause));
      } catch (thrown) {
        m.state = 'failed';
        m.lastError = asFault(thrown).kind === 'bug' ? String(thrown) : asFault(thrown).say;
        throw thrown;
      }
      m.state = 'running';
      m.since = this.#clock.now();
      m.starts += 1;
      this.#log.info(`${name} started`);
    });
  }

  async stop(name: string): Promise<void> {
    const m = this.#find(name);
    m.retry?.();
    m.retry = undefined;
    await this.#order(m, async () => {
      if (m.state !== 'running') {
        m.state = 'stopped';
        return;
      }
      m.state = 'stopping';
      await this.#stopInTime(m);
      await this.#takeBack(m);
      m.state = 'stopped';
      m.since = undefined;
      this.#log.info(`${name} stopped`);
    });
  }

  async #stopInTime(m: Managed): Promise<void> {
    let cancel: Cancel = () => {};
    const late = new Promise<'late'>((resolve) => {
      cancel = this.#clock.after(stopWithin, () => resolve('late'));
    });
    try {
      if ((await Promise.race([m.component.stop(), late])) === 'late')
        this.#log.error(`${m.component.name} did not stop within ${stopWithin / 1000} s and is given up`);
    } catch (thrown) {
      this.#log.error(`${m.component.name} failed while it was stopped`, thrown);
    } finally {
      cancel();
    }
  }

  async #takeBack({ component }: Managed): Promise<void> {
    try {
      await this.#ended(component.name);
    } catch (thrown) {
      this.#log.error(`what ${component.name} left behind could not be taken back`, thrown);
    }
  }

  async restart(name: string): Promise<void> {
    await this.stop(name);
    await this.start(name);
  }

  /**
   * `all`: also those without Auto Stop, because the process ends; none is started any more. Doors are told first (they were started
   * last), and nobody waits for another: a slow one must not take the time of the others. What a door still files waits in the queue.
   * `last`: stops when all others have stopped.
   */
  async stopAll(options: { all: boolean; last?: string }): Promise<void> {
    if (options.all) this.#ending = true;
    const concerned = [...this.#managed.values()].reverse().filter((m) => options.all || m.policy.value.autoStop);
    const isLast = (m: Managed): boolean => m.component.name === options.last;
    for (const together of [concerned.filter((m) => !isLast(m)), concerned.filter(isLast)])
      await Promise.all(together.map((m) => this.stop(m.component.name)));
  }

  #failed(m: Managed, cause: unknown): void {
    if (m.state !== 'running') return;
    const ranFor = this.#clock.now() - (m.since ?? 0);
    m.failures = ranFor >= healthyAfter ? 1 : m.failures + 1;
    m.state = 'failed';
    m.since = undefined;
    m.lastError = asFault(cause).kind === 'bug' ? String(cause) : asFault(cause).say;
    this.#log.error(`${m.component.name} failed`, cause);
    void this.#takeBack(m);
    this.#scheduleRestart(m);
  }

  #scheduleRestart(m: Managed): void {
    if (!m.policy.value.autoRestart) return;
    const pause = Math.min(longestPause, firstPause * 2 ** Math.min(m.failures - 1, 10));
    m.retry = this.#clock.after(pause, () => {
      m.retry = undefined;
      this.start(m.component.name).catch((thrown: unknown) => {
        m.failures++;
        this.#log.error(`${m.component.name} could not be started again`, thrown);
        this.#scheduleRestart(m);
      });
    });
  }

  #find(name: string): Managed {
    const m = this.#managed.get(name.toUpperCase());
    if (!m) throw new Fault('not-found', `there is no component ${name}; there are ${[...this.#managed.keys()].join(', ')}`);
    return m;
  }

  #order(m: Managed, run: () => Promise<void>): Promise<void> {
    const next = m.last.then(run);
    m.last = next.catch(() => {});
    return next;
  }
}
