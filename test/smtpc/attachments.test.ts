/** What a peer wants of attachments, on the way out: before SIZE, 7 bit and signatures, and once for all recipients. */

import { afterEach, expect, test } from '@jest/globals';
import { startWorld, type World } from './helpers.ts';

let world: World;
afterEach(() => world.stop());

const pdf = Buffer.from('%PDF data '.repeat(2_000));
const text =
  'From: a@b.example\r\nSubject: hi\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n--b\r\nContent-Type: application/pdf; name=r.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n' +
  `${pdf.toString('base64').replace(/.{76}/g, '$&\r\n')}\r\n--b--\r\n`;
const sevenBit = { extensions: ['PIPELINING'] };

test('7 bit and signatures are about what is sent', async () => {
  const signed: string[] = [];
  world = await startWorld(
    sevenBit,
    {},
    {
      sign: async (_message, content) => {
        const pieces: Buffer[] = [];
        for await (const piece of content()) pieces.push(Buffer.from(piece));
        signed.push(Buffer.concat(pieces).toString('latin1'));
        return 'X-Signed: yes\r\n';
      },
    },
  );
  world.peers['dest.example'] = { toMac: true, appleEncoding: 'binhex' };
  await world.queued(['x@dest.example'], { text, eightBit: true });
  await world.until(1);
  const [message] = world.sink.messages;
  expect(message?.data).toBe(`X-Signed: yes\r\n${signed[0]}`);
  expect(message?.data).toMatch(/^[\x00-\x7f]*$/);
  expect(message?.data).toContain('Content-Transfer-Encoding: base64\r\n\r\nR3LDvMOfZQ==\r\n');
  expect(message?.data).toContain('(This file must be converted with BinHex 4.0)');
});

test('a host that takes 7 bit only and no MIME gets neither, and is told so', async () => {
  world = await startWorld(sevenBit);
  world.peers['dest.example'] = { withoutMime: true };
  await world.queued(['x@dest.example'], { text, eightBit: true });
  await world.until(1);
  const data = world.sink.messages[0]?.data ?? '';
  expect(data).toMatch(/\r\n\r\nGrusse\r\n\r\nbegin 644 r\.pdf\r\n/);
  expect(data).not.toMatch(/mime-version|content-/i);
  await world.stop();
  world = await startWorld({ extensions: ['8BITMIME'] });
  world.peers['dest.example'] = { withoutMime: true };
  await world.queued(['x@dest.example'], { text, eightBit: true });
  // Written in quoted-printable it was a 7-bit message.
  await world.queued(['y@dest.example'], {
    text: 'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=FC\r\n',
  });
  await world.until(2);
  expect(world.sink.heard.filter((line) => /^MAIL/.test(line) && / BODY=8BITMIME/.test(line))).toHaveLength(2);
  expect(world.sink.messages[1]?.data).toMatch(/\r\n\r\n\xfc\r\n$/);
});

test('SIZE is about what is sent', async () => {
  world = await startWorld({ extensions: [`SIZE ${text.length + 200}`, '8BITMIME'] });
  world.peers['dest.example'] = { nativeEncoding: 'uuencode' };
  await world.queued(['x@dest.example'], { text, eightBit: true });
  await world.until(1, /^Rejected/);
  expect(world.logged.join()).toMatch(/the message has \d+ octets, mx\.dest\.example takes at most/);
  expect(world.sink.messages).toEqual([]);
  await world.queued(['x@dest.example'], { text: 'Subject: small\r\n\r\nx\r\n' });
  await world.until(1, /^Sent/);
});

test('a message is converted once, however many transactions its recipients take', async () => {
  world = await startWorld({ extensions: ['8BITMIME'] }, { recipientsPerTransaction: 1 });
  world.peers['dest.example'] = { toMac: true };
  await world.queued(['x@dest.example', 'y@dest.example', 'z@dest.example'], { text, eightBit: true });
  await world.until(3);
  const [one, ...others] = world.sink.messages.map(({ data }) => data);
  // With another conversion there would be other boundaries.
  expect(one).toContain('multipart/appledouble');
  expect(others).toEqual([one, one]);
});

test('the native part is left out of what comes from Notes alone', async () => {
  world = await startWorld({ extensions: ['8BITMIME'] });
  const notes = text.replace('--b--', '--b\r\nContent-Type: application/vnd.lotus-notes\r\n\r\nNOTE\r\n--b--');
  await world.queued(['x@dest.example'], { text: notes, eightBit: true });
  await world.queued(['x@dest.example'], { text: notes, eightBit: true, inputChannel: 'NOTESOUT' });
  await world.until(2);
  expect(world.sink.messages.map(({ data }) => data.includes('NOTE'))).toEqual([true, false]);
});
