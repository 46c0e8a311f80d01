/** A SCRAM-SHA-256 client by the letter of RFC 5802, for tests. */

import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

const hmac = (key: Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest();

export class ScramClient {
  readonly #password: string;
  readonly #bare: string;
  readonly first: string;
  #told = '';
  #serverKey: Buffer = Buffer.alloc(0);

  constructor(name: string, password: string) {
    this.#password = password;
    this.#bare = `n=${name.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${randomBytes(12).toString('hex')}`;
    this.first = `n,,${this.#bare}`;
  }

  /** The last message, to the server's first. */
  final(serverFirst: string): string {
    const [, nonce = '', salt = '', iterations = ''] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(serverFirst) ?? [];
    const salted = pbkdf2Sync(this.#password, Buffer.from(salt, 'base64'), Number(iterations), 32, 'sha256');
    const key = hmac(salted, 'Client Key');
    this.#serverKey = hmac(salted, 'Server Key');
    this.#told = `${this.#bare},${serverFirst},c=biws,r=${nonce}`;
    const mask = hmac(createHash('sha256').update(key).digest(), this.#told);
    return `c=biws,r=${nonce},p=${Buffer.from(key.map((octet, n) => octet ^ (mask[n] ?? 0))).toString('base64')}`;
  }

  /** Whether the server has shown that it knows the password. */
  believes(serverFinal: string): boolean {
    return serverFinal === `v=${hmac(this.#serverKey, this.#told).toString('base64')}`;
  }
}
