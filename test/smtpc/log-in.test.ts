/** Logging in at a relay host: smtp-server is the host for PLAIN, LOGIN and CRAM-MD5. */

import { writeFileSync } from 'node:fs';
import { afterEach, expect, test } from '@jest/globals';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import type { SmtpcSettings } from '../../src/smtpc/index.ts';
import { logIn } from '../../src/smtpc/log-in.ts';
import { makeAuthority } from '../support/authority.ts';
import { tempDir } from '../support/temp.ts';
import { startWorld, type World } from './helpers.ts';

const user = 'relay-user';
const password = 'sécret pass';
const root = makeAuthority('Test Root');
const issued = {
  'mx.dest.example': root.issue({ names: ['mx.dest.example'] }),
  'other.example': root.issue({ names: ['other.example'] }),
};
let world: World;
let relay: SMTPServer | undefined;

afterEach(async () => {
  await world?.stop();
  await new Promise<void>((resolve) => (relay ? relay.close(resolve) : resolve()));
  relay = undefined;
});

interface Taken {
  readonly user: string | undefined;
  readonly secure: boolean;
  readonly method: string;
}

async function begin(options: SMTPServerOptions, changed: Partial<SmtpcSettings> = {}): Promise<Taken[]> {
  const taken: Taken[] = [];
  let method = '';
  relay = new SMTPServer({
    allowInsecureAuth: true,
    logger: false,
    disableReverseLookup: true,
    onAuth(auth, _session, done) {
      method = auth.method;
      const good = auth.username === user && (auth.method === 'CRAM-MD5' ? auth.validatePassword(password) : auth.password === password);
      if (good) done(null, { user: auth.username });
      else done(new Error('5.7.8 wrong'));
    },
    onData(stream, session, done) {
      stream.resume();
      stream.on('end', () => {
        taken.push({ user: session.user, secure: session.secure, method });
        done();
      });
    },
    ...options,
  });
  relay.on('error', () => {});
  const port = await new Promise<number>((resolve) => {
    const server = (relay as SMTPServer).listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
  world = await startWorld(
    {},
    {
      nameResolution: 'MailRelayHost',
      relayHost: `[127.0.0.1]:${port}`,
      relayUser: user,
      relayPassword: password,
      relayTls: 'opportunistic',
      ...changed,
    },
  );
  return taken;
}
const send = async (pattern: RegExp): Promise<string> => {
  await world.queued(['a@dest.example']);
  await world.until(1, pattern);
  return world.logged.find((line) => pattern.test(line)) ?? '';
};

test.each([['CRAM-MD5'], ['PLAIN'], ['LOGIN']])('%s over an encrypted connection', async (method) => {
  const taken = await begin({ authMethods: [method] });
  await send(/^Sent /);
  expect(taken).toEqual([{ user, secure: true, method }]);
});

test.each([['CRAM-MD5'], ['PLAIN'], ['LOGIN']])(
  'the log shows what is said with the host, but nothing of the log-in: %s',
  async (method) => {
    await begin({ authMethods: [method] });
    await world.queued(['a@dest.example'], { text: 'Subject: private words\r\n\r\n.hidden\r\n' });
    await world.until(1, /^Sent /);
    const said = world.said.map((line) => line.replace(/^[0-9a-f]{8} /, ''));
    expect(said[0]).toMatch(/^connected to .*127\.0\.0\.1.*:\d+$/);
    expect(said.filter((line) => line.startsWith('> ')).map((line) => line.replace(/EHLO .*/, 'EHLO'))).toEqual(
      expect.arrayContaining(['> EHLO', '> STARTTLS', '> MAIL FROM:<ann@jade.example>', '> RCPT TO:<a@dest.example>', '> DATA']),
    );
    expect(said.filter((line) => /^> AUTH/.test(line))).toEqual([`> AUTH ${method}${method === 'PLAIN' ? ' /* secured */' : ''}`]);
    for (const reply of [/^< 220 /, /^< 250.* \/ /, /^< 235 /, /^< 354 /]) expect(said.some((line) => reply.test(line))).toBe(true);
    // Neither challenge nor answer, neither name nor password in any form, and nothing of the message.
    expect(said.filter((line) => /^< 334|private|hidden/.test(line))).toEqual([]);
    const text = said.join('\n');
    for (const secret of [user, password, `\0${user}\0${password}`])
      expect([text.includes(secret), text.includes(Buffer.from(secret).toString('base64'))]).toEqual([false, false]);
  },
);

test('the strongest way of those that are offered is used', async () => {
  const taken = await begin({ authMethods: ['LOGIN', 'PLAIN', 'CRAM-MD5'] });
  await send(/^Sent /);
  expect(taken[0]?.method).toBe('CRAM-MD5');
});

test('encryption from the first octet, with a certificate that is good', async () => {
  const taken = await begin({ secure: true, authMethods: ['PLAIN'] }, { relayTls: 'tls' });
  // The certificate of the test is nobody's.
  const line = await send(/^Deferred /);
  expect(line).toMatch(/self-signed|certificate/i);
  expect(taken).toEqual([]);
});

test.each([
  ['tls', true, 'mx.dest.example', 'sent'],
  ['verified', false, 'mx.dest.example', 'sent'],
  ['tls', true, 'other.example', 'waits'],
  ['verified', false, 'other.example', 'waits'],
] as const)(
  'encryption "%s" and a certificate of an authority that is known, (secure: %s) for %s: %s',
  async (relayTls, secure, name, becomes) => {
    const { key, cert } = issued[name];
    const dir = await tempDir();
    writeFileSync(`${dir.path}/root.pem`, root.cert);
    const taken = await begin({ secure, key, cert, authMethods: ['PLAIN'] }, { relayTls, tlsTrustedFile: `${dir.path}/root.pem` });
    const { relayHost } = world.settings.value;
    world.settings.set({ ...world.settings.value, relayHost: relayHost.replace('[127.0.0.1]', 'mx.dest.example') });
    await send(becomes === 'sent' ? /^Sent / : /^Deferred /);
    expect(taken).toEqual(becomes === 'sent' ? [{ user, secure: true, method: 'PLAIN' }] : []);
    await dir.remove();
  },
);

test('the password itself does not go over a connection that is not encrypted, unless a setting says so', async () => {
  const taken = await begin({ authMethods: ['PLAIN', 'LOGIN'], disabledCommands: ['STARTTLS'] });
  expect(await send(/^Deferred /)).toMatch(/PLAIN, LOGIN would send the password over a connection that is not encrypted/);
  expect(taken).toEqual([]);
  world.settings.set({ ...world.settings.value, relayPlainPassword: true });
  world.clock.advance(1);
  await world.queue.retryNow('SMTPC');
  await world.until(1, /^Sent /);
  expect(taken).toEqual([{ user, secure: false, method: 'PLAIN' }]);
});

test('CRAM-MD5 does not show the password and needs no encryption', async () => {
  const taken = await begin({ authMethods: ['PLAIN', 'CRAM-MD5'], disabledCommands: ['STARTTLS'] });
  await send(/^Sent /);
  expect(taken).toEqual([{ user, secure: false, method: 'CRAM-MD5' }]);
});

test('a wrong password keeps the mail waiting, is an error in the log, and is in no line', async () => {
  await begin({ authMethods: ['PLAIN'] }, { relayPassword: 'not-the-password' });
  const line = await send(/^Deferred /);
  expect(line).toMatch(/log-in \(PLAIN\): 535 /);
  expect(world.logged.filter((one) => /^\[Error\] .*primary mail relay host .*log-in \(PLAIN\): 535/.test(one))).toHaveLength(1);
  const all = world.logged.join('\n');
  expect(all).not.toContain('not-the-password');
  expect(all).not.toContain(Buffer.from('not-the-password').toString('base64').slice(4, 16));
  world.settings.set({ ...world.settings.value, relayPassword: password });
  world.clock.advance(1);
  await world.queue.retryNow('SMTPC');
  await world.until(1, /^Sent /);
});

test('a host without AUTH, and the switch for log-ins', async () => {
  const taken = await begin({ disabledCommands: ['AUTH'] });
  expect(await send(/^Deferred /)).toMatch(/log-in is not offered/);
  world.settings.set({ ...world.settings.value, relayAuth: false });
  world.clock.advance(1);
  await world.queue.retryNow('SMTPC');
  await world.until(1, /^Sent /);
  expect(taken).toHaveLength(1);
});

test('a host that wants a log-in where none is set keeps the mail waiting', async () => {
  await begin({ authMethods: ['PLAIN'] }, { relayUser: '' });
  expect(await send(/^(Deferred|Rejected) /)).toMatch(/^Deferred .*530/);
});

const scripted = (mechanisms: string[], replies: string[], encrypted = true) => {
  const said: string[] = [];
  const session = {
    host: 'relay.example',
    mechanisms,
    encrypted,
    say: async (line: string) => {
      said.push(line);
      const reply = replies.shift() ?? '421 gone';
      return { code: Number(reply.slice(0, 3)), text: reply.slice(4) };
    },
  };
  return { said, run: () => logIn(session, { user: 'u', password: 'p', plainAllowed: false }) };
};
const base64 = (text: string): string => Buffer.from(text).toString('base64');

test('a way that is refused as such gives its turn to the next one; a wrong password does not', async () => {
  const next = scripted(['SCRAM-SHA-256', 'PLAIN'], ['504 5.5.4 not here', '235 2.7.0 ok']);
  expect(await next.run()).toBeUndefined();
  expect(next.said[1]).toBe(`AUTH PLAIN ${base64('\0u\0p')}`);
  const wrong = scripted(['CRAM-MD5', 'PLAIN'], [`334 ${base64('<1@x>')}`, '535 5.7.8 no']);
  expect(await wrong.run()).toBe('log-in (CRAM-MD5): 535 5.7.8 no');
  expect(wrong.said).toHaveLength(2);
});

test.each([
  ['a server that does not show that it knows the password', ['235 2.7.0 welcome']],
  ['a server whose proof is wrong', [`334 ${base64('v=AAAA')}`, '501 5.7.0 cancelled']],
])('SCRAM-SHA-256: %s gets no mail', async (_, last) => {
  const { said, run } = scripted(['SCRAM-SHA-256'], []);
  const replies = last;
  const session = {
    host: 'relay.example',
    mechanisms: ['SCRAM-SHA-256'],
    encrypted: true,
    say: async (line: string) => {
      said.push(line);
      if (said.length === 1) {
        const nonce = /r=(.*)$/.exec(Buffer.from(line.split(' ')[2] ?? '', 'base64').toString())?.[1];
        return { code: 334, text: base64(`r=${nonce}more,s=${base64('salt')},i=4096`) };
      }
      const reply = replies.shift() ?? '421 gone';
      return { code: Number(reply.slice(0, 3)), text: reply.slice(4) };
    },
  };
  expect(await logIn(session, { user: 'u', password: 'p', plainAllowed: false })).toMatch(/has not shown that it knows the password/);
  expect(await run()).toMatch(/421/);
});

test('SCRAM-SHA-256: a server that asks for too little work is told to stop', async () => {
  const { said, run } = scripted(['SCRAM-SHA-256'], [`334 ${base64('r=x,s=AAAA,i=1')}`, '501 cancelled']);
  expect(await run()).toMatch(/^log-in \(SCRAM-SHA-256\): /);
  expect(said.at(-1)).toBe('*');
});
