/**
 * Passwords that came along from the bundled directory: SCRAM verifiers, which most LDAP servers keep and cannot check.
 *
 * Promise: where the server says no and the entry has such a verifier (which our account must be allowed to read), it is checked here; a
 * right password is then given to the server, which keeps it in a form of its own. So an export keeps its log-ins in another server.
 * Spec: RFC 5803
 */

import { Fault, type Log } from '../base/index.ts';
import { type Hasher, passwordText, workerHasher } from '../directory/index.ts';
import { type Dn, parseFilter } from '../ldap-wire/index.ts';
import { succeed } from './connection.ts';
import { passwordModify, passwordModifyOid } from './passwords.ts';
import { firstEntry, type Upstream } from './upstream.ts';

const anything = parseFilter('(objectClass=*)');
const isScram = (stored: string): boolean => /^\{SCRAM-/i.test(stored);

export class ForeignVerifiers {
  readonly #timeoutMs: number;
  readonly #log: Log;
  #hasher: Hasher | undefined;

  constructor(timeoutMs: number, log: Log) {
    this.#timeoutMs = timeoutMs;
    this.#log = log;
  }

  /** Whether the password fits a verifier of the entry that the server itself could not check. */
  async accept(upstream: Upstream, dn: Dn, password: string): Promise<boolean> {
    const connection = await upstream.shared.get();
    const search = { base: dn, scope: 'base', filter: anything, attributes: ['userPassword'] } as const;
    const stored = (await firstEntry(connection, search, this.#timeoutMs))?.values('userPassword').map(passwordText).filter(isScram) ?? [];
    if (stored.length === 0) return false;
    this.#hasher ??= workerHasher({ threads: 1 });
    if ((await this.#hasher.check(password, stored)) < 0) return false;
    if (upstream.features.extensions.has(passwordModifyOid)) await this.#hand(upstream, dn, password);
    return true;
  }

  async #hand(upstream: Upstream, dn: Dn, password: string): Promise<void> {
    try {
      const connection = await upstream.shared.get();
      succeed(await connection.ask(passwordModify(dn, password), { timeoutMs: this.#timeoutMs }));
    } catch (thrown) {
      // A replica, or an account that may not write: the verifier goes on being checked here.
      const why = thrown instanceof Fault ? thrown.say : String(thrown);
      this.#log.diagnostic(`the password of ${dn.toString()} stays a verifier of ours: ${why}`);
    }
  }

  async close(): Promise<void> {
    await this.#hasher?.close();
  }
}
