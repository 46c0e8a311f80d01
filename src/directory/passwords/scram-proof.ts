/**
 * Checking the proof of a SCRAM client against a verifier, and the verifiers of those who have none.
 *
 * Promise: a name without a verifier gets an exchange of the same form, the same each time it is asked for, after restarts too, and costs
 * the same work. Spec: RFC 5802 §3, §9
 */

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { ScramVerifier } from './scheme.ts';

const hmac = (key: Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** The server's signature; undefined where the proof is wrong. */
export function checkProof(verifier: ScramVerifier, authMessage: string, proof: Uint8Array): Uint8Array | undefined {
  const mask = hmac(verifier.storedKey, authMessage);
  const clientKey = Buffer.from(mask.map((octet, n) => octet ^ (proof[n] ?? 0)));
  const right = timingSafeEqual(createHash('sha256').update(clientKey).digest(), verifier.storedKey);
  const signature = hmac(verifier.serverKey, authMessage);
  return right && proof.length === mask.length ? signature : undefined;
}

/** Of nobody's password. */
export function decoyVerifier(secret: Uint8Array, name: string, iterations: number): ScramVerifier {
  const part = (what: string): Buffer => hmac(secret, `${what} ${name}`);
  return { iterations, salt: part('salt').subarray(0, 16), storedKey: part('stored'), serverKey: part('server') };
}
