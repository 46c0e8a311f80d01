/**
 * What kind of octets the pieces of a message have, found in one pass.
 *
 * Promise: linear time, memory for the counts alone.
 * Spec: RFC 2045 §2.7–2.9 (7bit, 8bit, binary); RFC 5321 §4.5.3.1.6
 */

import type { Segment } from './segments.ts';

export interface Counts {
  /** Octets above 127. */
  readonly high: number;
  /** Octets that quoted-printable writes as three. */
  readonly escaped: number;
  /** Of the longest line, without its end. */
  readonly longest: number;
  /** All of it is UTF-8. */
  readonly utf8: boolean;
}

const LF = 10;
const CR = 13;
const decoderOptions = { fatal: true, ignoreBOM: true };

class Counter {
  #high = 0;
  #escaped = 0;
  #longest = 0;
  #line = 0;
  #decoder: InstanceType<typeof TextDecoder> | undefined = new TextDecoder('utf-8', decoderOptions);

  push(bytes: Uint8Array): void {
    let [high, escaped, line, longest] = [0, 0, this.#line, this.#longest];
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (byte === LF) {
        if (line > longest) longest = line;
        line = 0;
      } else if (byte !== CR) {
        line++;
        if (byte > 127) high++;
        if (byte > 126 || byte === 61 || (byte < 32 && byte !== 9)) escaped++;
      }
    }
    this.#high += high;
    this.#escaped += escaped;
    this.#line = line;
    this.#longest = longest;
    if (high > 0 || this.#high > 0) this.#check(bytes);
  }

  #check(bytes: Uint8Array): void {
    try {
      this.#decoder?.decode(bytes, { stream: true });
    } catch {
      this.#decoder = undefined;
    }
  }

  end(): Counts {
    let utf8 = this.#decoder !== undefined;
    try {
      this.#decoder?.decode();
    } catch {
      utf8 = false;
    }
    return { high: this.#high, escaped: this.#escaped, longest: Math.max(this.#longest, this.#line), utf8 };
  }
}

/** The counts of each segment, in their order. */
export async function scan(segments: readonly Segment[], bytes: AsyncIterable<Uint8Array>): Promise<Counts[]> {
  const counts: Counts[] = [];
  let counter = new Counter();
  let at = 0;
  for await (const chunk of bytes) {
    let from = 0;
    while (from < chunk.length) {
      const segment = segments[counts.length];
      if (!segment) return counts;
      const to = Math.min(chunk.length, segment.end - at + from);
      counter.push(chunk.subarray(from, to));
      at += to - from;
      from = to;
      if (at === segment.end) {
        counts.push(counter.end());
        counter = new Counter();
      }
    }
  }
  return counts;
}
