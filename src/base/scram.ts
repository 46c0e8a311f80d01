/**
 * The messages of a SCRAM log-in as a server reads and writes them. Pure; who may log in is the directory's business.
 *
 * Channel binding is not offered: a client that asks for it is refused, one that could but saw none offered is not.
 * Spec: RFC 5802 §5, §5.1, §7; RFC 7677
 */

export interface ClientFirst {
  /** `n,,`: sent back in the last message, so that nobody can have changed it. */
  readonly header: string;
  readonly bare: string;
  readonly name: string;
  readonly nonce: string;
}

export interface ClientFinal {
  readonly withoutProof: string;
  readonly nonce: string;
  readonly proof: Uint8Array;
}

const longest = 4_096;
const printable = /^[!-+\--~]+$/;

/** Undefined where it is none, or asks for what is not offered: channel binding, acting for somebody else, extensions. */
export function readClientFirst(text: string): ClientFirst | undefined {
  const match = text.length > longest ? null : /^([ny],(?:a=([^,]*))?,)(n=([^,]+),r=([^,]+)(?:,.*)?)$/s.exec(text);
  if (!match) return undefined;
  const [, header = '', authorize, bare = '', written = '', nonce = ''] = match;
  const name = saslName(written);
  if (name === undefined || !printable.test(nonce)) return undefined;
  if (authorize !== undefined && saslName(authorize)?.toLowerCase() !== name.toLowerCase()) return undefined;
  return { header, bare, name, nonce };
}

/** `=2C` and `=3D` are a comma and an equals sign; any other `=` is wrong. */
function saslName(text: string): string | undefined {
  if (/=(?!2C|3D)/.test(text) || /[\u0000-\u001f\u007f]/.test(text)) return undefined;
  return text.replaceAll('=2C', ',').replaceAll('=3D', '=');
}

export function serverFirst(nonce: string, salt: Uint8Array, iterations: number): string {
  return `r=${nonce},s=${Buffer.from(salt).toString('base64')},i=${iterations}`;
}

/** Undefined where it is none, or its header is not that of the first message. */
export function readClientFinal(text: string, header: string): ClientFinal | undefined {
  const match = text.length > longest ? null : /^(c=([A-Za-z0-9+/=]+),r=([^,]+)(?:,[^,]+)*?),p=([A-Za-z0-9+/]{43}=)$/s.exec(text);
  if (!match) return undefined;
  const [, withoutProof = '', binding = '', nonce = '', proof = ''] = match;
  if (binding !== Buffer.from(header).toString('base64')) return undefined;
  return { withoutProof, nonce, proof: Buffer.from(proof, 'base64') };
}

export const serverFinal = (signature: Uint8Array): string => `v=${Buffer.from(signature).toString('base64')}`;
