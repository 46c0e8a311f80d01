/**
 * Superclasses: the bundled directory stores those of an entry with it, other servers know them without. Whoever asks `isA('person')`
 * must get the same answer from both, so entries that come in are completed.
 *
 * Spec: RFC 4512 §2.4.1, §4.1.1
 */

import type { Attribute, AttributeValue, Entry } from '../directory/index.ts';

/** Combinations of classes remembered: a directory has a few dozen. */
const mostKnown = 1_000;

export class ClassTree {
  /** Names of the direct superclasses by name, both in lower case. */
  readonly #sup = new Map<string, readonly string[]>();
  /** As the server spells it. */
  readonly #spelling = new Map<string, string>();
  readonly #known = new Map<string, readonly AttributeValue[]>();

  /** From the subschema as a server publishes it; without one every entry stays as it is. */
  constructor(subschema: Entry | undefined) {
    for (const description of subschema?.texts('objectClasses') ?? []) {
      const own = namesIn(description, 'NAME');
      for (const name of own) {
        this.#spelling.set(name.toLowerCase(), name);
        this.#sup.set(
          name.toLowerCase(),
          namesIn(description, 'SUP').map((sup) => sup.toLowerCase()),
        );
      }
    }
  }

  /** The attributes with all superclasses in `objectClass`. */
  complete(attributes: readonly Attribute[]): readonly Attribute[] {
    const at = attributes.findIndex(({ name }) => name.toLowerCase() === 'objectclass');
    const found = attributes[at];
    if (!found || found.values.length === 0) return attributes;
    const values = this.#withSuperclasses(found.values);
    return values.length === found.values.length ? attributes : attributes.with(at, { name: found.name, values });
  }

  #withSuperclasses(values: readonly AttributeValue[]): readonly AttributeValue[] {
    const key = values.join('\n');
    const known = this.#known.get(key);
    if (known) return known;
    const seen = new Set(values.map((value) => String(value).toLowerCase()));
    const all = [...values];
    // A set that grows while it is walked: each class once, whatever circles a server publishes.
    for (const name of seen)
      for (const sup of this.#sup.get(name) ?? []) {
        if (seen.has(sup)) continue;
        seen.add(sup);
        all.push(this.#spelling.get(sup) ?? sup);
      }
    if (this.#known.size < mostKnown) this.#known.set(key, all);
    return all;
  }
}

/** The names behind a word of a description (RFC 4512 §4.1): one, quoted or not, or several in parentheses. */
export function namesIn(description: string, word: 'NAME' | 'SUP'): string[] {
  const found = new RegExp(`\\s${word}\\s+(?:'([^']*)'|\\(([^)]*)\\)|([^\\s()]+))`).exec(description);
  if (!found) return [];
  const one = found[1] ?? found[3];
  if (one !== undefined) return [one];
  return (found[2] ?? '').split(/[\s$']+/).filter((name) => name !== '');
}
