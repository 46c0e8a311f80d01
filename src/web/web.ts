/**
 * The HTTP door as a component. Pages are `app.ts`'s business.
 *
 * Promise: a request that dribbles is ended, connections are limited, and so are requests sent ahead of their answers; `stop` ends
 * open connections.
 * Spec: RFC 9112 §9.3.2 (pipelining)
 */

import { createServer, type RequestListener, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { getRequestListener } from '@hono/node-server';
import { type Component, constant, createListener, type Listener, type Live, type Log, type Place } from '../base/index.ts';
import { createApp, type WebOptions } from './app.ts';

export interface WebComponentOptions extends WebOptions {
  readonly where: { readonly host: string; readonly port: number } | 'off';
  /** HTTPS, on a port of its own; without a certificate it stays closed. */
  readonly secure?: { readonly where: Place; readonly tls: Live<SecureContextOptions | undefined> };
  readonly log: Log;
  /** Milliseconds for the header and for the whole of a request, and how often they are looked at. */
  readonly timeouts?: { readonly header: number; readonly request: number; readonly look: number };
}

const maxConnections = 250;
const stopGraceMs = 3_000;
const usualTimeouts = { header: 10_000, request: 30_000, look: 5_000 };
/** Requests in work on one connection. Browsers send one; a flood of them in one piece would all be begun at once. */
const maxPipelined = 8;

/** Hangs up on clients that send many requests without waiting for answers. */
function paced(listener: RequestListener): RequestListener {
  const inWork = new WeakMap<Socket, number>();
  return (request, response) => {
    const { socket } = request;
    // The rest of a piece that was read already still arrives here.
    if (socket.destroyed) return;
    const count = (inWork.get(socket) ?? 0) + 1;
    if (count > maxPipelined) {
      socket.destroy();
      return;
    }
    inWork.set(socket, count);
    response.once('close', () => inWork.set(socket, (inWork.get(socket) ?? 1) - 1));
    void listener(request, response);
  };
}

export function createWeb(options: WebComponentOptions): Component & { address(): ReturnType<Listener['address']> } {
  let http: Server | undefined;
  let listeners: readonly Listener[] = [];
  return {
    name: 'WEB',
    async start() {
      const { header, request, look } = options.timeouts ?? usualTimeouts;
      const server = createServer(
        {
          requestTimeout: request,
          headersTimeout: header,
          connectionsCheckingInterval: look,
          keepAliveTimeout: 5_000,
          maxHeaderSize: 16_384,
        },
        paced(getRequestListener(createApp(options).fetch)),
      );
      const listener = (name: string, where: Place, tls?: Live<SecureContextOptions | undefined>): Listener =>
        createListener({
          name,
          where: constant(where),
          ...(tls ? { tls } : {}),
          maxConnections: () => maxConnections,
          onConnection: (socket) => server.emit('connection', socket),
          log: options.log,
        });
      const { where, secure } = options;
      const open = [listener('WEB', where), ...(secure ? [listener('WEB (TLS)', secure.where, secure.tls)] : [])];
      for (const [n, one] of open.entries()) {
        try {
          await one.start();
        } catch (thrown) {
          for (const started of open.slice(0, n)) await started.stop(0);
          throw thrown;
        }
      }
      // The listener is ours: without this the server would never look at the time-outs of its connections.
      server.emit('listening');
      http = server;
      listeners = open;
    },
    async stop() {
      http?.closeIdleConnections();
      await Promise.all(listeners.map((one) => one.stop(stopGraceMs)));
      http?.closeAllConnections();
      http?.close();
    },
    address: () => listeners[0]?.address(),
    problem: () => listeners.find(({ problem }) => problem !== undefined)?.problem,
  };
}
