/**
 * A SCRAM-SHA-256 log-in from the client's side, without channel binding.
 *
 * Promise: the password never leaves; the server is believed only after it has shown that it knows the password too. What a server
 * sends is checked: a nonce that is not ours and longer, and numbers of iterations so small that the exchange gives the password
 * away, or so large that they hold us up, end it.
 * Spec: RFC 5802 §3, §5, §7; RFC 7677 §4
 */

import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { saslprep } from './saslprep.ts';

export interface ScramClient {
  readonly first: string;
  /** The answer to the server's first message; an Error says what is wrong with it. */
  final(serverFirst: string): Promise<string>;
  /** Whether the server has shown that it knows the password. */
  believes(serverFinal: string): boolean;
}

const derive = promisify(pbkdf2);
const hmac = (key: Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const fewestIterations = 4_096;
const mostIterations = 10_000_000;

export function scramClient(user: string, password: string, nonce = randomBytes(18).toString('base64')): ScramClient {
  const bare = `n=${saslprep(user).replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`;
  let expected: Buffer | undefined;
  return {
    first: `n,,${bare}`,
    async final(serverFirst) {
      const [, theirs = '', salt = '', count = ''] =
        /^r=([!-+\--~]{1,1024}),s=([A-Za-z0-9+/]{1,1024}={0,2}),i=(\d{1,10})(?:,.*)?$/s.exec(serverFirst) ?? [];
      const iterations = Number(count);
      if (!theirs.startsWith(nonce) || theirs.length === nonce.length) throw new Error('the server does not follow SCRAM-SHA-256');
      if (iterations < fewestIterations || iterations > mostIterations) throw new Error(`${count} iterations are not accepted`);
      const salted = await derive(saslprep(password), Buffer.from(salt, 'base64'), iterations, 32, 'sha256');
      const key = hmac(salted, 'Client Key');
      const told = `${bare},${serverFirst},c=biws,r=${theirs}`;
      expected = hmac(hmac(salted, 'Server Key'), told);
      const mask = hmac(createHash('sha256').update(key).digest(), told);
      return `c=biws,r=${theirs},p=${Buffer.from(key.map((octet, n) => octet ^ (mask[n] ?? 0))).toString('base64')}`;
    },
    believes(serverFinal) {
      const given = Buffer.from(/^v=([A-Za-z0-9+/]+={0,2})(?:,.*)?$/s.exec(serverFinal)?.[1] ?? '', 'base64');
      return expected !== undefined && given.length === expected.length && timingSafeEqual(given, expected);
    },
  };
}
