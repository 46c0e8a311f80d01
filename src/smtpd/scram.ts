/**
 * A SCRAM-SHA-256 log-in over SMTP: three challenges, each line of the client in turn.
 *
 * Promise: whoever has no account, or none with a verifier, is led through the same exchange and refused at its end, as with a wrong
 * password, and as late. Spec: RFC 5802 §3, §5; RFC 7677; RFC 4954 §4 (the server's last word is a challenge, answered with nothing)
 */

import { isUtf8 } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { Fault, readClientFinal, readClientFirst, serverFinal, serverFirst } from '../base/index.ts';
import type { ScramLogin } from '../dit/index.ts';
import { admit, attempt, type LoginGuard, whence } from './login.ts';
import type { LoginResult } from './sasl.ts';
import type { Session } from './session.ts';

export type ScramStep =
  /** Said with 334; the client answers. */
  { readonly challenge: string } | { readonly malformed: true } | LoginResult;

export interface ScramDialog {
  /** The client's next line, as text. */
  next(text: Buffer): Promise<ScramStep>;
}

const malformed = { malformed: true } as const;

export function createScram(session: Session, guard: LoginGuard): ScramDialog {
  let step: (text: string) => Promise<ScramStep> = first;
  return {
    next: async (text) => (isUtf8(text) ? step(text.toString()) : malformed),
  };

  async function first(text: string): Promise<ScramStep> {
    const client = readClientFirst(text);
    if (!client) return malformed;
    // Whoever must wait, or asks an absent directory, hears it here.
    const began = await attempt(session, guard, async () => {
      const exchange = await session.house.dit.scram?.(client.name, whence(session));
      if (!exchange) throw new Fault('unavailable', 'SCRAM is not possible at present');
      return exchange;
    });
    if (!began.ok) return began;
    const { salt, iterations, finish } = began.value;
    const nonce = client.nonce + randomBytes(18).toString('base64');
    const answer = serverFirst(nonce, salt, iterations);
    step = (last) => final(last, { header: client.header, nonce, told: `${client.bare},${answer}`, finish });
    return { challenge: answer };
  }

  async function final(
    text: string,
    sofar: { header: string; nonce: string; told: string; finish: ScramLogin['finish'] },
  ): Promise<ScramStep> {
    const client = readClientFinal(text, sofar.header);
    if (!client || client.nonce !== sofar.nonce) return malformed;
    const tried = await attempt(session, guard, () => sofar.finish(`${sofar.told},${client.withoutProof}`, client.proof));
    if (!tried.ok) return tried;
    const { recipient, signature } = tried.value;
    // Logged in once the client has seen that we know the password, too, and says so.
    step = async (nothing) => (nothing === '' ? admit(session, recipient, guard) : malformed);
    return { challenge: serverFinal(signature) };
  }
}
