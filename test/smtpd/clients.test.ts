/** Clients that others wrote. */

import { afterEach, expect, test } from '@jest/globals';
import nodemailer from 'nodemailer';
import { startWorld, testCertificate, type World } from './helpers.ts';

let world: World;
afterEach(() => world.stop());

async function settled(): Promise<void> {
  while (world.smtpd.connections > 0) await new Promise((resolve) => setTimeout(resolve, 5));
}

test.each([
  ['smtps', true],
  ['submission', false],
] as const)('nodemailer submits over %s', async (kind, secure) => {
  world = await startWorld({ tls: testCertificate(), settings: { loginWithoutTls: 'never' } });
  const transport = nodemailer.createTransport({
    host: '127.0.0.1',
    port: world.smtpd.port(kind) ?? 0,
    secure,
    requireTLS: true,
    auth: { user: 'ann', pass: 'secret' },
    tls: { rejectUnauthorized: false },
  });
  const text = `${'.\n..\nlong '.repeat(20_000)}ende für heute`;
  const info = await transport.sendMail({
    from: 'ann@jade.example',
    to: ['bob@jade.example', 'x@remote.example'],
    subject: 'Grüße',
    text,
    dsn: { id: 'some-id', return: 'headers', notify: ['failure', 'delay'], recipient: 'bob@jade.example' },
  });
  expect(info.response).toBe('250 2.0.0 Ok: queued as q1');
  expect(world.accepted[0]).toMatchObject({
    sender: 'ann@jade.example',
    recipients: [{ address: 'bob@jade.example', dsn: { notify: ['failure', 'delay'] } }, { address: 'x@remote.example' }],
    ret: 'hdrs',
    envelopeId: 'some-id',
    origin: { protocol: 'ESMTPSA', tls: true },
  });
  expect(world.bytes()).toMatch(/^From: ann@jade\.example\r\n/);
  transport.close();
  // An encrypted connection is counted out like any other.
  await settled();
});

test('nodemailer hears which recipients were refused', async () => {
  world = await startWorld();
  const transport = nodemailer.createTransport({ host: '127.0.0.1', port: world.smtpd.port('smtp') ?? 0, ignoreTLS: true });
  const info = await transport.sendMail({
    from: 'bill@x.example',
    to: ['bob@jade.example', 'nobody@jade.example', 'x@remote.example'],
    text: 'x',
  });
  expect(info.rejected).toEqual(['nobody@jade.example', 'x@remote.example']);
  expect(info.accepted).toEqual(['bob@jade.example']);
  transport.close();
  await settled();
});
