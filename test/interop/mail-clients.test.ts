/** Debian's mail clients against a running server: swaks, curl, mbsync, fetchmail, mutt, openssl. */

import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { type Ran, succeeds, tool } from './support/tool.ts';

const [user1, user2, user3] = ['user1@example.test', 'user2@example.test', 'user3@example.test'];
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

/** curl against the mailboxes of a user; STARTTLS is demanded. */
function curl(user: string, url: string, ...args: string[]): Promise<Ran> {
  return tool('curl', ['--silent', '--show-error', '--ssl-reqd', '--insecure', '--user', `${user}:${password}`, url, ...args]);
}
const imap = (path: string) => `imap://127.0.0.1:${files.ports.imap}/${path}`;

/** Waits until a search in the mailbox finds something. */
async function arrived(user: string, subject: string, mailbox = 'INBOX'): Promise<void> {
  await eventually(async () => /\* SEARCH \d/.test((await curl(user, imap(mailbox), '-X', `SEARCH SUBJECT "${subject}"`)).out), 30_000);
}

function swaks(port: number, to: string, subject: string, ...args: string[]): Promise<Ran> {
  const fixed = ['--server', '127.0.0.1', '--port', String(port), '--to', to, '--header', `Subject: ${subject}`];
  return tool('swaks', ['--from', 'somebody@elsewhere.test', ...fixed, ...args]);
}

function folder(name: string): string {
  const path = join(files.dir, name);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

test('swaks delivers in the plain, pipelined, and after STARTTLS', async () => {
  const { smtp, smtps } = files.ports;
  for (const [subject, port, args] of [
    ['swaks-plain', smtp, []],
    ['swaks-pipelined', smtp, ['--pipeline']],
    ['swaks-starttls', smtp, ['--tls']],
    ['swaks-smtps', smtps, ['--tls-on-connect', '--auth', 'PLAIN', '--auth-user', user1, '--auth-password', password]],
  ] as const) {
    const from = subject === 'swaks-smtps' ? ['--from', user1] : [];
    const ran = await swaks(port, user1, subject, ...args, ...from);
    expect([subject, ran.code, ran.code === 0 ? '' : ran.all]).toEqual([subject, 0, '']);
    await arrived(user1, subject);
  }
}, 120_000);

test('swaks logs in with PLAIN and LOGIN at the submission port; a wrong password is 535, no login is refused, a stranger does not relay', async () => {
  const { smtp, submission } = files.ports;
  for (const mechanism of ['PLAIN', 'LOGIN']) {
    const login = ['--tls', '--from', user1, '--auth', mechanism, '--auth-user', user1];
    const good = await swaks(submission, user2, `swaks-${mechanism}`, ...login, '--auth-password', password);
    expect([mechanism, good.code, good.code === 0 ? '' : good.all]).toEqual([mechanism, 0, '']);
    await arrived(user2, `swaks-${mechanism}`);
    const bad = await swaks(submission, user2, 'never', ...login, '--auth-password', 'wrong');
    expect(bad.code).not.toBe(0);
    expect(bad.all).toContain('535 5.7.8');
  }
  const without = await swaks(submission, user2, 'never', '--tls');
  expect(without.code).not.toBe(0);
  expect(without.all).toMatch(/530 5\.7\.0/);
  const relay = await swaks(smtp, 'somebody@far.test', 'never');
  expect(relay.code).not.toBe(0);
  expect(relay.all).toMatch(/55\d 5\.7\.1/);
  const unknown = await swaks(smtp, 'nobody@example.test', 'never');
  expect(unknown.all).toContain('550 5.1.1');
}, 120_000);

test('curl sends by submission, lists, searches, appends and reads by IMAP and POP3, with and without TLS from the start', async () => {
  const mail = join(files.dir, 'curl-mail');
  writeFileSync(mail, `From: ${user1}\r\nTo: ${user3}\r\nSubject: curl-sent\r\n\r\nline\r\n.dot\r\n`);
  const sent = await curl(
    user1,
    `smtp://127.0.0.1:${files.ports.submission}`,
    '--mail-from',
    user1,
    '--mail-rcpt',
    user3,
    '--upload-file',
    mail,
  );
  expect(sent.all).toBe('');
  await arrived(user3, 'curl-sent');
  expect((await curl(user3, imap('INBOX;MAILINDEX=1'))).out).toContain('line\r\n.dot\r\n');
  expect((await curl(user3, imap(''))).out).toMatch(/\* LIST \([^)]*\) "[./]" "?INBOX"?/);
  expect((await curl(user3, imap('INBOX'), '--upload-file', mail)).code).toBe(0);
  expect((await curl(user3, imap('INBOX'), '-X', 'STATUS INBOX (MESSAGES)')).out).toContain('MESSAGES 2');
  expect((await curl(user3, `imaps://127.0.0.1:${files.ports.imaps}/INBOX;MAILINDEX=2`)).out).toBe(readFileSync(mail, 'latin1'));
  expect((await curl(user3, `pop3://127.0.0.1:${files.ports.pop3}/`)).out).toMatch(/^1 \d+\r\n2 \d+\r\n/);
  expect((await curl(user3, `pop3s://127.0.0.1:${files.ports.pop3s}/2`)).out).toBe(readFileSync(mail, 'latin1'));
  const wrong = await tool('curl', ['--silent', '--user', `${user3}:wrong`, '--ssl-reqd', '--insecure', imap('INBOX')]);
  expect(wrong.code).toBe(67);
}, 120_000);

test('mbsync pulls a mailbox into a Maildir and pushes a new message, flags and a deletion back', async () => {
  for (const n of [1, 2]) expect((await swaks(files.ports.smtp, 'user1@jade.net', `mbsync-${n}`)).code).toBe(0);
  const user = 'user1@jade.net';
  for (const n of [1, 2]) await arrived(user, `mbsync-${n}`);
  const maildir = folder('mbsync');
  const config = join(files.dir, 'mbsyncrc');
  writeFileSync(
    config,
    `IMAPStore remote
Host 127.0.0.1
Port ${files.ports.imaps}
User ${user}
Pass ${password}
SSLType IMAPS
CertificateFile ${join(files.dir, 'data', 'tls', 'cert.pem')}
SystemCertificates no

MaildirStore local
Path ${maildir}/
Inbox ${maildir}/INBOX
SubFolders Verbatim

Channel all
Far :remote:
Near :local:
Patterns *
Create Both
Expunge Both
SyncState *
`,
  );
  const sync = () => succeeds('mbsync', ['-c', config, '-a']);
  const names = (sub: string) => readdirSync(join(maildir, 'INBOX', sub));
  await sync();
  const pulled = [...names('new').map((name) => join('new', name)), ...names('cur').map((name) => join('cur', name))];
  expect(pulled.length).toBe(2);
  const subjects = pulled.map((path) => /^Subject: (.*)$/m.exec(readFileSync(join(maildir, 'INBOX', path), 'latin1'))?.[1]).sort();
  expect(subjects).toEqual(['mbsync-1', 'mbsync-2']);

  // One is read and flagged here, one deleted, one added.
  const [first, second] = pulled.map((path) => join(maildir, 'INBOX', path));
  const flagged = (path: string | undefined, letters: string) => {
    const bare = (path ?? '').split('/').at(-1)?.split(':')[0];
    renameSync(path ?? '', join(maildir, 'INBOX', 'cur', `${bare}:2,${letters}`));
  };
  flagged(first, 'FS');
  flagged(second, 'T');
  writeFileSync(join(maildir, 'INBOX', 'cur', '1000000000.1_1.host:2,RS'), `From: ${user}\nSubject: mbsync-local\n\nmade here\n`);
  await sync();
  const far = await curl(user, imap('INBOX'), '-X', 'FETCH 1:* (FLAGS)');
  expect((far.out.match(/\* \d+ FETCH/g) ?? []).length).toBe(2);
  expect(far.out).toMatch(/\\Flagged[^)]*\\Seen|\\Seen[^)]*\\Flagged/);
  expect((await curl(user, imap('INBOX'), '-X', 'SEARCH ANSWERED SUBJECT mbsync-local')).out).toMatch(/SEARCH \d/);

  // A change at the server comes down again.
  await curl(user, imap('INBOX'), '-X', 'STORE 1:* +FLAGS (\\Draft)');
  await sync();
  expect(names('cur').every((name) => name.split(':2,')[1]?.includes('D'))).toBe(true);
  await sync();
  expect(names('cur').length).toBe(2);
}, 120_000);

test('fetchmail collects by POP3 and by IMAP and leaves nothing behind', async () => {
  for (const [protocol, user] of [
    ['pop3', 'user2@jade.net'],
    ['imap', 'user3@jade.net'],
  ] as const) {
    for (const n of [1, 2, 3]) expect((await swaks(files.ports.smtp, user, `fetchmail-${n}`)).code).toBe(0);
    for (const n of [1, 2, 3]) await arrived(user, `fetchmail-${n}`);
    const home = folder(`fetchmail-${protocol}`);
    const rc = join(home, 'fetchmailrc');
    writeFileSync(
      rc,
      `poll 127.0.0.1 protocol ${protocol} port ${files.ports[protocol]} user "${user}" password "${password}" sslproto TLS1.2+ no sslcertck no rewrite mda "cat >> ${join(home, 'got')}"\n`,
      { mode: 0o600 },
    );
    const ran = await tool('fetchmail', ['--fetchmailrc', rc, '--pidfile', join(home, 'pid'), '--nosyslog'], {
      env: { FETCHMAILHOME: home, HOME: home },
    });
    expect([protocol, ran.code, ran.code === 0 ? '' : ran.all]).toEqual([protocol, 0, '']);
    const got = readFileSync(join(home, 'got'), 'latin1');
    for (const n of [1, 2, 3]) expect(got).toContain(`Subject: fetchmail-${n}`);
    expect((await curl(user, imap('INBOX'), '-X', 'STATUS INBOX (MESSAGES)')).out).toContain('MESSAGES 0');
  }
}, 120_000);

test('mutt opens an IMAP mailbox, copies a message out of it and saves one into a new one', async () => {
  expect((await swaks(files.ports.smtp, user2, 'mutt-read')).code).toBe(0);
  await arrived(user2, 'mutt-read');
  const home = folder('mutt');
  const rc = join(home, 'muttrc');
  const inbox = `imap://127.0.0.1:${files.ports.imap}/INBOX`;
  writeFileSync(
    rc,
    [
      `set imap_user="${user2}"`,
      `set imap_pass="${password}"`,
      'set ssl_force_tls=yes ssl_verify_host=no ssl_verify_dates=no',
      `set certificate_file="${join(files.dir, 'data', 'tls', 'cert.pem')}"`,
      `set folder="imap://127.0.0.1:${files.ports.imap}/" header_cache="" wait_key=no confirmappend=no confirmcreate=no delete=yes copy=no`,
      `push "<limit>~s mutt-read<enter><copy-message>${join(home, 'copied')}<enter><copy-message>=Kept<enter><quit>y"`,
      '',
    ].join('\n'),
  );
  // mutt wants a terminal; script gives it one.
  const ran = await tool('script', ['-qec', `mutt -n -F ${rc} -f ${inbox}`, '/dev/null'], {
    env: { HOME: home, TERM: 'xterm' },
    ms: 30_000,
  });
  expect([ran.code, ran.code === 0 ? '' : ran.all]).toEqual([0, '']);
  expect(readFileSync(join(home, 'copied'), 'latin1')).toContain('Subject: mutt-read');
  expect((await curl(user2, imap('Kept'), '-X', 'SEARCH SUBJECT mutt-read')).out).toMatch(/SEARCH 1/);
}, 120_000);

test('openssl shakes hands at every TLS port and after every STARTTLS, and knows the certificate', async () => {
  const { ldaps, imaps, pop3s, smtps, ldap, imap: plainImap, pop3, smtp, submission } = files.ports;
  for (const [port, starttls] of [
    [ldaps],
    [imaps],
    [pop3s],
    [smtps],
    [ldap, 'ldap'],
    [plainImap, 'imap'],
    [pop3, 'pop3'],
    [smtp, 'smtp'],
    [submission, 'smtp'],
  ] as const) {
    for (const version of ['-tls1_2', '-tls1_3']) {
      const trust = [
        '-CAfile',
        join(files.dir, 'data', 'tls', 'cert.pem'),
        '-verify_return_error',
        '-verify_hostname',
        'mail.example.test',
      ];
      const ran = await tool('openssl', [
        's_client',
        '-connect',
        `127.0.0.1:${port}`,
        version,
        ...trust,
        ...(starttls ? ['-starttls', starttls] : []),
      ]);
      expect([port, starttls, version, ran.all.includes('Verify return code: 0 (ok)') || ran.all]).toEqual([port, starttls, version, true]);
    }
    const old = await tool('openssl', [
      's_client',
      '-connect',
      `127.0.0.1:${port}`,
      '-tls1_1',
      ...(starttls ? ['-starttls', starttls] : []),
    ]);
    expect([port, old.code]).not.toEqual([port, 0]);
  }
}, 120_000);
