/**
 * Reaching a destination: hosts and addresses in order until one greets us, or the mail relay host.
 *
 * Promise: a host that is down, silent or unfriendly costs its time-out and the next one is tried, and so is one that cannot have the
 * encryption that is asked for it (tls/policy.ts); where STARTTLS fails and need not be, the same host is asked again without. The
 * verdict at the end is `bounce` only where the DNS (or the host table) says that there
 * is nobody, and no relay host may know better; what is wrong with a relay host never sends mail back.
 * Spec: RFC 5321 §5.1, RFC 7435 (opportunistic encryption), RFC 7504 (521). Source: manual chapter 6 "Mail Routing Handling"
 */

import type { Socket } from 'node:net';
import { type Clock, counter, type Log } from '../base/index.ts';
import { openSession } from './client.ts';
import { conversation } from './conversation.ts';
import { connectFirst } from './connect.ts';
import { type Family, type Host, type Located, locate, type PlanNeeds, planFor, type Target } from './destination.ts';
import type { Line, Terms } from './idle.ts';
import { type Login, logIn } from './log-in.ts';
import { PeerFailure } from './peer-failure.ts';
import type { PeerSession, PhaseTimeouts } from './peer-session.ts';
import type { RelayHost, Relays } from './relays.ts';
import type { Asked, DestinationWish, Encryption } from './tls/encryption.ts';
import type { HostDemand } from './tls/policy.ts';

export type Reached =
  /** `passed`: hosts that have had their turn, this one included; `others`: there are some that have not. */
  | { readonly kind: 'session'; readonly line: Line; readonly passed: ReadonlySet<string>; readonly others: boolean }
  | { readonly kind: 'bounce'; readonly status: string; readonly text: string; readonly host?: string; readonly said?: string }
  | {
      readonly kind: 'defer';
      readonly status: string;
      readonly text: string;
      readonly host?: string;
      readonly said?: string;
      readonly ours?: true;
    };

export interface ReachNeeds extends PlanNeeds {
  readonly encryption: Pick<Encryption, 'for'>;
  readonly wish: DestinationWish;
  readonly clock: Clock;
  readonly log: Log;
  readonly timeouts: PhaseTimeouts;
  readonly dataBuffer: number;
  readonly esmtp: boolean;
  readonly size: boolean;
  /** A connection to ourselves would be a loop. */
  readonly isOwn: (address: string, port: number) => boolean;
  readonly family: Family;
  /** The address of ours to connect from. */
  readonly source: (address: string) => string | undefined;
  readonly relays: Relays;
  /** Mail goes to the relay host while the DNS cannot tell. */
  readonly relayWithoutDns: boolean;
  /** Relay passwords go over unencrypted connections, too. */
  readonly plainAllowed: boolean;
  readonly signal: AbortSignal;
  /** Hosts that have had their turn in this attempt; where there is no other the attempt is over. */
  readonly passed?: ReadonlySet<string> | undefined;
  /** Connections that are idle; absent: a new one is made. */
  readonly kept?: Kept;
  /** A connection is about to be made. */
  readonly dialling?: () => void;
  /** Somebody has taken up the connection. */
  readonly dialled?: () => void;
}

export interface Kept {
  has(target: Target): boolean;
  take(terms: Terms): Line | undefined;
}

/** As a log-in is needed at relay hosts alone. */
type HostNeeds = ReachNeeds & { readonly login?: Login | undefined };
/** No such name, by all means there are. */
interface Unknown {
  readonly kind: 'unknown';
  readonly status: string;
  readonly text: string;
}
type Tried = Reached | Unknown;

const bounced = ({ status, text }: Unknown): Reached => ({ kind: 'bounce', status, text });

const sessions = counter(
  'mailtree_smtpc_sessions_total',
  'Sessions with other servers by their encryption, and what vouched for the other side.',
  ['encryption'],
  [['dane'], ['sts'], ['pkix'], ['none'], ['plain']],
);

/** Name and address of a host; an address literal is both. */
const shown = ({ host, address }: Target): string => (host.startsWith('[') ? host : `${host} [${address}]`);

/** Addresses tried for one attempt, over all hosts. */
const mostTries = 10;

const stopped: Reached = { kind: 'defer', status: '4.3.2', text: 'SMTPC was stopped' };

/** The DNS takes its time; stopping does not wait for it. */
function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T | 'stopped'> {
  if (signal.aborted) return Promise.resolve('stopped');
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve('stopped');
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

export async function reach(destination: string, needs: ReachNeeds): Promise<Reached> {
  if (needs.resolution === 'MailRelayHost') return byRelay(destination, needs);
  const plan = await unlessStopped(planFor(destination, needs), needs.signal);
  if (plan === 'stopped') return stopped;
  if (plan.kind === 'defer') {
    return needs.relayWithoutDns && needs.relays.configured
      ? byRelay(destination, needs)
      : { kind: 'defer', status: '4.4.3', text: plan.text };
  }
  const way = plan.kind === 'hosts' && plan.table ? { ...needs, wish: { ...needs.wish, table: true } } : needs;
  const tried = plan.kind === 'hosts' ? await tryHosts(destination, plan.hosts, way) : plan;
  if (tried.kind !== 'unknown') return tried;
  if (!needs.relays.configured) return bounced(tried);
  needs.log.info(`${tried.text}: the mail relay host gets mail for ${destination}`);
  return byRelay(destination, needs);
}

/** One host, by its own name or for the destination that mail would be for. */
export async function reachHost(host: Host, needs: HostNeeds, destination = host.name): Promise<Reached> {
  const tried = await tryHosts(destination, [host], needs);
  return tried.kind === 'unknown' ? bounced(tried) : tried;
}

async function byRelay(destination: string, needs: ReachNeeds): Promise<Reached> {
  let why = 'all mail goes to the mail relay host, and none is set';
  let status = '4.3.5';
  for (const relay of needs.relays.now()) {
    const tried = await tryHosts(destination, [relay], relayNeeds(relay, needs));
    if (needs.signal.aborted) return stopped;
    if (tried.kind === 'session') {
      needs.relays.reached(relay);
      return tried;
    }
    why = tried.kind === 'bounce' && tried.status === '5.4.6' ? `the mail relay host ${relay.name} is this host itself` : tried.text;
    status = tried.kind === 'defer' ? tried.status : '4.3.5';
    needs.relays.failed(relay, why);
  }
  if (!needs.relays.configured) needs.relays.tell(`mail waits: ${why}`);
  return { kind: 'defer', status, text: why };
}

/** A relay host has its own encryption and log-in; its name may stand in DNS and host table alike. */
export function relayNeeds(relay: RelayHost, needs: ReachNeeds): HostNeeds {
  return {
    ...needs,
    passed: undefined,
    wish: { ...needs.wish, relay: relay.tls },
    login: relay.login && { ...relay.login, plainAllowed: needs.plainAllowed },
    resolution: needs.resolution === 'DNSOnly' ? 'DNSThenHostTable' : needs.resolution,
  };
}

async function tryHosts(destination: string, hosts: readonly Host[], needs: HostNeeds): Promise<Tried> {
  const passed = new Set(needs.passed);
  const seen: Seen = { tries: 0, refusals: 0, why: undefined, status: '4.4.1', nowhere: '', ours: false, reply: undefined };
  const asked = await unlessStopped(needs.encryption.for(destination, needs.wish), needs.signal);
  if (asked === 'stopped') return stopped;
  for (const rank of new Set(hosts.map((one) => one.rank))) {
    const equals = hosts.filter((one) => one.rank === rank);
    // All of one rank before any is tried: if one is ourselves, the others are no better placed (RFC 5321 §5.1).
    const located = await unlessStopped(Promise.all(equals.map((host) => locate(host, needs.family, needs))), needs.signal);
    if (located === 'stopped') return stopped;
    if (located.some((one) => one.kind === 'found' && one.targets.some(({ address, port }) => needs.isOwn(address, port)))) {
      if (seen.why !== undefined || passed.size > 0) break;
      return { kind: 'bounce', status: '5.4.6', text: `mail for ${destination} leads back to this host` };
    }
    for (const [host, one] of keptFirst(equals, located, needs)) {
      if (passed.has(host.name)) continue;
      passed.add(host.name);
      const line = await tryLocated(host, one, asked, needs, seen);
      if (needs.signal.aborted) {
        line?.session.destroy();
        return stopped;
      }
      if (line) return { kind: 'session', line, passed, others: hosts.some(({ name }) => !passed.has(name)) };
    }
  }
  // RFC 7504 §4: hosts that say they never take mail are as good as none.
  if (seen.tries > 0 && seen.refusals === seen.tries) return { kind: 'bounce', status: '5.3.2', text: seen.why ?? '', ...seen.reply };
  const ours = seen.ours ? ({ ours: true } as const) : {};
  if (seen.why !== undefined) return { kind: 'defer', status: seen.status, text: seen.why, ...seen.reply, ...ours };
  if (needs.passed) return { kind: 'defer', status: seen.status, text: 'there is no other host' };
  const byExchanger = hosts.some(({ name }) => name.toLowerCase() !== destination.toLowerCase());
  return { kind: 'unknown', status: byExchanger ? '5.4.4' : '5.1.2', text: `${destination}: ${seen.nowhere}` };
}

/** Of equals those first to which there is a connection. */
function keptFirst(hosts: readonly Host[], located: readonly Located[], { kept }: HostNeeds): [Host, Located][] {
  const all = located.map((one, n): [Host, Located] => [hosts[n] as Host, one]);
  const isKept = ([, one]: [Host, Located]): number => Number(one.kind === 'found' && one.targets.some((target) => kept?.has(target)));
  return kept && all.length > 1 ? all.sort((a, b) => isKept(b) - isKept(a)) : all;
}

interface Seen {
  tries: number;
  /** Tries that ended with 521. */
  refusals: number;
  why: string | undefined;
  status: string;
  nowhere: string;
  /** This host lacked what it takes to open a connection. */
  ours: boolean;
  /** Of the last host, where it said so itself. */
  reply: { readonly host: string; readonly said: string } | undefined;
}

/** The addresses of one host, until one gives a session. */
async function tryLocated(host: Host, located: Located, asked: Asked, needs: HostNeeds, seen: Seen): Promise<Line | undefined> {
  if (located.kind === 'nowhere') seen.nowhere = located.text;
  if (located.kind === 'unknown') {
    seen.why = located.text;
    seen.status = '4.4.3';
    seen.refusals = -1;
    seen.reply = undefined;
  }
  let left = located.kind === 'found' ? located.targets.slice(0, mostTries - seen.tries) : [];
  const demand = left.length > 0 ? await unlessStopped(asked.hostDemand(host.name, host.port), needs.signal) : 'stopped';
  if (demand === 'stopped') return undefined;
  if ('unusable' in demand) {
    seen.why = demand.unusable;
    seen.status = '4.7.5';
    seen.refusals = -1;
    seen.reply = undefined;
    needs.log.info(`${host.name} is not used: ${seen.why}`);
    return undefined;
  }
  for (const target of left) {
    const line = needs.kept?.has(target) ? needs.kept.take(termsOf({ target, asked, demand }, needs)) : undefined;
    if (line) return line;
  }
  const failed = (target: Target, why: string, code?: number, tls = false): void => {
    seen.tries += 1;
    if (code === 521) seen.refusals += 1;
    seen.why = `${shown(target)}: ${why}`;
    // Where encryption is asked for there stand words of ours behind the host's.
    seen.reply = code === undefined || tls ? undefined : { host: target.host, said: why };
    seen.status = tls ? '4.7.5' : '4.4.1';
    needs.log.info(`no session with ${seen.why}`);
  };
  while (left.length > 0 && !needs.signal.aborted) {
    needs.dialling?.();
    const { made, failed: lost, short } = await dial(left, needs);
    seen.ours ||= short;
    for (const [target, why] of lost) failed(target, why);
    if (!made) break;
    needs.dialled?.();
    const tried = await tryTarget({ target: made.target, asked, demand }, made.socket, needs);
    if (!(tried instanceof PeerFailure)) return { session: tried, terms: termsOf({ target: made.target, asked, demand }, needs), used: 0 };
    failed(made.target, tried.message, tried.code, tried.tls);
    left = left.filter((one) => one !== made.target && !lost.has(one));
  }
  return undefined;
}

const dial = (targets: readonly Target[], { clock, signal, timeouts, source }: ReachNeeds) =>
  connectFirst(targets, { clock, signal, timeout: timeouts.initial, source });

/** One address of a host, and what is asked of the session with it. */
interface Aim {
  readonly target: Target;
  readonly asked: Asked;
  readonly demand: HostDemand;
}

function termsOf({ target, asked, demand }: Aim, { host, log, login, size, source }: HostNeeds): Terms {
  const context = demand.tls === 'off' ? undefined : asked.tlsFor(demand).context();
  return { target, source: source(target.address), name: host, login, demand, context, size, told: log.enabled('smtp') };
}

async function tryTarget(aim: Aim, socket: Socket, needs: HostNeeds): Promise<PeerSession | PeerFailure> {
  const { target, demand } = aim;
  const first = await greet(aim, socket, needs);
  if (!(first instanceof PeerFailure) || !first.tls || demand.tls !== 'opportunistic') return first;
  needs.log.warning(`${shown(target)}: no encryption (${first.message}), sending in the clear`);
  const { made, failed } = await dial([target], needs);
  return made
    ? greet({ ...aim, demand: { ...demand, tls: 'off' } }, made.socket, needs)
    : new PeerFailure(failed.get(target) ?? 'no connection', false, undefined);
}

async function greet({ target, asked, demand }: Aim, socket: Socket, needs: HostNeeds): Promise<PeerSession | PeerFailure> {
  const cutOff = (): void => void socket.destroy();
  needs.signal.addEventListener('abort', cutOff);
  const outcome = { mxHost: target.host, from: socket.localAddress, to: target.address };
  try {
    const told = conversation(needs.log, `${shown(target)}:${target.port}`);
    const session = await openSession({ ...needs, socket, host: target.host, name: needs.host, tls: asked.tlsFor(demand), told });
    const plain = { type: 'starttls-not-supported', text: `${target.host} does not offer encryption` } as const;
    sessions.count(session.encryption?.verified ?? 'plain');
    asked.note(demand, { ...outcome, failure: session.encryption ? session.encryption.flaw : plain });
    const why = needs.login && (await logIn(session, needs.login));
    if (why === undefined) {
      const minutes = Object.entries(needs.timeouts).map(([phase, ms]) => `${phase}=${ms / 60_000}`);
      needs.log.diagnostic(`session with ${shown(target)}, time-outs in minutes: ${minutes.join(' ')}`);
      return session;
    }
    session.quit();
    return new PeerFailure(why, false, undefined);
  } catch (thrown) {
    if (!(thrown instanceof PeerFailure))
      return new PeerFailure(thrown instanceof Error ? thrown.message : String(thrown), false, undefined);
    const { trouble, code, message } = thrown;
    if (!trouble) return thrown;
    asked.note(demand, { ...outcome, failure: trouble });
    return demand.tls === 'required' ? new PeerFailure(`${message} (${demand.by})`, true, code, trouble) : thrown;
  } finally {
    needs.signal.removeEventListener('abort', cutOff);
  }
}
