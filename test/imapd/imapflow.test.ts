import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ImapFlow } from 'imapflow';
import { systemClock } from '../../src/base/index.ts';
import { type ImapBench, openImapBench, password } from '../support/imapd.ts';

let bench: ImapBench;
let client: ImapFlow;
beforeAll(async () => {
  bench = await openImapBench({ clock: systemClock });
  client = flow();
  await client.connect();
});
afterAll(async () => {
  await client.logout();
  await bench.close();
});

function flow(): ImapFlow {
  return new ImapFlow({
    host: '127.0.0.1',
    port: bench.port,
    secure: false,
    auth: { user: 'user1@jade.net', pass: password },
    tls: { rejectUnauthorized: false },
    logger: false,
  });
}

test('imapflow upgrades to TLS, logs in and finds the special mailboxes', async () => {
  expect(client.secureConnection).toBe(true);
  const listed = await client.list({ statusQuery: { messages: true } });
  expect(listed.find(({ path }) => path === 'Sent')).toMatchObject({ specialUse: '\\Sent', subscribed: true, status: { messages: 0 } });
});

test('imapflow makes, renames and deletes mailboxes with names of any script', async () => {
  await client.mailboxCreate(['Ordner', '日本語 & mehr']);
  expect((await client.list()).map(({ path }) => path)).toContain('Ordner/日本語 & mehr');
  await client.mailboxRename('Ordner/日本語 & mehr', 'Ordner/☺');
  await client.mailboxDelete('Ordner/☺');
  expect((await client.list()).map(({ path }) => path)).not.toContain('Ordner/☺');
});

test('imapflow appends, fetches, downloads, flags, searches, copies, moves and deletes', async () => {
  const boundary = 'b1';
  const attachment = Buffer.alloc(200_000, 'attached ');
  const encoded = attachment.toString('base64').replace(/(.{76})/g, '$1\r\n');
  const source = Buffer.from(
    `From: A <a@jade.net>\r\nSubject: =?utf-8?q?gr=C3=BCn?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=${boundary}\r\n\r\n` +
      `--${boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHällo\r\n` +
      `--${boundary}\r\nContent-Type: application/octet-stream; name=x.bin\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=x.bin\r\n\r\n${encoded}\r\n--${boundary}--\r\n`,
  );
  const appended = await client.append('INBOX', source, ['\\Seen', '$Label1'], new Date(Date.UTC(2020, 1, 2)));
  expect(appended).toMatchObject({ destination: 'INBOX', uid: 1 });
  await client.mailboxOpen('INBOX');
  const message = await client.fetchOne('1', {
    envelope: true,
    bodyStructure: true,
    flags: true,
    internalDate: true,
    size: true,
    source: true,
    uid: true,
  });
  if (!message) throw new Error('no message');
  expect(message.envelope).toMatchObject({ subject: 'grün', from: [{ name: 'A', address: 'a@jade.net' }] });
  expect(message.source?.equals(source)).toBe(true);
  expect(message.size).toBe(source.length);
  expect([...(message.flags ?? [])].sort()).toEqual(['$Label1', '\\Recent', '\\Seen'].sort());
  expect(message.bodyStructure?.childNodes?.map(({ part, type }) => [part, type])).toEqual([
    ['1', 'text/plain'],
    ['2', 'application/octet-stream'],
  ]);
  const { content, meta } = await client.download('1', '2');
  const parts: Buffer[] = [];
  if (!content) throw new Error('no content');
  for await (const chunk of content) parts.push(chunk as Buffer);
  expect(meta).toMatchObject({ filename: 'x.bin' });
  expect(Buffer.concat(parts).equals(attachment)).toBe(true);
  expect(await client.search({ body: 'hällo' })).toEqual([1]);
  expect(await client.search({ subject: 'grün', seen: true })).toEqual([1]);
  expect(await client.messageFlagsAdd('1', ['\\Flagged'])).toBe(true);
  expect(await client.messageCopy('1', 'Archive')).toMatchObject({ destination: 'Archive', uidMap: new Map([[1, 1]]) });
  expect(await client.messageMove('1', 'Trash')).toMatchObject({ destination: 'Trash', uidMap: new Map([[1, 1]]) });
  expect(await client.status('INBOX', { messages: true, uidNext: true })).toMatchObject({ messages: 0, uidNext: 2 });
  await client.mailboxOpen('Trash');
  expect(await client.messageDelete('1:*')).toBe(true);
  expect(await client.status('Trash', { messages: true })).toMatchObject({ messages: 0 });
});

test('imapflow hears of new mail while it idles', async () => {
  const listener = flow();
  await listener.connect();
  await listener.mailboxOpen('Drafts');
  const heard = new Promise<{ path: string; count: number }>((resolve) => listener.once('exists', resolve));
  const idling = listener.idle();
  await client.append('Drafts', Buffer.from('Subject: new\r\n\r\n'));
  expect(await heard).toMatchObject({ path: 'Drafts', count: 1 });
  await listener.logout();
  await idling;
});
