/**
 * BinHex 4.0: a file of a Macintosh as text.
 *
 * Promise: a file is one whose three checksums are right and whose forks are whole. Decoded octets beyond the limit end the reading.
 * Spec: RFC 1741
 */

import { type Bytes, bytesOf, coded, joined, made, stretch, through } from '../bytes.ts';
import { BinHexDecoder, BinHexEncoder } from './binhex-code.ts';
import { crc16 } from './crc16.ts';
import { finderInfo, fromMacRoman, type MacFile, macName, type Read } from './mac-file.ts';

/** Of the header: as long as it is with the longest name. */
const longestHeader = 86;

/** `most`: octets that may come out. */
export async function readBinHex(text: Bytes, most: number): Promise<Read> {
  const decoder = new BinHexDecoder();
  let head: Buffer = Buffer.alloc(0);
  const sums = new ForkSums();
  for await (const chunk of through(text.stream(), decoder)) {
    if (head.length < longestHeader) head = Buffer.concat([head, chunk.subarray(0, longestHeader - head.length)]);
    sums.push(chunk);
    if (sums.size > most) return { flaw: 'it is far larger when its BinHex is decoded' };
  }
  if (decoder.flaw !== undefined) return { flaw: decoder.flaw };
  const wrong = sums.wrong;
  if (wrong !== undefined) return { flaw: wrong };
  const { start, data, resource } = sums;
  const decoded = made(sums.size, () => through(text.stream(), new BinHexDecoder()));
  const name = head[0] as number;
  return {
    file: {
      name: fromMacRoman(head.subarray(1, 1 + name)),
      finder: finderInfo(
        head.toString('latin1', name + 2, name + 6),
        head.toString('latin1', name + 6, name + 10),
        head.readUInt16BE(name + 10),
      ),
      data: stretch(decoded, start, start + data),
      resource: stretch(decoded, start + data + 2, start + data + 2 + resource),
    },
  };
}

/** The three checksums, each behind what it is of, while the octets go by. */
class ForkSums {
  size = 0;
  start = 0;
  data = 0;
  resource = 0;
  wrong: string | undefined = 'its BinHex is cut off';
  #head: Buffer = Buffer.alloc(0);
  #crc = 0;
  #left = -1;
  #stage: 'header' | 'data' | 'resource' | 'done' = 'header';
  #sum: number[] = [];

  push(chunk: Uint8Array): void {
    this.size += chunk.length;
    let at = 0;
    while (at < chunk.length && this.#stage !== 'done') {
      if (this.#stage === 'header' && this.#left < 0) at = this.#header(chunk, at);
      else if (this.#left > 0) {
        const to = Math.min(chunk.length, at + this.#left);
        this.#crc = crc16(chunk.subarray(at, to), this.#crc);
        this.#left -= to - at;
        at = to;
      } else {
        this.#sum.push(chunk[at++] as number);
        if (this.#sum.length === 2) this.#next();
      }
    }
  }

  /** Up to its checksum. */
  #header(chunk: Uint8Array, from: number): number {
    const length = this.#head[0] ?? chunk[from] ?? 0;
    // Length, name, a zero, type, creator, flags, two lengths.
    const wanted = 1 + length + 19 + 2;
    const to = Math.min(chunk.length, from + wanted - 2 - this.#head.length);
    this.#head = Buffer.concat([this.#head, chunk.subarray(from, to)]);
    if (this.#head.length < wanted - 2) return to;
    this.start = wanted;
    this.data = this.#head.readUInt32BE(length + 12);
    this.resource = this.#head.readUInt32BE(length + 16);
    this.#crc = crc16(this.#head);
    this.#left = 0;
    if (length < 1 || length > 63) this.#end('its BinHex has a file name that is none');
    return to;
  }

  #next(): void {
    const [high = 0, low = 0] = this.#sum;
    this.#sum = [];
    const stage = this.#stage;
    const named = stage === 'header' ? 'header' : `${stage} fork`;
    if (high * 256 + low !== this.#crc) this.#end(`the checksum of its ${named} is wrong`);
    else if (stage === 'header') this.#fork('data', this.data);
    else if (stage === 'data') this.#fork('resource', this.resource);
    else this.#end(undefined);
  }

  #fork(stage: 'data' | 'resource', octets: number): void {
    this.#stage = stage;
    this.#crc = 0;
    this.#left = octets;
  }

  #end(wrong: string | undefined): void {
    this.#stage = 'done';
    this.wrong = wrong;
  }
}

export async function binHex(file: MacFile): Promise<Bytes> {
  const name = macName(file.name, 63);
  const head = Buffer.alloc(1 + name.length + 19);
  head[0] = name.length;
  name.copy(head, 1);
  file.finder.copy(head, name.length + 2, 0, 10);
  head.writeUInt32BE(file.data.size, name.length + 12);
  head.writeUInt32BE(file.resource.size, name.length + 16);
  const pieces = [await summed(bytesOf(head)), await summed(file.data), await summed(file.resource)];
  return coded(joined(pieces), () => new BinHexEncoder());
}

async function summed(bytes: Bytes): Promise<Bytes> {
  let crc = 0;
  for await (const chunk of bytes.stream()) crc = crc16(chunk, crc);
  const tail = Buffer.alloc(2);
  tail.writeUInt16BE(crc);
  return joined([bytes, bytesOf(tail)]);
}
