/** Third-party messages with their attachments in other forms, read by Python's email; and files of Macintoshes made and read by Debian's programs. */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  appleFile,
  attachmentsOf,
  binHex,
  bytesOf,
  convertAttachments,
  macBinary,
  plainMacFile,
  readAppleFile,
  readBinHex,
  type Wishes,
} from '../../src/attachments/index.ts';
import { nothing } from '../attachments/convert-support.ts';
import { all, source } from '../attachments/support.ts';
import { startFakeDns } from '../support/fake-dns.ts';
import { change, ldapAdministrator } from '../support/mail-clients.ts';
import { seededRandom } from '../support/queue.ts';
import { command, eventually, prepareServer, runServer } from '../support/server.ts';
import { startSink } from '../support/smtp-sink.ts';
import { tempDir } from '../support/temp.ts';
import { corpus, type Sample, sample } from './support/corpus.ts';
import { python, succeeds } from './support/tool.ts';

let dir: Awaited<ReturnType<typeof tempDir>>;
beforeAll(async () => {
  dir = await tempDir();
});
afterAll(async () => {
  for (const stop of running) await stop();
  await dir.remove();
});
const running: (() => Promise<void>)[] = [];

const conversions: Readonly<Record<string, readonly Partial<Wishes>[]>> = {
  'x-uuencode': [{ nativeEncoding: 'uuencode' }],
  appledouble: [{ toMac: true }],
  applesingle: [
    { toMac: true, appleEncoding: 'applesingle' },
    { toMac: true, appleEncoding: 'uuencode-applesingle' },
  ],
  binhex: [{ toMac: true, appleEncoding: 'binhex' }],
  macbinary: [
    { toMac: true, appleEncoding: 'base64-macbinary' },
    { toMac: true, appleEncoding: 'uuencode-macbinary' },
  ],
  plain: [{ withoutMime: true }],
  plain7: [{ withoutMime: true, eightBit: false }],
};

/** Their structure, or an encoding, is for Python another than for us. */
const odd = /mime-cpython\/msg_38|mime-mimetools\/twopart|hard_ham\/00005\.34bcaad5/;

test('messages of others lose nothing in any form', async () => {
  const made: [name: string, kind: string, before: string, after: string][] = [];
  const counts: Record<string, number> = {};
  for (const { name, canonical } of [...corpus('mime-', 'dsn-', 'bounces-', 'spamassassin-', 'message-partial'), ...withTnef()])
    for (const [kind, several] of Object.entries(conversions))
      for (const wishes of odd.test(name) ? [] : several) {
        const { message } = await convertAttachments(source(canonical, 4_096), { ...nothing, ...wishes });
        if (!message) continue;
        counts[kind] = (counts[kind] ?? 0) + 1;
        made.push([name, kind, canonical.toString('base64'), (await all(message)).toString('base64')]);
      }
  for (const [kind, least] of Object.entries({
    'x-uuencode': 30,
    appledouble: 30,
    applesingle: 60,
    binhex: 30,
    macbinary: 60,
    plain: 300,
    plain7: 300,
  }))
    expect([kind, (counts[kind] ?? 0) >= least, counts[kind]]).toEqual([kind, true, counts[kind]]);
  const file = join(dir.path, 'made.json');
  writeFileSync(file, JSON.stringify(made));
  expect(await python('attachments.py', [file])).toEqual({});
}, 600_000);

/** Messages with the files of another program in them. */
function withTnef(): Sample[] {
  const folder = join(process.env.MAILTREE_TEST_DATA ?? '../shared/data', 'tnef-mimekit');
  const names = readdirSync(folder).filter((name) => name.endsWith('.tnef'));
  expect(names.length).toBeGreaterThan(5);
  return names.map((name) => {
    const lines = readFileSync(join(folder, name)).toString('base64').replace(/.{76}/g, '$&\r\n');
    const head = 'From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n';
    return sample(
      name,
      Buffer.from(
        `${head}Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n${lines}\r\n--b--\r\n`,
      ),
    );
  });
}

/** With the fields that a submission has. */
function submitted({ canonical }: Sample, number: number): string {
  const [head = '', ...body] = canonical.toString('latin1').split('\r\n\r\n');
  const content = `${head}\r\n`.match(/^content-[a-z-]+:.*(?:\r\n[ \t].*)*\r\n/gim) ?? [];
  const own = `From: a@b.example\r\nTo: c@d.example\r\nSubject: ${number}\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <${number}@b.example>\r\nMIME-Version: 1.0\r\n`;
  return `${own}${content.join('')}\r\n${body.join('\r\n\r\n')}`;
}

test('a server that is told so by LDAP sends them so', async () => {
  const sink = await startSink({ extensions: ['PIPELINING', '8BITMIME'] });
  const dns = await startFakeDns({ 'remote.test': { mx: [[10, 'mx.remote.test']] }, 'mx.remote.test': { a: ['127.0.0.1'] } });
  const files = await prepareServer({ extra: `dns: [127.0.0.1:${dns.port}]` });
  const server = await runServer(files);
  const ldap = await ldapAdministrator(files);
  running.push(async () => {
    await ldap.unbind();
    expect(await server.stop()).toBe(0);
    await Promise.all([sink.stop(), dns.stop(), files.remove()]);
  });
  await ldap.modify('cn=smtpc,cn=mailtree', change('replace', 'mtSmtpcPort', String(sink.port)));
  // In 7 bit, which is what a command line hands over, and whole.
  const whole = corpus('mime-mimetools').filter(({ name }) => /\/(?:dup-names|lennie|multi-nested|empty-preamble)\.msg$/.test(name));
  expect(whole).toHaveLength(4);
  const entry = 'cn=remote.test,cn=peers,cn=mailtree';
  const made: string[][] = [];
  for (const [kind, several] of Object.entries(conversions)) {
    const wishes = several[0] ?? {};
    sink.script.extensions = wishes.eightBit === false ? [] : ['PIPELINING', '8BITMIME'];
    await ldap.add(entry, {
      objectClass: 'mtPeer',
      cn: 'remote.test',
      mtPeerConvertToMac: wishes.toMac ? 'TRUE' : 'FALSE',
      mtPeerWithoutMime: wishes.withoutMime ? 'TRUE' : 'FALSE',
      mtPeerNativeEncoding: wishes.nativeEncoding ?? 'mime',
      mtPeerAppleEncoding: wishes.appleEncoding ?? 'unchanged',
    });
    for (const [number, one] of whole.entries()) {
      const before = sink.messages.length;
      const given = submitted(one, number);
      const sent = await command('sendmail', ['-i', '-f', 'user1@example.test', 'friend@remote.test'], files, given);
      expect(sent).toMatchObject({ code: 0, err: '' });
      await eventually(async () => sink.messages.length > before);
      const after = sink.messages[before]?.data ?? '';
      made.push([one.name, kind, Buffer.from(given).toString('base64'), Buffer.from(after, 'latin1').toString('base64')]);
    }
    await ldap.del(entry);
  }
  const file = join(dir.path, 'sent.json');
  writeFileSync(file, JSON.stringify(made));
  expect(await python('attachments.py', [file])).toEqual({});
}, 300_000);

/** A file as `macbinary.ts` has nothing to do with it: made by hand, its checksum by the standard's own words. */
function macBinaryByHand(name: string, data: Buffer, resource: Buffer): Buffer {
  const head = Buffer.alloc(128);
  head[1] = head.write(name, 2, 'latin1');
  head.write('TEXTttxt', 65, 'latin1');
  head.writeUInt32BE(data.length, 83);
  head.writeUInt32BE(resource.length, 87);
  head[122] = head[123] = 129;
  let crc = 0;
  for (const byte of head.subarray(0, 124))
    for (let bit = 7; bit >= 0; bit--) crc = ((crc << 1) & 0xffff) ^ (((crc >> 15) ^ (byte >> bit)) & 1 ? 0x1021 : 0);
  head.writeUInt16BE(crc, 124);
  const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 127)]);
  return Buffer.concat([head, padded(data), padded(resource)]);
}

const random = seededRandom(1904);
const octets = (size: number): Buffer =>
  Buffer.from(Array.from({ length: size }, () => (random() < 0.3 ? 0x90 : Math.floor(random() * 256))));
const data = Buffer.concat([octets(5_000), Buffer.alloc(700, 0x61), octets(1_000)]);
const resource = octets(333);

test('BinHex of macutils is read, and ours is read by macutils', async () => {
  const bin = macBinaryByHand('Some File', data, resource);
  writeFileSync(join(dir.path, 'f.bin'), bin);
  const { out } = await succeeds('binhex', ['f.bin'], { cwd: dir.path });
  const read = await readBinHex(source(out), 1e6);
  expect(read.file?.name).toBe('Some File');
  expect([await all(read.file?.data ?? bytesOf('')), await all(read.file?.resource ?? bytesOf(''))]).toEqual([data, resource]);
  if (!read.file) throw new Error(read.flaw);
  writeFileSync(join(dir.path, 'ours.hqx'), await all(await binHex(read.file)));
  // Into the three parts of a file.
  await succeeds('hexbin', ['-3', 'ours.hqx'], { cwd: dir.path });
  const named = (ending: string): Buffer => readFileSync(join(dir.path, `Some_File.${ending}`));
  expect([named('data'), named('rsrc')]).toEqual([data, resource]);
  expect(named('info').toString('latin1', 65, 73)).toBe('TEXTttxt');
});

test('MacBinary and AppleSingle of ours are read by macutils and by unar', async () => {
  const file = { ...plainMacFile('Some File', bytesOf(data), 'TEXT', 'ttxt'), resource: bytesOf(resource) };
  const bin = await all(macBinary(file));
  expect(bin).toEqual(macBinaryByHand('Some File', data, resource));
  for (const [name, bytes] of [
    ['ours.bin', bin],
    ['ours.as', await all(appleFile('applesingle', file))],
    ['unar.hqx', await all(await binHex(file))],
  ] as const) {
    writeFileSync(join(dir.path, name), bytes);
    const to = join(dir.path, `${name}.out`);
    await succeeds('unar', ['-quiet', '-force-overwrite', '-forks', 'visible', '-output-directory', to, name], { cwd: dir.path });
    expect([name, readFileSync(join(to, 'Some File')).equals(data)]).toEqual([name, true]);
    // The other fork, as AppleDouble.
    const other = await readAppleFile(source(readFileSync(join(to, 'Some File.rsrc'))), 'appledouble');
    expect(await all(other.file?.resource ?? bytesOf(''))).toEqual(resource);
  }
});

test('files in messages without MIME are found by uudecode, uudeview and munpack', async () => {
  const photo = readFileSync(join(process.env.MAILTREE_TEST_DATA ?? '../shared/data', 'encoders-mimekit', 'photo.jpg'));
  const head = 'From: a@b.example\r\nTo: c@d.example\r\nSubject: files\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\nMIME-Version: 1.0\r\n';
  const lines = photo.toString('base64').replace(/.{76}/g, '$&\r\n');
  const message = `${head}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nlook\r\n--b\r\nContent-Type: image/jpeg; name="photo one.jpg"\r\nContent-Transfer-Encoding: base64\r\n\r\n${lines}\r\n--b--\r\n`;
  const made = async (wishes: Partial<Wishes>): Promise<Buffer> => {
    const { message: after } = await convertAttachments(source(message, 4_096), { ...nothing, ...wishes });
    return after ? all(after) : Buffer.from(message);
  };
  const plain = (await made({ withoutMime: true })).toString('latin1').replace(/\r\n/g, '\n');
  const path = (name: string): string => join(dir.path, name);
  writeFileSync(path('plain'), plain);
  await succeeds('uudecode', ['-o', 'by-uudecode', 'plain'], { cwd: dir.path });
  expect(readFileSync(path('by-uudecode'))).toEqual(photo);
  await succeeds('uudeview', ['-i', '-p', `${dir.path}/`, path('plain')]);
  expect(readFileSync(path('photo one.jpg'))).toEqual(photo);
  for (const wishes of [{ withoutMime: true }, { nativeEncoding: 'uuencode' }, { toMac: true }] as const) {
    const to = path(Object.entries(wishes).flat().join('-'));
    mkdirSync(to);
    writeFileSync(path('mime'), (await made(wishes)).toString('latin1').replace(/\r\n/g, '\n'));
    if ('nativeEncoding' in wishes) await succeeds('uudeview', ['-i', '-p', `${to}/`, path('mime')]);
    else await succeeds('munpack', ['-q', '-f', '-C', to, path('mime')]);
    const files = readdirSync(to).map((name) => readFileSync(join(to, name)));
    expect([to, files.some((one) => one.equals(photo))]).toEqual([to, true]);
  }
  // And the other way: what sharutils writes is what we find.
  writeFileSync(path('photo.jpg'), photo);
  const { out } = await succeeds('uuencode', ['photo.jpg', 'x y.jpg'], { cwd: dir.path });
  const [found] = await attachmentsOf(source(`Subject: x\r\n\r\nhere:\r\n${out}\r\nbye\r\n`, 1_000));
  expect(found?.name).toBe('x y.jpg');
  const opened = await found?.open();
  expect([opened?.flaw, await all(opened?.content ?? bytesOf(''))]).toEqual([undefined, photo]);
});

test('uuencode and base64 of others are decoded', async () => {
  const folder = join(process.env.MAILTREE_TEST_DATA ?? '../shared/data', 'encoders-mimekit');
  const photo = readFileSync(join(folder, 'photo.jpg'));
  for (const [name, encoding] of [
    ['photo.uu', 'x-uuencode'],
    ['photo.b64', 'base64'],
  ] as const) {
    const body = readFileSync(join(folder, name), 'latin1');
    const message = `Content-Type: image/jpeg\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${body}`;
    const [found] = await attachmentsOf(source(message, 777));
    const opened = await found?.open();
    expect([name, opened?.flaw, (await all(opened?.content ?? bytesOf(''))).equals(photo)]).toEqual([name, undefined, true]);
  }
});
