/**
 * What machines ask: health, readiness, metrics.
 *
 * Promise: only this host and the clients that are listed are answered; what came through a proxy counts as a stranger, whoever the
 * proxy is. Spec: Prometheus text exposition format 0.0.4
 */

import { getConnInfo } from '@hono/node-server/conninfo';
import type { Context, Hono, MiddlewareHandler } from 'hono';

export interface Monitor {
  /** Whether a client may ask at all. */
  readonly admits: (address: string) => boolean;
  /** What keeps the server from working as it should, in words; none: it is ready. */
  readonly failing: () => Promise<readonly Failing[]>;
  readonly metrics: () => Promise<string>;
}

export interface Failing {
  /** A component, `certificate`, `database`, `directory`, `disk`. */
  readonly name: string;
  readonly why: string;
}

/** What proxies and content networks tell of the client by; some say no more than the host or the protocol that it asked for. */
const proxied = /^(?:forwarded|via|x-forwarded.*|x-real-ip|x-client-ip|x-cluster-client-ip|true-client-ip|cf-connecting-ip)$/;

/** Whether somebody else stands between the client and us. */
export const isProxied = (c: Context): boolean => Object.keys(c.req.header()).some((name) => proxied.test(name.toLowerCase()));

export function addMonitor(app: Hono, monitor: Monitor): void {
  const guard: MiddlewareHandler = async (c, next) => {
    const address = getConnInfo(c).remote.address ?? '';
    if (address === '' || isProxied(c) || !monitor.admits(address)) return c.text('not for you\n', 403);
    c.header('Cache-Control', 'no-store');
    await next();
  };
  const live = (c: Context): Response => c.json({ status: 'ok' });
  const ready = async (c: Context): Promise<Response> => {
    const failing = await monitor.failing();
    const status = failing.length === 0 ? 'ready' : 'not ready';
    return c.json(
      { status, failing: failing.map(({ name }) => name), why: failing.map(({ why }) => why) },
      failing.length === 0 ? 200 : 503,
    );
  };
  // Alive: the process answers. Ready: what should run does, and mail can be kept.
  for (const path of ['/health', '/health/live']) app.get(path, guard, live);
  for (const path of ['/ready', '/health/ready']) app.get(path, guard, ready);
  app.get('/metrics', guard, async (c) =>
    c.body(await monitor.metrics(), 200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' }),
  );
}
