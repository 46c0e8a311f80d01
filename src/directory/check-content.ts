/**
 * What one entry after the other says of itself: values, classes, name, last change; and what only all of them together show:
 * addresses that two have, references that lead nowhere.
 */

import { type Dn, parseDn } from '../ldap-wire/index.ts';
import type { Entry } from './entry.ts';
import { DirectoryFault } from './port.ts';
import type { View } from './records/view.ts';
import type { Schema } from './schema/schema.ts';
import { checkAttributes, checkNaming, completeClasses } from './write/check-entry.ts';
import { checkedValue, Draft } from './write/draft.ts';
import { isListMember } from './write/rules.ts';

/** The last change of an entry that the log has. */
export interface LastChange {
  readonly change: number;
  /** entryCSN of the entry as it became; undefined where it was deleted. */
  readonly csn: string | undefined;
}

export interface ContentParts {
  readonly view: View;
  readonly schema: Schema;
  readonly addresses: readonly string[];
  /** By entry id. What was found is taken out. */
  readonly last: Map<number, LastChange>;
  readonly blame: (text: string) => void;
  readonly warn: (text: string) => void;
}

const dnSyntax = '1.3.6.1.4.1.1466.115.121.1.12';

export class ContentCheck {
  readonly #parts: ContentParts;
  /** Who has an address, by its comparable form. */
  readonly #holders = new Map<string, string>();
  readonly #domains = new Set<string>();
  /** Domains that are another name for one, with the entry that says so. */
  readonly #aliases: { readonly dn: string; readonly of: string }[] = [];

  constructor(parts: ContentParts) {
    this.#parts = parts;
  }

  entry(id: number): void {
    const { view, blame } = this.#parts;
    const stored = view.load(id);
    if (!stored) {
      blame(`entry ${id}: the entries above it are missing`);
      return;
    }
    const { entry } = stored;
    this.#logged(id, entry);
    this.#allowed(entry);
    this.#references(entry);
    if (!isListMember(entry)) this.#addresses(entry);
    this.#domain(entry);
  }

  /** What the log has and no entry was found for, and what only all entries together show. */
  end(): void {
    for (const { dn, of } of this.#aliases) {
      const labels = of.split('.');
      // A sub-domain may be local with a domain above it.
      if (!labels.some((_, n) => this.#domains.has(labels.slice(n).join('.'))))
        this.#parts.warn(`${dn}: attribute mtDomainAlias: there is no domain ${of}`);
    }
    for (const [id, { change, csn }] of this.#parts.last)
      if (csn !== undefined) this.#parts.blame(`change log: entry ${id} is gone, but change ${change} left it there`);
  }

  #logged(id: number, entry: Entry): void {
    const { last, blame } = this.#parts;
    const known = last.get(id);
    last.delete(id);
    if (!known) return;
    if (known.csn === undefined) blame(`${entry.dn.toString()}: it is there, but change ${known.change} deleted it`);
    else if (known.csn !== entry.text('entryCSN'))
      blame(`${entry.dn.toString()}: attribute entryCSN: not what change ${known.change}, the last one of it, left there`);
  }

  #allowed(entry: Entry): void {
    const { schema, blame } = this.#parts;
    const say = (why: string): void => blame(`${entry.dn.toString()}: ${why}`);
    for (const { name, values } of entry.attributes.values()) {
      const type = schema.describe(name)?.type;
      if (!type) {
        say(`attribute ${name}: not defined in the schema`);
        continue;
      }
      for (const value of values) refusalOf(() => checkedValue(type, value), say);
    }
    refusalOf(() => {
      const draft = new Draft(schema, entry.attributes.values());
      const { classes } = completeClasses(schema, draft);
      checkNaming(schema, draft, entry.dn, { complete: false });
      checkAttributes(draft, classes);
    }, say);
  }

  #references(entry: Entry): void {
    const { schema, view, warn } = this.#parts;
    for (const { name, values } of entry.attributes.values()) {
      const type = schema.describe(name)?.type;
      if (!type || type.operational || !type.userModifiable || type.syntax.oid !== dnSyntax) continue;
      for (const value of values) {
        const dn = typeof value === 'string' ? nameOf(value) : undefined;
        if (dn && dn.rdns.length > 0 && view.idOf(dn) === undefined)
          warn(`${entry.dn.toString()}: attribute ${type.name}: there is no entry ${String(value)}`);
      }
    }
  }

  #domain(entry: Entry): void {
    if (!entry.isA('mtMailDomain')) return;
    const levels = entry.dn.rdns.flatMap((rdn) => rdn.filter(({ type }) => type.toLowerCase() === 'dc').map(({ value }) => value));
    this.#domains.add(levels.join('.').toLowerCase());
    const of = entry.text('mtDomainAlias')?.toLowerCase();
    if (of !== undefined) this.#aliases.push({ dn: entry.dn.toString(), of });
  }

  #addresses(entry: Entry): void {
    const { addresses, warn } = this.#parts;
    const dn = entry.dn.toString();
    for (const attribute of addresses) {
      for (const address of entry.texts(attribute)) {
        const key = address.toLowerCase();
        const holder = this.#holders.get(key);
        if (holder === undefined) this.#holders.set(key, dn);
        else if (holder !== dn) warn(`${dn}: attribute ${attribute}: the address "${address}" belongs to ${holder} too`);
      }
    }
  }
}

function nameOf(text: string): Dn | undefined {
  try {
    return parseDn(text);
  } catch {
    return undefined;
  }
}

function refusalOf(run: () => unknown, say: (why: string) => void): void {
  try {
    run();
  } catch (thrown) {
    if (!(thrown instanceof DirectoryFault)) throw thrown;
    say(thrown.say);
  }
}
