/** An LDAP server that says what a test tells it to, and remembers what it was asked. */

import { createServer, type Socket } from 'node:net';
import {
  type Control,
  decodeRequest,
  encodeResponse,
  Framer,
  type LdapResult,
  type Message,
  type Request,
  type Response,
} from '../../src/ldap-wire/index.ts';
import { freePort } from './temp.ts';

export const done = { code: 0, matched: '', diagnostic: '' };

export interface Asked {
  readonly message: Message<Request>;
  readonly socket: Socket;
  answer(response: Response, controls?: readonly Control[]): void;
}

export interface ScriptedLdap {
  readonly port: number;
  readonly asked: Message<Request>[];
  readonly sockets: Set<Socket>;
  close(): Promise<void>;
}

/** Binds are answered by `bound`; anything else is `script`'s. */
export async function scriptedLdap(script: (asked: Asked) => void, bound: LdapResult = done): Promise<ScriptedLdap> {
  const port = await freePort();
  const asked: Message<Request>[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    const framer = new Framer();
    socket.on('data', (chunk) => {
      framer.push(chunk);
      for (let octets = framer.next(1e6); octets; octets = framer.next(1e6)) {
        const message = decodeRequest(octets);
        asked.push(message);
        const answer = (response: Response, controls: readonly Control[] = []): void => {
          socket.write(encodeResponse(message.id, response, controls));
        };
        if (message.body.op === 'bind') answer({ op: 'bind', result: bound });
        else script({ message, socket, answer });
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    port,
    asked,
    sockets,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
