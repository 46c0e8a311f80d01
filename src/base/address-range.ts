/**
 * Ranges of network addresses as administrators write them: one address, `first-last`, or a prefix `address/bits`.
 *
 * Promise: what cannot be read is no range (never "everything"); an IPv4 address and the same one mapped into IPv6 are one address; bits
 * behind the prefix do not count. Pure.
 * Spec: RFC 4291 §2.2, §2.5.5.2; RFC 4632 §3.1. Source: manual chapter 3, "Message Queue Server Access Mask"
 */

import { isIPv4, isIPv6 } from 'node:net';

interface Numbered {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

export interface AddressRange {
  /** As it is compared: `192.0.2.0/24` for `192.0.2.7/24`; two spellings of one range have one text. */
  readonly text: string;
  /** How many bits of freedom it has, rounded up: 0 is a single address. Fewer is more specific; IPv4 and IPv6 do not compare. */
  readonly width: number;
  includes(address: string): boolean;
}

/** Undefined where the text is no range. Literals of SMTP (`[192.0.2.1]`, `[IPv6:::1]`) are read too. */
export function parseAddressRange(text: string): AddressRange | undefined {
  if (text.length > 100) return undefined;
  // The manual writes 192.55.89.00/28. Other leading zeros stay refused: some read them as octal.
  const given = text.trim().replace(/(?<=^|[.-])0+(?=[./-]|$)/g, '0');
  const slash = given.indexOf('/');
  if (slash >= 0) return prefix(numbered(given.slice(0, slash)), given.slice(slash + 1));
  const dash = given.indexOf('-');
  if (dash >= 0) return between(numbered(given.slice(0, dash)), numbered(given.slice(dash + 1)));
  const one = numbered(given);
  return one && between(one, one);
}

function prefix(address: Numbered | undefined, bitsText: string): AddressRange | undefined {
  if (!address || !/^(0|[1-9]\d{0,2})$/.test(bitsText) || Number(bitsText) > address.bits) return undefined;
  const free = BigInt(address.bits - Number(bitsText));
  const first = (address.value >> free) << free;
  return made({ bits: address.bits, value: first }, first + (1n << free) - 1n);
}

const between = (first: Numbered | undefined, last: Numbered | undefined): AddressRange | undefined =>
  first && last && first.bits === last.bits && first.value <= last.value ? made(first, last.value) : undefined;

function made({ bits, value: first }: Numbered, last: bigint): AddressRange {
  const size = last - first + 1n;
  const width = (size - 1n).toString(2).length - (size === 1n ? 1 : 0);
  const whole = size === 1n << BigInt(width) && first % size === 0n;
  const text =
    size === 1n
      ? written(bits, first)
      : whole
        ? `${written(bits, first)}/${bits - width}`
        : `${written(bits, first)}-${written(bits, last)}`;
  return {
    text,
    width,
    includes(address) {
      const asked = numbered(address);
      return asked !== undefined && asked.bits === bits && asked.value >= first && asked.value <= last;
    },
  };
}

/** An address as a number; a mapped IPv4 address (`::ffff:192.0.2.1`) is that IPv4 address. */
function numbered(text: string): Numbered | undefined {
  const inside = /^\[(?:IPv6:)?([^[\]]+)\]$/i.exec(text.trim())?.[1] ?? text.trim();
  if (isIPv4(inside)) return { bits: 32, value: inside.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n) };
  if (!isIPv6(inside) || inside.includes('%')) return undefined;
  const value = groups(inside).reduce((sum, group) => sum * 65_536n + BigInt(group), 0n);
  return value >> 32n === 0xffffn ? { bits: 32, value: value & 0xffff_ffffn } : { bits: 128, value };
}

/** The eight groups of a valid IPv6 address. */
function groups(text: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const hex = dotted
    ? `${dotted[1]}${(Number(dotted[2]) * 256 + Number(dotted[3])).toString(16)}:${(Number(dotted[4]) * 256 + Number(dotted[5])).toString(16)}`
    : text;
  const [head = '', tail] = hex.split('::');
  const numbers = (part: string): number[] => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const before = numbers(head);
  if (tail === undefined) return before;
  const after = numbers(tail);
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}

/** RFC 5952 §4 for IPv6. */
function written(bits: 32 | 128, value: bigint): string {
  const part = (n: number, size: bigint): bigint => (value >> (BigInt(n) * size)) & ((1n << size) - 1n);
  if (bits === 32) return [3, 2, 1, 0].map((n) => part(n, 8n)).join('.');
  const all = [7, 6, 5, 4, 3, 2, 1, 0].map((n) => part(n, 16n).toString(16));
  const runs = [...all.join(':').matchAll(/(?<![^:])0(?::0)+(?![^:])/g)].map((match) => match[0]);
  const longest = runs.sort((a, b) => b.length - a.length)[0];
  if (longest === undefined) return all.join(':');
  const at = all.join(':').search(new RegExp(`(?<![^:])${longest}(?![^:])`));
  const joined = all.join(':');
  return `${joined.slice(0, at).replace(/:$/, '')}::${joined.slice(at + longest.length).replace(/^:/, '')}`;
}
