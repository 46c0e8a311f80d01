/**
 * What is known of every entry below one base: its UUID, its name and its last change as a number each. Enough to tell an added entry
 * from a changed or renamed one, and to find those that are gone by comparison; some 70 octets an entry.
 */

import { Fault } from '../../base/index.ts';
import type { Dn } from '../../ldap-wire/index.ts';

/** Above that the process would need gigabytes for names alone: no directory of a mail platform. */
const most = 8_000_000;

export class Image {
  /** UUID (16 octets, latin1) to a number that stands for the name (and the change, where polling asks for that). */
  #known = new Map<string, number>();
  #marked: Set<string> | undefined;

  get size(): number {
    return this.#known.size;
  }

  /** What is known of the entry, or undefined. */
  get(uuid: string): number | undefined {
    return this.#known.get(uuid);
  }

  put(uuid: string, print: number): void {
    this.#known.set(uuid, print);
    if (this.#known.size > most) throw new Fault('too-large', `the directory has more than ${most} entries below one base`);
  }

  remove(uuid: string): void {
    this.#known.delete(uuid);
  }

  /** From here on entries are marked that are still there. */
  beginMarking(): void {
    this.#marked = new Set();
  }

  mark(uuid: string): void {
    // Only what is known can be missed later: a server cannot fill memory with UUIDs of its invention.
    if (this.#known.has(uuid)) this.#marked?.add(uuid);
  }

  stopMarking(): void {
    this.#marked = undefined;
  }

  /** Removes and returns what was not marked; nothing where nobody marks. */
  unmarked(): string[] {
    const marked = this.#marked;
    this.#marked = undefined;
    if (!marked) return [];
    const gone: string[] = [];
    for (const uuid of this.#known.keys()) if (!marked.has(uuid)) gone.push(uuid);
    for (const uuid of gone) this.#known.delete(uuid);
    return gone;
  }
}

/** FNV-1a over the name as it compares, 30 bits: a number that V8 keeps without a box. */
export function printOf(dn: Dn, also = ''): number {
  const text = also === '' ? dn.key : `${dn.key}\n${also}`;
  let hash = 0x811c9dc5;
  for (let n = 0; n < text.length; n++) hash = Math.imul(hash ^ text.charCodeAt(n), 0x01000193);
  return (hash >>> 2) & 0x3fffffff;
}
