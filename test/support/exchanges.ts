/** One short ordinary conversation with every door; each throws when something is not as it should be. */

import { LdapClient } from '../../src/directory-remote/index.ts';
import { parseDn, parseFilter } from '../../src/ldap-wire/index.ts';
import type { Exchange } from '../fuzz/server-attack.ts';
import { password } from './server.ts';
import { Wire } from './wire.ts';

/** The account that is used. */
export const reader = 'user3@jade.net';

function must(answer: string, wanted: RegExp): void {
  if (!wanted.test(answer)) throw new Error(`${wanted} was expected, not ${answer.slice(0, 200)}`);
}

async function smtp(port: number, tls: boolean): Promise<void> {
  const wire = await Wire.open(port, { tls });
  must(await wire.reply(), /^220/);
  must(await wire.smtp('EHLO witness.test\r\n'), /^250/);
  must(await wire.smtp('MAIL FROM:<witness@elsewhere.test>\r\n'), /^250/);
  must(await wire.smtp(`RCPT TO:<${reader}>\r\n`), /^250/);
  must(await wire.smtp('DATA\r\n'), /^354/);
  must(await wire.smtp('Subject: witness\r\n\r\ntext\r\n.\r\n'), /^250/);
  must(await wire.smtp('QUIT\r\n'), /^221/);
  wire.end();
}

async function submission(port: number, tls: boolean): Promise<void> {
  const wire = await Wire.open(port, { tls });
  must(await wire.reply(), /^220/);
  must(await wire.smtp('EHLO witness.test\r\n'), /^250/);
  must(await wire.smtp(`AUTH PLAIN ${Buffer.from(`\0${reader}\0${password}`).toString('base64')}\r\n`), /^235/);
  must(await wire.smtp('QUIT\r\n'), /^221/);
  wire.end();
}

async function imap(port: number, tls: boolean): Promise<void> {
  const wire = await Wire.open(port, { tls });
  await wire.until(/^\* OK [^\n]*\n/);
  must(await wire.imap('a', `LOGIN ${reader} ${password}`), /^a OK/m);
  must(await wire.imap('b', 'SELECT INBOX'), /^b OK/m);
  must(await wire.imap('c', 'FETCH * (FLAGS ENVELOPE)'), /^c (OK|BAD|NO)/m);
  must(await wire.imap('d', 'LOGOUT'), /^d OK/m);
  wire.end();
}

async function pop3(port: number, tls: boolean): Promise<void> {
  const wire = await Wire.open(port, { tls });
  const line = (): Promise<string> => wire.until(/^[^\n]*\n/);
  must(await line(), /^\+OK/);
  for (const command of [`USER ${reader}`, `PASS ${password}`, 'STAT', 'QUIT']) {
    wire.say(`${command}\r\n`);
    const answer = await line();
    // POP3 gives the mailbox to one session at a time (RFC 1939 §4): the other witness may have it.
    if (command.startsWith('PASS') && /IN-USE/.test(answer)) break;
    must(answer, /^\+OK/);
  }
  wire.end();
}

const ldap: Exchange = async ({ ports }) => {
  const client = await LdapClient.connect({ host: '127.0.0.1', port: ports.ldap });
  await client.bind(`mail=${reader},dc=jade,dc=net`, password);
  const found = await client.search({ base: parseDn('dc=jade,dc=net'), scope: 'sub', filter: parseFilter(`(mail=${reader})`) });
  client.close();
  if (found.length !== 1) throw new Error(`${found.length} entries were found`);
};

const ldaps: Exchange = async ({ ports }) => {
  const wire = await Wire.open(ports.ldaps, { tls: true });
  // An anonymous bind, and its success.
  wire.say('\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00');
  await wire.until(/\x02\x01\x01\x61.\x0a\x01\x00/s);
  wire.end();
};

const http: Exchange = async ({ ports }) => {
  const response = await fetch(`http://127.0.0.1:${ports.http}/`);
  await response.text();
  if (response.status !== 200) throw new Error(`HTTP ${response.status}`);
};

export const exchanges: Readonly<Record<string, Exchange>> = {
  ldap,
  ldaps,
  smtp: ({ ports }) => smtp(ports.smtp, false),
  submission: ({ ports }) => submission(ports.submission, false),
  smtps: ({ ports }) => submission(ports.smtps, true),
  imap: ({ ports }) => imap(ports.imap, false),
  imaps: ({ ports }) => imap(ports.imaps, true),
  pop3: ({ ports }) => pop3(ports.pop3, false),
  pop3s: ({ ports }) => pop3(ports.pop3s, true),
  http,
};
