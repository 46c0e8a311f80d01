/**
 * What transactions may take from the view's cache instead of reading and decoding it again.
 *
 * The view shows what is committed; a transaction must see those before it as well. So every transaction that was run and is not answered
 * yet is kept here: an entry that one of them touched is read from the records, and so is every name while one of them moves names. At the
 * moment of a commit, before anything else can run, the view forgets what they touched.
 */

import type { Dn } from '../../ldap-wire/index.ts';
import type { KeyValue } from '../../storage/index.ts';
import type { Position } from '../port.ts';
import { changed } from './keys.ts';
import type { Transaction } from './transaction.ts';
import type { Stored, View } from './view.ts';

export class InFlight {
  readonly #view: View;
  readonly #open = new Set<Transaction>();
  readonly #unsubscribe: () => void;

  constructor(keyValue: KeyValue, view: View) {
    this.#view = view;
    this.#unsubscribe = keyValue.subscribe(changed, () => {
      for (const tx of this.#open) this.forget(tx);
    });
  }

  /** It was run, and will be committed or refused. */
  add(tx: Transaction): void {
    this.#open.add(tx);
  }

  /** It was committed or refused, and its caller is being told. */
  delete(tx: Transaction): void {
    this.#open.delete(tx);
  }

  #kept: Position = 0;

  /**
   * It was committed and is not open any more: the view takes what it has modified over, so that nobody need read it. Not where somebody
   * else has touched it since, be it committed or not, nor where names have moved.
   */
  keep(tx: Transaction): void {
    if (tx.fresh.size === 0 || tx.moves || tx.firstChange === undefined || tx.firstChange <= this.#kept) return;
    this.#kept = tx.firstChange;
    for (const [id, fresh] of tx.fresh) {
      // What came in by the network may be a small part of something large.
      const texts = [...fresh.entry.attributes.values()].every(({ values }) => values.every((value) => typeof value === 'string'));
      if (texts && !this.#isTouched(id)) this.#view.keep(id, fresh);
    }
  }

  #isTouched(id: number): boolean {
    for (const tx of this.#open) if (tx.moves || tx.touched.has(id)) return true;
    return false;
  }

  forget(tx: Transaction): void {
    this.#view.forget({ ids: tx.touched, names: tx.gone, heads: tx.heads, all: tx.renamed });
  }

  /** The entry as it is committed, if nobody has touched it since; undefined says nothing. */
  stored(id: number, own: Transaction): Stored | undefined {
    if (own.moves || own.touched.has(id)) return undefined;
    return this.#isTouched(id) ? undefined : this.#view.load(id);
  }

  idOf(dn: Dn, own: Transaction): number | undefined {
    if (own.moves) return undefined;
    for (const tx of this.#open) if (tx.moves) return undefined;
    return this.#view.idOf(dn);
  }

  close(): void {
    this.#unsubscribe();
  }
}
