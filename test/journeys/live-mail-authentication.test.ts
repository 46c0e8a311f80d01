/** Every setting of mail authentication and of signing, changed by LDAP on a running server: the next message is judged or signed by it. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { keyRecord, makeKey } from '../../src/mail-auth/index.ts';
import { dnsOf, examine, football, footballZone, words, type Zone } from '../mail-auth/support.ts';
import { bad, good } from '../support/commands.ts';
import { type FakeDns, startFakeDns } from '../support/fake-dns.ts';
import { change, Dialog, imap, ldapAdministrator, newest, plain } from '../support/mail-clients.ts';
import { command, eventually, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';

let files: ServerFiles;
let server: RunningServer;
let ldap: Client;
let dns: FakeDns;
let sink: Sink;
const settings = 'cn=mailauth,cn=mta,cn=mailtree';
const stranger = '127.0.0.77';
const user = 'user1@example.test';

beforeAll(async () => {
  dns = await startFakeDns({
    'elsewhere.test': { mx: [[10, 'mx.elsewhere.test']] },
    'mx.elsewhere.test': { a: ['127.0.0.1'] },
    'open.test': { txt: ['v=spf1 ip4:127.0.0.0/8 -all'] },
    'closed.test': { txt: ['v=spf1 -all'] },
    'strict.test': { txt: ['v=spf1 -all'] },
    '_dmarc.strict.test': { txt: ['v=DMARC1; p=reject'] },
    'sick.test': { failing: true },
    '_dmarc.sick.test': { txt: ['v=DMARC1; p=reject'] },
    ...Object.fromEntries(Object.entries(footballZone).map(([key, txt]) => [key.slice(4).toLowerCase(), { txt: txt as string[] }])),
    'example.test': { mx: [[10, 'mail.example.test']] },
  });
  sink = await startSink();
  files = await prepareServer({ extra: `dns: ['127.0.0.1:${dns.port}']` });
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
  await ldap.modify('cn=smtpc,cn=mailtree', change('replace', 'mtSmtpcPort', String(sink.port)));
});

afterAll(async () => {
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await Promise.all([dns.stop(), sink.stop()]);
  await files.remove();
});

interface Sending {
  readonly sender?: string;
  readonly from?: string;
  readonly to?: string;
  readonly message?: string;
  readonly address?: string;
  readonly login?: string;
}

/** The reply to the whole message. */
async function send({ sender = 'joe@closed.test', from = sender, to = user, address = stranger, ...more }: Sending): Promise<string> {
  const port = more.login === undefined ? files.ports.smtp : files.ports.submission;
  const socket = connect({ port, host: '127.0.0.1', localAddress: address });
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  const dialog = new Dialog(socket);
  await dialog.reply();
  await dialog.say('EHLO client.elsewhere.test');
  if (more.login !== undefined) expect(await dialog.say(plain(more.login, password))).toMatch(/^235/);
  const lines = [`MAIL FROM:<${sender}>`, `RCPT TO:<${to}>`, 'DATA'];
  let reply = '';
  for (const line of lines) reply = await dialog.say(line);
  expect(reply).toMatch(/^354/);
  const message = more.message ?? `From: ${from}\nTo: ${to}\nSubject: hello\n\nHello.\n`;
  reply = await dialog.say(`${message.replace(/\r?\n/g, '\r\n')}.`);
  dialog.end();
  return reply;
}

const set = (attribute: string, ...values: string[]): Promise<void> => ldap.modify(settings, change('replace', attribute, ...values));
const becomes = (sending: Sending, pattern: RegExp): Promise<number> => eventually(async () => pattern.test(await send(sending)));

/** Header of what came in, folds taken out: sent until it is as it should be. */
const delivered = (sending: Sending, pattern: RegExp): Promise<number> =>
  eventually(async () => {
    expect(await send(sending)).toMatch(/^250/);
    const text = (await newest(files, user)).toString('latin1');
    return pattern.test(text.slice(0, text.indexOf('\r\n\r\n')).replace(/\r\n[ \t]+/g, ' '));
  });

const unwanted = async (): Promise<number> => {
  const client = await imap(files, user);
  try {
    return (await client.mailboxOpen('Junk')).exists;
  } finally {
    await client.logout();
  }
};

test('from the start mail is checked, and what the owner of a domain publishes is done, with a reason in the log', async () => {
  await delivered({ sender: 'joe@open.test' }, /^Authentication-Results: mail\.example\.test; spf=pass smtp\.mailfrom=joe@open\.test;/m);
  expect(await send({ sender: 'joe@strict.test' })).toMatch(/^550 5\.7\.26 neither SPF nor DKIM vouches for strict\.test in From/);
  const log = (): string =>
    existsSync(join(files.dir, 'data/log/iemta.log')) ? readFileSync(join(files.dir, 'data/log/iemta.log'), 'utf8') : '';
  await eventually(async () => /Rejected .*joe@strict\.test.* rule=mtMailAuthDmarcFail .*550 5\.7\.26/.test(log()));
});

test('mail that fails DMARC: nothing, a tag, the folder for unwanted mail, refused; and otherwise for one domain', async () => {
  const sending = { sender: 'joe@strict.test' };
  await set('mtMailAuthDmarcFail', 'none');
  await delivered(sending, /^Authentication-Results: .* dmarc=fail \(p=reject\) header\.from=strict\.test/m);
  await set('mtMailAuthDmarcFail', 'tag');
  await delivered(sending, /^X-Mailtree-Authentication: tag; reason="neither/m);
  await set('mtMailAuthDmarcFail', 'quarantine');
  await eventually(async () => {
    await send(sending);
    return (await unwanted()) > 0;
  });
  await set('mtMailAuthDmarcFail', 'reject');
  await becomes(sending, /^550 5\.7\.26/);
  const rule = `cn=strict.test,${settings}`;
  await ldap.add(rule, { objectClass: 'mtMailAuthDomain', cn: 'strict.test', mtMailAuthDmarcFail: 'none' });
  await becomes(sending, /^250/);
  await ldap.del(rule);
  await becomes(sending, /^550/);
  await set('mtMailAuthDmarcFail');
});

test('a domain that must be vouched for, though it publishes nothing', async () => {
  const rule = `cn=closed.test,${settings}`;
  await ldap.add(rule, { objectClass: 'mtMailAuthDomain', cn: 'closed.test', mtMailAuthRequire: 'TRUE' });
  await becomes({ sender: 'joe@closed.test' }, /^550 5\.7\.26/);
  await ldap.modify(rule, [change('replace', 'mtMailAuthRequire', 'FALSE'), change('replace', 'mtMailAuthSpfFail', 'reject')]);
  await becomes({ sender: 'joe@closed.test' }, /^550 5\.7\.23/);
  await ldap.del(rule);
  await becomes({ sender: 'joe@closed.test' }, /^250/);
});

test('mail that fails SPF', async () => {
  await set('mtMailAuthSpfFail', 'reject');
  await becomes({ sender: 'joe@closed.test' }, /^550 5\.7\.23 closed\.test does not allow this host/);
  await set('mtMailAuthSpfFail');
  await becomes({ sender: 'joe@closed.test' }, /^250/);
});

test('while the DNS does not answer', async () => {
  expect(await send({ sender: 'joe@sick.test' })).toMatch(/^250/);
  await set('mtMailAuthTemporary', 'defer');
  await becomes({ sender: 'joe@sick.test' }, /^451 4\.4\.3/);
  await set('mtMailAuthTemporary');
  await becomes({ sender: 'joe@sick.test' }, /^250/);
});

test.each([
  ['mtMailAuthSpf', /spf=/],
  ['mtMailAuthDkim', /dkim=/],
  ['mtMailAuthDmarc', /dmarc=/],
  ['mtMailAuthArc', /[; ]arc=/],
  ['mtMailAuthVerify', /Authentication-Results/],
])('%s', async (attribute, word) => {
  await delivered({}, word);
  await set(attribute, 'FALSE');
  await delivered({}, new RegExp(`^(?![\\s\\S]*${word.source})`));
  await set(attribute);
});

test('who is not checked, and under which name results are written', async () => {
  await set('mtMailAuthExempt', '127.0.0.64/26');
  await becomes({ sender: 'joe@strict.test' }, /^250/);
  await set('mtMailAuthExempt');
  await set('mtMailAuthServId', 'mail-team.example');
  await delivered({}, /^Authentication-Results: mail-team\.example;/m);
  await set('mtMailAuthServId');
});

test('forged results are taken out, or left', async () => {
  const message = 'Authentication-Results: mail.example.test; forged=pass\nX-Mailtree-DNSBL: forged\nFrom: a@closed.test\n\nx\n';
  await delivered({ message }, /^(?![\s\S]*forged)/);
  await set('mtMailAuthRemoveForged', 'FALSE');
  await delivered({ message }, /forged=pass/);
  await set('mtMailAuthRemoveForged');
  await delivered({ message }, /^(?![\s\S]*forged)/);
});

test('limits: keys, signatures, partly signed bodies, time', async () => {
  await delivered({ message: football }, /dkim=pass .* dkim=pass /);
  await set('mtMailAuthMinKeyBits', '2048');
  await delivered({ message: football }, /dkim=pass .* dkim=policy reason="a key of 1024 bits is too short"/);
  await set('mtMailAuthMinKeyBits');
  await set('mtMailAuthSignatures', '1');
  await delivered({ message: football }, /^(?![\s\S]*dkim=pass [\s\S]*dkim=)[\s\S]*dkim=pass /);
  await set('mtMailAuthSignatures');
  const partial = football.replace('v=1; a=ed25519', 'v=1; l=9999; a=ed25519');
  await delivered({ message: partial }, /dkim=fail reason="the body is shorter than l= says"/);
  await set('mtMailAuthPartialBody', 'TRUE');
  dns.zone['mute.test'] = { silent: true };
  await set('mtMailAuthTime', '1');
  await delivered({ sender: 'joe@mute.test' }, /spf=temperror/);
  await set('mtMailAuthTime');
  await set('mtMailAuthPartialBody');
});

test('a signature without the end of the body counts where that is wanted', async () => {
  const { partlySigned, record } = await import('../mail-auth/partly-signed.ts');
  dns.zone['part._domainkey.closed.test'] = { txt: [record] };
  await delivered({ message: partlySigned }, /dkim=policy reason="\d+ octets of the body are not signed"/);
  await set('mtMailAuthPartialBody', 'TRUE');
  await delivered({ message: partlySigned }, /dkim=pass header\.d=closed\.test/);
  await set('mtMailAuthPartialBody');
});

test('a forwarder that is trusted vouches for mail that fails', async () => {
  const { sealed, records } = await import('../mail-auth/sealed.ts');
  for (const [name, txt] of Object.entries(records)) dns.zone[name] = { txt: [txt] };
  const sending = { sender: 'list@lists.test', message: sealed };
  await becomes(sending, /^550 5\.7\.26/);
  await set('mtMailAuthTrustedSealer', 'lists.test');
  await becomes(sending, /^250/);
  await delivered(sending, /dmarc=fail \(p=reject\) reason="lists\.test vouches for it by ARC" .* arc=pass/);
  await set('mtMailAuthTrustedSealer');
  await becomes(sending, /^550 5\.7\.26/);
});

/** A message from the last one the sink has, as the world sees it. */
async function seen(): Promise<string> {
  const zone: Zone = Object.fromEntries(Object.entries(dns.zone).flatMap(([name, { txt }]) => (txt ? [[`TXT ${name}`, txt]] : [])));
  const data = sink.messages.at(-1)?.data ?? '';
  return words(await examine(Buffer.from(data, 'latin1'), { lookup: dnsOf(zone), now: Date.now(), settings: { spf: false } }));
}
const sends = (sending: Sending, pattern: RegExp): Promise<number> =>
  eventually(async () => {
    const before = sink.messages.length;
    expect(await send({ sender: user, to: 'friend@elsewhere.test', login: user, address: '127.0.0.1', ...sending })).toMatch(/^250/);
    await eventually(async () => sink.messages.length > before);
    return pattern.test(await seen());
  });

test('a domain gets a key, publishes it, signs, and changes keys', async () => {
  const record = (text: string): [string, string] => {
    const found = /^(\S+)\. IN TXT (.*)$/ms.exec(text.split('\n\n')[1] ?? '');
    return [found?.[1] ?? '', [...(found?.[2] ?? '').matchAll(/"([^"]*)"/g)].map((one) => one[1]).join('')];
  };
  expect(await bad(command('mailtree', ['dkim', 'show', 'example.test'], files))).toMatch(/has no keys/);
  const [name, text] = record(await good(command('mailtree', ['dkim', 'create', 'example.test'], files)));
  expect(name).toMatch(/^r\d{6}\._domainkey\.example\.test$/);
  expect(await bad(command('mailtree', ['dkim', 'create', 'example.test'], files))).toMatch(
    /has the rsa key r\d{6} \(new\); .*dkim show.*--type ed25519.*--selector NAME/,
  );
  expect(await bad(command('mailtree', ['dkim', 'activate', 'example.test'], files))).toMatch(
    /is not in the DNS: mail signed with this key would fail/,
  );
  await sends({}, /dkim=none/);
  dns.zone[name] = { txt: [keyRecord(makeKey('rsa'))], ttl: 0 };
  expect(await bad(command('mailtree', ['dkim', 'activate', 'example.test'], files))).toMatch(/has another key/);
  dns.zone[name] = { txt: [text], ttl: 0 };
  expect(await good(command('mailtree', ['dkim', 'activate', 'example.test'], files))).toMatch(/^example\.test signs with r\d{6}\n$/);
  await sends({}, /dkim=pass header\.d=example\.test .* dmarc=none/);

  // Ed25519 beside it, and a successor for the first.
  const [edName, edText] = record(await good(command('mailtree', ['dkim', 'create', 'example.test', '--type', 'ed25519'], files)));
  dns.zone[edName] = { txt: [edText], ttl: 0 };
  await good(command('mailtree', ['dkim', 'activate', 'example.test'], files));
  await sends({}, /dkim=pass .*header\.a=(rsa|ed25519)-sha256 .*dkim=pass/);
  const rotated = await good(command('mailtree', ['dkim', 'rotate', 'example.test'], files));
  for (const [, one = '', strings = ''] of rotated.matchAll(/^(\S+)\. IN TXT ("[^"]*"|\([^)]*\))/gm))
    dns.zone[one] = { txt: [[...strings.matchAll(/"([^"]*)"/g)].map((each) => each[1]).join('')], ttl: 0 };
  const after = await good(command('mailtree', ['dkim', 'activate', 'example.test'], files));
  expect(after.match(/is retired/g)).toHaveLength(2);
  await sends({}, /header\.s=[re]\d{6}b .*header\.s=[re]\d{6}b /);
  expect(await good(command('mailtree', ['dkim', 'check', 'example.test'], files))).toMatch(/\(active\): the DNS has it/);
  const advice = await good(command('mailtree', ['dns', 'example.test'], files));
  expect(advice).toMatch(/MX 10 mail\.example\.test[\s\S]*v=spf1[\s\S]*v=DKIM1[\s\S]*v=DMARC1/);
  // One source for what is published about encryption.
  const wanted = (await good(command('mailtree', ['tls', 'example.test', '--publish'], files))).match(/^_\S+ IN (TXT|TLSA) .*$/gm) ?? [];
  expect(wanted).toHaveLength(3);
  for (const line of wanted) expect(advice).toContain(`\n; ${line}\n`);
  const old = /^example\.test +(r\d{6}) /m.exec(await good(command('mailtree', ['dkim', 'list', 'example.test'], files)))?.[1] ?? '';
  await good(command('mailtree', ['dkim', 'delete', 'example.test', '--selector', old], files));
});

test('signing: off, and for how long a signature is valid', async () => {
  await set('mtDkimSign', 'FALSE');
  await sends({}, /dkim=none/);
  await set('mtDkimSign');
  await set('mtDkimValidDays', '7');
  await eventually(async () => {
    await sends({}, /dkim=pass/);
    return / x=\d+;/.test(sink.messages.at(-1)?.data ?? '');
  });
  await set('mtDkimValidDays');
});

test('nobody signs for a domain without an address there', async () => {
  await ldap.modify('cn=smtpd,cn=mailtree', change('replace', 'mtSmtpdAuthorCheck', 'never'));
  const other = join(files.dir, 'other.pem');
  const { generateKeyPairSync } = await import('node:crypto');
  writeFileSync(other, generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }));
  expect(await good(command('mailtree', ['dkim', 'create', 'other.test', '--import', other, '--selector', 'x'], files))).toMatch(
    /^remark: other\.test is not a domain of this server/,
  );
  await good(command('mailtree', ['dkim', 'activate', 'other.test', '--force'], files));
  await sends({ from: 'boss@other.test' }, /dkim=none/);
  await sends({ from: user }, /dkim=pass/);
  // Programs of this host are believed.
  const before = sink.messages.length;
  await good(command('sendmail', ['-f', 'boss@other.test', 'friend@elsewhere.test'], files, 'From: boss@other.test\n\nHello\n'));
  await eventually(async () => sink.messages.length > before);
  expect(sink.messages.at(-1)?.data).toMatch(/^DKIM-Signature: [\s\S]*d=other\.test;\r\n s=x;/);
  expect(await good(command('mailtree', ['dkim', 'retire', 'other.test'], files))).toMatch(/mail of other\.test is not signed any more/);
});

test('nobody reads a private key', async () => {
  const found = await ldap.search('cn=dkim,cn=mta,cn=mailtree', { scope: 'one', attributes: ['*', '+', 'mtDkimPrivateKey'] });
  expect(found.searchEntries.length).toBeGreaterThan(2);
  for (const entry of found.searchEntries) {
    expect(entry.mtDkimPublicKey).toBeTruthy();
    expect(entry.mtDkimPrivateKey ?? []).toEqual([]);
  }
  const exported = await good(command('mailtree', ['directory', 'export'], files));
  expect(exported).toMatch(/mtDkimPublicKey/i);
  expect(exported).not.toMatch(/mtDkimPrivateKey/i);
});
