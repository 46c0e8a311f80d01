/**
 * Which past a position belongs to.
 *
 * Every opening of the database begins a chapter with a key of its own. A cookie is sealed with the key of the chapter it was
 * given in, so one from another database is not recognised, nor one that was given after the moment from which a backup was
 * brought back: its chapter is not in the backup, or had ended there by another opening.
 * The seal covers what the cookie is good for: who asked, for what, under which rights.
 */

import { createHmac, randomBytes } from 'node:crypto';
import type { KeyValue } from '../../storage/index.ts';
import type { Position } from '../port.ts';
import { decodeText, encodeText } from '../records/codec.ts';
import { keys } from '../records/keys.ts';

/** Where the chapter begins: the last change there was when the database was opened; and its key, in hexadecimal. */
type Chapter = readonly [start: Position, key: string];

/** Chapters kept; cookies of older ones lead to a fresh start. */
const most = 512;

export class Lineage {
  readonly #chapters: readonly Chapter[];

  private constructor(chapters: readonly Chapter[]) {
    this.#chapters = chapters;
  }

  /** Begins a chapter: before anything is written to the database it was opened for. */
  static async open(keyValue: KeyValue, position: Position): Promise<Lineage> {
    const key = randomBytes(16).toString('hex');
    const chapters = await keyValue.transact(async (read) => {
      const octets = await read.get(keys.lineage);
      const known = octets ? (JSON.parse(decodeText(octets)) as Chapter[]) : [];
      const all: Chapter[] = [...known, [position, key] as const].slice(-most);
      return { puts: [[keys.lineage, encodeText(JSON.stringify(all))]], result: all };
    }, 'durable');
    return new Lineage(chapters);
  }

  /** 24 bits that only this database, at this place of its history, gives to this scope. */
  seal(position: Position, at: number, scope: string): number {
    const [, key] = this.#chapters.at(-1) ?? [0, ''];
    return sealOf(key, position, at, scope);
  }

  /** Whether `seal` is of this database's own past. */
  sealed(position: Position, at: number, scope: string, seal: number): boolean {
    for (let n = this.#chapters.length - 1; n >= 0; n--) {
      const [start = 0, key = ''] = this.#chapters[n] ?? [];
      const [end = Number.POSITIVE_INFINITY] = this.#chapters[n + 1] ?? [];
      if (start <= position && position <= end && sealOf(key, position, at, scope) === seal) return true;
      if (end < position) return false;
    }
    return false;
  }
}

const sealOf = (key: string, position: Position, at: number, scope: string): number =>
  createHmac('sha256', key).update(`${position} ${at} ${scope}`).digest().readUIntBE(0, 3);
