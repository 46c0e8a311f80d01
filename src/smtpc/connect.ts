/**
 * A connection to one of a host's addresses.
 *
 * Promise: an address that does not answer holds up the next one for two seconds, not for the whole time-out, so that a dead IPv6 (or
 * IPv4) costs next to nothing; only one connection stays. What did not come about is told for each address.
 * Spec: RFC 8305 §5 (with a longer delay: mail servers count connections), RFC 5321 §5.1
 */

import { connect, type Socket } from 'node:net';
import { type Cancel, type Clock, isShortage } from '../base/index.ts';
import type { Target } from './destination.ts';

export interface ConnectNeeds {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Milliseconds for each address. */
  readonly timeout: number;
  /** The address of ours to connect from. */
  readonly source: (address: string) => string | undefined;
  /** Node's own, unless a test knows a network without answers. */
  readonly open?: (options: { host: string; port: number; noDelay: true; localAddress?: string }) => Socket;
}

export interface Connected {
  /** Undefined where no address could be connected. */
  readonly made: { readonly socket: Socket; readonly target: Target } | undefined;
  readonly failed: ReadonlyMap<Target, string>;
  /** This host lacked what it takes to open a connection. */
  readonly short: boolean;
}

const staggerMs = 2_000;

export function connectFirst(targets: readonly Target[], needs: ConnectNeeds): Promise<Connected> {
  return new Promise((resolve) => new Race(targets, needs, resolve).begin());
}

class Race {
  readonly #targets: readonly Target[];
  readonly #needs: ConnectNeeds;
  readonly #resolve: (connected: Connected) => void;
  readonly #open = new Map<Target, { socket: Socket; cancel: Cancel }>();
  readonly #failed = new Map<Target, string>();
  readonly #cutOff = (): void => this.#finish(undefined);
  #next = 0;
  #stagger: Cancel | undefined;
  #over = false;
  #short = false;

  constructor(targets: readonly Target[], needs: ConnectNeeds, resolve: (connected: Connected) => void) {
    this.#targets = targets;
    this.#needs = needs;
    this.#resolve = resolve;
  }

  begin(): void {
    const { signal } = this.#needs;
    signal.addEventListener('abort', this.#cutOff, { once: true });
    if (signal.aborted) this.#finish(undefined);
    else this.#dial();
  }

  #dial(): void {
    this.#stagger?.();
    const target = this.#targets[this.#next];
    if (this.#over) return;
    if (!target) {
      if (this.#open.size === 0) this.#finish(undefined);
      return;
    }
    this.#next += 1;
    const { clock, open = connect, source, timeout } = this.#needs;
    const localAddress = source(target.address);
    let socket: Socket;
    try {
      socket = open({ host: target.address, port: target.port, noDelay: true, ...(localAddress ? { localAddress } : {}) });
    } catch (thrown) {
      // A port that is none: this host cannot be reached, and the next one may.
      this.#failed.set(target, thrown instanceof Error ? thrown.message : String(thrown));
      this.#dial();
      return;
    }
    const cancel = clock.after(timeout, () => this.#lose(target, 'no connection in time'));
    this.#open.set(target, { socket, cancel });
    this.#stagger = clock.after(staggerMs, () => this.#dial());
    socket.once('error', (error: NodeJS.ErrnoException) => {
      this.#short ||= isShortage(error);
      this.#lose(target, error.code === 'EADDRNOTAVAIL' && localAddress ? `${localAddress} is not an address of this host` : error.message);
    });
    socket.once('connect', () => this.#finish(target));
  }

  #lose(target: Target, why: string): void {
    const lost = this.#open.get(target);
    if (this.#over || !lost) return;
    this.#open.delete(target);
    this.#failed.set(target, why);
    drop(lost);
    this.#dial();
  }

  #finish(winner: Target | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#stagger?.();
    this.#needs.signal.removeEventListener('abort', this.#cutOff);
    const won = winner && this.#open.get(winner);
    for (const [target, one] of this.#open) if (target !== winner) drop(one);
    won?.cancel();
    // Whoever takes it over listens for errors of its own; until then one must not go unheard.
    won?.socket.on('error', () => {});
    this.#resolve({ made: winner && won ? { socket: won.socket, target: winner } : undefined, failed: this.#failed, short: this.#short });
  }
}

function drop({ socket, cancel }: { socket: Socket; cancel: Cancel }): void {
  cancel();
  socket.on('error', () => {});
  socket.destroy();
}
