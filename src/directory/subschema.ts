/**
 * The subschema subentry as an entry that can be searched, read and compared, though no record holds it.
 *
 * Promise: anybody may read it, for it says nothing about anybody.
 * Spec: RFC 4512 §4.2, §4.4
 */

import { type Dn, parseDn } from '../ldap-wire/index.ts';
import type { Judge, Subject } from './access/judge.ts';
import type { Entry } from './entry.ts';
import { type SearchRequest, system } from './port.ts';
import type { Stored } from './records/view.ts';
import { subschemaEntry, subschemaName } from './schema/publish.ts';
import type { Schema } from './schema/schema.ts';
import type { Compiler } from './search/evaluate.ts';
import type { Selector } from './search/select.ts';
import { checkAssertion } from './write/around.ts';

const subschemaDn = parseDn(subschemaName);
/** Number of an entry that is not stored: it has nothing above or below it. */
const nobody = -1;

export class Subschema {
  readonly stored: Stored;
  readonly #judge: Judge;
  readonly #compiler: Compiler;
  readonly #selector: Selector;

  constructor(parts: { readonly schema: Schema; readonly judge: Judge; readonly compiler: Compiler; readonly selector: Selector }) {
    this.stored = { id: nobody, parent: nobody, entry: subschemaEntry(parts.schema), optioned: false };
    this.#judge = parts.judge;
    this.#compiler = parts.compiler;
    this.#selector = parts.selector;
  }

  is(dn: Dn): boolean {
    return dn.key === subschemaDn.key;
  }

  /** On whose behalf it is read, whoever asks. */
  reader(): Subject {
    return this.#judge.subject(system('directory'));
  }

  async *search(request: SearchRequest): AsyncGenerator<Entry> {
    const matches = this.#compiler.compile(request.filter);
    if (request.assertion) checkAssertion(this.#judge, this.reader(), this.#compiler.compile(request.assertion), this.stored);
    if (request.scope === 'one' || matches(this.stored, undefined) !== true) return;
    yield this.shown(request.attributes, request.typesOnly ?? false);
  }

  shown(attributes: readonly string[] | undefined, typesOnly: boolean): Entry {
    const verdict = this.#judge.verdict(this.reader(), this.stored.entry);
    return this.#selector.select(this.stored, this.#selector.selection(attributes, typesOnly), verdict);
  }
}
