/**
 * Thousands of connections to the directory that are of no use: silent, half a message, StartTLS and no handshake, half a handshake; or
 * they ask for much and take no answer, these from two addresses. The others come from many, and those that are closed come again.
 */

import { connect, type Socket } from 'node:net';
import { encodeRequest } from '../../src/ldap-wire/index.ts';
import { searchFor } from '../support/ldap-door.ts';
import { somewhere } from './server-attack.ts';
import { clientHello } from './server-corpus.ts';

export const floodForms = [
  'silence',
  'half a message',
  'StartTLS and silence',
  'half a handshake',
  'searches whose answers nobody takes',
] as const;
export type FloodForm = (typeof floodForms)[number];

const large = (id: number, base: string, scope: 'base' | 'sub'): Uint8Array =>
  encodeRequest(id, searchFor('(objectClass=*)', { base, scope, attributes: ['*', '+'] }));

const says: Readonly<Record<FloodForm, Uint8Array | undefined>> = {
  silence: undefined,
  'half a message': Buffer.from('300c0201', 'hex'),
  'StartTLS and silence': encodeRequest(1, { op: 'extended', oid: '1.3.6.1.4.1.1466.20037', value: undefined }),
  'half a handshake': clientHello.subarray(0, 60),
  'searches whose answers nobody takes': Buffer.concat(
    Array.from({ length: 200 }, (_, n) => (n % 2 === 0 ? large(n + 1, 'cn=subschema', 'base') : large(n + 1, '', 'sub'))),
  ),
};

const octetsOf = (form: FloodForm): Uint8Array | undefined => says[form];

export interface Flood {
  /** Connections made so far. */
  readonly made: number;
  /** Of them open now. */
  readonly open: number;
  stop(): void;
}

/** Holds `size` connections of the forms, or as many as the server lets in, and makes those anew that it closes. */
export function flood(
  ports: { readonly ldap: number; readonly ldaps: number },
  forms: readonly FloodForm[],
  size: number,
  random: () => number,
): Flood {
  const sockets = new Set<Socket>();
  let [made, going] = [0, true];
  const one = (form: FloodForm): void => {
    if (!going) return;
    made += 1;
    const port = form === 'half a handshake' ? ports.ldaps : ports.ldap;
    const greedy = form === 'searches whose answers nobody takes';
    const from = greedy ? `127.250.0.${1 + (made % 2)}` : somewhere(random);
    const socket = connect({ host: '127.0.0.1', port, localAddress: from });
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('connect', () => {
      const octets = octetsOf(form);
      if (octets) socket.write(octets);
      if (!greedy) socket.resume();
    });
    socket.once('close', () => {
      sockets.delete(socket);
      setTimeout(() => one(form), 2_000 + random() * 4_000).unref();
    });
  };
  let begun = 0;
  // Not all in one moment: the queue of connections that are not accepted yet is the kernel's.
  const timer = setInterval(() => {
    for (let n = 0; n < 100 && begun < size; n++) one(forms[begun++ % forms.length] as FloodForm);
  }, 20);
  return {
    get made() {
      return made;
    },
    get open() {
      return sockets.size;
    },
    stop() {
      going = false;
      clearInterval(timer);
      for (const socket of sockets) socket.destroy();
    },
  };
}
