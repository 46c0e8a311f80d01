/** Random and mutated commands against every parser of the IMAP door; nothing but a Fault may come out. */

import { expect, test } from '@jest/globals';
import { Fault } from '../../src/base/index.ts';
import { readFetchItems } from '../../src/imapd/fetch/items.ts';
import { compilePattern } from '../../src/imapd/list/pattern.ts';
import { readListArguments } from '../../src/imapd/list/select-options.ts';
import { readStatusItems } from '../../src/imapd/list/status-items.ts';
import { readKeys } from '../../src/imapd/search/keys.ts';
import { decodeWords, Finder } from '../../src/imapd/search/text.ts';
import { transferDecoder } from '../../src/imapd/search/transfer.ts';
import { Cursor, type Piece } from '../../src/imapd/wire/cursor.ts';
import { decodeUtf7, encodeUtf7 } from '../../src/imapd/wire/utf7.ts';

/** mulberry32 */
function dice(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const samples = [
  'BODY[HEADER.FIELDS (DATE FROM)]<0.100>',
  '(FLAGS BODY.PEEK[4.2.2.MIME] RFC822.SIZE)',
  'BODYSTRUCTURE',
  'OR (1:*,5 UNSEEN) NOT (SINCE 1-Feb-1994 HEADER "X-Tag" {3})',
  'UID $ TEXT "quo\\"ted" LARGER 100 MODSEQ "/flags/x" all 5',
  '(SUBSCRIBED RECURSIVEMATCH) "" ("%" "a/*") RETURN (STATUS (MESSAGES UIDNEXT))',
  '"ref" a%b*',
  '(MESSAGES RECENT)',
  '&U,BTFw-/&ZeVnLIqe-',
  '=?utf-8?q?a=C3=BC?= =?iso-8859-1?B?5A==?=',
];
const spice = [
  '(',
  ')',
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  '<',
  '>',
  '*',
  '%',
  '$',
  ',',
  ':',
  '.',
  ' ',
  '\0',
  '\r',
  '\n',
  '\xff',
  '&',
  '-',
  '=?',
  '?=',
  '99999999999',
  '0',
  'NOT ',
  'OR ',
];

function mutate(text: string, random: () => number): string {
  let out = text;
  for (let n = 0; n < 1 + random() * 6; n++) {
    const at = Math.floor(random() * (out.length + 1));
    const cut = random() < 0.4 ? Math.floor(random() * 5) : 0;
    const add = random() < 0.7 ? spice[Math.floor(random() * spice.length)]! : samples[Math.floor(random() * samples.length)]!;
    out = out.slice(0, at) + add.repeat(1 + Math.floor(random() ** 8 * 200)) + out.slice(at + cut);
  }
  return out;
}

const readers: ((args: Cursor) => unknown)[] = [
  (args) => readFetchItems(args),
  (args) => readKeys(args, (octets) => octets),
  (args) => readListArguments(args),
  (args) => readStatusItems(args),
  (args) => args.mailbox(),
  (args) => args.sequenceSet(),
  (args) => args.list(20, () => args.nstring(), true),
  (args) => args.utf8(),
  (args) => args.dateTime(),
  (args) => args.flag(),
];

test.each([1, 2, 3, 4])('mutated arguments are read or refused, never more (seed %d)', (seed) => {
  const random = dice(seed);
  for (let round = 0; round < 3000; round++) {
    const pieces: Piece[] = [mutate(samples[Math.floor(random() * samples.length)]!, random)];
    if (random() < 0.3) pieces.push(Buffer.from(mutate('literal', random), 'latin1'), mutate(' more', random));
    for (const read of readers) {
      try {
        const args = new Cursor(pieces);
        read(args);
        args.end();
      } catch (thrown) {
        if (!(thrown instanceof Fault)) throw new Error(`${JSON.stringify(pieces)}`, { cause: thrown });
      }
    }
  }
});

test('any name survives its way through modified UTF-7, and what decodes encodes back to itself', () => {
  const random = dice(7);
  for (let round = 0; round < 5000; round++) {
    const name = Array.from({ length: Math.floor(random() * 12) }, () =>
      String.fromCodePoint(random() < 0.5 ? 32 + Math.floor(random() * 95) : Math.floor(random() * 0xd800)),
    ).join('');
    expect(decodeUtf7(encodeUtf7(name))).toBe(name);
    const wire = mutate(encodeUtf7(name), random);
    const back = decodeUtf7(wire);
    if (back !== undefined) expect(encodeUtf7(back)).toBe(wire);
  }
});

test('wildcards mean the same as a plain recursive reading of them', () => {
  const random = dice(11);
  const matches = (p: string, s: string): boolean => {
    if (p === '') return s === '';
    if (p[0] === '*' || p[0] === '%') {
      if (matches(p.slice(1), s)) return true;
      return s !== '' && (p[0] === '*' || s[0] !== '/') && matches(p, s.slice(1));
    }
    return p[0] === s[0] && matches(p.slice(1), s.slice(1));
  };
  const pick = (from: string, length: number): string => Array.from({ length }, () => from[Math.floor(random() * from.length)]).join('');
  for (let round = 0; round < 3000; round++) {
    const [pattern, name] = [pick('ab/*%', random() * 7), pick('ab/', random() * 8)];
    expect([pattern, name, compilePattern(pattern)(name)]).toEqual([pattern, name, matches(pattern, name)]);
  }
});

test('decoders take any octets, in any pieces', () => {
  const random = dice(13);
  for (let round = 0; round < 120; round++) {
    const text = mutate(samples.at(-1)!, random);
    expect(typeof decodeWords(text)).toBe('string');
    for (const encoding of ['base64', 'quoted-printable', '8bit']) {
      const decoder = transferDecoder(encoding);
      const finder = new Finder('never there');
      for (let at = 0; at < text.length; at += 3)
        finder.push(Buffer.from(decoder.push(Buffer.from(text.slice(at, at + 3), 'latin1'))).toString('latin1'));
      decoder.end();
      expect(finder.found).toBe(false);
    }
  }
});
