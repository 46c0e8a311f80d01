/**
 * The names of attached files: read from a part's header, made harmless, and written into one.
 *
 * Promise: any header has an answer, in linear time; a name that is written names no folder, hides nothing and is no longer than files'
 * names may be.
 * Spec: RFC 2183 §2.3; RFC 2231 §3, §4; RFC 2047 (which many programs put into parameters against its §5)
 */

import { decodeWords, type MimePart, type Parameters } from '../mail/index.ts';

const piecesAtMost = 100;
const longest = 200;

/** As the sender meant it; undefined where the part names no file. */
export function fileNameOf(part: Pick<MimePart, 'disposition' | 'parameters'>): string | undefined {
  const given = parameterText(part.disposition?.parameters ?? [], 'filename') ?? parameterText(part.parameters, 'name');
  return given === undefined || given.trim() === '' ? undefined : given;
}

function parameterText(parameters: Parameters, name: string): string | undefined {
  const found = new Map(parameters);
  const extended = found.get(`${name}*`);
  if (extended !== undefined) return decodedExtended([[extended, true]]);
  const pieces: [text: string, coded: boolean][] = [];
  for (let n = 0; n < piecesAtMost; n++) {
    const plain = found.get(`${name}*${n}`);
    const coded = plain === undefined ? found.get(`${name}*${n}*`) : undefined;
    if (plain === undefined && coded === undefined) break;
    pieces.push([plain ?? coded ?? '', plain === undefined]);
  }
  if (pieces.length > 0) return decodedExtended(pieces);
  const plain = found.get(name);
  return plain === undefined ? undefined : decodeWords(plain);
}

/** `charset'language'text`, percent signs in the coded pieces alone. */
function decodedExtended(pieces: readonly (readonly [text: string, coded: boolean])[]): string {
  const [first, ...rest] = pieces;
  const head = first?.[1] === true ? /^([^']*)'[^']*'/.exec(first[0]) : null;
  const all = [[head ? (first?.[0].slice(head[0].length) ?? '') : (first?.[0] ?? ''), first?.[1] ?? false] as const, ...rest];
  const octets = Buffer.concat(all.map(([text, coded]) => (coded ? percentDecoded(text) : Buffer.from(text, 'utf8'))));
  return textIn(octets, head?.[1] ?? 'utf-8');
}

function percentDecoded(text: string): Buffer {
  return Buffer.from(
    Buffer.from(text, 'utf8')
      .toString('latin1')
      .replace(/%([0-9a-f]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
}

function textIn(octets: Buffer, charset: string): string {
  try {
    return new TextDecoder(charset || 'utf-8').decode(octets);
  } catch {
    return octets.toString('latin1');
  }
}

/** What no name may have in it: separators of folders, controls, and what turns the direction of text around. */
const harmful = /[\u0000-\u001f\u007f-\u009f/\\:\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/g;

/** A name for a file that can be written anywhere. */
export function saneName(name: string, otherwise = 'attachment'): string {
  // The name of a file alone, where a path was given.
  const last = name.split(/[/\\]/).findLast((piece) => piece.trim() !== '') ?? '';
  const clean = last
    .normalize('NFC')
    .replace(harmful, '_')
    .replace(/[. ]+$/, '')
    .replace(/^[. ]+/, '');
  if (clean === '') return otherwise;
  return shortened(clean);
}

/** Its ending is kept. */
function shortened(name: string): string {
  const letters = [...name];
  if (letters.length <= longest) return name;
  const ending = extensionOf(name);
  return letters.slice(0, longest - ending.length).join('') + ending;
}

/** With its dot; empty where there is none. */
export const extensionOf = (name: string): string => /[^.](\.[A-Za-z0-9]{1,8})$/.exec(name)?.[1] ?? '';

/** What says that a file is one of a Macintosh: nothing of the file that is in it. */
export const withoutMacEnding = (name: string): string => name.replace(/(.)\.(?:hqx|bin|as|adf|macbin)$/i, '$1');

/** In ASCII, for uuencode: marks of letters are lost, other characters become low lines. */
export function asciiName(name: string): string {
  const plain = name
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replace(/[^ -~]/gu, '_');
  // One character may have become many.
  return shortened(plain);
}

/** `; name="x"` for a field's end, on a line of its own. */
export function nameParameter(key: 'name' | 'filename', name: string): string {
  if (/^[ -~]{1,60}$/.test(name)) return `;\r\n ${key}="${name.replace(/["\\]/g, '\\$&')}"`;
  const coded = [...Buffer.from(name, 'utf8')].map((octet) => {
    const character = String.fromCharCode(octet);
    return /[A-Za-z0-9._-]/.test(character) ? character : `%${octet.toString(16).toUpperCase().padStart(2, '0')}`;
  });
  const pieces: string[] = [''];
  for (const one of coded) {
    if ((pieces.at(-1) as string).length + one.length > 50) pieces.push('');
    pieces[pieces.length - 1] += one;
  }
  if (pieces.length === 1) return `;\r\n ${key}*=utf-8''${pieces[0]}`;
  return pieces.map((piece, n) => `;\r\n ${key}*${n}*=${n === 0 ? "utf-8''" : ''}${piece}`).join('');
}
