/**
 * One command off the wire: its first line, its literals, and the lines between them.
 *
 * Promise: what is kept has a bound (`memory`); a literal that is refused is not asked for, or, where the peer sends it anyhow,
 * thrown away, so that the next command is found; one too long to be thrown away ends the connection (Farewell).
 * A streaming command (APPEND) takes its large literals itself.
 * Spec: RFC 3501 §4.3, §7.5; RFC 7888 (LITERAL+, LITERAL-)
 */

import { asFault, Fault } from '../../base/index.ts';
import type { Piece } from './cursor.ts';
import { Disconnected, type Input, type Line } from './input.ts';

/** Takes one literal as it arrives. */
export interface LiteralSink {
  write(chunk: Uint8Array): Promise<void>;
  /** All octets are there. */
  end(): Promise<void>;
}

/** A command that wants to be asked about its literals. */
export interface LiteralTaker {
  /** `before` ends where the literal of `size` octets begins. Undefined: keep it in memory. Throws a Fault to refuse it. */
  announce(before: readonly Piece[], size: number): Promise<LiteralSink | undefined>;
}

export interface ReadLimits {
  /** Octets of one line. */
  readonly line: number;
  /** Octets of all lines and kept literals of a command. */
  readonly memory: number;
  /** Octets of a literal sent without waiting for our go-ahead. */
  readonly nonSync: number;
  /** Octets of an unwanted literal that are thrown away before the connection is given up. */
  readonly discard: number;
}

/** The conversation cannot go on: BYE with this text. */
export class Farewell extends Error {
  readonly say: string;
  constructor(say: string) {
    super(say);
    this.name = 'Farewell';
    this.say = say;
  }
}

const marker = /\{([0-9]{1,20})(\+?)\}$/;
/** A line that could not be kept, and of which it is not known what belongs to it, ends the connection when a literal follows it. */
export function checkSkipped(line: Line): void {
  if (line.overlong && marker.test(line.tail)) throw new Farewell('command line too long');
}

const nothing = new Uint8Array(0);

export interface Gathered {
  readonly pieces: readonly Piece[];
  /** Why the command is not to be run. */
  readonly refused: Fault | undefined;
}

export async function gather(
  input: Input,
  first: string,
  limits: ReadLimits,
  goAhead: () => void,
  taker: LiteralTaker | undefined,
): Promise<Gathered> {
  const pieces: Piece[] = [];
  let refused: Fault | undefined;
  let kept = first.length;
  let text = first;
  for (;;) {
    const found = marker.exec(text);
    if (!found) {
      pieces.push(text);
      return { pieces, refused };
    }
    pieces.push(text.slice(0, found.index));
    const size = Number(found[1]);
    const waits = found[2] === '';
    let sink: LiteralSink | undefined;
    try {
      if (!refused && !waits && size > limits.nonSync) throw new Fault('too-large', 'literal too large');
      if (!refused) sink = await taker?.announce(pieces, size);
      if (!refused && !sink && kept + size > limits.memory) throw new Fault('too-large', 'literal too large');
    } catch (thrown) {
      refused = asFault(thrown);
    }
    if (refused && waits) return { pieces, refused };
    if (refused && size > limits.discard) throw new Farewell('literal too large');
    if (waits) goAhead();
    if (refused || sink) {
      refused = await pour(input, size, sink, refused);
      pieces.push(nothing);
    } else {
      pieces.push(await collect(input, size));
      kept += size;
    }
    const line = await input.line(limits.line);
    if (!line) throw new Disconnected('connection closed within a command');
    checkSkipped(line);
    text = line.text;
    kept += text.length;
    if (line.overlong || kept > limits.memory) {
      refused ??= new Fault('too-large', 'command too long');
      kept = 0;
      if (line.overlong) text = '';
    }
  }
}

async function collect(input: Input, size: number): Promise<Uint8Array> {
  const out = Buffer.allocUnsafe(size);
  let at = 0;
  while (at < size) {
    const chunk = await input.some(size - at);
    if (!chunk) throw new Disconnected('connection closed within a literal');
    at += chunk.copy(out, at);
  }
  return out;
}

/** Into the sink, or away. A sink that fails is not asked again; why is the result. */
async function pour(input: Input, size: number, sink: LiteralSink | undefined, refused: Fault | undefined): Promise<Fault | undefined> {
  let why = refused;
  for (let left = size; left > 0; ) {
    const chunk = await input.some(left);
    if (!chunk) throw new Disconnected('connection closed within a literal');
    left -= chunk.length;
    try {
      if (!why) await sink?.write(chunk);
    } catch (thrown) {
      why = asFault(thrown);
    }
  }
  try {
    if (!why) await sink?.end();
  } catch (thrown) {
    why = asFault(thrown);
  }
  return why;
}
