import { createConnection } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ImapFlow } from 'imapflow';
import nodemailer from 'nodemailer';
import { password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';

let files: ServerFiles;
let server: RunningServer;

beforeAll(async () => {
  files = await prepareServer();
  server = await runServer(files);
});

afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await files.remove();
});

const relayed =
  'Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\nFrom: somebody@elsewhere.test\r\nTo: user1@example.test\r\n\r\nfirst line\r\n..dots\r\n\r\nend\r\n';

async function send(to: string, raw: string): Promise<void> {
  const transport = nodemailer.createTransport({ host: '127.0.0.1', port: files.ports.smtp, tls: { rejectUnauthorized: false } });
  await transport.sendMail({ envelope: { from: 'somebody@elsewhere.test', to: [to] }, raw });
  transport.close();
}

async function newest(user: string): Promise<string> {
  const client = new ImapFlow({
    host: '127.0.0.1',
    port: files.ports.imap,
    auth: { user, pass: password },
    tls: { rejectUnauthorized: false },
    logger: false,
  });
  await client.connect();
  try {
    for (;;) {
      const mailbox = await client.mailboxOpen('INBOX');
      if (mailbox.exists > 0) break;
      await new Promise((done) => setTimeout(done, 20));
    }
    const message = await client.fetchOne('*', { source: true });
    const source = message ? message.source : undefined;
    if (!source) throw new Error('no message');
    return source.toString('latin1');
  } finally {
    await client.logout();
  }
}

test('mail comes in by SMTP, is routed by the directory, and is read by IMAP byte for byte below the trace headers', async () => {
  await send('user1@example.test', relayed);
  const got = await newest('user1@example.test');
  expect(got.endsWith(relayed)).toBe(true);
  const trace = got.slice(0, got.length - relayed.length);
  expect(trace).toMatch(/^Return-Path: <somebody@elsewhere\.test>\r\nDelivered-To: user1@example\.test\r\nReceived: from /);
});

test('the same mailbox is read by POP3', async () => {
  await send('user2@example.test', relayed);
  const source = await newest('user2@example.test');
  const socket = createConnection({ host: '127.0.0.1', port: files.ports.pop3 });
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk;
  });
  socket.write(`USER user2@example.test\r\nPASS ${password}\r\nRETR 1\r\nQUIT\r\n`);
  await new Promise((done) => socket.once('close', done));
  const body = /\+OK[^\r]*\r\n(Return-Path[\s\S]*)\r\n\.\r\n\+OK/.exec(text)?.[1];
  expect(`${body}\r\n`.replace(/^\.\./gm, '..')).toBe(source.replace(/^\./gm, '..'));
});
