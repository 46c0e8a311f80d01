/** The server ends while another host keeps it waiting: it does not wait along, and the message goes out after the next start. */

import { expect, test } from '@jest/globals';
import { startFakeDns } from '../support/fake-dns.ts';
import { change, control, ldapAdministrator, waiting } from '../support/mail-clients.ts';
import { command, eventually, prepareServer, runServer } from '../support/server.ts';
import { startSink } from '../support/smtp-sink.ts';

test.each(['connect', 'RCPT', '.'])('a host that says nothing at "%s" does not hold up SIGTERM, nor is its message lost', async (verb) => {
  const sink = await startSink({ reply: (said) => (said === verb ? 'mute' : undefined) });
  const dns = await startFakeDns({ 'remote.test': { mx: [[10, 'mx.remote.test']] }, 'mx.remote.test': { a: ['127.0.0.1'] } });
  const files = await prepareServer({ extra: `dns: [127.0.0.1:${dns.port}]` });
  const server = await runServer(files);
  const ldap = await ldapAdministrator(files);
  await ldap.modify('cn=smtpc,cn=mailtree', change('replace', 'mtSmtpcPort', String(sink.port)));
  await ldap.unbind();
  expect((await command('sendmail', ['friend@remote.test'], files, 'Subject: waits for an answer\n\nx\n')).code).toBe(0);
  const reached = {
    connect: () => sink.connections > 0,
    RCPT: () => sink.heard.some((line) => line.startsWith('RCPT')),
    '.': () => sink.heard.includes('DATA'),
  };
  await eventually(async () => reached[verb as keyof typeof reached]());
  const begun = performance.now();
  const ready = async (): Promise<number | string> => {
    const answer = await fetch(`http://127.0.0.1:${files.ports.http}/health/ready`).catch(() => undefined);
    return answer?.status ?? 'gone';
  };
  expect(await ready()).toBe(200);
  const stopped = server.stop();
  // Whoever watches sees it as long as others are still served, and at last that nobody is there.
  const seen = new Set<number | string>();
  await eventually(async () => seen.add(await ready()).has('gone'));
  expect(await stopped).toBe(0);
  if (verb === '.') expect([...seen]).toEqual(expect.arrayContaining([503, 'gone']));
  console.info(`stopped after ${Math.round(performance.now() - begun)} ms`);
  expect(performance.now() - begun).toBeLessThan(10_000);
  sink.script.reply = () => undefined;
  const again = await runServer(files);
  await control(files, '/queue/SMTPC/retry', 'POST');
  await eventually(async () => sink.messages.some(({ data }) => data.includes('waits for an answer')));
  await eventually(async () => (await waiting(files)).length === 0);
  expect(sink.messages.map(({ to }) => to)).toContainEqual(['friend@remote.test']);
  expect(await again.stop()).toBe(0);
  await Promise.all([sink.stop(), dns.stop(), files.remove()]);
});
