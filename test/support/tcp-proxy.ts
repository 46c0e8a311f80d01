/** A TCP proxy whose network can go bad: cut (connections reset, new ones refused) or silent (half open: nothing comes, nothing closes). */

import { connect, createServer, type Server, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** Connections end and new ones are refused. */
  cut(): Promise<void>;
  /** Octets of either side are swallowed, new connections are taken and say nothing. */
  silence(): void;
  /** As it was. Connections that were silent stay so: their octets are lost. */
  heal(): Promise<void>;
  close(): Promise<void>;
}

export async function openProxy(port: number, target: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let silent = false;
  let server: Server | undefined;
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  };
  const listen = (): Promise<void> =>
    new Promise((resolve) => {
      server = createServer((client) => {
        keep(client);
        if (silent) {
          client.resume();
          return;
        }
        const there = connect(target, '127.0.0.1');
        keep(there);
        for (const [from, to] of [
          [client, there],
          [there, client],
        ] as const) {
          from.on('data', (chunk) => {
            if (!silent && !dead.has(client)) to.write(chunk);
          });
          from.on('close', () => {
            if (!silent && !dead.has(client)) to.destroy();
          });
        }
      }).listen(port, '127.0.0.1', resolve);
    });
  const dead = new Set<Socket>();
  const cut = async (): Promise<void> => {
    const closed = new Promise((done) => (server ? server.close(done) : done(undefined)));
    server = undefined;
    for (const socket of sockets) socket.resetAndDestroy();
    await closed;
  };
  await listen();
  return {
    port,
    cut,
    silence() {
      silent = true;
      for (const socket of sockets) dead.add(socket);
    },
    async heal() {
      silent = false;
      if (!server) await listen();
    },
    close: cut,
  };
}
