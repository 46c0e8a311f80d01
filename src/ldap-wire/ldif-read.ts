/**
 * Reading LDIF, record by record.
 *
 * Promise: content and change records of RFC 2849 in any mixture, with folding, comments, base64, controls and `version:`.
 * A record is handed out as soon as the blank line behind it is seen, so a file of any length is read in bounded memory.
 * `attr:< URL` is refused unless the caller gives a loader. Every error is an LdifFault naming file, line and entry; reading can go on
 * with the next record. What the entries mean is the directory's business.
 * Spec: RFC 2849
 */

import { asFault, Fault, type FaultKind, oneLine } from '../base/index.ts';
import { parseDn } from './dn-parse.ts';
import type { LdifControl, LdifRecord } from './ldif.ts';
import { changeBody, entryAttributes, within } from './ldif-change.ts';
import { type LdifBlock, type LdifLine, LdifLines } from './ldif-lines.ts';
import { LdifValues, LineFault, type LoadUrl } from './ldif-value.ts';

export interface LdifOptions {
  /** Octets of the URL of an `attr:< URL` line. Without it such lines are refused. */
  readonly load?: LoadUrl;
  /** Octets of one record at most (default 64 Mi). */
  readonly maxRecord?: number;
  /** Name of the file, for messages. */
  readonly file?: string;
}

/** `file:line: dn: why` */
export class LdifFault extends Fault {
  /** From 1. */
  readonly line: number;
  /** As written, cut; undefined where the record's name could not be read. */
  readonly dn: string | undefined;
  readonly why: string;

  constructor(at: { file?: string | undefined; line: number; dn?: string | undefined }, why: string, kind: FaultKind, cause?: unknown) {
    const dn = at.dn?.slice(0, 256);
    super(
      kind,
      // Names and reasons come from the file and may hold anything.
      oneLine(`${placeInLdif(at.file, at.line)}: ${dn === undefined ? '' : `${dn}: `}${why}`),
      cause === undefined ? undefined : { cause },
    );
    this.name = 'LdifFault';
    this.line = at.line;
    this.dn = dn;
    this.why = why;
  }
}

/** How a place in a file is named: `file:line`, or `line n` where the file has no name. */
function placeInLdif(file: string | undefined, line: number): string {
  return file === undefined ? `line ${line}` : `${file}:${line}`;
}

/** A record that makes no sense, with its lines unfolded. */
export interface LdifBroken {
  readonly kind: 'broken';
  readonly line: number;
  readonly fault: LdifFault;
  readonly lines: readonly string[];
}

/** Takes octets in pieces of any size; hands out records, broken ones as such. */
export class LdifReader {
  readonly #file: string | undefined;
  readonly #lines: LdifLines;
  readonly #values: LdifValues;

  constructor(options: LdifOptions = {}) {
    this.#file = options.file;
    this.#lines = new LdifLines(options.maxRecord ?? 67_108_864);
    this.#values = new LdifValues(options.load);
  }

  *push(chunk: Uint8Array): Generator<LdifRecord | LdifBroken> {
    for (const block of this.#lines.push(chunk)) {
      const record = this.#read(block);
      if (record) yield record;
    }
  }

  /** The end of the file; the last record where no blank line stood behind it. */
  *end(): Generator<LdifRecord | LdifBroken> {
    for (const block of this.#lines.end()) {
      const record = this.#read(block);
      if (record) yield record;
    }
  }

  #read(block: LdifBlock): LdifRecord | LdifBroken | undefined {
    const { lines, problem } = block;
    let dn: string | undefined;
    try {
      if (problem) throw new LineFault(problem.line, problem.why, problem.kind);
      const from = this.#version(lines);
      if (from === lines.length) return undefined;
      return this.#record(lines, from, (name) => {
        dn = name;
      });
    } catch (thrown) {
      const fault = asFault(thrown);
      const line = fault instanceof LineFault ? fault.line : (lines[0]?.number ?? problem?.line ?? 0);
      const said = new LdifFault({ file: this.#file, line, dn }, fault.say, fault.kind, thrown);
      return { kind: 'broken', line, fault: said, lines: lines.map(({ text }) => text) };
    }
  }

  /** Where the record begins behind `version:`. Files put together of several have one in front of each part. */
  #version(lines: readonly LdifLine[]): number {
    const first = lines[0];
    if (!first || !/^version:/i.test(first.text)) return 0;
    if (!/^version: *1 *$/i.test(first.text)) throw new LineFault(first.number, 'only LDIF version 1 is known');
    return 1;
  }

  #record(lines: readonly LdifLine[], from: number, named: (name: string) => void): LdifRecord {
    const first = lines[from]!;
    if (/^dn:</i.test(first.text)) throw new LineFault(first.number, 'a name cannot come from a URL');
    const pair = this.#values.pair(first);
    if (pair.lower !== 'dn') throw new LineFault(first.number, '"dn:" is expected');
    const { value: name } = pair;
    if (typeof name !== 'string') throw new LineFault(first.number, 'the DN is not UTF-8');
    named(name);
    const dn = within(first.number, () => parseDn(name));
    const controls: LdifControl[] = [];
    let at = from + 1;
    while (at < lines.length && /^control:/i.test(lines[at]!.text)) controls.push(this.#values.control(lines[at++]!));
    const next = lines[at];
    const head = { dn, controls, line: first.number };
    if (next && /^changetype:/i.test(next.text)) return { ...head, ...changeBody(this.#values, lines, at) };
    if (controls.length > 0) throw new LineFault(lines[at - 1]!.number, 'a control needs a changetype behind it');
    return { ...head, kind: 'content', attributes: entryAttributes(this.#values, lines, at, first.number) };
  }
}

function sound(record: LdifRecord | LdifBroken): LdifRecord {
  if (record.kind === 'broken') throw record.fault;
  return record;
}

/** All records of a text. Throws LdifFault (`malformed`, `refused`, `too-large`) at the first that is wrong. */
export function parseLdif(text: string | Uint8Array, options: LdifOptions = {}): LdifRecord[] {
  const reader = new LdifReader(options);
  const octets = typeof text === 'string' ? Buffer.from(text, 'utf8') : text;
  return [...reader.push(octets), ...reader.end()].map(sound);
}

/** Records from a stream of octets, broken ones as such. */
export async function* readLdifTolerant(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: LdifOptions = {},
): AsyncGenerator<LdifRecord | LdifBroken> {
  const reader = new LdifReader(options);
  for await (const chunk of chunks) yield* reader.push(chunk);
  yield* reader.end();
}

/** Records from a stream of octets. Errors as in parseLdif. */
export async function* readLdif(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: LdifOptions = {},
): AsyncGenerator<LdifRecord> {
  for await (const record of readLdifTolerant(chunks, options)) yield sound(record);
}
