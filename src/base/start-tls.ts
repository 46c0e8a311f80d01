/**
 * Turns a plain connection into a TLS one on our side, for STARTTLS and STLS.
 *
 * Promise: what the peer pipelined in plaintext behind its command is never read as if it had come encrypted; the caller hands
 * over a socket that it no longer reads. A secure context is made once per certificate.
 * Spec: RFC 3207 §6, RFC 2595 §2.4, RFC 8446
 */

import type { Socket } from 'node:net';
import { createSecureContext, type SecureContext, type SecureContextOptions, TLSSocket } from 'node:tls';
import { type Clock, systemClock } from './clock.ts';
import { Fault } from './fault.ts';

const contexts = new WeakMap<SecureContextOptions, SecureContext>();

function contextOf(options: SecureContextOptions): SecureContext {
  let context = contexts.get(options);
  if (!context) {
    context = createSecureContext(options);
    contexts.set(options, context);
  }
  return context;
}

/**
 * Resolves with the encrypted socket once the handshake is done; Fault `unavailable` otherwise (the connection is then gone).
 * Remove your data listeners before and write the "go ahead" first; drop what you have buffered.
 */
export function startTls(
  socket: Socket,
  options: SecureContextOptions,
  timeoutMs = 30_000,
  clock: Clock = systemClock,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const failed = (cause: unknown): void => {
      cancel();
      socket.destroy();
      reject(new Fault('unavailable', 'the TLS handshake failed', { cause }));
    };
    const cancel = clock.after(timeoutMs, () => failed(new Error('handshake timed out')));
    // What is still in the stream's own buffer came in plaintext.
    while (socket.read() !== null);
    let secure: TLSSocket;
    try {
      secure = new TLSSocket(socket, { isServer: true, secureContext: contextOf(options) });
    } catch (thrown) {
      failed(thrown);
      return;
    }
    const closed = (): void => failed(new Error('connection closed during the handshake'));
    // A half-open socket does not close by itself when the peer leaves, and without a reader its end goes unheard.
    const heard = (): void => {
      if (secure.readableLength === 0) secure.read();
    };
    secure.on('readable', heard);
    secure.once('end', closed);
    secure.once('close', closed);
    secure.on('error', failed);
    secure.once('secure', () => {
      cancel();
      secure.off('readable', heard);
      secure.off('end', closed);
      secure.off('close', closed);
      // An error after the handshake ends the connection and is seen there as `close`.
      secure.on('error', () => {});
      secure.off('error', failed);
      resolve(secure);
    });
  });
}
