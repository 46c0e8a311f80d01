import { expect, test } from '@jest/globals';
import { MessageIndexer, type MessageStructure, type MimePart } from '../../src/mail/index.ts';

/** A small seeded generator (mulberry32). */
function dice(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const seeds = [
  'From: a@example.org\r\nSubject: s\r\n\r\nbody\r\n',
  'Content-Type: multipart/mixed; boundary=b\r\n\r\npre\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: multipart/alternative; boundary=b1\r\n\r\n--b1\r\n\r\ntwo\r\n--b1--\r\n--b--\r\nepilogue',
  'Content-Type: multipart/digest; boundary="d"\n\n--d\n\nSubject: x\n\nbody\n--d\n\nTo: (c) g: a@b, "q" <c@d>;\n\n\n--d--\n',
  'Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: deep\r\n\r\n--b--\r\n',
];
const pieces = [
  '\r\n',
  '\n',
  '\r',
  '--b',
  '--b--',
  '--b1',
  '--d',
  '\r\n\r\n',
  '\r\n--b\r\n',
  '\r\n--b--\r\n',
  'Content-Type: message/rfc822\r\n',
  'Content-Type: multipart/mixed; boundary=b\r\n\r\n',
  'Content-Type: multipart/digest; boundary=d\r\n\r\n',
  ':',
  ';',
  '=',
  '"',
  '(',
  '\\',
  '<',
  '>',
  '@',
  ',',
  '\0',
  'é',
  ' ',
];

function mutate(random: () => number): Buffer {
  let text = seeds[Math.floor(random() * seeds.length)]!;
  for (let n = Math.floor(random() * 12); n >= 0; n--) {
    const at = Math.floor(random() * (text.length + 1));
    const piece = pieces[Math.floor(random() * pieces.length)]!;
    const gone = random() < 0.5 ? Math.floor(random() * 8) : 0;
    text = text.slice(0, at) + (random() < 0.8 ? piece : '') + text.slice(at + gone);
  }
  return Buffer.from(text, random() < 0.5 ? 'latin1' : 'utf8');
}

function indexed(bytes: Buffer, cut: () => number): MessageStructure {
  const indexer = new MessageIndexer();
  for (let at = 0; at < bytes.length; ) {
    const size = Math.max(1, cut());
    indexer.push(Uint8Array.prototype.slice.call(bytes, at, at + size));
    at += size;
  }
  return indexer.end();
}

function check(part: MimePart, from: number, to: number, bytes: Buffer): void {
  expect(part.headerStart).toBeGreaterThanOrEqual(from);
  expect(part.bodyStart).toBeGreaterThanOrEqual(part.headerStart);
  expect(part.end).toBeGreaterThanOrEqual(part.bodyStart);
  expect(part.end).toBeLessThanOrEqual(to);
  const body = bytes.subarray(part.bodyStart, part.end).toString('latin1');
  expect(part.lines).toBe(body.split('\n').length - (body === '' || body.endsWith('\n') ? 1 : 0));
  let at = part.bodyStart;
  for (const child of part.children ?? []) {
    check(child, at, part.end, bytes);
    at = child.end;
  }
  if (part.message) check(part.message.root, part.bodyStart, part.end, bytes);
}

test('whatever comes, offsets are in order and in bounds, and the chunks make no difference', () => {
  const random = dice(20300101);
  for (let n = 0; n < 800; n++) {
    const bytes = mutate(random);
    const whole = indexed(bytes, () => bytes.length);
    check(whole.root, 0, bytes.length, bytes);
    expect(whole.root.end).toBe(bytes.length);
    expect(indexed(bytes, () => 1)).toEqual(whole);
    expect(indexed(bytes, () => Math.floor(random() * 9))).toEqual(whole);
  }
});
