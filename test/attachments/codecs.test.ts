/** The encodings of attached files: vectors of others, what is decoded again is what was encoded, and hostile input. */

import { expect, test } from '@jest/globals';
import {
  appleFile,
  type Bytes,
  binHex,
  bytesOf,
  type MacFile,
  macBinary,
  plainMacFile,
  type Read,
  readAppleFile,
  readBinHex,
  readMacBinary,
  UuDecoder,
  UuEncoder,
} from '../../src/attachments/index.ts';
import { seededRandom } from '../support/queue.ts';
import { all, latin1, source } from './support.ts';

type Decoding = { push(bytes: Uint8Array): Uint8Array; end(): Uint8Array };
async function run(codec: Decoding, bytes: Bytes): Promise<Buffer> {
  const out: Buffer[] = [];
  for await (const chunk of bytes.stream()) out.push(Buffer.from(codec.push(chunk)));
  out.push(Buffer.from(codec.end()));
  return Buffer.concat(out);
}
async function uudecoded(text: string, piece = 7): Promise<{ text: string; name: string | undefined; flaw: string | undefined }> {
  const decoder = new UuDecoder();
  const octets = await run(decoder, source(text, piece));
  return { text: octets.toString('latin1'), name: decoder.name, flaw: decoder.flaw };
}

async function fileIn(read: Read): Promise<Record<string, unknown>> {
  if (!read.file) return { flaw: read.flaw };
  const { name, finder, created, modified, data, resource } = read.file;
  expect([(await all(data)).length, (await all(resource)).length]).toEqual([data.size, resource.size]);
  return {
    name,
    finder: finder.toString('latin1').replace(/\0+$/, ''),
    created,
    modified,
    data: await latin1(data),
    resource: await latin1(resource),
  };
}

const random = seededRandom(1740);
const pick = (below: number): number => Math.floor(random() * below);
/** Runs, marks of runs and everything else. */
function someOctets(most: number): Buffer {
  const out = Buffer.alloc(pick(most));
  for (let at = 0; at < out.length; ) {
    const byte = [0, 0x90, 0xff, 10, 13][pick(8)] ?? pick(256);
    const run = pick(4) === 0 ? pick(600) : 1;
    for (let n = 0; n < run && at < out.length; n++) out[at++] = byte;
  }
  return out;
}
const someFile = (): MacFile => ({
  ...plainMacFile(['Readme', 'Größe', 'a.b.c', 'x'.repeat(60)][pick(4)] as string, bytesOf(someOctets(3_000)), 'TEXT', 'ttxt'),
  resource: bytesOf(someOctets(2_000)),
});

test('uuencode as POSIX shows it', async () => {
  const encoded = await run(new UuEncoder('cat.txt'), source('Cat'));
  expect(encoded.toString()).toBe('begin 644 cat.txt\r\n#0V%T\r\n`\r\nend');
  expect(await uudecoded('begin 644 cat.txt\n#0V%T\n`\nend\n')).toEqual({ text: 'Cat', name: 'cat.txt', flaw: undefined });
  expect((await run(new UuEncoder(''), source(''))).toString()).toBe('begin 644 file\r\n`\r\nend');
});

test('uuencode as mailers leave it is decoded, and what is guessed is said', async () => {
  const good = { text: 'Cat\0\0\0', name: 'a b.txt', flaw: undefined };
  // Blanks, blanks that were cut off, a checksum, an empty line for the blank one, text around.
  expect(await uudecoded('begin 600 a b.txt\n&0V%T    \n \nend\n')).toEqual(good);
  expect(await uudecoded('begin 600 a b.txt\n&0V%T\n\nend')).toEqual(good);
  expect(await uudecoded('Hello\n\nbegin 0644  a b.txt \r\n&0V%T````#\r\n`\r\nend \r\nBye\r\n')).toEqual(good);
  expect(await uudecoded('begin 644 a b.txt\n&0V%T````\n')).toMatchObject({ text: good.text, flaw: expect.stringContaining('no end') });
  expect(await uudecoded('begin 644 x\n#0V%T\nnot uuencode at all\nend')).toMatchObject({
    text: 'Cat',
    flaw: expect.stringContaining('no uuencode'),
  });
  expect(await uudecoded('begin 644 x\n#0V%T\n`\nend\nbegin 644 y\n#0V%T\n`\nend\n')).toMatchObject({
    text: 'Cat',
    flaw: expect.stringContaining('more than one'),
  });
  expect((await uudecoded('nothing')).flaw).toContain('no begin line');
});

test('what is encoded is decoded again, in pieces of any size', async () => {
  for (let n = 0; n < 60; n++) {
    const octets = someOctets(2_000);
    const encoded = await latin1(await run(new UuEncoder('x'), source(octets, 1 + pick(200))).then((out) => bytesOf(out)));
    for (const line of encoded.split('\r\n')) expect(line).toMatch(/^[!-`]{0,61}$|^begin 644 x$|^end$/);
    expect(await uudecoded(encoded, 1 + pick(100))).toEqual({ text: octets.toString('latin1'), name: 'x', flaw: undefined });
    const file = someFile();
    const wanted = await fileIn({ file });
    const hqx = await all(await binHex(file));
    for (const line of hqx.toString('latin1').split('\r\n').slice(2)) expect(line).toMatch(/^[!-r]{1,64}$/);
    expect(await fileIn(await readBinHex(source(hqx, 1 + pick(300)), 1e6))).toEqual({ ...wanted, created: undefined, modified: undefined });
    expect(await fileIn(await readAppleFile(source(await all(appleFile('applesingle', file)), 1 + pick(300)), 'applesingle'))).toEqual(
      wanted,
    );
    const header = await all(appleFile('appledouble', file));
    expect(await fileIn(await readAppleFile(source(header), 'appledouble', file.data))).toEqual(wanted);
    const dated = { ...file, created: Date.UTC(1999, 11, 31, 23, 59, 59), modified: Date.UTC(2026, 0, 2) };
    const dates = await fileIn({ file: dated });
    expect(await fileIn(await readMacBinary(source(await all(macBinary(dated)), 1 + pick(300)), true))).toEqual(dates);
    expect(await fileIn(await readAppleFile(source(await all(appleFile('applesingle', dated))), 'applesingle'))).toEqual(dates);
  }
});

/** Made by the program `binhex` of macutils. */
const vector = `(This file must be converted; you knew that already.)

:"8KPE'a[!&4&@&4dG(Kd!*!&1!!!!!UmT@KPE'a[,#"hEh*XC!f3!*!!N!"KN#J
9A(*PFfpeFQ0PN!#3!,Nh:
`;

test('BinHex of others is read', async () => {
  const runs = `${'\x90'.repeat(3)}${'a'.repeat(40)}`;
  const read = await fileIn(await readBinHex(source(vector), 10_000));
  expect(read).toMatchObject({ name: 'Hello', finder: 'TEXTttxt', data: `hello, world\r${runs}`, resource: 'resource\x90\x90' });
});

test('BinHex: what is wrong with it is said', async () => {
  const file = { ...plainMacFile('Test', bytesOf('hello'.repeat(20)), 'TEXT', 'ttxt'), resource: bytesOf('rsrc') };
  const text = await latin1(await binHex(file));
  const at = text.indexOf(':') + 1;
  const flaw = async (changed: string, most = 1e6): Promise<string> => (await readBinHex(source(changed), most)).flaw ?? '';
  expect(await flaw(text)).toBe('');
  // Blanks and line ends of any kind between the characters, and no banner.
  expect(await flaw(`Hello:\n\n  ${text.slice(at - 1).replace(/\r\n/g, ' \n\t')}bye`)).toBe('');
  expect(await flaw('no colon at all')).toContain('no BinHex');
  expect(await flaw(text.slice(0, -3))).toContain('no end');
  expect(await flaw(`${text.slice(0, -9)}:`)).toContain('cut off');
  expect(await flaw(`${text.slice(0, at + 20)}~${text.slice(at + 21)}`)).toContain('characters in it that are none');
  const spoilt = (n: number): string => text.slice(0, at + n) + (text[at + n] === '8' ? '9' : '8') + text.slice(at + n + 1);
  expect(await flaw(spoilt(20))).toContain('checksum of its header');
  expect(await flaw(spoilt(60))).toContain('checksum of its data fork');
  expect(await flaw(spoilt(text.length - at - 8))).toContain('checksum of its resource fork');
  expect(await flaw(text, 50)).toContain('far larger');
});

test('AppleSingle: what is wrong with it is said', async () => {
  const good = await all(appleFile('applesingle', plainMacFile('Test', bytesOf('data'), 'TEXT', 'ttxt')));
  const flaw = async (change: (bytes: Buffer) => Buffer | undefined): Promise<string> => {
    const copy = Buffer.from(good);
    return (await readAppleFile(source(change(copy) ?? copy), 'applesingle')).flaw ?? '';
  };
  expect(await flaw(() => undefined)).toBe('');
  expect(await flaw((bytes) => void bytes.writeUInt32BE(0x0005_1607))).toContain('no AppleSingle');
  expect(await flaw((bytes) => void bytes.writeUInt32BE(0x0003_0000, 4))).toContain('version');
  expect(await flaw((bytes) => void bytes.writeUInt16BE(0xffff, 24))).toContain('too many entries');
  expect(await flaw((bytes) => void bytes.writeUInt16BE(50, 24))).toMatch(/cut off|twice/);
  expect(await flaw((bytes) => void bytes.writeUInt32BE(0xffff_ffff, 34))).toContain('cut off');
  expect(await flaw((bytes) => void bytes.writeUInt32BE(2, 30))).toContain('cut off');
  expect(await flaw((bytes) => void bytes.writeUInt32BE(9, 26))).toContain('twice');
  expect(await flaw((bytes) => bytes.subarray(0, 20))).toContain('no AppleSingle');
  // Version 1 has the name of a file system where version 2 has zeros.
  expect(await flaw((bytes) => void bytes.fill('\0\x01\0\0Macintosh       ', 4, 24, 'latin1'))).toBe('');
});

test('MacBinary of all three versions is read', async () => {
  const file = { ...plainMacFile('Test', bytesOf('data'), 'TEXT', 'ttxt'), resource: bytesOf('rsrc') };
  const second = await all(macBinary(file));
  expect(second.length % 128).toBe(0);
  const wanted = { name: 'Test', data: 'data', resource: 'rsrc', finder: 'TEXTttxt' };
  expect(await fileIn(await readMacBinary(source(second), true))).toMatchObject(wanted);
  const first = Buffer.from(second);
  first.fill(0, 99, 128);
  expect(await fileIn(await readMacBinary(source(first)))).toMatchObject(wanted);
  // Without a checksum nobody is sure.
  expect((await readMacBinary(source(first), true)).flaw).toContain('no MacBinary');
  const third = Buffer.from(second);
  third.write('mBIN', 102);
  third[122] = 130;
  expect((await readMacBinary(source(third))).flaw).toContain('checksum');
  const withSum = Buffer.from(third);
  withSum.writeUInt16BE(crc(withSum.subarray(0, 124)), 124);
  expect(await fileIn(await readMacBinary(source(withSum), true))).toMatchObject(wanted);
  expect((await readMacBinary(source(second.subarray(0, 130)))).flaw).toContain('cut off');
  expect((await readMacBinary(source(second.subarray(0, 127)))).flaw).toContain('no MacBinary');
  expect((await readMacBinary(source(Buffer.alloc(128)))).flaw).toContain('no MacBinary');
  // The last padding is lost now and then.
  expect(await fileIn(await readMacBinary(source(second.subarray(0, 260))))).toMatchObject(wanted);
});

/** The checksum bit by bit, as the standard describes it. */
function crc(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes)
    for (let bit = 7; bit >= 0; bit--) {
      const top = (sum >> 15) & 1;
      sum = ((sum << 1) & 0xffff) ^ (top ^ ((byte >> bit) & 1) ? 0x1021 : 0);
    }
  return sum;
}

test('damaged files are read or not, but never for ever, and never more of them than there is', async () => {
  const seeds = async (): Promise<Buffer[]> => {
    const file = someFile();
    return [
      await run(new UuEncoder('x'), source(await all(file.data))),
      await all(await binHex(file)),
      await all(appleFile('applesingle', file)),
      await all(macBinary(file)),
    ];
  };
  for (let round = 0; round < 150; round++) {
    for (const [kind, seed] of (await seeds()).entries()) {
      const bytes = Buffer.from(seed.subarray(0, pick(3) === 0 ? pick(seed.length + 1) : seed.length));
      for (let n = pick(4); n > 0 && bytes.length > 0; n--) bytes[pick(bytes.length)] = pick(256);
      const damaged = source(bytes, 1 + pick(500));
      if (kind === 0) {
        const decoder = new UuDecoder();
        expect((await run(decoder, damaged)).length).toBeLessThanOrEqual(bytes.length + 63);
      } else {
        const read =
          kind === 1 ? readBinHex(damaged, 100_000) : kind === 2 ? readAppleFile(damaged, 'applesingle') : readMacBinary(damaged);
        const found = await fileIn(await read);
        expect(typeof found.flaw === 'string' || typeof found.data === 'string').toBe(true);
      }
    }
  }
});
