/**
 * Asking other hosts by ETRN to send what waits there for us.
 *
 * Promise: the hosts of the setting are asked when SMTPC starts, at each interval, and when somebody says so; each reply is a line in
 * the log. A host that is down holds up no other one. Where ETRN goes along with delivery it never keeps the mail from being sent.
 * Spec: RFC 1985. Source: manual chapter 6 "ETRN Support", chapter 2 "Enabling ETRN Support"; checklist SMTPC-11, SRV-11
 */

import { type Cancel, type Clock, type Live, type Log, Lru, severalAtOnce } from '../base/index.ts';
import { PeerFailure } from './peer-failure.ts';
import type { PeerSession } from './peer-session.ts';
import type { Reached } from './reach.ts';
import type { SmtpcSettings } from './settings/index.ts';

/** What a host said about one name; `code` is missing where it could not be asked. */
export interface EtrnAnswer {
  readonly host: string;
  readonly name: string;
  readonly code?: number;
  readonly said: string;
  /** It will send what it has, or has nothing. */
  readonly ok: boolean;
}

export interface EtrnNeeds {
  readonly settings: Live<SmtpcSettings>;
  /** Our own name. */
  readonly host: () => string;
  readonly open: (host: string) => Promise<Reached>;
  readonly clock: Clock;
  readonly log: Log;
}

const hostsAtOnce = 10;
/** Between two requests to a host that mail is sent to. */
const betweenMs = 10 * 60_000;
const hostsRemembered = 10_000;

export class EtrnSender {
  readonly #needs: EtrnNeeds;
  readonly #asked = new Lru<string, number>(hostsRemembered);
  /** Those that are asked now: stopping waits for none of them. */
  readonly #sessions = new Set<PeerSession>();
  #stops: Cancel[] = [];
  #timer: Cancel | undefined;

  constructor(needs: EtrnNeeds) {
    this.#needs = needs;
  }

  start(): void {
    const changed = this.#needs.settings.onChange((now, before) => {
      if (now.etrnInterval !== before.etrnInterval) this.#arm();
      const added = now.etrnHosts.filter((one) => !before.etrnHosts.includes(one));
      void this.#askAll(added);
    });
    this.#stops = [changed];
    void this.#askAll(this.#needs.settings.value.etrnHosts);
    this.#arm();
  }

  stop(): void {
    for (const stop of this.#stops) stop();
    this.#timer?.();
    for (const session of this.#sessions) session.destroy();
  }

  #arm(): void {
    this.#timer?.();
    const { clock, settings } = this.#needs;
    const minutes = settings.value.etrnInterval;
    if (minutes === 0) return;
    this.#timer = clock.after(minutes * 60_000, () => {
      void this.#askAll(settings.value.etrnHosts);
      this.#arm();
    });
  }

  async #askAll(hosts: readonly string[]): Promise<void> {
    await severalAtOnce(hosts, hostsAtOnce, (host) => this.ask(host)).catch((thrown: unknown) =>
      this.#needs.log.error('ETRN could not be sent', thrown),
    );
  }

  /** Asks one host, for these names or for all of ours. */
  async ask(host: string, names: readonly string[] = this.#names()): Promise<EtrnAnswer[]> {
    const reached = await this.#needs.open(host);
    if (reached.kind !== 'session') {
      const answers = names.map((name) => ({ host, name, said: reached.text, ok: false }));
      for (const answer of answers) this.#tell(answer);
      return answers;
    }
    const { session } = reached.line;
    this.#sessions.add(session);
    void session.ended.then(() => this.#sessions.delete(session));
    try {
      return await this.#over(session, host, names);
    } finally {
      session.quit();
    }
  }

  /** Before mail is sent over a session, where the settings say so. */
  async alongWith(session: PeerSession): Promise<void> {
    const { clock, settings } = this.#needs;
    if (!settings.value.etrnOnDelivery || !session.extensions.has('ETRN')) return;
    const last = this.#asked.get(session.host);
    if (last !== undefined && clock.now() - last < betweenMs) return;
    this.#asked.set(session.host, clock.now());
    this.#sessions.add(session);
    try {
      await this.#over(session, session.host, this.#names());
    } finally {
      this.#sessions.delete(session);
    }
  }

  #names(): string[] {
    const own = this.#needs.host();
    return [...new Set([own, ...this.#needs.settings.value.etrnNames])];
  }

  async #over(session: PeerSession, host: string, names: readonly string[]): Promise<EtrnAnswer[]> {
    const answers: EtrnAnswer[] = [];
    for (const name of names) {
      const answer = await say(session, host, name);
      this.#tell(answer);
      answers.push(answer);
    }
    return answers;
  }

  #tell({ host, name, code, said, ok }: EtrnAnswer): void {
    const line = `ETRN ${name} at ${host}: ${code === undefined ? '' : `${code} `}${said}`;
    if (ok) this.#needs.log.message(line);
    else this.#needs.log.warning(line);
  }
}

async function say(session: PeerSession, host: string, name: string): Promise<EtrnAnswer> {
  if (!session.extensions.has('ETRN')) return { host, name, said: 'the host does not offer ETRN', ok: false };
  try {
    const { code, text } = await session.say(`ETRN ${name}`);
    // RFC 1985 §5.3: 250 to 253 say how much waits, 458 and 459 that it is not sent.
    return { host, name, code, said: text, ok: code >= 250 && code <= 253 };
  } catch (thrown) {
    if (thrown instanceof PeerFailure) return { host, name, said: thrown.message, ok: false };
    throw thrown;
  }
}
