/**
 * Killing a process keeps what the system has in memory, so it proves nothing about power loss. Here the system calls are
 * written down (strace) while mail is accepted, entries are written and messages appended, one after another: no success may be
 * told while a file that was written since the request waits to be flushed, or a name made since then stands in an unflushed
 * directory.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parseDn } from '../../src/ldap-wire/index.ts';
import { administrator, command, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { type Answer, readTrace, tracedCalls } from '../support/system-calls.ts';
import { Wire } from '../support/wire.ts';

let files: ServerFiles;
let server: RunningServer;
let traceFile: string;
let data: string;

beforeAll(async () => {
  files = await prepareServer();
  data = join(files.dir, 'data');
  traceFile = join(files.dir, 'trace');
  // Everything is made before, so that the trace holds the ordinary case.
  const first = await runServer(files);
  await first.stop();
  server = await runServer(files, {
    command: ['strace', '-f', '-y', '-ttt', '-s', '400', '-e', `trace=${tracedCalls.join(',')}`, '-e', 'signal=none', '-o', traceFile],
  });
  // Delivery writes, too, and would be taken for a part of the acceptance.
  await command('mailtree', ['component', 'stop', 'PREPROCESSOR', '--config', files.config], files);
});

/** The server itself: strace would let it go and end alone. */
const stopServer = (): void => void process.kill(Number(readFileSync(join(data, 'holder'), 'utf8')), 'SIGTERM');

afterAll(async () => {
  // Where the test ended early the server runs still, and would keep this process.
  if (server.process.exitCode === null) {
    stopServer();
    await server.stop();
  }
  await files.remove();
});

const rounds = 12;

async function sendMail(): Promise<void> {
  const wire = await Wire.open(files.ports.smtp);
  await wire.reply();
  await wire.smtp('EHLO client.test\r\n');
  for (let n = 0; n < rounds; n++) {
    const lines = n % 4 === 3 ? 12_000 : 10 * n;
    const body = `Subject: ${n}\r\n\r\n${`line of message ${n}, some words\r\n`.repeat(lines)}`;
    expect(await wire.smtp(`MAIL FROM:<sender${n}@elsewhere.test>\r\n`)).toMatch(/^250/);
    for (const user of ['user1', 'user2']) expect(await wire.smtp(`RCPT TO:<${user}@example.test>\r\n`)).toMatch(/^250/);
    expect(await wire.smtp('DATA\r\n')).toMatch(/^354/);
    expect(await wire.smtp(`${body}.\r\n`)).toMatch(/^250 2\.0\.0 Ok: queued/);
  }
  wire.end();
}

async function writeEntries(): Promise<void> {
  const client = await administrator(files);
  for (let n = 0; n < rounds; n++) {
    const dn = parseDn(`mail=traced${n}@example.test,dc=example,dc=test`);
    const values = { objectClass: ['inetOrgPerson', 'mtMailUser'], mail: [`traced${n}@example.test`], cn: ['Traced'], sn: ['Traced'] };
    await client.add(
      dn,
      Object.entries(values).map(([name, of]) => ({ name, values: of })),
    );
    // Some are large enough to make the database go on to another log file in the end.
    const jpegPhoto = Buffer.concat([Buffer.from('ffd8ffe0', 'hex'), Buffer.alloc(n % 2 === 0 ? 3_000_000 : 10, n)]);
    await client.modify(dn, [{ operation: 'replace', attribute: { name: 'jpegPhoto', values: [jpegPhoto] } }]);
    await client.delete(dn);
  }
  client.close();
}

async function append(): Promise<void> {
  const wire = await Wire.open(files.ports.imap);
  await wire.until(/^\* OK [^\n]*\n/);
  expect(await wire.imap('a', `LOGIN user3@example.test ${password}`)).toMatch(/^a OK/m);
  for (let n = 0; n < rounds; n++) {
    const text = `Subject: ${n}\r\n\r\n${'a line of text, some words\r\n'.repeat(n % 4 === 3 ? 12_000 : 10 * n)}`;
    expect(await wire.imap(`append${n}`, `APPEND INBOX {${text.length}+}\r\n${text}`)).toMatch(/^append\d+ OK/m);
  }
  wire.end();
}

const answers: readonly Answer[] = [
  { name: 'SMTP 250', says: /^250 2\.0\.0 Ok: queued/, files: [/\/blobs\//, /\/mail\/\d+\.log$/] },
  // A result with the code success: addResponse, modifyResponse, delResponse (RFC 4511 §4.1.9).
  {
    name: 'LDAP success',
    says: /^\x30[\s\S]{1,5}\x02[\x01-\x04][\s\S]{1,4}[\x69\x67\x6b]\x07\x0a\x01\x00/,
    files: [/\/directory\/\d+\.log$/],
  },
  { name: 'APPEND OK', says: /^append\d+ OK /m, files: [/\/blobs\//, /\/mail\/\d+\.log$/] },
];

test('no success is told before what it promises is flushed', async () => {
  await sendMail();
  await writeEntries();
  await append();
  stopServer();
  expect(await server.stop()).toBe(0);

  const trace = readFileSync(traceFile, 'latin1');
  const report = readTrace(trace, { data, answers });
  console.log(
    `${report.calls} system calls, ${report.flushes} flushes; ${[...report.told].map(([name, count]) => `${count} times ${name}`).join(', ')}`,
  );
  expect(report.wrong).toEqual([]);
  expect(Object.fromEntries(report.told)).toEqual({ 'SMTP 250': rounds, 'LDAP success': rounds * 3, 'APPEND OK': rounds });
  // That nothing was found is worth something only if a missing flush would be.
  const without = trace.replace(/^.*(fdatasync|fsync).*$/gm, '').replace(/\|O_DSYNC/g, '');
  expect(readTrace(without, { data, answers }).wrong.length).toBeGreaterThan(rounds * 5);
  expect(trace).toMatch(/openat\([^"]*"[^"]*\/directory\/\d+\.log", [^)]*O_CREAT/);
});
