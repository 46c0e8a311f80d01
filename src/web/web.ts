/**
 * The HTTP door as a component. Pages are `app.ts`'s business.
 *
 * Promise: a request that dribbles is ended, connections are limited, `stop` ends open ones.
 */

import { createServer, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { type Component, constant, createListener, type Listener, type Log } from '../base/index.ts';
import { createApp, type WebOptions } from './app.ts';

export interface WebComponentOptions extends WebOptions {
  readonly where: { readonly host: string; readonly port: number } | 'off';
  readonly log: Log;
}

const maxConnections = 250;
const stopGraceMs = 3_000;

export function createWeb(options: WebComponentOptions): Component & { address(): ReturnType<Listener['address']> } {
  let http: Server | undefined;
  let listener: Listener | undefined;
  return {
    name: 'WEB',
    async start() {
      const server = createServer(
        { requestTimeout: 30_000, headersTimeout: 10_000, keepAliveTimeout: 5_000, maxHeaderSize: 16_384 },
        getRequestListener(createApp(options).fetch),
      );
      const place = createListener({
        name: 'WEB',
        where: constant(options.where),
        maxConnections: () => maxConnections,
        onConnection: (socket) => server.emit('connection', socket),
        log: options.log,
      });
      await place.start();
      http = server;
      listener = place;
    },
    async stop() {
      http?.closeIdleConnections();
      await listener?.stop(stopGraceMs);
      http?.closeAllConnections();
      http?.close();
    },
    address: () => listener?.address(),
  };
}
