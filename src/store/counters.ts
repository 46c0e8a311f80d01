/**
 * The counters of a mailbox: the one small record that every change of it rewrites, and the only one read to learn that nothing changed.
 *
 * It also names the chunks changed last, so that a session that is nearly up to date reads only those. `recentSince` says from which
 * mod-sequence on that list is complete.
 */

import { Fault } from '../base/index.ts';
import type { Uid } from './port.ts';
import { ByteReader, ByteWriter, damaged } from './wire.ts';

export interface Counters {
  uidValidity: number;
  uidNext: Uid;
  highestModSeq: number;
  messages: number;
  unseen: number;
  deleted: number;
  /** Octets. */
  size: number;
  /** First UID that no session has been told is recent. */
  recentFrom: Uid;
  /** Expunges are known exactly for mod-sequences above this one. */
  vanishedSince: number;
  vanishedBlocks: number;
  recentSince: number;
  /** Chunks and the mod-sequence of their last change, oldest change first. */
  recentChunks: Map<number, number>;
}

const format = 1;
const mostRecentChunks = 24;

export function freshCounters(uidValidity: number): Counters {
  return {
    uidValidity,
    uidNext: 1,
    highestModSeq: 1,
    messages: 0,
    unseen: 0,
    deleted: 0,
    size: 0,
    recentFrom: 1,
    vanishedSince: 0,
    vanishedBlocks: 0,
    recentSince: 0,
    recentChunks: new Map(),
  };
}

/** Notes that a chunk changed at the mailbox's present mod-sequence. */
export function noteChunk(counters: Counters, chunk: number): void {
  const { recentChunks } = counters;
  recentChunks.delete(chunk);
  recentChunks.set(chunk, counters.highestModSeq);
  if (recentChunks.size <= mostRecentChunks) return;
  const [oldest] = recentChunks;
  if (!oldest) return;
  recentChunks.delete(oldest[0]);
  counters.recentSince = Math.max(counters.recentSince, oldest[1]);
}

export function encodeCounters(c: Counters): Uint8Array {
  const to = new ByteWriter(96);
  to.byte(format);
  to.number(c.uidValidity);
  to.number(c.uidNext);
  to.number(c.highestModSeq);
  to.number(c.messages);
  to.number(c.unseen);
  to.number(c.deleted);
  to.number(c.size);
  to.number(c.recentFrom);
  to.number(c.vanishedSince);
  to.number(c.vanishedBlocks);
  to.number(c.recentSince);
  for (const [chunk, modSeq] of c.recentChunks) {
    to.number(chunk);
    to.number(c.highestModSeq - modSeq);
  }
  return to.done();
}

export function decodeCounters(bytes: Uint8Array): Counters {
  const from = new ByteReader(bytes);
  if (from.byte() !== format) throw new Fault('unavailable', 'a mailbox record is damaged or of a newer version');
  const counters: Counters = {
    uidValidity: from.number(),
    uidNext: from.number(),
    highestModSeq: from.number(),
    messages: from.number(),
    unseen: from.number(),
    deleted: from.number(),
    size: from.number(),
    recentFrom: from.number(),
    vanishedSince: from.number(),
    vanishedBlocks: from.number(),
    recentSince: from.number(),
    recentChunks: new Map(),
  };
  if (counters.uidNext > 2 ** 32 || counters.messages > counters.uidNext) throw damaged();
  while (from.more) counters.recentChunks.set(from.number(), counters.highestModSeq - from.number());
  return counters;
}

/** Octets and messages of an account. */
export interface Usage {
  readonly octets: number;
  readonly messages: number;
}

export function encodeUsage(usage: Usage): Uint8Array {
  const to = new ByteWriter(16);
  to.number(usage.octets);
  to.number(usage.messages);
  return to.done();
}

export function decodeUsage(bytes: Uint8Array | undefined): Usage {
  if (!bytes) return { octets: 0, messages: 0 };
  const from = new ByteReader(bytes);
  return { octets: from.number(), messages: from.number() };
}
