/**
 * Ends connections whose log-in stands no longer: the entry is gone, renamed or not active any more, or it has another password.
 *
 * Promise: long operations end too, for what the directory tells is listened to; a change costs a look at the connections of that
 * entry alone.
 * Spec: RFC 4511 §4.4.1, RFC 4513 §4
 */

import { asFault, type Log } from '../base/index.ts';
import type { Change, Directory, Watch } from '../directory/index.ts';
import type { Dn } from '../ldap-wire/index.ts';

/** What is ended: a session. */
export interface LoggedIn {
  /** Ends it unless the directory says that its log-in stands. */
  checkLogin(): void;
  revoke(): void;
}

export class Standing {
  readonly #directory: Directory;
  readonly #log: Log;
  readonly #byName = new Map<string, { readonly dn: Dn; readonly sessions: Set<LoggedIn> }>();
  #watch: Watch | undefined;
  #stopped = false;

  constructor(directory: Directory, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  async start(): Promise<void> {
    this.#stopped = false;
    this.#watch = await this.#directory.watch(
      undefined,
      (change) => this.#changed(change),
      () => this.#lost(),
    );
  }

  stop(): void {
    this.#stopped = true;
    this.#watch?.stop();
    this.#watch = undefined;
  }

  /** A session acts under another name. */
  moved(session: LoggedIn, before: Dn | undefined, after: Dn | undefined): void {
    if (before?.key === after?.key) return;
    const known = before && this.#byName.get(before.key);
    known?.sessions.delete(session);
    if (before && known?.sessions.size === 0) this.#byName.delete(before.key);
    if (!after) return;
    const there = this.#byName.get(after.key);
    if (there) there.sessions.add(session);
    else this.#byName.set(after.key, { dn: after, sessions: new Set([session]) });
  }

  #changed(change: Change): void {
    const { before, after, kind } = change;
    if (!before || this.#byName.size === 0) return;
    // The same name in another spelling is the same name.
    if (kind === 'rename' && after?.dn.key !== before.dn.key) {
      // Everything below has another name, too.
      for (const { dn, sessions } of [...this.#byName.values()]) if (dn.isWithin(before.dn)) for (const one of [...sessions]) one.revoke();
      return;
    }
    const sessions = [...(this.#byName.get(before.dn.key)?.sessions ?? [])];
    const ended = !after || (after.text('accountStatus') ?? 'active').toLowerCase() !== 'active';
    for (const session of sessions) {
      if (ended) session.revoke();
      else session.checkLogin();
    }
  }

  /** What happened is not known: all are looked at. */
  #lost(): void {
    if (this.#stopped) return;
    for (const { sessions } of [...this.#byName.values()]) {
      for (const session of [...sessions]) {
        if (this.#directory.holds) session.checkLogin();
        else session.revoke();
      }
    }
    this.start().catch((thrown: unknown) => this.#log.error('changes of accounts are not noticed any more', asFault(thrown)));
  }
}
