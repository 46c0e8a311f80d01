/**
 * The primary and the secondary mail relay host: which of them is used now.
 *
 * Promise: the secondary one is used once the primary one has failed for the switch-over interval without a success between; while it
 * is, one connection in each switch-back interval tries the primary one, and its success switches back. Each switch is a line in the
 * log. Since when the primary one is down is kept, so that a restart does not begin to count anew; another primary host does.
 * Source: manual chapter 6 "Mail Relay Parameters"; checklist SMTPC-06
 */

import { type Cancel, type Clock, counter, type Live, type Log } from '../base/index.ts';
import type { KeyValue } from '../storage/index.ts';
import { type Host, hostOf } from './destination.ts';
import type { SmtpcSettings } from './settings/index.ts';

export interface RelayHost extends Host {
  readonly which: 'primary' | 'secondary';
  readonly tls: SmtpcSettings['relayTls'];
  /** Undefined: no log-in. */
  readonly login: { readonly user: string; readonly password: string } | undefined;
}

export interface RelayStatus {
  readonly primary: string;
  readonly secondary: string;
  readonly using: 'primary' | 'secondary' | 'none';
  /** Milliseconds since 1970, while the primary one is down. */
  readonly downSince: number | undefined;
  /** What the primary one's last failure was. */
  readonly reason: string | undefined;
}

export interface RelayNeeds {
  readonly settings: Live<SmtpcSettings>;
  readonly clock: Clock;
  readonly log: Log;
  readonly keyValue: Pick<KeyValue, 'transact'>;
  /** The secondary one may be used from now on: what has waited for the primary one need not any longer. */
  readonly hasten: () => void;
}

interface State {
  /** Which primary host it is about. */
  readonly host: string;
  readonly downSince: number;
  readonly lastFailure: number;
  readonly reason: string;
  readonly using: 'primary' | 'secondary';
}

const switches = counter(
  'mailtree_relay_switches_total',
  'Switches from one mail relay host to the other.',
  ['to'],
  [['primary'], ['secondary']],
);

const key = 'smtpc/relays';
/** The same failure is an error in the log so often. */
const tellAgainMs = 10 * 60_000;

export class Relays {
  readonly #needs: RelayNeeds;
  /** Undefined: the primary one is not known to be down. */
  #state: State | undefined;
  #due: Cancel | undefined;
  #unfollow: Cancel | undefined;
  #told: { readonly text: string; readonly at: number } | undefined;

  constructor(needs: RelayNeeds) {
    this.#needs = needs;
  }

  /** Reads what was kept. */
  async start(): Promise<void> {
    const kept = await this.#needs.keyValue.transact(async (read) => ({ result: await read.get(key) }), 'soon');
    this.#state = kept && readState(Buffer.from(kept).toString('utf8'));
    this.#unfollow = this.#needs.settings.onChange(() => this.#wait());
    this.#wait();
  }

  stop(): void {
    this.#unfollow?.();
    this.#due?.();
  }

  get configured(): boolean {
    return this.#primary() !== undefined || this.#secondary() !== undefined;
  }

  /** One of them by its name. */
  named(name: string): RelayHost | undefined {
    return [this.#primary(), this.#secondary()].find((one) => one?.name === name);
  }

  /** In the order in which to try them; whoever takes one says how it was before taking the next. */
  *now(): Generator<RelayHost> {
    const [primary, secondary] = [this.#primary(), this.#secondary()];
    if (!primary || !secondary) {
      const only = primary ?? secondary;
      if (only) yield only;
      return;
    }
    const before = this.#current();
    const again = !before || before.using === 'primary' || this.#claimTrial(before);
    if (again) yield primary;
    if (this.#current()?.using !== 'secondary') return;
    yield secondary;
    // Neither interval helps where the secondary one is down, too.
    if (!again) yield primary;
  }

  /** It has greeted us, and let us log in. */
  reached({ which, name }: RelayHost): void {
    const before = this.#current();
    if (which === 'secondary' || !before) return;
    this.#set(undefined);
    if (before.using === 'primary') return;
    switches.count('primary');
    this.#needs.log.warning(`the primary mail relay host ${name} answers again and is used from now on`);
  }

  failed({ which, name }: RelayHost, reason: string): void {
    this.tell(`mail cannot be handed to the ${which} mail relay host ${name}: ${reason}`);
    if (which === 'secondary') return;
    const secondary = this.#secondary();
    const now = this.#needs.clock.now();
    const before = this.#current();
    const downSince = before?.downSince ?? now;
    const over = now - downSince >= this.#needs.settings.value.relaySwitchOver * 60_000;
    const using = secondary && (before?.using === 'secondary' || over) ? 'secondary' : 'primary';
    if (secondary && using === 'secondary' && before?.using !== 'secondary') {
      switches.count('secondary');
      const minutes = Math.round((now - downSince) / 60_000);
      const away = minutes === 0 ? 'is unavailable' : `has been unavailable for ${minutes === 1 ? 'a minute' : `${minutes} minutes`}`;
      this.#needs.log.warning(`the primary mail relay host ${name} ${away} (${reason}): the secondary one ${secondary.name} is used`);
    }
    this.#set({ host: this.#host(), downSince, lastFailure: now, reason: reason.slice(0, 500), using });
    if (!before) this.#wait();
  }

  /** Somebody has to do something about it: the mail waits, and nothing else would show it. */
  tell(text: string): void {
    const now = this.#needs.clock.now();
    const again = this.#told?.text !== text || now - this.#told.at >= tellAgainMs;
    if (again) this.#told = { text, at: now };
    this.#needs.log[again ? 'error' : 'info'](text);
  }

  status(): RelayStatus {
    const value = this.#needs.settings.value;
    const state = this.#current();
    const [primary, secondary] = [this.#primary(), this.#secondary()];
    return {
      primary: value.relayHost,
      secondary: value.secondaryRelay ? value.secondaryRelayHost : '',
      using: !primary ? (secondary ? 'secondary' : 'none') : secondary ? (state?.using ?? 'primary') : 'primary',
      downSince: state?.downSince,
      reason: state?.reason,
    };
  }

  #primary(): RelayHost | undefined {
    const { relayHost, port, relayUser, relayPassword, relayTls, relayAuth } = this.#needs.settings.value;
    if (relayHost === '') return undefined;
    const login = relayAuth && relayUser !== '' ? { user: relayUser, password: relayPassword } : undefined;
    return { ...hostOf(relayHost, port), which: 'primary', tls: relayTls, login };
  }

  #secondary(): RelayHost | undefined {
    const value = this.#needs.settings.value;
    if (!value.secondaryRelay || value.secondaryRelayHost === '') return undefined;
    const { secondaryRelayUser: user, secondaryRelayPassword: password } = value;
    const login = value.relayAuth && user !== '' ? { user, password } : undefined;
    return { ...hostOf(value.secondaryRelayHost, value.port), which: 'secondary', tls: value.secondaryRelayTls, login };
  }

  #host(): string {
    return this.#needs.settings.value.relayHost.toLowerCase();
  }

  /** What is known of the host that is set now. */
  #current(): State | undefined {
    return this.#state?.host === this.#host() ? this.#state : undefined;
  }

  /** Whether it is time to try the primary one again; if so, others who ask meanwhile go to the secondary one. */
  #claimTrial(state: State): boolean {
    const now = this.#needs.clock.now();
    if (now - state.lastFailure < this.#needs.settings.value.relaySwitchBack * 60_000) return false;
    this.#state = { ...state, lastFailure: now };
    return true;
  }

  /** At the end of the switch-over interval what waits for the primary one is tried again, and finds the secondary one. */
  #wait(): void {
    this.#due?.();
    this.#due = undefined;
    const state = this.#current();
    if (state?.using !== 'primary' || !this.#secondary()) return;
    const { clock, settings, hasten } = this.#needs;
    this.#due = clock.after(Math.max(0, state.downSince + settings.value.relaySwitchOver * 60_000 - clock.now()), hasten);
  }

  #set(state: State | undefined): void {
    this.#state = state;
    if (!state) this.#due?.();
    const written = this.#needs.keyValue.transact(
      async () =>
        state ? { puts: [[key, Buffer.from(JSON.stringify(state))]], result: undefined } : { deletes: [key], result: undefined },
      'soon',
    );
    // Without it a restart counts anew: no reason to keep mail waiting.
    written.catch((thrown: unknown) => this.#needs.log.warning('the state of the mail relay hosts cannot be kept', thrown));
  }
}

function readState(text: string): State | undefined {
  try {
    const state = JSON.parse(text) as State;
    const good = typeof state.host === 'string' && Number.isFinite(state.downSince) && Number.isFinite(state.lastFailure);
    return good && (state.using === 'primary' || state.using === 'secondary') ? state : undefined;
  } catch {
    return undefined;
  }
}
