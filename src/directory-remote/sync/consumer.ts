/**
 * Changes below one base by content synchronisation: refreshAndPersist.
 *
 * Promise: what a server tells is told on in its order; after an interruption the feed goes on from the last cookie, deletions
 * included; where the server cannot (e-syncRefreshRequired) everything is compared, and nothing is missed. A cookie counts only once
 * all it stands for was told.
 * The first time names and UUIDs alone are fetched (refreshOnly): whoever watches begins with what is there by then.
 * Spec: RFC 4533 §3
 */

import type { Cancel } from '../../base/index.ts';
import { DirectoryFault, resultCodes } from '../../directory/index.ts';
import { parseFilter } from '../../ldap-wire/index.ts';
import { searchRequest } from '../client.ts';
import { type Answer, type Partial, succeed } from '../connection.ts';
import { entryFrom } from '../results.ts';
import { type Cookie, refreshRequired, type SyncInfo, syncDone, syncInfo, syncInfoOid, syncRequest, syncState } from './messages.ts';
import { remove, type Source, type SourceParts, upsert } from './source.ts';

const anything = parseFilter('(objectClass=*)');
const lookAgainMs = 1_000;

export class Consumer implements Source {
  readonly #parts: SourceParts;
  readonly #stop = new AbortController();
  #persisting = false;
  /** Of a refresh that is under way. */
  #pending: Cookie | undefined;
  #again: Cancel = () => {};
  #missing = false;

  constructor(parts: SourceParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    const { replica } = this.#parts;
    if (!replica.filled && !(await this.#fill())) return this.#wait();
    if (!(await this.#follow(replica.cookie))) return this.#wait();
  }

  kick(): void {
    if (!this.#missing) return;
    this.#again();
    this.#missing = false;
    this.start().catch((thrown: unknown) => this.#parts.upstream.feed.destroy(thrown));
  }

  stop(): void {
    this.#again();
    this.#stop.abort();
  }

  /** The base does not exist: looked for until it does. */
  #wait(): void {
    const { replica, clock } = this.#parts;
    replica.filled = true;
    for (const uuid of this.#everything()) remove(this.#parts, uuid);
    this.#missing = true;
    this.#again = clock.after(lookAgainMs, () => this.kick());
  }

  #everything(): string[] {
    this.#parts.replica.image.beginMarking();
    return this.#parts.replica.image.unmarked();
  }

  /** Names and UUIDs of all there is, with the cookie to go on from; false where the base does not exist. */
  async #fill(): Promise<boolean> {
    const { replica } = this.#parts;
    const answer = await this.#ask('refreshOnly', undefined, ['1.1']);
    if (answer.response.result.code === resultCodes.noSuchObject) return false;
    this.#succeed(answer);
    replica.cookie = syncDone(answer.controls)?.cookie;
    replica.filled = true;
    return true;
  }

  /** Resolves when the refresh is done; the search goes on. False where the base does not exist. */
  async #follow(cookie: Cookie | undefined): Promise<boolean> {
    this.#persisting = false;
    this.#pending = undefined;
    this.#parts.replica.image.beginMarking();
    let refreshed = (_there: boolean): void => {};
    const current = new Promise<boolean>((resolve) => {
      refreshed = resolve;
    });
    this.#onRefreshed = () => refreshed(true);
    const ended = this.#ask('refreshAndPersist', cookie, ['*', '+']).then((answer) => this.#ended(answer));
    // While it persists, its end is the end of the connection; before, it is an answer to whoever waits.
    ended.catch((thrown: unknown) => {
      if (this.#persisting && !this.#stop.signal.aborted) this.#parts.upstream.feed.destroy(thrown);
    });
    return Promise.race([current, ended]);
  }

  #onRefreshed = (): void => {};

  /** The search is over, which it should never be: false where the base does not exist. */
  async #ended(answer: Answer): Promise<boolean> {
    const { replica, feed } = this.#parts;
    const { code } = answer.response.result;
    if (code === resultCodes.noSuchObject && !this.#persisting) return false;
    if (code === refreshRequired && replica.cookie) {
      this.#parts.log.info(`the directory cannot tell what changed below "${replica.base.toString()}": everything is compared`);
      replica.cookie = undefined;
      return this.#follow(undefined);
    }
    // A replica that is behind the one we heard last: its content counts from now on, once no other server is better.
    if (code === resultCodes.unwillingToPerform && replica.cookie && !this.#persisting) {
      replica.cookie = undefined;
      feed.lose();
    }
    this.#succeed(answer);
    throw new DirectoryFault('unavailable', 'the directory ended the feed of changes');
  }

  #succeed(answer: Answer): void {
    const { code, diagnostic } = answer.response.result;
    if (code === resultCodes.sizeLimitExceeded || code === resultCodes.timeLimitExceeded || code === resultCodes.adminLimitExceeded)
      throw new DirectoryFault(
        'adminLimitExceeded',
        `the directory does not give us all entries (result ${code}${diagnostic ? `, ${diagnostic}` : ''}): its limits for our account must be lifted`,
      );
    succeed(answer);
  }

  #ask(mode: 'refreshOnly' | 'refreshAndPersist', cookie: Cookie | undefined, attributes: readonly string[]): Promise<Answer> {
    const { upstream, replica, timeoutMs } = this.#parts;
    return upstream.feed.ask(searchRequest({ base: replica.base, scope: 'sub', filter: anything, attributes }), {
      controls: [syncRequest(mode, cookie)],
      signal: this.#stop.signal,
      // While it refreshes something must come; later nothing need. The connection's own signs of life count there.
      timeoutMs: mode === 'refreshOnly' ? timeoutMs * 6 : 0,
      onPartial: (response, controls) => this.#take(response, controls),
    });
  }

  #take(response: Partial, controls: Answer['controls']): void {
    if (response.op === 'intermediate') {
      if (response.oid === syncInfoOid && response.value) this.#info(syncInfo(response.value));
      return;
    }
    const state = response.op === 'entry' ? syncState(controls) : undefined;
    if (response.op !== 'entry' || !state) return;
    if (state.state === 'delete') remove(this.#parts, state.uuid);
    else if (state.state === 'present') this.#parts.replica.image.mark(state.uuid);
    else {
      const entry = entryFrom(response.dn, response.attributes, this.#parts.upstream.features.classes);
      if (entry) upsert(this.#parts, state.uuid, entry);
      else this.#parts.log.warning(`an entry of the directory has a name that is none, and is not used: ${response.dn.slice(0, 200)}`);
    }
    this.#cookie(state.cookie);
  }

  #cookie(cookie: Cookie | undefined): void {
    if (!cookie) return;
    if (this.#persisting) this.#parts.replica.cookie = cookie;
    else this.#pending = cookie;
  }

  #info(info: SyncInfo): void {
    const { replica } = this.#parts;
    if (info.kind === 'ids') {
      for (const uuid of info.uuids) {
        if (info.deletes) remove(this.#parts, uuid);
        else replica.image.mark(uuid);
      }
    }
    this.#cookie(info.cookie);
    if (info.kind !== 'refreshDelete' && info.kind !== 'refreshPresent') return;
    // What was neither sent nor said to be present is gone. Behind it deletions may still be told one by one.
    if (info.kind === 'refreshPresent') for (const uuid of replica.image.unmarked()) remove(this.#parts, uuid);
    if (!info.done) return;
    replica.image.stopMarking();
    replica.cookie = this.#pending ?? replica.cookie;
    this.#persisting = true;
    this.#onRefreshed();
  }
}
