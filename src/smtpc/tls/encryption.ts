/**
 * Encryption of outgoing mail as the sender sees it: what a destination's hosts must have, how a session gets it, what came of it.
 *
 * Promise: who sends need know neither DNSSEC nor policies; what is counted never holds up or fails mail.
 * Spec: RFC 7672, RFC 8461, RFC 8460; docs/tls.md
 */

import type { SecureContextOptions } from 'node:tls';
import { type Clock, type Live, type Log, type Resolver, systemClock } from '../../base/index.ts';
import type { Peer } from '../../dit/index.ts';
import type { KeyValue } from '../../storage/index.ts';
import type { RelayHost } from '../relays.ts';
import type { SmtpcSettings } from '../settings/index.ts';
import { type DestinationPolicy, type HostDemand, policyFor, type Unusable } from './policy.ts';
import { type AppliedPolicy, type FailedSession, Results } from './results.ts';
import { Sts } from './sts.ts';
import { createTrust, type Trust } from './trust.ts';
import type { TlsWish } from './verify.ts';

export interface EncryptionNeeds {
  readonly resolver: Resolver;
  readonly settings: Live<SmtpcSettings>;
  readonly keyValue: Pick<KeyValue, 'transact' | 'get' | 'scan'>;
  /** The server's own certificate. */
  readonly certificate?: Live<SecureContextOptions | undefined> | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface DestinationWish {
  readonly peer: Peer;
  /** The host is a relay host of ours; what is set for it. */
  readonly relay?: RelayHost['tls'];
  /** The way stands in the host table. */
  readonly table?: boolean | undefined;
  /** A report about encryption: it goes out whatever fails, and is not counted (RFC 8460 §3). */
  readonly report?: boolean;
}

/** A session that came about or did not, with what its encryption had to do with it. */
export interface SessionOutcome {
  readonly mxHost: string;
  /** Network addresses of ours and theirs. */
  readonly from?: string | undefined;
  readonly to: string;
  /** Undefined: all was as the policy wants. */
  readonly failure?: Pick<FailedSession, 'type' | 'text'> | undefined;
}

type Count = (domain: string, policy: AppliedPolicy, failure?: FailedSession) => void;

export class Encryption {
  readonly results: Results;
  readonly sts: Sts;
  readonly trust: Trust;
  readonly #needs: EncryptionNeeds;

  constructor(needs: EncryptionNeeds) {
    this.#needs = needs;
    this.trust = createTrust(needs);
    this.sts = new Sts({ ...needs, trust: this.trust });
    this.results = new Results(needs);
  }

  get forReports(): { readonly results: Results; readonly trust: Trust } {
    return { results: this.results, trust: this.trust };
  }

  start(): void {
    this.sts.start();
  }

  stop(): void {
    this.sts.stop();
  }

  /** `uncounted`: somebody wants to know, and no mail is sent. */
  async for(destination: string, { peer, relay, table, report = false }: DestinationWish, uncounted?: 'uncounted'): Promise<Asked> {
    const wish = { peer, settings: this.#needs.settings.value, relay, table, lax: report };
    const policy = await policyFor(destination, wish, {
      resolver: this.#needs.resolver,
      stsOf: (domain) => this.sts.policyOf(domain),
    });
    // A relay host is not the domain's: what becomes of sessions with it is nothing to report there.
    return new Asked(policy, this.#session, report || uncounted || relay !== undefined ? undefined : this.#count);
  }

  readonly #session = (demand: HostDemand): TlsWish => ({
    ...demand,
    context: () => this.trust(),
    // As the library, which judges dates by the system's time.
    now: () => systemClock.now(),
  });

  readonly #count: Count = (domain, policy, failure) => {
    if (!this.#needs.settings.value.tlsReports) return;
    this.results
      .count(domain, policy, failure)
      .catch((thrown: unknown) => this.#needs.log.warning('what became of a session could not be counted', thrown));
  };
}

/** What is asked of one destination, for one attempt. */
export class Asked {
  readonly policy: DestinationPolicy;
  readonly tlsFor: (demand: HostDemand) => TlsWish;
  readonly #count: Count | undefined;

  constructor(policy: DestinationPolicy, tlsFor: (demand: HostDemand) => TlsWish, count: Count | undefined) {
    this.policy = policy;
    this.tlsFor = tlsFor;
    this.#count = count;
    const { failure, policy: kept } = policy.sts;
    if (failure) count?.(policy.domain, { type: 'sts', text: kept?.lines ?? [], mx: kept?.mx ?? [] }, failure);
  }

  async hostDemand(host: string, port: number): Promise<HostDemand | Unusable> {
    const demand = await this.policy.hostDemand(host, port);
    if ('unusable' in demand) this.#count?.(this.policy.domain, demand.policy, demand.failure);
    return demand;
  }

  note(demand: HostDemand, { mxHost, from, to, failure }: SessionOutcome): void {
    if (demand.tls === 'off') return;
    const about = { mxHost, to, ...(from === undefined ? {} : { from }) };
    this.#count?.(this.policy.domain, demand.policy, failure && { ...failure, ...about });
  }
}
