/**
 * A file of a Macintosh: data, resource fork, and what the Finder knows of it; with the names and times of its formats.
 *
 * Spec: RFC 1740; Inside Macintosh, "Finder Interface" (FInfo, FXInfo); Mac OS Roman
 */

import { type Bytes, noBytes } from '../bytes.ts';

export interface MacFile {
  /** For people: Unicode. Empty where the file does not say. */
  readonly name: string;
  /** FInfo and FXInfo, 32 octets: type, creator, flags, place of the icon, folder. */
  readonly finder: Buffer;
  /** Milliseconds since 1970. */
  readonly created?: number | undefined;
  readonly modified?: number | undefined;
  readonly data: Bytes;
  readonly resource: Bytes;
}

/** What was read, or why it is no such file; for people. */
export type Read = { readonly file: MacFile; readonly flaw?: undefined } | { readonly flaw: string; readonly file?: undefined };

export const fourLetters = (finder: Buffer, at: 0 | 4): string => finder.toString('latin1', at, at + 4);

/** `type` and `creator` of four octets each. */
export function finderInfo(type: string, creator: string, flags = 0): Buffer {
  const finder = Buffer.alloc(32);
  finder.write(type.padEnd(4).slice(0, 4), 0, 'latin1');
  finder.write(creator.padEnd(4).slice(0, 4), 4, 'latin1');
  finder.writeUInt16BE(flags & 0xffff, 8);
  return finder;
}

/** A file of another system: an empty resource fork, and no more. */
export const plainMacFile = (name: string, data: Bytes, type: string, creator: string): MacFile => ({
  name,
  finder: finderInfo(type, creator),
  data,
  resource: noBytes,
});

const roman = new TextDecoder('macintosh');
const toRoman = new Map(Array.from({ length: 256 }, (_, octet) => [roman.decode(Uint8Array.of(octet)), octet] as const));

export const fromMacRoman = (octets: Uint8Array): string => roman.decode(octets).normalize('NFC');

/** A file name of a Macintosh: at most `most` octets, its ending kept; no colon, which separates folders there. */
export function macName(name: string, most = 31): Buffer {
  const all = [...name.normalize('NFC')].map((c) => (c === ':' ? 0x2d : (toRoman.get(c) ?? 0x5f)));
  const octets = Buffer.from(all.length > 0 ? all : Buffer.from('file'));
  if (octets.length <= most) return octets;
  const dot = octets.lastIndexOf(0x2e);
  const ending = dot > 0 && octets.length - dot <= 10 ? octets.subarray(dot) : Buffer.alloc(0);
  return Buffer.concat([octets.subarray(0, most - ending.length), ending]);
}

/** Seconds from 1904 to 1970. */
const epoch1904 = 2_082_844_800;
/** Seconds from 1970 to 2000. */
const epoch2000 = 946_684_800;

/** The time zone of those clocks is nowhere said. 0 is no time. */
export const since1904 = (seconds: number): number | undefined => (seconds === 0 ? undefined : (seconds - epoch1904) * 1_000);
export const to1904 = (at: number | undefined): number =>
  at === undefined ? 0 : Math.min(Math.max(Math.floor(at / 1_000) + epoch1904, 0), 0xffff_ffff);

/** RFC 1740 appendix A: signed seconds; the least number is no time. */
const noTime = -0x8000_0000;
export const since2000 = (seconds: number): number | undefined => (seconds === noTime ? undefined : (seconds + epoch2000) * 1_000);
export const to2000 = (at: number | undefined): number =>
  at === undefined ? noTime : Math.min(Math.max(Math.floor(at / 1_000) - epoch2000, noTime + 1), 0x7fff_ffff);
