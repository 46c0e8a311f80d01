/**
 * One errand to a destination: a session, and messages over it one after the other.
 *
 * Promise: never fails; whatever was leased for it is settled or given back at its end. Where the host is to blame, its channel is put off,
 * and the errand says so.
 * How a message is sent is in deliver.ts, what becomes of it then in books.ts.
 */

import type { Clock, Live, Log, Random } from '../base/index.ts';
import type { MtaPolicy, Peer } from '../dit/index.ts';
import type { Lease, Queue } from '../queue/index.ts';
import type { Blobs } from '../storage/index.ts';
import type { Books } from './books.ts';
import type { Channel, Channels, Deferred } from './channels.ts';
import { deliver, type SignMessage } from './deliver.ts';
import { all, type Fates } from './fate.ts';
import type { Line } from './idle.ts';
import type { PeerSession } from './peer-session.ts';
import type { Place } from './places.ts';
import { retryDelay } from './retry.ts';
import type { SmtpcSettings } from './settings/index.ts';
import { isTlsReport } from './tls/report-message.ts';
import type { Way } from './way.ts';

export interface ErrandNeeds {
  readonly queue: Queue;
  readonly blobs: Blobs;
  readonly settings: Live<SmtpcSettings>;
  readonly peer: (destination: string) => Peer;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly dsn: () => boolean;
  readonly mta: Live<MtaPolicy>;
  readonly sign?: SignMessage;
  readonly way: Way;
  readonly channels: Channels;
  readonly books: Books;
  readonly signal: () => AbortSignal;
}

export interface Errand {
  readonly channel: Channel;
  readonly first: Lease;
  readonly place: Place;
  /** Messages in a session at most, as it is now. */
  readonly most: (peer: Peer) => number;
  readonly next: () => Promise<Lease | undefined>;
  /** A lease was given back untried. */
  readonly back?: (lease: Lease) => void;
  /** The host said something about a message, or took it. */
  readonly answered?: () => void;
  /** The first message finds out whether the host takes mail at all. */
  readonly probe: boolean;
}

/** When this host had no descriptor or no memory for a connection: milliseconds until the next try. */
const shortageMs = 30_000;
/** Messages in a row that a host may put off before its channel is: one alone may have itself to blame. */
const patience = 3;

/**
 * What goes on beside a message that is being sent: the one before it is written down (begun the moment its host has answered), the one behind
 * it is leased. Waiting for the disk twice a message would be half of the time on a fast connection.
 */
class Ahead {
  /** Never rejects. */
  written: Promise<void> = Promise.resolve();
  #next: Promise<Lease | undefined> | undefined;

  lease(next: Promise<Lease | undefined>): void {
    // Whoever takes it hears of its failure; until then nobody does.
    next.catch(() => {});
    this.#next = next;
  }

  take(): Promise<Lease | undefined> | undefined {
    const next = this.#next;
    this.#next = undefined;
    return next;
  }

  /** Resolves when the message before this one is written down, so that no more than one ever is on its way. */
  async write(work: Promise<void>): Promise<void> {
    const before = this.written;
    this.written = work;
    await before;
  }
}

/** `down`: the channel was put off. */
export type Ended = 'down' | 'over';

/** A host hung up before it got any of the message, and there are others that have not had their turn (RFC 5321 §5.1). */
interface Elsewhere {
  readonly passed: ReadonlySet<string>;
  readonly fates: Fates;
  readonly refused: Deferred;
}

interface InHand {
  lease: Lease | undefined;
}

export class Errands {
  readonly #needs: ErrandNeeds;
  readonly #sessions = new Set<PeerSession>();
  /** Sessions over which mail is sent now. */
  #inUse = 0;

  constructor(needs: ErrandNeeds) {
    this.#needs = needs;
  }

  async run(errand: Errand): Promise<Ended> {
    const { channel, first } = errand;
    const inHand: InHand = { lease: first };
    try {
      const peer = this.#needs.peer(channel.destination);
      const no = this.#needs.books.forbidden(first, channel.destination, peer);
      if (no) {
        await this.#needs.books.settle(first, no);
        return 'over';
      }
      let ended = await this.#attempt(errand, inHand, { keptWith: errand.most(peer) });
      // A connection that was kept and has gone says nothing of its host: a new one will tell.
      while (ended === 'stale' || typeof ended === 'object')
        ended = await this.#attempt(errand, inHand, ended === 'stale' ? {} : { before: ended });
      return ended;
    } catch (thrown) {
      await this.#needs.books.defect(inHand.lease, thrown);
      return 'over';
    }
  }

  /** `keptWith`: see ErrandWish; `before`: what came of the hosts before. */
  async #attempt(
    errand: Errand,
    inHand: InHand,
    { keptWith, before }: { readonly keptWith?: number; readonly before?: Elsewhere },
  ): Promise<Ended | 'stale' | Elsewhere> {
    const { channel, first, place } = errand;
    const { books, peer, queue, signal, way } = this.#needs;
    const reached = await way.reach(channel.destination, peer(channel.destination), {
      report: isTlsReport(first.message),
      ...(keptWith === undefined ? {} : { keptWith }),
      passed: before?.passed,
      dialling: () => this.#makeRoom(channel, 1),
      dialled: () => place.dialled(),
    });
    if (reached.kind !== 'session') {
      // Stopped while waiting: that is no attempt.
      if (signal().aborted) await queue.release(first);
      // None of the others can be had: what the last one said counts.
      else if (before) return await this.#refusedBy(before.refused, before.fates, first, errand);
      else if (reached.kind === 'defer') return await this.putOff(channel, first, reached);
      else await books.settle(first, all(first.recipients, reached));
      return 'over';
    }
    const { line } = reached;
    if (line.used === 0) this.#know(line.session);
    this.#inUse += 1;
    let left = false;
    const leave = (idleAfter?: number): void => {
      if (left) return;
      left = true;
      this.#inUse -= 1;
      if (idleAfter === undefined) line.session.quit();
      else way.idle.keep({ ...line, used: line.used + idleAfter }, channel.destination);
    };
    try {
      this.#makeRoom(channel, 0);
      place.progress();
      const ended = await this.#over(line, errand, inHand, leave);
      if (ended === 'stale' || typeof ended !== 'object') return ended;
      if (reached.others) return { ...ended, passed: reached.passed };
      return await this.#refusedBy(ended.refused, ended.fates, first, errand);
    } finally {
      leave();
    }
  }

  /** Connections that are idle give way to those in use, and to one that is to be made. */
  #makeRoom(channel: Channel, coming: 0 | 1): void {
    const { peer, settings, way } = this.#needs;
    if (way.idle.size === 0) return;
    const { pendingProcessors, pendingSessions } = settings.value;
    const all = pendingProcessors * pendingSessions - this.#inUse - coming;
    way.idle.giveWay(channel.destination, { here: peer(channel.destination).sessions - channel.sessions, all });
  }

  #know(session: PeerSession): void {
    this.#sessions.add(session);
    void session.ended.then(() => this.#sessions.delete(session));
  }

  /**
   * `leave` is called with the number of messages sent when the session is idle, its messages not yet written down. `stale`: it was kept, and
   * had gone before it got any of the message, which is still in hand; an object: a new one went so.
   */
  async #over(
    { session, used }: Line,
    errand: Errand,
    inHand: InHand,
    leave: (idleAfter: number) => void,
  ): Promise<Ended | 'stale' | Omit<Elsewhere, 'passed'>> {
    const { books, channels, peer: peerOf, signal } = this.#needs;
    const { channel, place } = errand;
    const ahead = new Ahead();
    try {
      let n = 0;
      for (; inHand.lease; n += 1) {
        const lease: Lease = inHand.lease;
        // What is agreed may have changed since the session began.
        const peer = peerOf(channel.destination);
        // What was good enough for a report about encryption may not be for others.
        const more = !isTlsReport(lease.message) && used + n + 1 < errand.most(peer);
        // Nothing is leased beside a probe: it may go back to sleep with the rest.
        if (more && !(errand.probe && n === 0)) ahead.lease(errand.next());
        const fates = books.forbidden(lease, channel.destination, peer) ?? (await deliver(lease, session, this.#deliverOptions(peer)));
        place.progress();
        const refused = hostRefused(fates);
        if (refused?.byHost === 'lost' && n === 0 && !session.dataBegun) {
          if (used > 0) return 'stale';
          if (!signal().aborted) return { fates, refused };
        }
        if (refused?.byHost === 'lost' && n > 0) {
          // The peer had enough of this connection, not of the message: a new connection will tell.
          await this.#giveBack(lease, errand);
          return 'over';
        }
        inHand.lease = undefined;
        if (refused && this.#isDown(refused, errand)) return await this.putOff(channel, lease, refused, fates);
        if (!refused) {
          channel.refusals = 0;
          channels.prove(channel);
          errand.answered?.();
        }
        await ahead.write(books.settle(lease, fates).catch((thrown: unknown) => books.defect(lease, thrown)));
        if (!more || !session.open || signal().aborted) return 'over';
        inHand.lease = await (ahead.take() ?? errand.next());
      }
      leave(n);
      return 'over';
    } finally {
      await ahead.written;
      const unused = await ahead.take();
      if (unused) await this.#giveBack(unused, errand);
    }
  }

  /** Whether the host is to blame by now, and not the message. */
  #isDown(refused: Deferred, { channel, probe }: Errand): boolean {
    channel.refusals += 1;
    return ((probe && refused.byHost === 'lost') || channel.refusals >= patience) && !this.#needs.signal().aborted;
  }

  /** The errand ends with what its only message met. */
  async #refusedBy(refused: Deferred, fates: Fates, lease: Lease, errand: Errand): Promise<Ended> {
    if (this.#isDown(refused, errand)) return await this.putOff(errand.channel, lease, refused, fates);
    await this.#needs.books.settle(lease, fates);
    return 'over';
  }

  /** Untried. */
  async #giveBack(lease: Lease, errand: Errand): Promise<void> {
    await this.#needs.queue.release(lease);
    errand.back?.(lease);
  }

  /** Its host cannot be had: what waits for it waits for the next run, this message with it. */
  async putOff(channel: Channel, lease: Lease, why: Omit<Deferred, 'kind'>, fates?: Fates): Promise<Ended> {
    const { books, channels, clock, peer, random } = this.#needs;
    const now = clock.now();
    const fate: Deferred = { ...why, kind: 'defer' };
    channels.disprove(channel);
    const before = channel.down;
    if (!before || before.until <= now) {
      // What this host lacked says nothing about the other one.
      const failures = (before?.failures ?? 0) + (why.ours ? 0 : 1);
      const interval = why.ours ? shortageMs : peer(channel.destination).queueInterval * 60_000;
      const until = Math.round(now + retryDelay(why.ours ? 0 : failures - 1, interval, random));
      channel.down = { since: now, until, failures, fate };
      channel.nextRun = until;
    }
    const until = channel.down?.until ?? now;
    // Whoever got as far as a session may be to blame itself: others are the next probes, where there are any.
    const at = fates && (await this.#othersWait(channel)) ? now + 4 * Math.max(until - now, 60_000) : until;
    await books.settle(lease, fates ?? all(lease.recipients, fate), { at, asleep: false, tried: true });
    return 'down';
  }

  async #othersWait({ destination }: Channel): Promise<boolean> {
    for await (const _ of this.#needs.queue.waiting('SMTPC', destination)) return true;
    return false;
  }

  #deliverOptions(peer: Peer) {
    const { blobs, dsn, log, mta, settings, sign } = this.#needs;
    const value = settings.value;
    return {
      blobs,
      recipientsPerTransaction: value.recipientsPerTransaction,
      temporary554: value.treat554AsTemporary,
      dsn: dsn(),
      charset: mta.value.charset ?? '',
      keepVerdicts: peer.keepSpamHeaders,
      attachments: peer,
      note: (text: string) => log.info(text),
      ...(sign ? { sign } : {}),
    };
  }

  /** Transactions cut off here are deferred by their own errand, as for any connection that breaks. */
  cutOff(): void {
    for (const session of this.#sessions) session.destroy();
  }
}

/** What the host said, where it was the host that put everything off: not for the sake of its recipients. */
function hostRefused(fates: Fates): Deferred | undefined {
  let why: Deferred | undefined;
  for (const fate of fates.values()) {
    if (fate.kind !== 'defer' || !fate.byHost) return undefined;
    if (why?.byHost !== 'lost') why = fate;
  }
  return why;
}
