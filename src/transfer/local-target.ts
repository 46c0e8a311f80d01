/** The bundled directory as the target of an import, with the rights of the server itself. */

import {
  type AttributeValue,
  type BundledDirectory,
  clearPassword,
  DirectoryFault,
  type Entry,
  isStoredForm,
  passwordText,
  system,
} from '../directory/index.ts';
import type { Dn } from '../ldap-wire/index.ts';
import { type Addition, asRefusal, type Outcome, type Target, type Write } from './target.ts';

const actor = system('import');

export class LocalTarget implements Target {
  readonly takesOperational = true;
  readonly #directory: BundledDirectory;
  readonly #each: boolean;

  /** `each`: every addition is a write of its own with its own place in the history, to be undone alone. For small imports. */
  constructor(directory: BundledDirectory, how: { readonly each?: boolean } = {}) {
    this.#directory = directory;
    this.#each = how.each ?? false;
  }

  read(dn: Dn): Promise<Entry | undefined> {
    return this.#directory.readAll(dn);
  }

  async write(write: Write): Promise<void> {
    switch (write.kind) {
      case 'add':
        await this.#directory.add(actor, write.dn, write.attributes);
        return;
      case 'modify':
        await this.#directory.modify(actor, write.dn, write.modifications);
        return;
      case 'rename':
        await this.#directory.rename(actor, write.dn, write.to);
        return;
      case 'delete':
        await this.#directory.delete(actor, write.dn, write.subtree ? { subtree: true } : undefined);
    }
  }

  async hasPasswords(entry: Entry, given: readonly AttributeValue[]): Promise<boolean> {
    const stored = new Set(entry.values('userPassword').map(passwordText));
    if (stored.size !== given.length) return false;
    for (const value of given) {
      if (stored.has(passwordText(value))) continue;
      if (isStoredForm(value) || !(await this.#directory.compare(actor, entry.dn, 'userPassword', clearPassword(value)))) return false;
    }
    return true;
  }

  async addAll(additions: readonly Addition[], goOn: boolean): Promise<Outcome[]> {
    if (!this.#each) {
      try {
        await this.#directory.addBatch(actor, additions);
        return additions.map(() => 'done');
      } catch (thrown) {
        asRefusal(thrown);
      }
    }
    // One of them is refused and none was written: one by one it shows which.
    const outcomes: Outcome[] = [];
    let refused = false;
    for (const addition of additions) {
      const outcome: Outcome = refused && !goOn ? 'not tried' : await this.#addOne(addition);
      outcomes.push(outcome);
      refused ||= outcome !== 'done';
    }
    return outcomes;
  }

  async #addOne(addition: Addition): Promise<Outcome> {
    try {
      if (this.#each) await this.write(addition);
      else await this.#directory.addBatch(actor, [addition]);
      return 'done';
    } catch (thrown) {
      return ofOne(asRefusal(thrown), addition);
    }
  }
}

/** A batch says which of its entries it is about; of one that is known. */
function ofOne(fault: DirectoryFault, addition: Addition | undefined): DirectoryFault {
  const name = `${addition?.dn.toString() ?? ''}: `;
  if (!fault.say.startsWith(name)) return fault;
  return new DirectoryFault(fault.result, fault.say.slice(name.length), { cause: fault, matched: fault.matched });
}
