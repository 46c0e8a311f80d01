/**
 * What stands behind `changetype:` in a change record.
 *
 * Spec: RFC 2849 (changerecord), increment RFC 4525 §2.4
 */

import { asFault } from '../base/index.ts';
import { parseDn, parseRdn } from './dn-parse.ts';
import { attributeDescription } from './filter-text.ts';
import type { LdifAttribute, LdifBody, LdifModification } from './ldif.ts';
import type { LdifLine } from './ldif-lines.ts';
import { type LdifPair, type LdifValues, LineFault } from './ldif-value.ts';

const operations = ['add', 'delete', 'replace', 'increment'] as const;
/** These are words of the format wherever they stand; as an attribute one shows that something is missing above it. */
const misplaced: Readonly<Record<string, string>> = {
  dn: '"dn:" inside an entry: the blank line in front of it is missing',
  changetype: '"changetype:" belongs right behind the name and the controls',
  control: '"control:" belongs in front of "changetype:"',
};

/** The attributes of an entry, in the order of their first values. Throws LineFault. */
export function entryAttributes(values: LdifValues, lines: readonly LdifLine[], from: number, above: number): LdifAttribute[] {
  const byName = new Map<string, { name: string; values: (string | Uint8Array)[] }>();
  for (let at = from; at < lines.length; at++) {
    const { number, name, lower, value } = values.pair(lines[at]!);
    const wrong = misplaced[lower];
    if (wrong !== undefined) throw new LineFault(number, wrong);
    const known = byName.get(lower);
    if (known) known.values.push(value);
    else byName.set(lower, { name, values: [value] });
  }
  if (byName.size === 0) throw new LineFault(above, 'the entry has no attributes');
  return [...byName.values()];
}

/** `lines[at]` is the `changetype:` line. Throws LineFault. */
export function changeBody(values: LdifValues, lines: readonly LdifLine[], at: number): LdifBody {
  const { number, value } = values.pair(lines[at]!);
  const type = typeof value === 'string' ? value.trim().toLowerCase() : '';
  switch (type) {
    case 'add':
      return { kind: 'add', attributes: entryAttributes(values, lines, at + 1, number) };
    case 'delete':
      if (lines[at + 1]) throw new LineFault(lines[at + 1]!.number, 'nothing may follow "changetype: delete"');
      return { kind: 'delete' };
    case 'modify':
      return { kind: 'modify', modifications: modifications(values, lines, at + 1) };
    case 'modrdn':
    case 'moddn':
      return rename(values, number, lines.slice(at + 1));
    default:
      throw new LineFault(number, `changetype "${type.slice(0, 64)}" is not known (add, delete, modify, modrdn, moddn)`);
  }
}

function modifications(values: LdifValues, lines: readonly LdifLine[], from: number): LdifModification[] {
  const out: LdifModification[] = [];
  for (let at = from; at < lines.length; ) {
    const head = values.pair(lines[at]!);
    const operation = operations.find((known) => known === head.lower);
    if (!operation) throw new LineFault(head.number, 'add, delete, replace or increment is expected');
    const name = typeof head.value === 'string' ? head.value.trim() : '';
    if (!attributeDescription.test(name)) throw new LineFault(head.number, `${operation} needs an attribute description`);
    const lower = name.toLowerCase();
    const found: (string | Uint8Array)[] = [];
    for (at++; at < lines.length && lines[at]!.text.trimEnd() !== '-'; at++) {
      const pair = values.pair(lines[at]!);
      if (pair.lower !== lower) throw new LineFault(pair.number, `"${name}:" or "-" is expected`);
      found.push(pair.value);
    }
    at++; // the "-", which some writers leave out behind the last one
    out.push({ operation, attribute: { name, values: found } });
  }
  return out;
}

function rename(values: LdifValues, number: number, lines: readonly LdifLine[]): LdifBody {
  const found = new Map<string, LdifPair & { readonly value: string }>();
  for (const line of lines) {
    const pair = values.pair(line);
    const { lower, value } = pair;
    if (!['newrdn', 'deleteoldrdn', 'newsuperior'].includes(lower))
      throw new LineFault(pair.number, 'newrdn, deleteoldrdn or newsuperior is expected');
    if (found.has(lower)) throw new LineFault(pair.number, `${lower} stands there twice`);
    if (typeof value !== 'string') throw new LineFault(pair.number, `${lower} is not UTF-8`);
    found.set(lower, { ...pair, value });
  }
  const rdn = found.get('newrdn');
  const deleteOld = found.get('deleteoldrdn');
  const superior = found.get('newsuperior');
  const old = deleteOld?.value.trim();
  if (!rdn) throw new LineFault(number, 'newrdn is missing');
  if (old !== '0' && old !== '1') throw new LineFault(deleteOld?.number ?? number, 'deleteoldrdn must be 0 or 1');
  return {
    kind: 'rename',
    rdn: within(rdn.number, () => parseRdn(rdn.value)),
    deleteOldRdn: old === '1',
    newSuperior: superior && within(superior.number, () => parseDn(superior.value)),
  };
}

/** A fault of a name becomes one of its line. */
export function within<T>(line: number, run: () => T): T {
  try {
    return run();
  } catch (thrown) {
    throw new LineFault(line, asFault(thrown).say, 'malformed', thrown);
  }
}
