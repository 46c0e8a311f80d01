/**
 * What administrators ask about encryption: what holds for a domain and why, looked up now; what was counted for reports.
 *
 * Promise: asking changes nothing but what is remembered of the DNS and of policies. Source: checklist SMTPC-12; docs/tls.md
 */

import { Fault, type Live, type Resolver, severalAtOnce } from '../../base/index.ts';
import type { Peer } from '../../dit/index.ts';
import { normalizeDomain } from '../../mail/index.ts';
import type { Host, Plan } from '../destination.ts';
import type { RelayHost } from '../relays.ts';
import type { DestinationWish, Encryption as Policies } from './encryption.ts';
import { type HostDemand, hostDemands, type Unusable } from './policy.ts';
import type { SmtpcSettings } from '../settings/index.ts';
import { reportPlaces } from './report-wish.ts';
import type { ReportSent, TlsReporter } from './reporter.ts';
import type { CountedDomain } from './results.ts';
import type { StsFound } from './sts.ts';
import type { Encryption } from './verify.ts';

export interface HostEncryption {
  readonly host: string;
  readonly port: number;
  /** False: it gets no mail as things are. */
  readonly usable: boolean;
  readonly tls?: HostDemand['tls'];
  /** What its certificate is asked for, where it is asked at all: TLSA records, a policy of MTA-STS, well-known authorities. */
  readonly verify?: 'dane' | 'sts' | 'pkix' | 'none';
  /** Names its certificate may be for. */
  readonly names?: readonly string[];
  /** Where it was tried: what a session had, `none` for one in the clear, or why there was none. */
  readonly session?: Encryption | 'none' | { readonly failed: string };
  /** TLSA records, or the policy's lines. */
  readonly policy: readonly string[];
  readonly why: string;
}

export interface DomainEncryption {
  readonly domain: string;
  /** Of the peer's entry that decides, or the default. */
  readonly peer: string;
  readonly peerTls: Peer['tls'];
  /** The least that is asked of every host, and who says so. */
  readonly least: { readonly tls: HostDemand['tls']; readonly verify: boolean; readonly by: string };
  readonly dane: { readonly possible: boolean; readonly why: string };
  readonly sts?: {
    readonly id: string;
    readonly mode: string;
    readonly mx: readonly string[];
    readonly maxAge: number;
    readonly fetchedAt: number;
  };
  readonly stsFailure?: StsFound['failure'];
  /** Where the domain wants reports. */
  readonly reports: readonly string[];
  /** Mail goes to a relay host of ours: what follows is about that. */
  readonly relay?: string;
  /** The host table says which host it is, not the DNS. */
  readonly table: boolean;
  readonly hosts: readonly HostEncryption[];
  /** Why there are no hosts. */
  readonly unreachable?: string;
}

export interface DeskNeeds {
  readonly encryption: Policies;
  readonly reporter: TlsReporter;
  readonly settings: Live<Pick<SmtpcSettings, 'tlsReports'>>;
  readonly resolver: Resolver;
  readonly peer: (destination: string) => Peer;
  /** The relay host that is used now. */
  readonly relay: () => RelayHost | undefined;
  /** The way to a destination, as mail would go now; undefined: to a relay host. */
  readonly plan: (destination: string) => Promise<Plan | undefined>;
  /** A session with one of its hosts, ended at once. */
  readonly probe: (destination: string, host: Host, wish: Omit<DestinationWish, 'peer'>) => Promise<NonNullable<HostEncryption['session']>>;
}

export type Counted = Omit<CountedDomain, 'record'>;

const mostCounted = 1_000;
const probesAtOnce = 5;

export class TlsDesk {
  readonly #needs: DeskNeeds;

  constructor(needs: DeskNeeds) {
    this.#needs = needs;
  }

  /** Fault `malformed` for what is no domain. `connect`: each host is greeted, too. */
  async about(given: string, how: { readonly connect?: boolean } = {}): Promise<DomainEncryption> {
    const domain = given.startsWith('[') ? given : normalizeDomain(given.replace(/\.$/, ''));
    if (domain === undefined) throw new Fault('malformed', `${given} is not a domain`);
    const { encryption, resolver } = this.#needs;
    const peer = this.#needs.peer(domain);
    const plan = await this.#needs.plan(domain);
    const relay = plan ? undefined : this.#needs.relay();
    const wish = { ...(relay ? { relay: relay.tls } : {}), table: plan?.kind === 'hosts' && plan.table === true };
    const asked = await encryption.for(domain, { peer, ...wish }, 'uncounted');
    const hosts = plan?.kind === 'hosts' ? plan.hosts : relay ? [relay] : [];
    const sessions = how.connect ? await severalAtOnce(hosts, probesAtOnce, (host) => this.#needs.probe(domain, host, wish)) : [];
    const demands = await hostDemands(asked.policy, hosts);
    const { least, sts, secureWay, why } = asked.policy;
    const record = await resolver.txt(`_smtp._tls.${domain}`);
    const places = record.outcome === 'found' ? reportPlaces(record.records) : [];
    return {
      domain,
      peer: peer.peer,
      peerTls: peer.tls,
      least: { tls: least.tls, verify: least.verify, by: least.by },
      dane: { possible: secureWay, why },
      ...(sts.policy
        ? {
            sts: {
              id: sts.policy.id,
              mode: sts.policy.mode,
              mx: sts.policy.mx,
              maxAge: sts.policy.maxAge,
              fetchedAt: sts.policy.fetchedAt,
            },
          }
        : {}),
      ...(sts.failure ? { stsFailure: sts.failure } : {}),
      reports: places.map((one) => (one.kind === 'mail' ? `mailto:${one.address}` : one.url)),
      ...(relay ? { relay: relay.name } : {}),
      table: wish.table,
      hosts: demands.map((demand, n) => ({
        ...shown(hosts[n] as Host, demand),
        ...(sessions[n] === undefined ? {} : { session: sessions[n] }),
      })),
      ...unreachable(plan, relay !== undefined),
    };
  }

  /** Whether anything is counted. */
  get counts(): boolean {
    return this.#needs.settings.value.tlsReports;
  }

  /** What was counted and not reported yet. */
  async counted(): Promise<Counted[]> {
    const { results } = this.#needs.encryption;
    const all: Counted[] = [];
    for (const day of await results.days())
      for await (const { domain, policies } of results.of(day)) if (all.length < mostCounted) all.push({ day, domain, policies });
    return all;
  }

  /** Reports all that was counted now, the day that is not over included. */
  async report(): Promise<ReportSent[]> {
    return await this.#needs.reporter.send(() => '9999-12-31');
  }
}

function shown({ name, port }: Host, demand: HostDemand | Unusable): HostEncryption {
  const about = { host: name, port, policy: demand.policy.text };
  if ('unusable' in demand) return { ...about, usable: false, why: demand.unusable };
  const { tls, check, by } = demand;
  const asked = check.kind === 'dane' || (check.kind !== 'none' && check.enforced);
  return { ...about, usable: true, tls, verify: asked ? check.kind : 'none', names: asked ? check.names : [], why: by };
}

function unreachable(plan: Plan | undefined, relay: boolean): { unreachable?: string } {
  if (plan?.kind === 'hosts' || relay) return {};
  return { unreachable: plan ? plan.text : 'all mail goes to the mail relay host, and none is set' };
}
