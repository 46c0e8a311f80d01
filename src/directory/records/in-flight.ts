/**
 * What transactions may take from the view's cache instead of reading and decoding it again.
 *
 * The view shows what is committed; a transaction must see those before it as well. So every transaction that was run and is not answered
 * yet is kept here: an entry that one of them touched is read from the records, and so is every name while one of them moves names. At the
 * moment of a commit, before anything else can run, the view forgets what they touched.
 */

import type { Dn } from '../../ldap-wire/index.ts';
import type { KeyValue } from '../../storage/index.ts';
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

  forget(tx: Transaction): void {
    this.#view.forget({ ids: tx.touched, names: tx.gone, heads: tx.heads, all: tx.renamed });
  }

  /** The entry as it is committed, if nobody has touched it since; undefined says nothing. */
  stored(id: number, own: Transaction): Stored | undefined {
    if (own.moves || own.touched.has(id)) return undefined;
    for (const tx of this.#open) if (tx.moves || tx.touched.has(id)) return undefined;
    return this.#view.load(id);
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
