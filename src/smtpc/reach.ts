/**
 * Reaching a destination: hosts and addresses in order until one greets us.
 *
 * Promise: a host that is down, silent or unfriendly costs its time-out and the next one is tried; where STARTTLS fails and need not
 * be, the same host is asked again without. The verdict at the end is `bounce` only where the DNS says that there is nobody.
 * Spec: RFC 5321 §5.1, RFC 7435 (opportunistic encryption)
 */

import { connect, type Socket } from 'node:net';
import type { Clock, Log, Resolver } from '../base/index.ts';
import { openSession, PeerFailure, type PeerSession, type PhaseTimeouts } from './client.ts';
import { locate, type Plan, type PlanNeeds, planFor, type Target } from './destination.ts';

export type Reached =
  | { readonly kind: 'session'; readonly session: PeerSession }
  | { readonly kind: 'bounce'; readonly status: string; readonly text: string }
  | { readonly kind: 'defer'; readonly text: string };

export interface ReachNeeds extends PlanNeeds {
  readonly resolver: Resolver;
  readonly clock: Clock;
  readonly log: Log;
  readonly timeouts: PhaseTimeouts;
  readonly esmtp: boolean;
  readonly tls: 'off' | 'opportunistic' | 'required';
  readonly tlsVerify: boolean;
  /** A connection to ourselves would be a loop. */
  readonly isOwn: (address: string, port: number) => boolean;
  readonly signal: AbortSignal;
}

/** Addresses tried for one attempt, over all hosts. */
const mostTries = 10;

const stopped: Reached = { kind: 'defer', text: 'SMTPC was stopped' };

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
  const plan = await unlessStopped(planFor(destination, needs), needs.signal);
  if (plan === 'stopped') return stopped;
  return plan.kind === 'hosts' ? tryHosts(destination, plan, needs) : plan;
}

async function tryHosts(destination: string, plan: Extract<Plan, { kind: 'hosts' }>, needs: ReachNeeds): Promise<Reached> {
  let why: string | undefined;
  let nowhere = '';
  let tries = 0;
  let own = false;
  for (const host of plan.hosts) {
    const located = await unlessStopped(locate(host, needs.resolver), needs.signal);
    if (located === 'stopped') return stopped;
    if (located.kind === 'nowhere') nowhere = located.text;
    if (located.kind === 'unknown') why = located.text;
    if (located.kind !== 'found') continue;
    if (located.targets.some((target) => needs.isOwn(target.address, target.port))) {
      // RFC 5321 §5.1: neither we ourselves nor anybody less preferred.
      own = true;
      break;
    }
    for (const target of located.targets) {
      if (needs.signal.aborted) return stopped;
      if (tries >= mostTries) break;
      tries += 1;
      const tried = await tryTarget(target, needs);
      if (!(tried instanceof PeerFailure)) return { kind: 'session', session: tried };
      why = `${target.host} [${target.address}]: ${tried.message}`;
      needs.log.info(`no session with ${why}`);
    }
  }
  if (why !== undefined) return { kind: 'defer', text: why };
  if (own) return { kind: 'bounce', status: '5.4.6', text: `mail for ${destination} leads back to this host` };
  return { kind: 'bounce', status: plan.hosts.length > 1 ? '5.4.4' : '5.1.2', text: `${destination}: ${nowhere}` };
}

async function tryTarget(target: Target, needs: ReachNeeds): Promise<PeerSession | PeerFailure> {
  const first = await greet(target, needs.tls, needs);
  if (!(first instanceof PeerFailure) || !first.tls || needs.tls !== 'opportunistic') return first;
  needs.log.warning(`${target.host} [${target.address}]: no encryption (${first.message}), sending in the clear`);
  return greet(target, 'off', needs);
}

async function greet(target: Target, tls: ReachNeeds['tls'], needs: ReachNeeds): Promise<PeerSession | PeerFailure> {
  let socket: Socket | undefined;
  const cutOff = (): void => void socket?.destroy();
  needs.signal.addEventListener('abort', cutOff);
  try {
    socket = await dial(target, needs);
    return await openSession({ ...needs, socket, host: target.host, name: needs.host, tls });
  } catch (thrown) {
    return thrown instanceof PeerFailure
      ? thrown
      : new PeerFailure(thrown instanceof Error ? thrown.message : String(thrown), false, undefined);
  } finally {
    needs.signal.removeEventListener('abort', cutOff);
  }
}

function dial(target: Target, needs: ReachNeeds): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: target.address, port: target.port, noDelay: true });
    const give = (why: string): void => {
      cancel();
      needs.signal.removeEventListener('abort', cutOff);
      socket.destroy();
      reject(new PeerFailure(why, false, undefined));
    };
    const cutOff = (): void => give('SMTPC was stopped');
    const cancel = needs.clock.after(needs.timeouts.initial, () => give('no connection in time'));
    needs.signal.addEventListener('abort', cutOff, { once: true });
    socket.once('error', (error) => give(error.message));
    socket.once('connect', () => {
      cancel();
      needs.signal.removeEventListener('abort', cutOff);
      // Whoever takes it over listens for errors of its own; until then one must not go unheard.
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}
