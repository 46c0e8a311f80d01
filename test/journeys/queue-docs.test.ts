/** What docs/queue.md shows can be typed as it stands there: commands, searches, LDIF, requests. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { parseLdif } from '../../src/ldap-wire/index.ts';
import { change, control, ldapAdministrator } from '../support/mail-clients.ts';
import {
  adminDn,
  adminPassword,
  command,
  eventually,
  prepareServer,
  type RunningServer,
  runServer,
  type ServerFiles,
} from '../support/server.ts';

const page = readFileSync('docs/queue.md', 'utf8');
const shownId = /01m8[0-9a-z]{12}/g;
let files: ServerFiles;
let server: RunningServer;
let ldap: Client;

beforeAll(async () => {
  files = await prepareServer({ extra: 'dns: [127.0.0.1:1]' });
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
});
afterAll(async () => {
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await files.remove();
});

/** The lines behind a prompt, continued ones as one; those in the text that are commands of the queue. */
function typed(program: string): string[] {
  const prompted = [...page.matchAll(/^\$ ((?:.*\\\n)*.*)$/gm)].map(([, line = '']) => line.replace(/\\\n\s*/g, ''));
  const inText = [...page.matchAll(/`(mailtree queue [a-z]+ -[^`…]*)`/g)].map(([, line = '']) => line);
  return [...prompted, ...inText].filter((line) => line.startsWith(`${program} `));
}

/** As a shell would take it apart. */
const words = (line: string): string[] =>
  execFileSync('sh', ['-c', `for word in ${line}; do printf '%s\\0' "$word"; done`], { encoding: 'utf8' })
    .split('\0')
    .slice(0, -1);

/** The id of a message that waits just then. */
async function message(): Promise<string> {
  const waits = async (): Promise<string | undefined> =>
    (await control<{ messages: { id: string }[] }>(files, '/queue/messages?states=deferred')).messages[0]?.id;
  const there = await waits();
  if (there !== undefined) return there;
  expect((await command('sendmail', ['-f', 'user1@example.test', 'a@yahoo.com'], files, 'Subject: x\n\nx\n')).code).toBe(0);
  await eventually(async () => (await waits()) !== undefined);
  return (await waits()) ?? '';
}

test('every command of the page is understood, and does what it says or says that there is nothing to do', async () => {
  const lines = typed('mailtree');
  expect(lines.length).toBeGreaterThan(20);
  for (const line of lines) {
    const id = shownId.test(line) && !line.includes(' aside ') ? await message() : '01m8ad8s9pxngfg5';
    const done = await command('mailtree', words(line.replace(shownId, id)).slice(1), files);
    expect([line, done.err]).toEqual([
      line,
      expect.not.stringMatching(/unknown|missing|is not|is none|there is no (queue|state|such filter)|error:/),
    ]);
    // 1: nothing matched, nothing was confirmed, or nothing lies aside.
    expect([line, done]).toEqual([
      line,
      expect.objectContaining({ code: line.includes(id) && !line.includes(' aside ') ? 0 : expect.any(Number) }),
    ]);
  }
});

test('mailq is typed as the page and the manual have it', async () => {
  const id = await message();
  for (const line of typed('mailq')) expect((await command('mailq', words(line).slice(1), files)).out).toContain(id);
  // Source: manual chapter 6, "MAILQ"
  expect(await command('mailq', ['-s', 'size', '-q', ''], files)).toMatchObject({ code: 0, out: 'nothing is pending\n' });
});

test('every search of the page is one, and finds what it is for', async () => {
  const searches = typed('ldapsearch').map(words);
  expect(searches.length).toBeGreaterThan(4);
  for (const search of searches) {
    // The page's lines log in as an administrator; here somebody is.
    expect(search.slice(0, 7)).toEqual(['ldapsearch', '-x', '-H', 'ldap://127.0.0.1:2389', '-D', adminDn, '-W']);
    const [base = '', ...rest] = search.slice(search.indexOf('-b') + 1);
    const scope = rest[0] === '-s' ? 'one' : 'sub';
    const [filter = '', ...attributes] = rest[0] === '-s' ? rest.slice(2) : rest;
    const { searchEntries } = await ldap.search(base, { scope, filter, attributes });
    expect([filter, searchEntries.length]).toEqual([filter, expect.any(Number)]);
    if (filter.includes('mtQueueDeferred')) expect(searchEntries).toMatchObject([{ mtQueueDeferred: expect.stringMatching(/^[1-9]/) }]);
  }
});

test('the LDIF of the page is taken: an operator sees the queue, and the access mask is set', async () => {
  const pieces = [...page.matchAll(/```ldif\n([\s\S]*?)```/g)].flatMap(([, ldif = '']) => [...parseLdif(ldif)]);
  expect(pieces).toHaveLength(2);
  for (const record of pieces) {
    const texts = (values: readonly (string | Uint8Array)[]): string[] => values.map((value) => Buffer.from(value).toString());
    if (record.kind === 'add')
      await ldap.add(record.dn.toString(), Object.fromEntries(record.attributes.map(({ name, values }) => [name, texts(values)])));
    else if (record.kind === 'modify')
      for (const { attribute } of record.modifications)
        await ldap.modify(record.dn.toString(), change('replace', attribute.name, ...texts(attribute.values)));
  }
  const operator = await ldapAdministrator(files);
  await operator.bind('mail=user2@example.test,dc=example,dc=test', 'example-password-1');
  expect((await operator.search('cn=queues,cn=monitor', { scope: 'one' })).searchEntries).toHaveLength(7);
  await expect(operator.search('cn=disk,cn=monitor')).rejects.toMatchObject({ code: 32 });
  await operator.unbind();
  expect((await ldap.search('cn=preprocessor,cn=mailtree', { scope: 'base' })).searchEntries[0]?.mtQueueAccessMask).toHaveLength(3);
});

test('the requests of the page are answered', async () => {
  const requests = typed('curl').map(words);
  expect(requests).toHaveLength(3);
  const headers = {
    Authorization: `Basic ${Buffer.from(`${adminDn}:${adminPassword}`).toString('base64')}`,
    'Content-Type': 'application/json',
  };
  for (const request of requests) {
    const url =
      request.find((word) => word.startsWith('https:'))?.replace(/^https:\/\/[^/]*/, `http://127.0.0.1:${files.ports.http}`) ?? '';
    const body = request[request.indexOf('-d') + 1];
    const answer = await fetch(url, request.includes('-d') && body ? { method: 'POST', headers, body } : { headers });
    expect([url, answer.status]).toEqual([url, 200]);
  }
});
