/**
 * MacBinary: a file of a Macintosh behind a header of 128 octets. I, II and III are read, II is written.
 *
 * Promise: a file is one whose header is right and whose forks are whole. The first form has no checksum: only who is told that it is one
 * takes it for it.
 * Spec: "MacBinary II Standard Proposal" (1987), "MacBinary III" (1996)
 */

import { type Bytes, bytesOf, joined, octetsOf, stretch } from '../bytes.ts';
import { crc16 } from './crc16.ts';
import { fromMacRoman, type MacFile, macName, type Read, since1904, to1904 } from './mac-file.ts';

const block = 128;
const padded = (size: number): number => Math.ceil(size / block) * block;
/** More is no fork of a file of those days. */
const forkAtMost = 0x7fff_ffff;

/** `sure`: with its checksum alone. */
export async function readMacBinary(source: Bytes, sure = false): Promise<Read> {
  const head = await octetsOf(source, 0, block);
  const wrong = problem(head, sure);
  if (wrong !== undefined) return { flaw: wrong };
  const [data, resource] = [head.readUInt32BE(83), head.readUInt32BE(87)];
  const second = version(head) === 1 ? 0 : padded(head.readUInt16BE(120));
  const dataAt = block + second;
  const resourceAt = dataAt + padded(data);
  if (data > forkAtMost || resource > forkAtMost || dataAt + data > source.size || (resource > 0 && resourceAt + resource > source.size))
    return { flaw: 'the MacBinary file is cut off' };
  const finder = Buffer.alloc(32);
  head.copy(finder, 0, 65, 73);
  finder[8] = head[73] as number;
  finder[9] = version(head) === 1 ? 0 : (head[101] as number);
  head.copy(finder, 10, 75, 81);
  return {
    file: {
      name: fromMacRoman(head.subarray(2, 2 + (head[1] as number))),
      finder,
      created: since1904(head.readUInt32BE(91)),
      modified: since1904(head.readUInt32BE(95)),
      data: stretch(source, dataAt, dataAt + data),
      resource: stretch(source, resourceAt, resourceAt + resource),
    },
  };
}

const sumIsRight = (head: Buffer): boolean => head.readUInt16BE(124) === crc16(head.subarray(0, 124));

function version(head: Buffer): 1 | 2 | 3 {
  if (head.toString('latin1', 102, 106) === 'mBIN') return 3;
  return sumIsRight(head) && crc16(head.subarray(0, 124)) !== 0 ? 2 : 1;
}

function problem(head: Buffer, sure: boolean): string | undefined {
  const no = 'it is no MacBinary file';
  const name = head[1] ?? 0;
  if (head.length < block || head[0] !== 0 || head[74] !== 0 || name < 1 || name > 63) return no;
  if (head.subarray(2, 2 + name).includes(0)) return no;
  const made = head[122] as number;
  if (made >= 129 || version(head) === 3) return sumIsRight(head) ? undefined : 'the checksum of its MacBinary header is wrong';
  if (version(head) === 2) return undefined;
  return sure || head[82] !== 0 || head.subarray(101, 126).some((byte) => byte !== 0) ? no : undefined;
}

export function macBinary(file: MacFile): Bytes {
  const head = Buffer.alloc(block);
  const name = macName(file.name, 63);
  head[1] = name.length;
  name.copy(head, 2);
  const { finder } = file;
  finder.copy(head, 65, 0, 9);
  finder.copy(head, 75, 10, 16);
  head.writeUInt32BE(file.data.size, 83);
  head.writeUInt32BE(file.resource.size, 87);
  head.writeUInt32BE(to1904(file.created), 91);
  head.writeUInt32BE(to1904(file.modified), 95);
  head[101] = finder[9] as number;
  head[122] = head[123] = 129;
  head.writeUInt16BE(crc16(head.subarray(0, 124)), 124);
  return joined([bytesOf(head), filled(file.data), filled(file.resource)]);
}

const filled = (bytes: Bytes): Bytes => joined([bytes, bytesOf(Buffer.alloc(padded(bytes.size) - bytes.size))]);
