/**
 * Reading LDIF, line by line.
 *
 * Promise: content and change records of RFC 2849 in any mixture, with folding, comments, base64, controls and `version:`.
 * A record is handed out as soon as the blank line behind it is seen, so a file of any length is read in bounded memory.
 * `attr:< URL` is refused unless the caller gives a loader. Every error is a Fault naming the line and the entry.
 * What the entries mean is the directory's business.
 * Spec: RFC 2849
 */

import { isUtf8 } from 'node:buffer';
import { asFault, Fault } from '../base/index.ts';
import type { Dn } from './dn.ts';
import { parseDn, parseRdn } from './dn-parse.ts';
import { attributeDescription } from './filter-text.ts';
import type { LdifAttribute, LdifBody, LdifControl, LdifModification, LdifRecord } from './ldif.ts';

export interface LdifOptions {
  /** Octets of the URL of an `attr:< URL` line. Without it such lines are refused. */
  readonly load?: (url: string) => Uint8Array;
  /** Characters of one record at most (default 64 Mi). */
  readonly maxRecord?: number;
}

/** One unfolded line. */
interface Line {
  readonly number: number;
  readonly text: string;
}
interface Pair {
  readonly number: number;
  readonly name: string;
  readonly value: string | Uint8Array;
}

const base64 = /^[A-Za-z0-9+/]*={0,2}$/;

const textIfPossible = (octets: Uint8Array): string | Uint8Array => (isUtf8(octets) ? Buffer.from(octets).toString('utf8') : octets);

/** Takes raw lines without their ends; hands out records. */
export class LdifReader {
  readonly #options: LdifOptions;
  #count = 0;
  #size = 0;
  #lines: Line[] = [];
  #folded: { number: number; pieces: string[] } | undefined;
  #started = false;
  #dn: string | undefined;

  constructor(options: LdifOptions = {}) {
    this.#options = options;
  }

  /** One raw line; returns the record that it completes, if it does. */
  push(raw: string): LdifRecord | undefined {
    const number = ++this.#count;
    const text = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    this.#size += text.length;
    if (this.#size > (this.#options.maxRecord ?? 67_108_864)) this.#fail(number, 'the record is too large', 'too-large');
    if (text.startsWith(' ')) {
      if (!this.#folded) this.#fail(number, 'a continuation line has nothing to continue');
      this.#folded.pieces.push(text.slice(1));
      return undefined;
    }
    this.#unfold();
    if (text === '') {
      const record = this.#record();
      this.#dn = undefined;
      return record;
    }
    this.#folded = { number, pieces: [number === 1 ? text.replace(/^\ufeff/, '') : text] };
    return undefined;
  }

  /** The end of the file; returns the last record where no blank line stood behind it. */
  end(): LdifRecord | undefined {
    this.#unfold();
    return this.#record();
  }

  #fail(line: number, why: string, kind: 'malformed' | 'refused' | 'too-large' = 'malformed'): never {
    throw new Fault(kind, `LDIF line ${line}${this.#dn === undefined ? '' : `, entry "${this.#dn.slice(0, 256)}"`}: ${why}`);
  }

  #unfold(): void {
    if (!this.#folded) return;
    const text = this.#folded.pieces.join('');
    if (!text.startsWith('#')) this.#lines.push({ number: this.#folded.number, text });
    this.#folded = undefined;
  }

  #record(): LdifRecord | undefined {
    const lines = this.#lines;
    this.#lines = [];
    this.#size = 0;
    if (!this.#started && lines[0] && /^version:/i.test(lines[0].text)) {
      const version = lines.shift()!;
      if (!/^version:\s*1\s*$/i.test(version.text)) this.#fail(version.number, 'only LDIF version 1 is known');
    }
    const first = lines[0];
    if (!first) return undefined;
    this.#started = true;
    const { dn, name } = this.#name(first);
    this.#dn = name;
    let at = 1;
    const controls: LdifControl[] = [];
    while (at < lines.length && /^control:/i.test(lines[at]!.text)) controls.push(this.#control(lines[at++]!));
    const typeLine = lines[at];
    if (!typeLine || !/^changetype:/i.test(typeLine.text)) {
      if (controls.length > 0) this.#fail(lines[at - 1]!.number, 'a control needs a changetype behind it');
      return { dn, controls, line: first.number, kind: 'content', attributes: this.#attributes(lines.slice(1)) };
    }
    const body = this.#change(typeLine, lines.slice(at + 1));
    return { dn, controls, line: first.number, ...body };
  }

  #name(line: Line): { dn: Dn; name: string } {
    const pair = this.#pair(line);
    if (pair.name.toLowerCase() !== 'dn') this.#fail(line.number, '"dn:" is expected');
    if (typeof pair.value !== 'string') this.#fail(line.number, 'the DN is not UTF-8');
    const name = pair.value;
    return { dn: this.#within(line.number, () => parseDn(name)), name };
  }

  #within<T>(line: number, run: () => T): T {
    try {
      return run();
    } catch (thrown) {
      return this.#fail(line, asFault(thrown).say);
    }
  }

  #pair({ number, text }: Line): Pair {
    const colon = text.indexOf(':');
    if (colon < 1) this.#fail(number, 'an attribute and ":" are expected');
    const name = text.slice(0, colon).trimEnd();
    if (!attributeDescription.test(name)) this.#fail(number, `"${name.slice(0, 64)}" is not an attribute description`);
    return { number, name, value: this.#value(number, text, colon + 1) };
  }

  /** The value behind a colon: text, `:` and base64, or `<` and a URL. */
  #value(number: number, text: string, from: number): string | Uint8Array {
    const form = text.charAt(from);
    if (form === ':') return textIfPossible(this.#decode(number, text.slice(from + 1).trim()));
    if (form === '<') return textIfPossible(this.#load(number, text.slice(from + 1).trim()));
    let at = from;
    while (text.charAt(at) === ' ') at++;
    return text.slice(at);
  }

  #decode(number: number, digits: string): Uint8Array {
    if (digits.length % 4 !== 0 || !base64.test(digits)) this.#fail(number, 'the value is not base64');
    return Buffer.from(digits, 'base64');
  }

  #load(number: number, url: string): Uint8Array {
    if (!this.#options.load) this.#fail(number, 'values from URLs ("<") are not accepted', 'refused');
    return this.#options.load(url);
  }

  #control({ number, text }: Line): LdifControl {
    const found = /^control:[ ]*([0-9]+(?:\.[0-9]+)+)(?:[ ]+(true|false))?[ ]*(:[\s\S]*)?$/i.exec(text);
    if (!found) this.#fail(number, 'a control needs an OID, then true or false, then ":" and a value');
    const rest = found[3];
    const value = rest === undefined ? undefined : this.#value(number, rest, 1);
    return {
      oid: found[1]!,
      critical: found[2]?.toLowerCase() === 'true',
      value: typeof value === 'string' ? Buffer.from(value, 'utf8') : value,
    };
  }

  #attributes(lines: readonly Line[]): LdifAttribute[] {
    const byName = new Map<string, { name: string; values: (string | Uint8Array)[] }>();
    for (const line of lines) {
      const { name, value } = this.#pair(line);
      const known = byName.get(name.toLowerCase());
      if (known) known.values.push(value);
      else byName.set(name.toLowerCase(), { name, values: [value] });
    }
    return [...byName.values()];
  }

  #change(typeLine: Line, lines: readonly Line[]): LdifBody {
    const type = typeLine.text.slice('changetype:'.length).trim().toLowerCase();
    switch (type) {
      case 'add':
        return { kind: 'add', attributes: this.#attributes(lines) };
      case 'delete':
        if (lines[0]) this.#fail(lines[0].number, 'nothing may follow "changetype: delete"');
        return { kind: 'delete' };
      case 'modify':
        return { kind: 'modify', modifications: this.#modifications(lines) };
      case 'modrdn':
      case 'moddn':
        return this.#rename(typeLine.number, lines);
      default:
        return this.#fail(typeLine.number, `changetype "${type.slice(0, 64)}" is not known`);
    }
  }

  #modifications(lines: readonly Line[]): LdifModification[] {
    const out: LdifModification[] = [];
    for (let at = 0; at < lines.length; ) {
      const head = this.#pair(lines[at]!);
      const operation = (['add', 'delete', 'replace', 'increment'] as const).find((known) => known === head.name.toLowerCase());
      if (!operation) this.#fail(head.number, 'add, delete, replace or increment is expected');
      const name = typeof head.value === 'string' ? head.value.trim() : '';
      if (!attributeDescription.test(name)) this.#fail(head.number, `${operation} needs an attribute description`);
      const values: (string | Uint8Array)[] = [];
      for (at++; at < lines.length && lines[at]!.text.trimEnd() !== '-'; at++) {
        const pair = this.#pair(lines[at]!);
        if (pair.name.toLowerCase() !== name.toLowerCase()) this.#fail(pair.number, `"${name}:" or "-" is expected`);
        values.push(pair.value);
      }
      at++; // the "-", which some writers leave out behind the last one
      out.push({ operation, attribute: { name, values } });
    }
    return out;
  }

  #rename(number: number, lines: readonly Line[]): LdifBody {
    const pairs = lines.map((line) => this.#pair(line));
    const text = (name: string): string | undefined => {
      const pair = pairs.find((candidate) => candidate.name.toLowerCase() === name);
      if (pair && typeof pair.value !== 'string') this.#fail(pair.number, `${name} is not UTF-8`);
      return pair?.value as string | undefined;
    };
    const strange = pairs.find(({ name }) => !['newrdn', 'deleteoldrdn', 'newsuperior'].includes(name.toLowerCase()));
    if (strange) this.#fail(strange.number, 'newrdn, deleteoldrdn or newsuperior is expected');
    const rdn = text('newrdn');
    const deleteOld = text('deleteoldrdn')?.trim();
    const superior = text('newsuperior');
    if (rdn === undefined) this.#fail(number, 'newrdn is missing');
    if (deleteOld !== '0' && deleteOld !== '1') this.#fail(number, 'deleteoldrdn must be 0 or 1');
    return {
      kind: 'rename',
      rdn: this.#within(number, () => parseRdn(rdn)),
      deleteOldRdn: deleteOld === '1',
      newSuperior: superior === undefined ? undefined : this.#within(number, () => parseDn(superior)),
    };
  }
}

/** All records of a text. Throws Fault `malformed` (or `refused`, `too-large`) naming line and entry. */
export function parseLdif(text: string, options: LdifOptions = {}): LdifRecord[] {
  const reader = new LdifReader(options);
  const out: LdifRecord[] = [];
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf('\n', from);
    const record = reader.push(text.slice(from, end < 0 ? text.length : end));
    if (record) out.push(record);
    from = end < 0 ? text.length : end + 1;
  }
  const last = reader.end();
  if (last) out.push(last);
  return out;
}

/** Records from a stream of lines (without their ends), such as `readline` gives. Errors as in parseLdif. */
export async function* readLdif(lines: AsyncIterable<string> | Iterable<string>, options: LdifOptions = {}): AsyncGenerator<LdifRecord> {
  const reader = new LdifReader(options);
  for await (const line of lines) {
    const record = reader.push(line);
    if (record) yield record;
  }
  const last = reader.end();
  if (last) yield last;
}
